import type { Effect, Reply, ServerFrame, ViewNumber } from "@quorate/protocol";
import type { ExecutedReply } from "@quorate/state-machine";

/** What a client is told of its request; the view is a hint at whom to ask next, and not signed. */
export function replyFrame(executed: ExecutedReply, view: ViewNumber): ServerFrame {
  const { from, statement, signature, session, number, requestDigest, results, path } = executed;
  const reply: Reply = { from, statement, signature, session, number, requestDigest, results, path, view };
  return { type: "reply", reply };
}

/** The replica does not take the request on: it may ask again, or others. */
export function refusalFrame({ requestDigest, code }: Extract<Effect, { type: "refuse" }>): ServerFrame {
  return { type: "refused", requestDigest, code };
}

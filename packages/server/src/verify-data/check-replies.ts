import { sequenceNumber, viewNumber } from "@quorate/protocol";
import type { Executor } from "@quorate/state-machine";
import type { History } from "@quorate/storage";
import type { Judges } from "../data-reader.ts";
import { readHistory } from "../history-reading.ts";
import { counted, type Looked, type Report } from "./data-check.ts";

/** The signature says nothing of the view: it is a hint for clients. */
const ANY_VIEW = viewNumber(0);

/**
 * Makes the replies to the requests behind number `above` again, as for a client that asks once more: results, path and
 * signature have to hold (protocol rule 5.1).
 */
export function checkReplies(
  history: Pick<History, "get" | "first" | "last">,
  executor: Executor,
  { entries, judge }: Judges,
  above: number,
  report: Report,
): Looked<undefined> {
  const { executed } = executor;
  let replies = 0;
  for (const { seq, bytes } of readHistory(history, executed, { from: above + 1, to: executed })) {
    const entry = bytes && entries.judge(sequenceNumber(seq), bytes).entry;
    for (const request of entry?.batch.requests ?? []) {
      const reply = executor.replyTo(request);
      if (reply === undefined) continue;
      replies += 1;
      if (judge.verifyReply({ ...reply, view: ANY_VIEW }) === undefined)
        report(`the reply to request ${request.digest} of number ${seq} does not lead to what this replica signed`);
    }
  }
  return { found: `${counted(replies, "reply", "replies")} that can be sent again`, value: undefined };
}

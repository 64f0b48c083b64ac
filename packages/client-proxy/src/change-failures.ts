import type { Configuration, Epoch, ReconfigurationRefusal, ReconfigurationRequest } from "@quorate/protocol";
import { describeRefusal } from "@quorate/reconfiguration";
import type { ClientFailure, FailureEffect } from "./outcome.ts";

/** The cluster does not make the change that was ordered. */
export function changeRefused(
  reason: ReconfigurationRefusal,
  request: ReconfigurationRequest,
  configuration: Configuration,
): ClientFailure {
  return {
    code: "client.change-refused",
    // This order may be the one that was executed before.
    effect: reason === "nonce-used" ? "unknown" : "none",
    reason,
    message: `the cluster refused the change (${reason}): ${describeRefusal(reason, request, configuration)}`,
  };
}

/** The epoch of an order was over before anybody answered it. `unknown`: it may have been executed then, which no link shows. */
export function changeLost(epoch: Epoch, effect: FailureEffect): ClientFailure {
  const what =
    effect === "none"
      ? "it was not accepted, and has no effect any more; sign it anew if it is still wanted"
      : "nobody remembers whether it was executed before; sign it anew, which is refused if it is so already";
  return {
    code: "client.change-lost",
    effect,
    epoch,
    message: `epoch ${epoch}, which the change was ordered for, is over: ${what}`,
  };
}

/** Nobody has shown the epoch that an order is for. */
export function changeNeverDue(epoch: Epoch, known: Epoch): ClientFailure {
  return {
    code: "client.no-quorum",
    effect: "none",
    replies: [],
    refusals: [],
    message: `the change is for epoch ${epoch}, and the latest that anybody has shown is epoch ${known}; it was never sent`,
  };
}

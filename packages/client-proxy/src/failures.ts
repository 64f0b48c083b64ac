import type { ResultStatus } from "@quorate/protocol";
import type { OpenRequest } from "./open-request.ts";
import type { ClientFailure, FailureEffect } from "./outcome.ts";

/** Submitted to a full queue. */
export function overloaded(waiting: number, waitingBytes: number): ClientFailure {
  return {
    code: "client.overloaded",
    effect: "none",
    message: `${waiting} operations (${waitingBytes} bytes) wait to be sent, which is as many as may; submit it again when some have ended`,
  };
}

export function operationTooLarge(bytes: number, bytesMax: number): ClientFailure {
  return {
    code: "client.operation-too-large",
    effect: "none",
    bytes,
    bytesMax,
    message: `the operation has ${bytes} bytes, this cluster orders at most ${bytesMax}; split it`,
  };
}

const EVICTION_CAUSES: Partial<Record<ResultStatus, string>> = {
  "session-unknown": "the cluster evicted this client's session",
  "number-reused": "another process used this client's session",
  "too-old": "the cluster no longer remembers this request",
  "client-not-admitted": "the cluster no longer serves this client's key",
};

/** The session of a call on the way is gone (protocol rule 3.4). */
export function sessionEvicted(reason: ResultStatus): ClientFailure {
  return {
    code: "client.session-evicted",
    effect: "unknown",
    reason,
    message: `${EVICTION_CAUSES[reason] ?? reason}; the operation may or may not have executed: look before you submit it again`,
  };
}

/** The deadline is there. `request` is what the call waits for: its own request, or the session's registration. */
export function noQuorum(request: OpenRequest | undefined, weakQuorum: number, effect: FailureEffect): ClientFailure {
  const replies = request?.replies ?? [];
  const refusals = request?.refusals ?? [];
  const refused = refusals.map(({ from, code }) => `replica ${from} refused it as ${code}`);
  const said = [`${replies.length} replies`, ...refused].join(", ");
  const next =
    effect === "none"
      ? "the operation was never sent"
      : "the operation may have executed or may still do so: a retry of the same request is safe, submitting it anew is not";
  return {
    code: "client.no-quorum",
    effect,
    replies,
    refusals,
    message: `no ${weakQuorum} members agreed on a result in time (${said}); ${next}`,
  };
}

/** No f+1 replies can match any more. */
export function divergent(request: OpenRequest, weakQuorum: number): ClientFailure {
  return {
    code: "client.divergent",
    effect: "unknown",
    replies: request.replies,
    message: `no ${weakQuorum} members can agree on a result any more: more are faulty than the cluster tolerates, or the service is not deterministic; whether the operation executed is unknown: a retry of the same request is safe, submitting it anew is not`,
  };
}

export function closed(effect: FailureEffect): ClientFailure {
  return { code: "client.closed", effect, message: "the client was closed before the operation had a result" };
}

export function cancelled(effect: FailureEffect): ClientFailure {
  const next =
    effect === "none" ? "it was never sent" : "it may execute all the same: a retry of the same request is safe";
  return {
    code: "client.cancelled",
    effect,
    message: `the caller cancelled the operation before it had a result; ${next}`,
  };
}

/** A retry of a call of which nothing is known here. */
export function forgotten(): ClientFailure {
  return {
    code: "client.forgotten",
    effect: "unknown",
    message:
      "this client no longer knows the call: so many requests were answered since it failed that its own has left the window; look whether it executed before you submit it again",
  };
}

export function registrationRefused(reason: ResultStatus): ClientFailure {
  return {
    code: "client.registration-refused",
    effect: "none",
    reason,
    message:
      reason === "registration-quota"
        ? "the cluster opens no further session for this client's key now: it has as many as it may have, or all places are taken; try again later"
        : `the cluster opens no session for this client (${reason}); try again later`,
  };
}

/**
 * The cluster does not make the checkpoint that was ordered.
 *
 * @param last the number of the last one.
 * @param next from where on one may be ordered.
 */
export function checkpointRefused(
  reason: ResultStatus,
  last: number | undefined,
  next: number | undefined,
): ClientFailure {
  const message =
    reason === "checkpoint-too-soon"
      ? `the last checkpoint is at ${last}, the next one may be ordered from ${next} on; order it again when so many numbers are executed, one for each batch of requests that clients send`
      : reason === "checkpoint-not-permitted"
        ? "this key is neither an admin's nor a member's of this cluster: expected one that its genesis document names"
        : `the cluster refused the checkpoint (${reason}); order it again`;
  return { code: "client.checkpoint-refused", effect: "none", reason, lastCheckpoint: last, message };
}

export function notAdmitted(effect: FailureEffect): ClientFailure {
  return {
    code: "client.not-admitted",
    effect,
    message: "this client's key is not among those that the cluster serves; ask its administrators to admit it",
  };
}

export function wrongCluster(effect: FailureEffect): ClientFailure {
  return {
    code: "client.wrong-cluster",
    effect,
    message:
      "the replicas at the addresses of this genesis document belong to another cluster; use the genesis document of that cluster",
  };
}

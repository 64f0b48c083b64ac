import type {
  Epoch,
  OperationResult,
  Receipt,
  ReconfigurationRefusal,
  RefusalCode,
  ReplicaId,
  ResultStatus,
  SequenceNumber,
  VerifiedReply,
} from "@quorate/protocol";

/** Whether the operation of a failed call had an effect: `no` for certain, or nobody here can tell. */
export type FailureEffect = "none" | "unknown";

/** A replica's word that it did not take a request on; a hint, kept for people to read. */
export interface Refusal {
  readonly from: ReplicaId;
  readonly code: RefusalCode;
}

/** Why a call has no result: `code` for programs, `message` for people. A value, never thrown by the core. */
export type ClientFailure = {
  /** What went wrong, what was expected, what to do. */
  readonly message: string;
  readonly effect: FailureEffect;
} /** Too much waits already; try again later. */ & (
  | { readonly code: "client.overloaded" }
  | { readonly code: "client.operation-too-large"; readonly bytes: number; readonly bytesMax: number }
  /** The cluster forgot the session, or another process uses it (protocol rule 3.4). */
  | { readonly code: "client.session-evicted"; readonly reason: ResultStatus }
  /** FAIL: the deadline came before f+1 matching replies (protocol rule 5.3). */
  | {
      readonly code: "client.no-quorum";
      readonly replies: readonly VerifiedReply[];
      readonly refusals: readonly Refusal[];
    }
  /** FAIL: no f+1 replies can match any more; the signed replies show who said what (protocol rule 5.3). */
  | { readonly code: "client.divergent"; readonly replies: readonly VerifiedReply[] }
  | { readonly code: "client.closed" }
  | { readonly code: "client.cancelled" }
  /** A retry came too late: the request has left the window of what the client remembers. */
  | { readonly code: "client.forgotten" }
  /** The cluster opened no session; `client.not-admitted` is told apart. */
  | { readonly code: "client.registration-refused"; readonly reason: ResultStatus }
  /** The checkpoint that was ordered is not made; the last one is at `lastCheckpoint`, if that is why (protocol rule 9.1). */
  | {
      readonly code: "client.checkpoint-refused";
      readonly reason: ResultStatus;
      readonly lastCheckpoint: number | undefined;
    }
  /** The change that was ordered is not made (protocol rule 11.1). */
  | { readonly code: "client.change-refused"; readonly reason: ReconfigurationRefusal }
  /** Its epoch was over before it was answered; it has no effect in another. */
  | { readonly code: "client.change-lost"; readonly epoch: Epoch }
  /** The client's key is not among those that the cluster serves. */
  | { readonly code: "client.not-admitted" }
  /** The members that genesis names serve another cluster. */
  | { readonly code: "client.wrong-cluster" }
);
export type ClientFailureCode = ClientFailure["code"];

/** How a call ended. */
export type CallOutcome =
  | {
      readonly type: "result";
      /** Of status `ok`, or `failed` when the service threw; backed by f+1 members, hence by a correct one, or by a link of the epoch chain. */
      readonly result: OperationResult;
      /** Where the operation ran; undefined when f+1 members agree on the result but not under one statement. */
      readonly seq: SequenceNumber | undefined;
      /** Which of the receipt's results belongs to this operation: `receipt.results[index]` is `result`. */
      readonly index: number;
      /** Of the whole request that the operation travelled in; undefined together with `seq`. */
      readonly receipt: Receipt | undefined;
    }
  | { readonly type: "failed"; readonly failure: ClientFailure };

/**
 * The proof of a call's result, verifiable offline by whoever trusts the genesis document (protocol rule 5.2). It
 * covers the whole request; the operation's own result stands at `outcome.index`. Undefined for a failure, and for a
 * result whose f+1 replies were signed under different statements (protocol rule 3.6).
 */
export function receiptOf(outcome: CallOutcome): Receipt | undefined {
  return outcome.type === "result" ? outcome.receipt : undefined;
}

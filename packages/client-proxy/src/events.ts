import type {
  ClientFrame,
  Digest,
  Epoch,
  EpochLink,
  Membership,
  RefusalCode,
  ReplicaId,
  SequenceNumber,
  VerifiedReply,
  ViewNumber,
} from "@quorate/protocol";
import type { CallOutcome } from "./outcome.ts";

/** Why a listener refuses a client for good: its key is not served, or the genesis document is another cluster's. */
export type TurnedAwayReason = "not-admitted" | "wrong-cluster";

/** The timers of a client. Starting one that runs replaces it. */
export type ClientTimer = "resend" | "deadline";

/**
 * What happens to a client. `atMs` is a clock of milliseconds that the runner keeps from going back; only differences
 * matter.
 */
export type ClientEvent = { readonly atMs: number } & (
  | {
      /** One operation to be ordered. Its bytes must not change until the call is settled. */
      readonly type: "submit";
      /** The caller's name for it, echoed in `settle`; unique among the calls that are not settled. */
      readonly call: number;
      readonly operation: Uint8Array;
      /** Milliseconds from now after which the call fails with `client.no-quorum`; `defaultTimeoutMs` if left out. */
      readonly timeoutMs?: number;
    }
  /**
   * The caller of a call that failed wants its result after all: the request that carries it is sent again under its own number, so
   * that the operation runs once. Settles the call once more.
   */
  | { readonly type: "retry"; readonly call: number; readonly timeoutMs?: number }
  /**
   * A reply whose signature and path are verified, by the members of its statement's epoch, from the replica at the other
   * end of the link it came by.
   */
  | { readonly type: "reply"; readonly reply: VerifiedReply }
  | {
      readonly type: "welcome";
      readonly from: ReplicaId;
      readonly epoch: Epoch;
      readonly view: ViewNumber;
      readonly executed: SequenceNumber;
    }
  | {
      readonly type: "refused";
      readonly from: ReplicaId;
      readonly requestDigest: Digest;
      readonly code: RefusalCode;
    }
  /** The replica is in this epoch, as it says by what cannot be verified yet. `welcome` tells so, too. */
  | { readonly type: "epoch-told"; readonly from: ReplicaId; readonly epoch: Epoch }
  /** Links prove themselves. `from` undefined: of a replica that is linked as no member, and was asked outside of the core. */
  | { readonly type: "epoch-links"; readonly from: ReplicaId | undefined; readonly links: readonly EpochLink[] }
  | { readonly type: "link-up"; readonly replica: ReplicaId }
  | { readonly type: "link-down"; readonly replica: ReplicaId }
  /** The replica's listener refused this client. Nobody signed that, so it is believed only of f+1 members. */
  | { readonly type: "turned-away"; readonly replica: ReplicaId; readonly reason: TurnedAwayReason }
  | { readonly type: "timeout"; readonly timer: ClientTimer; readonly token: number }
  /** The caller no longer waits. What was sent may execute all the same. */
  | { readonly type: "cancel"; readonly call: number }
  /** Settles every call; nothing is sent any more. */
  | { readonly type: "close" }
);

/** A request as it is sent. */
export type RequestFrame = Extract<ClientFrame, { readonly type: "request" }>;

/** What a client asks of the world. The runner performs effects in order. */
export type ClientEffect =
  /** The frame of one request is one object, however often it is sent, so the runner may keep its encoding by it. */
  | { readonly type: "send"; readonly to: ReplicaId; readonly frame: ClientFrame }
  /**
   * A new epoch: to these and no others the runner shall be linked from now on. Links to members whose key and address are as
   * before stay up; all others count as down, without an event.
   */
  | { readonly type: "members"; readonly membership: Membership }
  | { readonly type: "start-timer"; readonly timer: ClientTimer; readonly token: number; readonly afterMs: number }
  | { readonly type: "cancel-timer"; readonly timer: ClientTimer }
  /** The end of a call; exactly one for each submit and each retry. */
  | { readonly type: "settle"; readonly call: number; readonly outcome: CallOutcome };

/** Changes of the members and of what else an epoch fixes (protocol rules 11.1 to 11.5). */
import type { AdminKeys, Genesis } from "./genesis.ts";
import type { Digest, Epoch, PublicKey, ReplicaId, SequenceNumber } from "./ids.ts";
import { epochNumber } from "./ids.ts";
import type { Member } from "./membership.ts";
import type { CheckpointClaim } from "./messages.ts";

/** What one epoch fixes: part of the replicated state, and the same at every replica. */
export interface Configuration {
  readonly epoch: Epoch;
  /** Ascending by id. */
  readonly members: readonly Member[];
  readonly admins: AdminKeys;
  /** K. */
  readonly checkpointInterval: number;
  /** L. */
  readonly windowSize: number;
}

/** The configuration of epoch 0. */
export function genesisConfiguration(genesis: Genesis): Configuration {
  const { members, admins, checkpointInterval, windowSize } = genesis;
  const ascending = [...members].sort((a, b) => a.id - b.id);
  return { epoch: epochNumber(0), members: ascending, admins, checkpointInterval, windowSize };
}

/**
 * What an ordered reconfiguration changes. All but `admit` and `expel` begin a new epoch; those two take effect at their
 * execution (protocol rule 11.1).
 */
export type ReconfigurationChange =
  /**
   * A new member. Its id is above all ids that were ever used. The checkpoint is what the joiner has come to, which its
   * signature over `possessionPreimage` vouches for: one that lags behind is refused (protocol rule 11.5). `loss` names the
   * loss of its disk, if its store was made after one: as for a member that rejoins, the new epoch is one in which it has promised nothing.
   */
  | {
      readonly type: "join";
      readonly member: Member;
      readonly checkpoint: CheckpointClaim;
      readonly loss?: Digest;
    }
  /** A member goes. Refused if fewer could be faulty then than now, unless it says that this is meant. */
  | { readonly type: "leave"; readonly id: ReplicaId; readonly mayLowerFaultThreshold: boolean }
  /** A member whose disk was lost takes part again: in the new epoch it has promised nothing. `nonce` names the loss. */
  | { readonly type: "rejoin"; readonly id: ReplicaId; readonly loss: Digest }
  /** A member signs with another key; it shows by a signature over `possessionPreimage` that it has it. */
  | { readonly type: "rotate-key"; readonly id: ReplicaId; readonly publicKey: PublicKey }
  | { readonly type: "admins"; readonly admins: AdminKeys }
  /** K and L. */
  | { readonly type: "parameters"; readonly checkpointInterval: number; readonly windowSize: number }
  /** Who may open sessions, in a cluster whose genesis lists its clients. */
  | { readonly type: "admit"; readonly client: PublicKey }
  | { readonly type: "expel"; readonly client: PublicKey };

/** The byte of each change in its preimage and on the wire; append only. */
export const CHANGE_TYPE_CODES: Readonly<Record<ReconfigurationChange["type"], number>> = {
  join: 1,
  leave: 2,
  rejoin: 3,
  "rotate-key": 4,
  admins: 5,
  parameters: 6,
  admit: 7,
  expel: 8,
};

/** An admin's signature over `approvalPreimage`. */
export interface Approval {
  readonly key: PublicKey;
  readonly signature: Uint8Array;
}

/**
 * Orders a reconfiguration. That its signatures are valid is verified before it is ordered; whether they are those of
 * admins, and enough of them, is judged when it executes, as all else about it.
 */
export interface ReconfigurationRequest {
  readonly type: "reconfiguration";
  /** Who submits it: anyone. A member needs no admin for what concerns itself alone. */
  readonly client: PublicKey;
  /** It has no effect in another epoch. */
  readonly epoch: Epoch;
  /** 32 fresh random bytes, used once in an epoch, whether the change is refused or not. */
  readonly nonce: Digest;
  readonly change: ReconfigurationChange;
  /** Ascending by key; at most `APPROVALS_MAX`. */
  readonly approvals: readonly Approval[];
  /** Over `possessionPreimage`, by the key that the change brings in; empty for a change that brings in none. */
  readonly possession: Uint8Array;
  /** 64 bytes over `reconfigurationRequestPreimage`. */
  readonly signature: Uint8Array;
}

/** The most approvals of one request, and the most admin keys of a cluster. */
export const APPROVALS_MAX = 64;

/**
 * The most reconfigurations of one batch: one needs no operations, so that no limit of genesis holds their signatures. More wait
 * for the next batch; only one of them can be accepted before it is in force anyway (protocol rule 11.1).
 */
export const BATCH_RECONFIGURATIONS_MAX = 4;

/** How far above the highest id that was ever used a new one may lie: of 2^31 ids no order may use up many. */
export const JOIN_ID_STEP_MAX = 1_024;

/** Asks an observer for its part of a change that makes it a member. */
export interface FetchClaim {
  /** In which the change is to be ordered. */
  readonly epoch: Epoch;
  /** The id that it is to have. */
  readonly id: ReplicaId;
}

/**
 * What a replica that is to become a member says of itself, signed: whoever orders the change adds what the admins say. It
 * proves nothing but that the key agrees; how far its holder has come is judged when the change is ordered (protocol rule 11.5).
 */
export interface JoinClaim {
  readonly change: Extract<ReconfigurationChange, { readonly type: "join" }>;
  /** 64 bytes over `possessionPreimage` of the epoch that was asked for. */
  readonly possession: Uint8Array;
}

/**
 * Why a replica gives no claim; a hint, not signed.
 *
 * - `member`: it is one already.
 * - `not-level`: it has no stable checkpoint of its own to name yet, or its state is being brought to it.
 * - `no-address`: it does not know where others can dial it.
 * - `epoch-other`: the latest epoch that it knows is another one.
 */
export type NoClaimReason = "member" | "not-level" | "no-address" | "epoch-other";

/** The key that a change brings in, whose holder has to agree; undefined if it brings in none. */
export function possessedKeyOf(change: ReconfigurationChange): PublicKey | undefined {
  switch (change.type) {
    case "join":
      return change.member.publicKey;
    case "rotate-key":
      return change.publicKey;
    default:
      return undefined;
  }
}

/** Why a reconfiguration was executed as refused: it changed nothing (protocol rules 11.1, 11.2 and 11.5). */
export type ReconfigurationRefusal =
  | "epoch-other"
  | "nonce-used"
  /** One of the signatures is of a key that is no admin's: nothing is guessed about what was meant. */
  | "approval-foreign"
  | "approvals-too-few"
  /** Another change waits for its activation. */
  | "in-flight"
  | "id-used"
  | "key-used"
  | "address-used"
  /** What the joiner vouches for is not one of the last checkpoints. */
  | "joiner-behind"
  | "member-unknown"
  | "members-too-few"
  | "members-too-many"
  | "fault-threshold-lowered"
  /** The member rejoined not long ago: admins have to sign. */
  | "rejoin-too-soon"
  | "admins-invalid"
  | "parameters-invalid"
  | "changes-nothing"
  /** Genesis lets everyone open sessions. */
  | "clients-open"
  | "clients-too-many"
  /** The address of a joiner is none, or its id leaves too few for those who come later. */
  | "member-invalid"
  /** See `EPOCHS_MAX`. */
  | "epochs-too-many"
  /** No nonce more is remembered in this epoch, and a client that is admitted or expelled needs one: the order could be submitted again. */
  | "nonces-spent";

/** The byte of each reason in a refused result; append only. */
export const REFUSAL_CODES: Readonly<Record<ReconfigurationRefusal, number>> = {
  "epoch-other": 1,
  "nonce-used": 2,
  "approval-foreign": 3,
  "approvals-too-few": 4,
  "in-flight": 5,
  "id-used": 6,
  "key-used": 7,
  "address-used": 8,
  "joiner-behind": 9,
  "member-unknown": 10,
  "members-too-few": 11,
  "members-too-many": 12,
  "fault-threshold-lowered": 13,
  "rejoin-too-soon": 14,
  "admins-invalid": 15,
  "parameters-invalid": 16,
  "changes-nothing": 17,
  "clients-open": 18,
  "clients-too-many": 19,
  "member-invalid": 20,
  "epochs-too-many": 21,
  "nonces-spent": 22,
};

/** Where a configuration comes into force: the smallest multiple of K at or above n+L (protocol rule 11.2). */
export function activationOf(
  ordered: SequenceNumber,
  { checkpointInterval: k, windowSize: l }: Pick<Configuration, "checkpointInterval" | "windowSize">,
): SequenceNumber {
  return (Math.ceil((ordered + l) / k) * k) as SequenceNumber;
}

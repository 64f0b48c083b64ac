import type { Epoch, PublicKey, ReplicaId, ViewNumber } from "./ids.ts";
import { invariant } from "./invariant.ts";
import type { CheckpointClaim } from "./messages.ts";

/** One replica of an epoch. */
export interface Member {
  readonly id: ReplicaId;
  readonly publicKey: PublicKey;
  /** Where peers and clients reach it: `host:port`, an IPv6 host in brackets. */
  readonly address: string;
}

/** Who the replicas are in one epoch, in ascending order of id. Immutable; made by `membershipOf`. */
export interface Membership {
  readonly epoch: Epoch;
  /**
   * The checkpoint that the epoch begins with: its certificate is a link of the epoch chain, judged by the members of the epoch
   * before, and in this epoch it is known (protocol rule 11.3). Undefined for epoch 0, which begins with genesis.
   */
  readonly start: CheckpointClaim | undefined;
  readonly members: readonly Member[];
}

/** The members of all epochs that are known, see `EpochChain`. */
export interface Memberships {
  /** Of the latest. */
  readonly membership: Membership;
  membershipAt(epoch: Epoch): Membership | undefined;
}

/** The fewest members of a Byzantine cluster: `n = 3f+1` with `f = 1` (protocol rule 1.3). */
export const MEMBERS_MIN = 4;
/** The most members of a cluster. Certificates grow with n, and all-to-all voting with its square. */
export const MEMBERS_MAX = 64;
/** The longest address that a new member may have, in UTF-8; genesis has as many characters at most. */
export const ADDRESS_BYTES_MAX = 260;

/**
 * Puts members into their order.
 *
 * @throws InvariantViolation for fewer than four members, a duplicate id, key or address, or an epoch without its start; `parseGenesis` refuses
 * such a document before with a readable error.
 */
export function membershipOf(epoch: Epoch, members: readonly Member[], start?: CheckpointClaim): Membership {
  invariant((epoch === 0) === (start === undefined), "membership.start", { epoch });
  invariant(members.length >= MEMBERS_MIN && members.length <= MEMBERS_MAX, "membership.size", { n: members.length });
  for (const field of ["id", "publicKey", "address"] as const)
    invariant(new Set(members.map((m) => m[field])).size === members.length, "membership.duplicate", { field });
  return { epoch, start, members: [...members].sort((a, b) => a.id - b.id) };
}

/** f of a membership, see `faultThresholdOf`. */
export function faultThreshold(membership: Pick<Membership, "members">): number {
  return faultThresholdOf(membership.members.length);
}

/** f: how many of n members may be faulty in any way (OSDI'99 §2). The one place where this is computed. */
export function faultThresholdOf(n: number): number {
  return Math.floor((n - 1) / 3);
}

/**
 * q: the size of a quorum. Any two share at least f+1 members, hence a correct one, and q ≤ n-f, so that the correct
 * members can always form one. Equals 2f+1 only when n = 3f+1; at n = 5 and 6 it is 4.
 */
export function quorumSize(membership: Pick<Membership, "epoch" | "members">): number {
  return Math.ceil((membership.members.length + faultThreshold(membership) + 1) / 2);
}

/** f+1: the smallest set that holds a correct member. */
export function weakQuorumSize(membership: Pick<Membership, "members">): number {
  return faultThreshold(membership) + 1;
}

/** The primary of `view`: `members[(epoch + view) mod n]`. */
export function primaryOf(membership: Membership, view: ViewNumber): ReplicaId {
  const member = membership.members[(membership.epoch + view) % membership.members.length];
  invariant(member !== undefined, "membership.empty");
  return member.id;
}

/** The member with this id, or undefined for a stranger. */
export function memberOf(membership: Membership, id: ReplicaId): Member | undefined {
  for (const member of membership.members) if (member.id === id) return member;
  return undefined;
}

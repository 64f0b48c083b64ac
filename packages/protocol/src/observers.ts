/** Who follows a cluster without being a member: no vote of theirs exists, so the numbers here never stand on the wire. */
import { REPLICA_ID_MAX, type ReplicaId } from "./ids.ts";
import { invariant } from "./invariant.ts";
import { MEMBERS_MAX } from "./membership.ts";

/** Observers that a replica has links to at once. */
export const OBSERVER_LINKS_MAX = 16;

/**
 * Keys that a replica has links with at once: of observers, of members that dial it (in two epochs), and of whoever it dials: members,
 * by id or by address, and as many addresses beside those.
 */
export const PEERS_BY_KEY_MAX: number = OBSERVER_LINKS_MAX + 5 * MEMBERS_MAX;

/** Above every replica's id, so that no observer is taken for a member by its number. */
const FIRST_OBSERVER_PEER = REPLICA_ID_MAX + 1;

/** The `self` of a replica that is no member of its epoch: no member has it, and nothing is signed with it. */
export const NO_MEMBER: ReplicaId = (2 ** 32 - 1) as ReplicaId;

/**
 * What stands for whoever is no member at the other end of a link, on this side of it, wherever a peer has a number: for budgets and
 * answers. A place among `PEERS_BY_KEY_MAX`, so that what is kept of each peer stays bounded.
 *
 * @throws InvariantViolation unless `place` is an integer in `0 … PEERS_BY_KEY_MAX - 1`.
 */
export function observerPeerId(place: number): ReplicaId {
  const isPlace = Number.isInteger(place) && place >= 0 && place < PEERS_BY_KEY_MAX;
  invariant(isPlace, "observers.place", { place });
  return (FIRST_OBSERVER_PEER + place) as ReplicaId;
}

/** Whether a peer's number is that of an observer, and of no replica. */
export function isObserverPeer(id: ReplicaId): boolean {
  return id >= FIRST_OBSERVER_PEER;
}

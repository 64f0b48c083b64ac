import {
  isObserverPeer,
  type Membership,
  observerPeerId,
  type PublicKey,
  type ReplicaId,
  replicaId,
} from "@quorate/protocol";

/** The replica that is known by this number at the other end of a link. */
export function replicaOfPeer(peer: ReplicaId): number {
  return isObserverPeer(peer) ? peer - observerPeerId(0) : peer;
}

/** The number that a replica is known by to whoever knows these members: its id if it has the key of one, else that of an observer. */
export function peerNumberOf(replica: number, keys: readonly PublicKey[], membership: Membership): ReplicaId {
  return isMemberBy(keys, membership) ? replicaId(replica) : observerPeerId(replica);
}

/** Whether one of these keys is a member's. */
export function isMemberBy(keys: readonly PublicKey[], { members }: Membership): boolean {
  return members.some(({ publicKey }) => keys.includes(publicKey));
}

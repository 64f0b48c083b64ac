import {
  type ClusterId,
  clusterId,
  DEFAULT_LIMITS,
  DEFAULT_TIMEOUTS,
  type Digest,
  digest,
  epochNumber,
  FORMAT_VERSION,
  type Genesis,
  type Member,
  type Membership,
  membershipOf,
  type PublicKey,
  publicKey,
  type ReplicaId,
  replicaId,
  type SessionId,
  sequenceNumber,
  sessionId,
} from "@quorate/protocol";

/** 64 hex digits that are different for each `label` below 2^32. */
function hex32(label: number): string {
  return label.toString(16).padStart(8, "0").repeat(8);
}
export function clusterOf(label: number): ClusterId {
  return clusterId(hex32(label));
}
export function digestOf(label: number): Digest {
  return digest(hex32(label));
}
export function keyOf(label: number): PublicKey {
  return publicKey(hex32(label));
}
export function sessionOf(label: number): SessionId {
  return sessionId(hex32(label));
}
export function memberWith(id: number): Member {
  return { id: replicaId(id), publicKey: keyOf(0x1000 + id), address: `10.0.0.${id}:4000` };
}
/** Members 0 … n-1. */
export function membersOf(n: number): Member[] {
  return Array.from({ length: n }, (_, id) => memberWith(id));
}
export function membershipWith(n: number, epoch = 0): Membership {
  const start = epoch === 0 ? undefined : { seq: sequenceNumber(1_024 * epoch), stateRoot: digestOf(epoch) };
  return membershipOf(epochNumber(epoch), membersOf(n), start);
}
export function ids(...values: readonly number[]): ReplicaId[] {
  return values.map(replicaId);
}
/** 64 bytes that no test verifies. */
export function signatureOf(label: number): Uint8Array {
  return new Uint8Array(64).fill(label);
}
/** A genesis without a fault. */
export function genesisWith(changes: Partial<Genesis> = {}): Genesis {
  return {
    formatVersion: FORMAT_VERSION,
    name: "test cluster",
    faultModel: "byzantine",
    members: membersOf(4),
    admins: { threshold: 2, keys: [keyOf(1), keyOf(2), keyOf(3)] },
    clients: "open",
    checkpointInterval: 64,
    windowSize: 256,
    rotateEveryBatches: 0,
    limits: DEFAULT_LIMITS,
    timeouts: DEFAULT_TIMEOUTS,
    ...changes,
  };
}

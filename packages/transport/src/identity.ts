import type { ClusterId, LinkIdentity, PublicKey } from "@quorate/protocol";

/** A key pair and the one validity rule, as a link needs them (protocol rule 2.2). All synchronous. */
export interface LinkCredentials {
  readonly identity: LinkIdentity;
  /** 64 bytes over `preimage` with the key of `identity`. */
  sign(preimage: Uint8Array): Uint8Array;
  verify(publicKey: PublicKey, preimage: Uint8Array, signature: Uint8Array): boolean;
  /** Whether a key of a stranger may be used at all. */
  isAdmissible(publicKey: PublicKey): boolean;
}

/** Who this process is on every link it opens or accepts. */
export interface Endpoint {
  readonly cluster: ClusterId;
  /** Read once at the start of each handshake: who a replica is may change with the epoch. */
  readonly credentials: LinkCredentials;
  /**
   * The end that a dialer takes this one for, when the key of that is held here although `credentials` say another: a peer may
   * know of an epoch earlier or later than this end does. Undefined refuses it.
   */
  credentialsNamed?(named: LinkIdentity): LinkCredentials | undefined;
  /** Unpredictable bytes, for nonces and jitter. */
  randomBytes(length: number): Uint8Array;
}

/** Whether both stand for the same end: role, id and key. */
export function isSameIdentity(a: LinkIdentity, b: LinkIdentity): boolean {
  if (a.role !== b.role || a.publicKey !== b.publicKey) return false;
  return a.role !== "replica" || b.role !== "replica" || a.id === b.id;
}

/** For messages: `replica 3`, `observer 8a88e3dd` or `client 8a88e3dd`. */
export function describeIdentity(identity: LinkIdentity): string {
  const { role, publicKey } = identity;
  return role === "replica" ? `replica ${identity.id}` : `${role} ${publicKey.slice(0, 8)}`;
}

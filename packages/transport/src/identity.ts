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
  readonly credentials: LinkCredentials;
  /** Unpredictable bytes, for nonces and jitter. */
  randomBytes(length: number): Uint8Array;
}

/** Whether both stand for the same end: role, id and key. */
export function isSameIdentity(a: LinkIdentity, b: LinkIdentity): boolean {
  if (a.role !== b.role || a.publicKey !== b.publicKey) return false;
  return a.role !== "replica" || b.role !== "replica" || a.id === b.id;
}

/** For messages: `replica 3`, `client 8a88e3dd` or `observer 8a88e3dd`. */
export function describeIdentity(identity: LinkIdentity): string {
  return identity.role === "replica" ? `replica ${identity.id}` : `${identity.role} ${identity.publicKey.slice(0, 8)}`;
}

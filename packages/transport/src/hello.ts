import {
  bytesToHex,
  type ClusterId,
  clusterId,
  type Digest,
  digest,
  FORMAT_VERSION,
  LINK_ROLE_CODES,
  type LinkIdentity,
  PreimageWriter,
  publicKey,
  REPLICA_ID_MAX,
  replicaId,
  TAGS,
} from "@quorate/protocol";

/** The first frame of each end: who I am, whom I take you for, and my fresh nonce. */
export interface Hello {
  readonly cluster: ClusterId;
  readonly own: LinkIdentity;
  /** 32 fresh random bytes. */
  readonly nonce: Digest;
  /** Whom the sender believes to be at the other end. */
  readonly other: LinkIdentity | "any-replica";
}

const TAG_BYTES = 16;
const U32_BYTES = 4;
const HASH_BYTES = 32;
const IDENTITY_BYTES = 1 + U32_BYTES + HASH_BYTES;

/** Tag, version, cluster, own identity, nonce, other identity. */
export const HELLO_BYTES: number = TAG_BYTES + U32_BYTES + HASH_BYTES + IDENTITY_BYTES + HASH_BYTES + IDENTITY_BYTES;
/** A proof is the bare signature over `helloPreimage`. */
export const PROOF_BYTES = 64;
/** A hello of another version may be of another length, up to this; it is read only to say so. */
export const FOREIGN_HELLO_BYTES_MAX = 1024;

/** In place of the other end's role: whoever is there. Its id and its key are zero. */
const ANY_REPLICA = 0;

/** The `HELLO_BYTES` bytes of a hello of this format version. */
export function encodeHello(hello: Hello): Uint8Array {
  const writer = new PreimageWriter(HELLO_BYTES).tag(TAGS.hello).u32(FORMAT_VERSION).hex32(hello.cluster);
  writeIdentity(writer, hello.own).hex32(hello.nonce);
  if (hello.other === "any-replica") return writer.raw(new Uint8Array(IDENTITY_BYTES).fill(ANY_REPLICA)).finish();
  return writeIdentity(writer, hello.other).finish();
}

function writeIdentity(writer: PreimageWriter, identity: LinkIdentity): PreimageWriter {
  return writer
    .u8(LINK_ROLE_CODES[identity.role])
    .u32(identity.role === "replica" ? identity.id : 0)
    .hex32(identity.publicKey);
}

/** What a first frame turned out to be. */
export type DecodedHello =
  | { readonly type: "hello"; readonly hello: Hello }
  /** A hello, but of a format version that this code does not speak. */
  | { readonly type: "other-version"; readonly version: number }
  | { readonly type: "malformed" };

const MALFORMED: DecodedHello = { type: "malformed" };

/** Reads a first frame; every byte string has at most one meaning, and all but hellos none. */
export function decodeHello(bytes: Uint8Array): DecodedHello {
  if (bytes.length < TAG_BYTES + U32_BYTES || !hasHelloTag(bytes)) return MALFORMED;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = view.getUint32(TAG_BYTES);
  if (version !== FORMAT_VERSION) return { type: "other-version", version };
  if (bytes.length !== HELLO_BYTES) return MALFORMED;
  let at = TAG_BYTES + U32_BYTES;
  const hash = (): string => {
    at += HASH_BYTES;
    return bytesToHex(bytes.subarray(at - HASH_BYTES, at));
  };
  const identity = (): LinkIdentity | undefined => {
    const role = view.getUint8(at);
    const id = view.getUint32(at + 1);
    at += 1 + U32_BYTES;
    const key = publicKey(hash());
    if (role === LINK_ROLE_CODES.replica && id <= REPLICA_ID_MAX)
      return { role: "replica", id: replicaId(id), publicKey: key };
    return role === LINK_ROLE_CODES.client && id === 0 ? { role: "client", publicKey: key } : undefined;
  };
  const cluster = clusterId(hash());
  const own = identity();
  const nonce = digest(hash());
  const other = isZero(bytes.subarray(at)) ? "any-replica" : identity();
  return own === undefined || other === undefined
    ? MALFORMED
    : { type: "hello", hello: { cluster, own, nonce, other } };
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === ANY_REPLICA);
}

function hasHelloTag(bytes: Uint8Array): boolean {
  for (let i = 0; i < TAG_BYTES; i++) {
    const expected = i < TAGS.hello.length ? TAGS.hello.charCodeAt(i) : 0;
    if (bytes[i] !== expected) return false;
  }
  return true;
}

import {
  type Commit,
  MESSAGE_TYPE_CODES,
  type Prepare,
  REPLICA_ID_MAX,
  type ReplicaFrame,
  type ReplicaId,
  readHex32,
} from "@quorate/protocol";
import { REPLICA_FRAME_CODES } from "./frames.ts";
import type { ScanLimits } from "./pre-scan.ts";

type Vote = Prepare | Commit;

// The headers of a vote's arrays and byte strings, each of which has only one length.
const ARRAY_OF_2 = 0x82;
const ARRAY_OF_3 = 0x83;
const ARRAY_OF_5 = 0x85;
/** A byte string whose length follows in one byte. */
const BYTES = 0x58;

const HASH_SIZE = 32;
const SIGNATURE_SIZE = 64;
const STRING_HEADER_SIZE = 2;
const FROM_AT = 3;

/** All but the integers: the headers of three arrays, two type numbers, two byte strings. */
const FIXED_SIZE: number = 5 + 2 * STRING_HEADER_SIZE + SIGNATURE_SIZE + HASH_SIZE;
const SIZE_MIN: number = FIXED_SIZE + 4;
/** The sender takes five bytes at most, and epoch, view and sequence number nine each. */
const SIZE_MAX: number = FIXED_SIZE + 5 + 3 * 9;
const ITEMS = 11;
const ELEMENTS_MAX = 5;

/**
 * A signed PREPARE or COMMIT straight from the bytes of its frame, `[2, [from, signature, [type, epoch, view, seq,
 * digest]]]`: most frames between replicas are these. Nothing unless the bytes are exactly that, canonical and within the
 * limits, to the last byte; then `decodeStrictly` judges them, so that nothing is refused or explained here.
 */
export function readVoteFrame(bytes: Uint8Array, limits: ScanLimits): ReplicaFrame | undefined {
  if (bytes.length < SIZE_MIN || bytes.length > SIZE_MAX || !isWithin(limits, bytes.length)) return undefined;
  if (bytes[0] !== ARRAY_OF_2 || bytes[1] !== REPLICA_FRAME_CODES.signed || bytes[2] !== ARRAY_OF_3) return undefined;
  const from = uintAt(bytes, FROM_AT);
  if (from < 0 || from > REPLICA_ID_MAX) return undefined;
  const signatureAt = FROM_AT + sizeOf(from) + STRING_HEADER_SIZE;
  if (!isString(bytes, signatureAt, SIGNATURE_SIZE)) return undefined;
  const message = readVote(bytes, signatureAt + SIGNATURE_SIZE);
  if (message === undefined) return undefined;
  return {
    type: "signed",
    envelope: { from: from as ReplicaId, message, signature: signatureFrom(bytes, signatureAt) },
  };
}

/** The message from `at` to the end of the bytes. */
function readVote(bytes: Uint8Array, at: number): Vote | undefined {
  const type = typeOf(bytes[at + 1]);
  if (bytes[at] !== ARRAY_OF_5 || type === undefined) return undefined;
  const epochAt = at + 2;
  const epoch = uintAt(bytes, epochAt);
  const viewAt = epochAt + sizeOf(epoch);
  const view = uintAt(bytes, viewAt);
  const seqAt = viewAt + sizeOf(view);
  const seq = uintAt(bytes, seqAt);
  const digestAt = seqAt + sizeOf(seq) + STRING_HEADER_SIZE;
  if (epoch < 0 || view < 0 || seq < 0) return undefined;
  // Everything before it has a place of its own, so nothing was read beyond the end when it ends there.
  if (!isString(bytes, digestAt, HASH_SIZE) || digestAt + HASH_SIZE !== bytes.length) return undefined;
  return { type, epoch, view, seq, digest: readHex32(bytes, digestAt) } as Vote;
}

function typeOf(code: number | undefined): Vote["type"] | undefined {
  if (code === MESSAGE_TYPE_CODES.prepare) return "prepare";
  return code === MESSAGE_TYPE_CODES.commit ? "commit" : undefined;
}

/** Whether the content of a byte string of `size` bytes starts at `at`. */
function isString(bytes: Uint8Array, at: number, size: number): boolean {
  return bytes[at - 2] === BYTES && bytes[at - 1] === size;
}

function isWithin({ bytesMax, itemsMax, elementsMax }: ScanLimits, size: number): boolean {
  return size <= bytesMax && ITEMS <= itemsMax && ELEMENTS_MAX <= elementsMax;
}

/** A block of its own, and no Buffer whatever the bytes are in. */
function signatureFrom(bytes: Uint8Array, at: number): Uint8Array {
  const signature = new Uint8Array(SIGNATURE_SIZE);
  for (let i = 0; i < SIGNATURE_SIZE; i++) signature[i] = bytes[at + i] ?? 0;
  return signature;
}

/** The unsigned integer below 2^53 that stands at `at` in its shortest form, or -1. */
function uintAt(bytes: Uint8Array, at: number): number {
  const initial = bytes[at] ?? 0xff;
  if (initial < 24) return initial;
  if (initial > 27) return -1;
  const width = 1 << (initial - 24);
  let value = 0;
  for (let i = 1; i <= width; i++) value = value * 0x100 + (bytes[at + i] ?? 0);
  // The shortest form of another number has another size.
  return value <= Number.MAX_SAFE_INTEGER && sizeOf(value) === 1 + width ? value : -1;
}

/** How many bytes an unsigned integer takes in its shortest form. */
function sizeOf(value: number): number {
  if (value < 24) return 1;
  if (value < 0x100) return 2;
  if (value < 0x1_0000) return 3;
  return value < 0x1_0000_0000 ? 5 : 9;
}

import { crc32 } from "node:zlib";
import type { LogOperation } from "./memory-log.ts";

/** Names one log among all: 16 random bytes, made with the store. */
export type LogId = Uint8Array;
export const LOG_ID_BYTES = 16;

/** Where a group stands and what it follows. */
export interface GroupPlace {
  /** The number of the segment file that holds it. */
  readonly segment: number;
  /** Its first byte in that file. */
  readonly offset: number;
  /** Counts the groups of a log from 1, over all segments. */
  readonly number: number;
  /** The checksum of the group before it; 0 for the first. */
  readonly previous: number;
  /** The first segment that is needed still: the ones before it may be gone. */
  readonly oldest: number;
}

/** One record in a group that was read. */
export interface GroupRecord {
  readonly type: "append" | "cut";
  readonly seq: number;
  /** Where the record's bytes are in the buffer that was read. */
  readonly at: number;
  readonly length: number;
}

/** A group whose checksum holds. */
export interface ParsedGroup extends GroupPlace {
  readonly logId: LogId;
  readonly checksum: number;
  /** Header and body. */
  readonly length: number;
  readonly records: readonly GroupRecord[];
}

/*
 * magic 4 | checksum of all that follows 4 | log id 16 | segment 4 | offset 6 | number 6 | previous 4 | oldest 4 |
 * body length 4, then records: kind 1 | sequence number 6 | length 4 | bytes. All big-endian.
 */
const MAGIC = Buffer.from("QWAL", "latin1");
const AT = { checksum: 4, logId: 8, segment: 24, offset: 28, number: 34, previous: 40, oldest: 44, bodyLength: 48 };
const HEADER_BYTES = 52;
const RECORD_HEADER_BYTES = 11;
const KIND = { append: 1, cut: 2 } as const;

/** A group as bytes, and where in them the record of each operation begins. */
export interface EncodedGroup {
  readonly bytes: Buffer;
  readonly checksum: number;
  /** Header and body; the bytes may be longer, by zeros. */
  readonly length: number;
  readonly recordsAt: readonly number[];
}

/** How long a group of these operations is, in bytes. */
export function groupLength(operations: readonly LogOperation[]): number {
  let length = HEADER_BYTES;
  for (const operation of operations) length += RECORD_HEADER_BYTES + bytesOf(operation).length;
  return length;
}

/** Encodes a group into a buffer of `bytesLength` bytes, at least `groupLength`. */
export function encodeGroup(
  logId: LogId,
  place: GroupPlace,
  operations: readonly LogOperation[],
  bytesLength: number,
): EncodedGroup {
  const bytes = Buffer.alloc(bytesLength);
  const recordsAt: number[] = [];
  let at = HEADER_BYTES;
  for (const operation of operations) {
    const content = bytesOf(operation);
    bytes[at] = KIND[operation.type];
    bytes.writeUIntBE(operation.type === "append" ? operation.seq : operation.upTo, at + 1, 6);
    bytes.writeUInt32BE(content.length, at + 7);
    at += RECORD_HEADER_BYTES;
    recordsAt.push(at);
    bytes.set(content, at);
    at += content.length;
  }
  bytes.set(MAGIC);
  bytes.set(logId, AT.logId);
  bytes.writeUInt32BE(place.segment, AT.segment);
  bytes.writeUIntBE(place.offset, AT.offset, 6);
  bytes.writeUIntBE(place.number, AT.number, 6);
  bytes.writeUInt32BE(place.previous, AT.previous);
  bytes.writeUInt32BE(place.oldest, AT.oldest);
  bytes.writeUInt32BE(at - HEADER_BYTES, AT.bodyLength);
  const checksum = crc32(bytes.subarray(AT.logId, at));
  bytes.writeUInt32BE(checksum, AT.checksum);
  return { bytes, checksum, length: at, recordsAt };
}

/** The group that begins at `at`; undefined if none does whose checksum holds. */
export function parseGroup(buffer: Buffer, at: number): ParsedGroup | undefined {
  if (buffer.length - at < HEADER_BYTES || buffer.compare(MAGIC, 0, MAGIC.length, at, at + MAGIC.length) !== 0) return;
  const bytes = buffer.subarray(at);
  const length = HEADER_BYTES + bytes.readUInt32BE(AT.bodyLength);
  if (length > bytes.length) return;
  const checksum = bytes.readUInt32BE(AT.checksum);
  if (crc32(bytes.subarray(AT.logId, length)) !== checksum) return;
  return {
    logId: Uint8Array.from(bytes.subarray(AT.logId, AT.logId + LOG_ID_BYTES)),
    segment: bytes.readUInt32BE(AT.segment),
    offset: bytes.readUIntBE(AT.offset, 6),
    number: bytes.readUIntBE(AT.number, 6),
    previous: bytes.readUInt32BE(AT.previous),
    oldest: bytes.readUInt32BE(AT.oldest),
    checksum,
    length,
    records: parseRecords(buffer, at + HEADER_BYTES, at + length),
  };
}

/** Whether a group whose checksum holds begins anywhere at or behind `from`. */
export function hasGroupFrom(buffer: Buffer, from: number): boolean {
  for (let at = buffer.indexOf(MAGIC, from); at !== -1; at = buffer.indexOf(MAGIC, at + 1)) {
    if (parseGroup(buffer, at) !== undefined) return true;
  }
  return false;
}

function parseRecords(buffer: Buffer, from: number, to: number): GroupRecord[] {
  const records: GroupRecord[] = [];
  // The checksum held, so this is what a version of this program wrote.
  for (let at = from; at < to; ) {
    const type = buffer[at] === KIND.append ? "append" : "cut";
    const length = buffer.readUInt32BE(at + 7);
    records.push({ type, seq: buffer.readUIntBE(at + 1, 6), at: at + RECORD_HEADER_BYTES, length });
    at += RECORD_HEADER_BYTES + length;
  }
  return records;
}

function bytesOf(operation: LogOperation): Uint8Array {
  return operation.type === "append" ? operation.record : NOTHING;
}

const NOTHING = new Uint8Array(0);

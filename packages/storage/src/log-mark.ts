import { damaged } from "./damage.ts";
import { PREFIX } from "./keyspace.ts";
import type { FlushMark } from "./log-recovery.ts";
import { seal, unseal } from "./seal.ts";

/** Where the database says how far the log was durable when it was committed: less than this is damage, not a crash. */
export const MARK_KEY: Uint8Array = Uint8Array.of(PREFIX.logMark);

const MARK_BYTES = 10;

/** A mark, sealed. */
export function encodeMark({ number, checksum }: FlushMark): Uint8Array {
  const bytes = Buffer.alloc(MARK_BYTES);
  bytes.writeUIntBE(number, 0, 6);
  bytes.writeUInt32BE(checksum, 6);
  return seal(MARK_KEY, bytes);
}

/**
 * The mark that was stored, or that of a log in which nothing has been flushed.
 *
 * @throws StorageError `storage.damaged`.
 */
export function decodeMark(stored: Uint8Array | undefined): FlushMark {
  if (stored === undefined) return { number: 0, checksum: 0 };
  const bytes = unseal(MARK_KEY, stored);
  if (bytes?.length !== MARK_BYTES) throw damaged("the mark of the log's end", "its checksum differs");
  const mark = Buffer.from(bytes);
  return { number: mark.readUIntBE(0, 6), checksum: mark.readUInt32BE(6) };
}

import { crc32 } from "node:zlib";
import type { LogFileDone, MarkFile } from "./log-files.ts";
import type { LogId } from "./log-group.ts";
import type { FlushMark } from "./log-recovery.ts";

/** Each slot has a sector of its own, so that a write that is cut short or lost takes one slot at most. */
const SLOT_BYTES = 512;
const SLOTS = 2;
const AT = { logId: 0, number: 16, checksum: 22, seal: 26 } as const;
const MARK_BYTES = 30;

/**
 * Says beside the log, after each durable group, that it was flushed. The file is not synced: the operating system keeps
 * it when the process is killed. It is written behind the group's sync, so that whatever a power cut leaves of it says too
 * little and never too much.
 */
export class FlushMarks {
  readonly #file: MarkFile;
  readonly #logId: LogId;
  /** The last group that was marked in earlier lives; number 0 if nothing of that is left. */
  readonly found: FlushMark;

  constructor(file: MarkFile, logId: LogId) {
    this.#file = file;
    this.#logId = logId;
    try {
      this.found = lastMark(file.read(), logId);
    } catch (error) {
      file.close(() => undefined);
      throw error;
    }
  }

  /**
   * Marks a group that is durable, at once: nothing that waits for the group is said before.
   *
   * @throws what the file says, or that it took a part only.
   */
  write(mark: FlushMark): void {
    this.#file.write(encodeSlot(mark, this.#logId), (mark.number % SLOTS) * SLOT_BYTES);
  }

  close(done: LogFileDone): void {
    this.#file.close(done);
  }
}

/** What the marks of a log say; a slot that does not hold is passed over: a power cut may leave it so, and the other says what came before. */
export function lastMark(content: Uint8Array, logId: LogId): FlushMark {
  let last: FlushMark = { number: 0, checksum: 0 };
  for (let slot = 0; slot < SLOTS; slot++) {
    const bytes = Buffer.from(content.subarray(slot * SLOT_BYTES, slot * SLOT_BYTES + MARK_BYTES));
    if (bytes.length < MARK_BYTES || crc32(bytes.subarray(0, AT.seal)) !== bytes.readUInt32BE(AT.seal)) continue;
    if (Buffer.compare(bytes.subarray(AT.logId, AT.number), logId) !== 0) continue;
    const number = bytes.readUIntBE(AT.number, 6);
    if (number > last.number) last = { number, checksum: bytes.readUInt32BE(AT.checksum) };
  }
  return last;
}

function encodeSlot({ number, checksum }: FlushMark, logId: LogId): Buffer {
  const bytes = Buffer.alloc(MARK_BYTES);
  bytes.set(logId, AT.logId);
  bytes.writeUIntBE(number, AT.number, 6);
  bytes.writeUInt32BE(checksum, AT.checksum);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, AT.seal)), AT.seal);
  return bytes;
}

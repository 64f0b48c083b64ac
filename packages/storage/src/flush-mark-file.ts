import { close, closeSync, constants, openSync, readFileSync, write } from "node:fs";
import { crc32 } from "node:zlib";
import type { LogFileDone } from "./log-files.ts";
import type { LogId } from "./log-group.ts";
import type { FlushMark } from "./log-recovery.ts";

/** Each slot has a sector of its own, so that a write that is cut short or lost takes one slot at most. */
const SLOT_BYTES = 512;
const SLOTS = 2;
const AT = { logId: 0, number: 16, checksum: 22, seal: 26 } as const;
const MARK_BYTES = 30;

/**
 * The file beside the log that says after each durable group that it was flushed. It is not synced: the operating system
 * keeps it when the process is killed. It is written behind the group's sync, so that whatever a power cut leaves of it
 * says too little and never too much.
 */
export class FlushMarkFile {
  readonly #descriptor: number;
  readonly #logId: LogId;
  /** The last group that was marked in earlier lives; number 0 if nothing of that is left. */
  readonly found: FlushMark;

  constructor(path: string, logId: LogId) {
    this.#descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    this.#logId = logId;
    try {
      this.found = lastMark(readFileSync(this.#descriptor), logId);
    } catch (error) {
      closeSync(this.#descriptor);
      throw error;
    }
  }

  /** Marks a group that is durable; nothing that waits for the group may be said before it is done. */
  write(mark: FlushMark, done: LogFileDone): void {
    const bytes = encodeSlot(mark, this.#logId);
    const at = (mark.number % SLOTS) * SLOT_BYTES;
    write(this.#descriptor, bytes, 0, bytes.length, at, (error, count) => {
      if (error === null && count < bytes.length) done(new Error(`the flush mark was cut short after ${count} bytes`));
      else done(error);
    });
  }

  close(done: LogFileDone): void {
    close(this.#descriptor, (error) => done(error ?? null));
  }
}

function encodeSlot({ number, checksum }: FlushMark, logId: LogId): Buffer {
  const bytes = Buffer.alloc(MARK_BYTES);
  bytes.set(logId, AT.logId);
  bytes.writeUIntBE(number, AT.number, 6);
  bytes.writeUInt32BE(checksum, AT.checksum);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, AT.seal)), AT.seal);
  return bytes;
}

/** A slot that does not hold is passed over: a power cut may leave it so, and the other says what came before. */
function lastMark(content: Buffer, logId: LogId): FlushMark {
  let last: FlushMark = { number: 0, checksum: 0 };
  for (let slot = 0; slot < SLOTS; slot++) {
    const bytes = content.subarray(slot * SLOT_BYTES, slot * SLOT_BYTES + MARK_BYTES);
    if (bytes.length < MARK_BYTES || crc32(bytes.subarray(0, AT.seal)) !== bytes.readUInt32BE(AT.seal)) continue;
    if (Buffer.compare(bytes.subarray(AT.logId, AT.number), logId) !== 0) continue;
    const number = bytes.readUIntBE(AT.number, 6);
    if (number > last.number) last = { number, checksum: bytes.readUInt32BE(AT.checksum) };
  }
  return last;
}

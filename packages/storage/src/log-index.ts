import { crc32 } from "node:zlib";
import type { SequenceNumber } from "@quorate/protocol";

/** A record of the log that has not been cut. */
export interface LiveRecord {
  readonly seq: SequenceNumber;
  /** The record until it is in the file, so that nothing durable is held in memory. */
  bytes: Uint8Array | undefined;
  readonly length: number;
  readonly checksum: number;
  /** The segment that holds it; 0 until it is placed. */
  segment: number;
  offset: number;
}

/** Which records the log holds and where; bounded by the replica's window of sequence numbers. */
export class LogIndex {
  readonly #records = new Map<SequenceNumber, LiveRecord[]>();
  /** Records held, by segment. */
  readonly #held = new Map<number, number>();

  /** Enters a record, in the order of the appends. */
  enter(seq: SequenceNumber, bytes: Uint8Array): LiveRecord {
    const record = { seq, bytes, length: bytes.length, checksum: crc32(bytes), segment: 0, offset: 0 };
    const sameNumber = this.#records.get(seq);
    if (sameNumber === undefined) this.#records.set(seq, [record]);
    else sameNumber.push(record);
    return record;
  }

  /** Notes where a record is written; does nothing for one that has been cut meanwhile. */
  place(record: LiveRecord, segment: number, offset: number): void {
    record.segment = segment;
    record.offset = offset;
    if (this.#records.get(record.seq)?.includes(record)) this.#held.set(segment, (this.#held.get(segment) ?? 0) + 1);
  }

  /** Drops the records with a number `≤ upTo`; false if there are none. */
  cut(upTo: SequenceNumber): boolean {
    let isAny = false;
    for (const [seq, records] of this.#records) {
      if (seq > upTo) continue;
      this.#records.delete(seq);
      for (const { segment } of records) this.#release(segment);
      isAny = true;
    }
    return isAny;
  }

  /** The lowest segment that holds a record; `none` if no segment does. */
  oldestSegment(none: number): number {
    return Math.min(none, ...this.#held.keys());
  }

  /** By sequence number, then in the order of the appends. */
  sorted(): LiveRecord[] {
    return [...this.#records.entries()].sort(([a], [b]) => a - b).flatMap(([, records]) => records);
  }

  #release(segment: number): void {
    const held = this.#held.get(segment);
    if (held === undefined) return;
    if (held === 1) this.#held.delete(segment);
    else this.#held.set(segment, held - 1);
  }
}

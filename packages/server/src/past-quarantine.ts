import type { OrderedStore, SequenceNumber } from "@quorate/protocol";
import { type QuarantineRecord, readQuarantine, writeQuarantine } from "./quarantine-record.ts";

/** The last quarantine of a replica that runs, and up to where it keeps silent for it (protocol rule 9.5). */
export class PastQuarantine {
  readonly #store: OrderedStore;
  /** Undefined when there was none. */
  #record: QuarantineRecord | undefined;

  constructor(store: OrderedStore) {
    this.#store = store;
    this.#record = readQuarantine(store);
  }

  /** See `QuarantineRecord.upTo`. */
  get upTo(): SequenceNumber | undefined {
    return this.#record?.upTo;
  }
  /** See `QuarantineRecord.statementsUpTo`. */
  get statementsUpTo(): SequenceNumber | undefined {
    return this.#record?.statementsUpTo;
  }

  /** A quorum agrees with what came after it: the next one is the first again. */
  onStable(seq: SequenceNumber): void {
    if (this.#record === undefined || this.#record.attempts === 0 || seq <= this.#record.upTo) return;
    this.#record = { ...this.#record, attempts: 0 };
    writeQuarantine(this.#store, this.#record);
  }
}

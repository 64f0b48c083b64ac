import { invariant, type OrderedReader, type OrderedStore, PreimageWriter, utf8 } from "@quorate/protocol";
import { REPAIR_PAUSES_MS } from "./quarantine.ts";

/** What of the own disk was found damaged so far, in a row. */
interface DamageRecord {
  /** How often, each time not long after the repair before. */
  readonly repairs: number;
  /** When it was found, or repaired, last: wall-clock milliseconds, for a restart does not mend a disk. */
  readonly lastMs: number;
}

/** A repair of damage that is about to begin. */
export interface DamageRepair {
  /** This is the so-manyth in a row. */
  readonly attempt: number;
  /** It is waited for so long; undefined: there is none any more. */
  readonly pauseMs: number | undefined;
}

export interface DamageCountOptions {
  readonly store: OrderedStore;
  readonly nowMs: () => number;
  /** After so long without damage the next one is the first again. */
  readonly forgottenAfterMs: number;
  /** A repair was going on when the process before this one ended. */
  readonly isUnderRepair: boolean;
}

/** The replica has come to its end: what its disk was given came back changed after each repair. */
export class RecurringDamage extends Error {
  readonly code = "state.recurring-damage";

  constructor(repairs: number, last: Error, place = "this replica") {
    const advice = "replace it, then run `quorate init --lost-disk` on the folder";
    super(
      `the disk of ${place} changes what is written to it: damaged again after each of ${repairs} repairs, last: ${last.message}; test the disk and the memory, ${advice}`,
      { cause: last },
    );
    this.name = "RecurringDamage";
    this.repairs = repairs;
    this.last = last;
  }

  readonly repairs: number;
  readonly last: Error;

  /** The same, with the folder that is on that disk. */
  at(place: string): RecurringDamage {
    return new RecurringDamage(this.repairs, this.last, place);
  }
}

const LONGEST_PAUSE_MS: number = REPAIR_PAUSES_MS.at(-1) ?? 0;

/**
 * Counts repairs of damage, durably: a bit that flips once is repaired at once, but a disk that flips bits again and again would
 * have the state brought to it for ever, and the others would serve it for ever (protocol rule 9.5).
 */
export class DamageCount {
  readonly #o: DamageCountOptions;
  #record: DamageRecord | undefined;
  #isUnderRepair: boolean;

  constructor(options: DamageCountOptions) {
    this.#o = options;
    this.#record = readRecord(options.store);
    this.#isUnderRepair = options.isUnderRepair;
  }

  /** Repairs in a row, if the last one was not long ago. */
  get repairs(): number {
    const { nowMs, forgottenAfterMs } = this.#o;
    const { repairs, lastMs } = this.#record ?? { repairs: 0, lastMs: 0 };
    // A clock that was set far back says nothing either.
    return Math.abs(nowMs() - lastMs) >= forgottenAfterMs ? 0 : repairs;
  }

  /** How long the repair that a restart goes on with is waited for: not at all, unless the replica had come to its end. */
  get pauseAtStartMs(): number {
    return this.repairs > REPAIR_PAUSES_MS.length ? LONGEST_PAUSE_MS : 0;
  }

  /** Notes that damage was found. The next flush makes it durable. */
  found(): DamageRepair {
    const attempt = this.repairs + 1;
    this.#note(attempt);
    this.#isUnderRepair = true;
    return { attempt, pauseMs: REPAIR_PAUSES_MS[attempt - 1] };
  }

  /** All is whole: a repair that took long is no long time without damage. */
  repaired(): void {
    if (this.#record !== undefined && this.#isUnderRepair) this.#note(this.#record.repairs);
    this.#isUnderRepair = false;
  }

  #note(repairs: number): void {
    this.#record = { repairs, lastMs: this.#o.nowMs() };
    writeRecord(this.#o.store, this.#record);
  }
}

const KEY = utf8("host/damage");
const RECORD_BYTES = 4 + 8;

function writeRecord(store: OrderedStore, { repairs, lastMs }: DamageRecord): void {
  store.write([{ key: KEY, value: new PreimageWriter(RECORD_BYTES).u32(repairs).u64(Math.floor(lastMs)).finish() }]);
}

function readRecord(store: OrderedReader): DamageRecord | undefined {
  const value = store.get(KEY);
  if (value === undefined) return undefined;
  invariant(value.length === RECORD_BYTES, "host.damage-record", { bytes: value.length });
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  return { repairs: view.getUint32(0), lastMs: Number(view.getBigUint64(4)) };
}

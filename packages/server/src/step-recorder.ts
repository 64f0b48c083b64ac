import type { Base, Effect } from "@quorate/protocol";
import { describeStep, type Recovery, type ReplicaEvent } from "@quorate/replica";
import { bytesOfEvent } from "./event-bytes.ts";

/** What a `Replica` was made of beside its options. */
export interface ReplicaStart {
  readonly base: Base;
  readonly recovery: Recovery;
}

/** One step as it was. */
export interface RecordedStep {
  readonly atMs: number;
  readonly event: ReplicaEvent;
  /** See `describeStep`. */
  readonly line: string;
}

/** The steps of a replica, as far back as they are kept. */
export interface RecordedSteps {
  /** Undefined when the first steps are gone: then the rest can be read, but not run again. */
  readonly start: ReplicaStart | undefined;
  /** Steps before those that are kept. */
  readonly dropped: number;
  readonly steps: readonly RecordedStep[];
}

/** How much is kept. */
export interface StepRecorderBounds {
  readonly stepsMax: number;
  /** Of memory that the kept steps may hold on to, about. */
  readonly bytesMax: number;
}

/** What an effect holds on to beside what its event does: a frame of our own, a digest. */
const EFFECT_BYTES = 128;

/**
 * Keeps the last steps of a replica for the day on which an invariant breaks. It is on the way of every message, so it
 * writes a slot and nothing else: events and effects are kept as the objects they are, and become text when asked for.
 */
export class StepRecorder {
  readonly #stepsMax: number;
  readonly #bytesMax: number;
  readonly #events: (ReplicaEvent | undefined)[];
  readonly #effects: (readonly Effect[] | undefined)[];
  readonly #atMs: Float64Array;
  readonly #bytes: Float64Array;
  #start: ReplicaStart | undefined;
  #begun = 0;
  #dropped = 0;
  #bytesKept = 0;

  constructor({ stepsMax, bytesMax }: StepRecorderBounds, start: ReplicaStart) {
    this.#stepsMax = stepsMax;
    this.#bytesMax = bytesMax;
    this.#start = start;
    this.#events = new Array<ReplicaEvent | undefined>(stepsMax).fill(undefined);
    this.#effects = new Array<readonly Effect[] | undefined>(stepsMax).fill(undefined);
    this.#atMs = new Float64Array(stepsMax);
    this.#bytes = new Float64Array(stepsMax);
  }

  /** Before a step. */
  begin(event: ReplicaEvent, atMs: number): void {
    const bytes = bytesOfEvent(event);
    while (this.#mustDrop(bytes)) this.#dropOldest();
    const slot = this.#begun % this.#stepsMax;
    this.#begun += 1;
    this.#bytesKept += bytes;
    this.#events[slot] = event;
    this.#effects[slot] = undefined;
    this.#atMs[slot] = atMs;
    this.#bytes[slot] = bytes;
  }

  /** After the step that began last, unless it threw. */
  end(effects: readonly Effect[]): void {
    const slot = (this.#begun - 1) % this.#stepsMax;
    const bytes = EFFECT_BYTES * effects.length;
    this.#effects[slot] = effects;
    this.#bytes[slot] = (this.#bytes[slot] ?? 0) + bytes;
    this.#bytesKept += bytes;
  }

  /** All that is kept, oldest first. */
  steps(): RecordedSteps {
    const steps: RecordedStep[] = [];
    for (let step = this.#dropped; step < this.#begun; step++) {
      const slot = step % this.#stepsMax;
      const event = this.#events[slot];
      if (event === undefined) continue;
      steps.push({ atMs: this.#atMs[slot] ?? 0, event, line: describeStep(event, this.#effects[slot]) });
    }
    return { start: this.#start, dropped: this.#dropped, steps };
  }

  #mustDrop(bytes: number): boolean {
    const kept = this.#begun - this.#dropped;
    return kept > 0 && (kept === this.#stepsMax || this.#bytesKept + bytes > this.#bytesMax);
  }

  #dropOldest(): void {
    const slot = this.#dropped % this.#stepsMax;
    this.#dropped += 1;
    this.#bytesKept -= this.#bytes[slot] ?? 0;
    this.#events[slot] = undefined;
    this.#effects[slot] = undefined;
    // Of no use without the first step, and as large as a window of batches.
    this.#start = undefined;
  }
}

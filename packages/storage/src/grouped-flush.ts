import type { FlushDone } from "./ports.ts";
import type { StorageError } from "./storage-error.ts";

/** Makes durable what has been written so far and calls `finish` once, later than the call. */
export type FlushStart = (finish: (failure: StorageError | undefined) => void) => void;

/** When the parts of a flush happen. */
export interface FlushTiming {
  /** Runs the start of a flush, at once or after a pause in which more writes and flushes may join it. */
  gather(start: () => void): void;
  /** Runs a task after the current call has returned. */
  later(task: () => void): void;
}

/** One flush at a time; whoever comes while it runs shares the next; a failure is final. */
export class GroupedFlush {
  readonly #timing: FlushTiming;
  readonly #start: FlushStart;
  #waiting: FlushDone[] = [];
  #running = false;
  #failure: StorageError | undefined;

  constructor(timing: FlushTiming, start: FlushStart) {
    this.#timing = timing;
    this.#start = start;
  }

  get running(): boolean {
    return this.#running;
  }

  get failure(): StorageError | undefined {
    return this.#failure;
  }

  flush(done: FlushDone): void {
    if (this.#failure !== undefined) {
      const failure = this.#failure;
      this.#timing.later(() => done(failure));
      return;
    }
    this.#waiting.push(done);
    if (!this.#running) this.#run();
  }

  #run(): void {
    this.#running = true;
    this.#timing.gather(() => {
      const served = this.#waiting;
      this.#waiting = [];
      this.#start((failure) => {
        this.#running = false;
        this.#failure ??= failure;
        if (this.#failure === undefined && this.#waiting.length > 0) this.#run();
        for (const done of served) done(this.#failure);
        if (this.#failure !== undefined) this.#failWaiting(this.#failure);
      });
    });
  }

  #failWaiting(failure: StorageError): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const done of waiting) done(failure);
  }
}

import type { FlushDone } from "./ports.ts";
import { StorageError } from "./storage-error.ts";

/** One domain of a store, which becomes durable by itself. */
export interface FlushDomain {
  /** Calls back once all that was written to it before is durable, or with the failure; never during the call. */
  flush(done: FlushDone): void;
}

/** A domain that becomes durable without haste. */
export interface LazyDomain extends FlushDomain {
  /** Whether more has been written than may wait for the disk. */
  readonly isFull: boolean;
}

/** What a store is made durable by. */
export interface FlushPlan {
  readonly log: FlushDomain;
  readonly rest: LazyDomain;
  /** Runs a task after the current call has returned. */
  later(task: () => void): void;
  /** Makes everything durable that is not, and lets go of the files. Called once. */
  close(): Promise<void>;
}

/** The two domains of a store. They fail together, because whoever speaks relies on both. */
export class FlushDomains {
  readonly #plan: FlushPlan;
  #failure: StorageError | undefined;
  #closing: Promise<void> | undefined;

  constructor(plan: FlushPlan) {
    this.#plan = plan;
  }

  get failure(): StorageError | undefined {
    return this.#failure;
  }

  /** Notes a failure that nobody waited for: whoever flushes next hears of it. */
  fail(failure: StorageError): void {
    this.#failure ??= failure;
  }

  flushLog(done: FlushDone): void {
    // Whoever promises faster than the rest can be written waits here, so that memory stays bounded.
    if (this.#plan.rest.isFull) this.flush(done);
    else if (!this.#isRefused(done)) this.#plan.log.flush((failure) => done(this.#judge(failure)));
  }

  flush(done: FlushDone): void {
    if (this.#isRefused(done)) return;
    let waiting = 2;
    const finish: FlushDone = (failure) => {
      this.#judge(failure);
      waiting -= 1;
      if (waiting === 0) done(this.#failure);
    };
    this.#plan.log.flush(finish);
    this.#plan.rest.flush(finish);
  }

  close(): Promise<void> {
    this.#closing ??= this.#plan.close();
    return this.#closing;
  }

  #isRefused(done: FlushDone): boolean {
    if (this.#closing === undefined) return false;
    this.#plan.later(() => done(new StorageError("storage.closed", "the store is closed")));
    return true;
  }

  #judge(failure: StorageError | undefined): StorageError | undefined {
    this.#failure ??= failure;
    return this.#failure;
  }
}

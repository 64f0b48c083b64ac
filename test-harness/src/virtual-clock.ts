/** A task that has not run yet. */
export interface Scheduled {
  /** It will not run. Harmless when it has. */
  cancel(): void;
}

interface Task extends Scheduled {
  readonly atMs: number;
  readonly order: number;
  run: (() => void) | undefined;
}

/**
 * Time that passes only from task to task. Tasks run in the order of their times, those of one time in the order in
 * which they were scheduled, so a run is a function of what its tasks do.
 */
export class VirtualClock {
  /** A binary heap. */
  readonly #tasks: Task[] = [];
  #nowMs = 0;
  #order = 0;
  #ran = 0;

  /** Virtual milliseconds since the start; may have a fraction. */
  get nowMs(): number {
    return this.#nowMs;
  }
  /** Tasks that have run. */
  get ran(): number {
    return this.#ran;
  }

  /** Runs `run` once, `afterMs` from now (not before now). */
  after(afterMs: number, run: () => void): Scheduled {
    const task: Task = {
      atMs: this.#nowMs + Math.max(0, afterMs),
      order: this.#order++,
      run,
      cancel: () => {
        task.run = undefined;
      },
    };
    this.#tasks.push(task);
    this.#siftUp(this.#tasks.length - 1);
    return task;
  }

  /** Runs the next task; false if there is none at or before `untilMs`, and then the time is `untilMs`. */
  runNext(untilMs: number): boolean {
    for (;;) {
      const next = this.#tasks[0];
      if (next === undefined || next.atMs > untilMs) {
        this.#nowMs = Math.max(this.#nowMs, untilMs);
        return false;
      }
      this.#removeFirst();
      const { run } = next;
      if (run === undefined) continue;
      this.#nowMs = next.atMs;
      this.#ran += 1;
      run();
      return true;
    }
  }

  #removeFirst(): void {
    const last = this.#tasks.pop();
    if (last === undefined || this.#tasks.length === 0) return;
    this.#tasks[0] = last;
    this.#siftDown();
  }

  #siftUp(from: number): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#swapIfBefore(at, parent)) return;
      at = parent;
    }
  }

  #siftDown(): void {
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const child = this.#isBefore(left + 1, left) ? left + 1 : left;
      if (!this.#swapIfBefore(child, at)) return;
      at = child;
    }
  }

  #isBefore(a: number, b: number): boolean {
    const first = this.#tasks[a];
    const second = this.#tasks[b];
    if (first === undefined || second === undefined) return false;
    return first.atMs < second.atMs || (first.atMs === second.atMs && first.order < second.order);
  }

  #swapIfBefore(lower: number, upper: number): boolean {
    if (!this.#isBefore(lower, upper)) return false;
    const a = this.#tasks[lower];
    const b = this.#tasks[upper];
    if (a === undefined || b === undefined) return false;
    this.#tasks[lower] = b;
    this.#tasks[upper] = a;
    return true;
  }
}

/** The most tasks that wait for a paused replica: what a socket and a kernel would hold is bounded, too. */
const WAITING_MAX = 20_000;

/** Holds back everything that happens to a replica while its process is stopped (SIGSTOP), and lets it happen after. */
export class Pause {
  #waiting: (() => void)[] = [];
  #isPaused = false;

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Runs now, or when the replica goes on. */
  run(task: () => void): void {
    if (!this.#isPaused) return task();
    if (this.#waiting.length < WAITING_MAX) this.#waiting.push(task);
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const task of waiting) this.run(task);
  }

  /** The process ended: what waited for it is gone. */
  drop(): void {
    this.#isPaused = false;
    this.#waiting = [];
  }
}

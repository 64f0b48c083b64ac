import { createHistogram, performance, type RecordableHistogram } from "node:perf_hooks";
import type { KvClient } from "quorate";
import type { RunOptions } from "./options.ts";

/** Keys that the operations touch, in turn. */
const KEYS = 1_000;
/**
 * Code that has run a few hundred times is still interpreted: what a single operation costs falls for some 2,500 of them,
 * then no further. What is measured is a process that has been up a while.
 */
const WARM_UP_OPERATIONS = 4_000;
const WARM_UP_SECONDS = 2;
const WARM_UP_SECONDS_MAX = 20;
/** Of the operations to measure, when their number is given. */
const WARM_UP_SHARE = 0.1;
const LATENCY_NS_MAX = 120_000_000_000;

/** What one run measured. */
export interface Measured {
  readonly operations: number;
  readonly failed: number;
  readonly seconds: number;
  /** Nanoseconds from call to agreed result. */
  readonly latencyNs: RecordableHistogram;
}

/** Writes every key once, so that `get` finds something and every run meets the same state. */
export async function fill(client: KvClient, valueBytes: number): Promise<void> {
  const value = new Uint8Array(valueBytes).fill(1);
  await Promise.all(Array.from({ length: KEYS }, (_, i) => client.put(keyOf("put", i), value)));
}

/**
 * Runs `outstanding` closed loops on every client: each calls, waits for the result, calls again. What ends in the
 * warm-up is not counted. `onEdge` is called when it is over and when the measurement is, with the operations answered so far.
 */
export async function runClosedLoops(
  clients: readonly KvClient[],
  options: RunOptions,
  onEdge: (answered: number) => Promise<void>,
): Promise<Measured> {
  const run = new ClosedLoops(options);
  const loops = clients.flatMap((client) => Array.from({ length: options.outstanding }, () => run.loop(client)));
  try {
    await run.warmedUp;
    await onEdge(run.answered);
    run.begin();
    await run.measured;
    await onEdge(run.answered);
  } finally {
    run.stop();
    await Promise.all(loops);
  }
  return run.result;
}

class ClosedLoops {
  readonly warmedUp: Promise<void>;
  readonly measured: Promise<void>;
  readonly #options: RunOptions;
  readonly #operate: (client: KvClient, index: number) => Promise<unknown>;
  readonly #latencyNs = createHistogram({ lowest: 1, highest: LATENCY_NS_MAX, figures: 3 });
  #state: "warm-up" | "waiting" | "measuring" | "measured" | "stopped" = "warm-up";
  #index = 0;
  #done = 0;
  #answered = 0;
  #failed = 0;
  #beganMs = performance.now();
  #seconds = 0;
  #onWarm: () => void = () => undefined;
  #onMeasured: () => void = () => undefined;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#operate = operationOf(options);
    this.warmedUp = new Promise((resolve) => {
      this.#onWarm = resolve;
    });
    this.measured = new Promise((resolve) => {
      this.#onMeasured = resolve;
    });
  }

  /** Since the start, whatever is measured. */
  get answered(): number {
    return this.#answered;
  }
  get result(): Measured {
    return { operations: this.#done, failed: this.#failed, seconds: this.#seconds, latencyNs: this.#latencyNs };
  }

  begin(): void {
    this.#done = 0;
    this.#state = "measuring";
    this.#beganMs = performance.now();
  }

  stop(): void {
    this.#state = "stopped";
  }

  async loop(client: KvClient): Promise<void> {
    while (this.#state !== "stopped") {
      const calledMs = performance.now();
      let isAnswered = true;
      try {
        await this.#operate(client, this.#index++);
      } catch {
        isAnswered = false;
      }
      this.#onAnswer(calledMs, performance.now(), isAnswered);
    }
  }

  #onAnswer(calledMs: number, answeredMs: number, isAnswered: boolean): void {
    this.#answered++;
    if (!isAnswered) this.#failed++;
    if (this.#state !== "warm-up" && this.#state !== "measuring") return;
    this.#done++;
    const seconds = (answeredMs - this.#beganMs) / 1000;
    if (this.#state === "warm-up") {
      if (!this.#isWarm(seconds)) return;
      this.#state = "waiting";
      return this.#onWarm();
    }
    // A loop that began in the warm-up counts: its operation was answered while the clock ran.
    this.#latencyNs.record(Math.max(1, Math.round((answeredMs - calledMs) * 1e6)));
    const { operations } = this.#options;
    if (operations === undefined ? seconds < this.#options.seconds : this.#done < operations) return;
    this.#state = "measured";
    this.#seconds = seconds;
    this.#onMeasured();
  }

  #isWarm(seconds: number): boolean {
    const { operations } = this.#options;
    if (operations !== undefined) return this.#done >= operations * WARM_UP_SHARE;
    const isEnough = seconds >= WARM_UP_SECONDS && this.#done >= WARM_UP_OPERATIONS;
    return isEnough || seconds >= WARM_UP_SECONDS_MAX;
  }
}

function operationOf({ operation, valueBytes }: RunOptions): (client: KvClient, index: number) => Promise<unknown> {
  const value = new Uint8Array(valueBytes).fill(2);
  switch (operation) {
    case "put":
      return (client, i) => client.put(keyOf("put", i), value);
    case "get":
      return (client, i) => client.get(keyOf("put", i));
    case "increment":
      return (client, i) => client.increment(keyOf("increment", i));
  }
}

function keyOf(kind: string, index: number): string {
  return `bench/${kind}/${index % KEYS}`;
}

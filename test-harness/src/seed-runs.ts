import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { runSeed, type SeedResult, type SeedRunOptions } from "./seed-run.ts";

const WORKER = fileURLToPath(new URL("../bin/simulate-worker.js", import.meta.url));

/** How many seeds are run. */
export interface SeedRunsOptions extends SeedRunOptions {
  /** Processes that run seeds; 1 is this one alone. */
  readonly jobs: number;
}

/** What a worker is asked. */
export interface SeedOrder extends SeedRunOptions {
  readonly seed: number;
}

/**
 * Runs seeds, and tells of each in the order given, however many run at once.
 *
 * @throws Error when a process of a seed ends without having told of it.
 */
export async function* runSeeds(
  seeds: readonly number[],
  { jobs, ...options }: SeedRunsOptions,
): AsyncGenerator<SeedResult, void> {
  if (jobs === 1) {
    for (const seed of seeds) yield runSeed(seed, options);
    return;
  }
  const workers = new SeedWorkers(Math.min(jobs, seeds.length));
  try {
    const results = seeds.map((seed) => workers.run({ seed, ...options }));
    // Whoever waits for a result sees what went wrong with it.
    for (const result of results) result.catch(() => undefined);
    for (const result of results) yield await result;
  } finally {
    workers.end();
  }
}

/** Processes that share what there is to run, in the order in which it is asked for. */
class SeedWorkers {
  readonly #all: readonly SeedWorker[];
  readonly #idle: SeedWorker[];
  readonly #waiting: ((worker: SeedWorker) => void)[] = [];

  constructor(count: number) {
    this.#all = Array.from({ length: count }, () => new SeedWorker());
    this.#idle = [...this.#all];
  }

  async run(order: SeedOrder): Promise<SeedResult> {
    const worker = this.#idle.pop() ?? (await new Promise<SeedWorker>((resolve) => this.#waiting.push(resolve)));
    try {
      return await worker.run(order);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#idle.push(worker);
      else next(worker);
    }
  }

  end(): void {
    for (const worker of this.#all) worker.end();
  }
}

/** A process that runs one seed after the other. */
class SeedWorker {
  readonly #child: ChildProcess = fork(WORKER, { execArgv: [] });

  run(order: SeedOrder): Promise<SeedResult> {
    return new Promise((resolve, reject) => {
      const fail = (): void => reject(new Error(`seed ${order.seed}: its process ended without a result`));
      if (!this.#child.connected) return fail();
      this.#child.once("exit", fail);
      this.#child.once("message", (result) => {
        this.#child.removeListener("exit", fail);
        resolve(result as SeedResult);
      });
      this.#child.send(order);
    });
  }

  end(): void {
    this.#child.kill();
  }
}

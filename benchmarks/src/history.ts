import { randomInt } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";
import { HistoryRecorder, type KvAnswer, type KvRequest, ProcessCluster, type TestClient } from "@quorate/test-harness";
import type { HistoryOptions } from "./options.ts";

/** Keys in use at a time: few, so that clients meet at them. */
const KEYS = 6;
/** Calls after which other keys come into use: what is judged key by key is to stay short. */
const CALLS_PER_KEY_SET = 1_200;
/** A call that is not answered by then is recorded as unanswered, and the client goes on. */
const DEADLINE_MS = 15_000;

/** What was recorded. */
export interface HistoryReport {
  readonly calls: number;
  readonly unanswered: number;
  readonly keys: number;
  readonly clients: number;
  readonly primariesKilled: number;
  readonly seconds: number;
  readonly file: string;
}

/**
 * Records the calls of clients on a fresh cluster of real processes to a file, for checkers from outside. Its primary is
 * killed (`kill -9`) and started again as often as asked for, while clients go on.
 */
export async function recordHistory(options: HistoryOptions): Promise<HistoryReport> {
  const file = openSync(options.file, "w");
  const cluster = await ProcessCluster.start({ replicas: options.replicas });
  const onSignal = (): void => void ProcessCluster.closeAll().finally(() => process.exit(130));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, onSignal);
  try {
    const workload = new Workload((line) => writeSync(file, line));
    const startedMs = performance.now();
    const clients: TestClient[] = [];
    for (let i = 0; i < options.clients; i++)
      clients.push(await cluster.connect({ settings: { defaultTimeoutMs: DEADLINE_MS } }));
    const load = Promise.all(clients.map((client, index) => workload.run(client, index, options)));
    const primariesKilled = await killPrimaries(cluster, workload, options, load);
    await load;
    await cluster.settled();
    const last = await cluster.connect({ settings: { defaultTimeoutMs: DEADLINE_MS } });
    await workload.readAll(last, options.clients);
    workload.close();
    const seconds = Math.round(performance.now() - startedMs) / 1_000;
    return { ...workload.counts, clients: options.clients, primariesKilled, seconds, file: options.file };
  } finally {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.removeListener(signal, onSignal);
    await cluster.close();
    closeSync(file);
  }
}

/** Spread over the calls. @returns how many were killed. */
async function killPrimaries(
  cluster: ProcessCluster,
  workload: Workload,
  { primaryKills, calls }: HistoryOptions,
  load: Promise<unknown>,
): Promise<number> {
  let killed = 0;
  const portion = calls / (primaryKills + 1);
  for (let round = 1; round <= primaryKills; round++) {
    await Promise.race([workload.reached(Math.floor(portion * round)), load]);
    const { primary } = (await cluster.until((statuses) => statuses.every((s) => s.view === s.target)))[0] ?? {};
    if (primary === undefined) break;
    await cluster.kill([primary]);
    killed++;
    // Work goes on without it, then it comes back.
    await Promise.race([workload.reached(Math.floor(portion * (round + 0.5))), load]);
    await cluster.start(primary);
  }
  return killed;
}

/** Clients that call one after the other, each call recorded. */
class Workload {
  readonly #recorder: HistoryRecorder;
  readonly #keys = new Set<string>();
  readonly #waiting: { readonly count: number; readonly wake: () => void }[] = [];
  #started = 0;
  #ended = 0;
  #unanswered = 0;

  constructor(write: (line: string) => void) {
    this.#recorder = new HistoryRecorder(write);
  }

  get counts(): Pick<HistoryReport, "calls" | "unanswered" | "keys"> {
    return { calls: this.#ended, unanswered: this.#unanswered, keys: this.#keys.size };
  }

  /** Resolves when so many calls have ended. */
  reached(count: number): Promise<void> {
    return new Promise((wake) => {
      if (this.#ended >= count) wake();
      else this.#waiting.push({ count, wake });
    });
  }

  async run(client: TestClient, index: number, { calls }: HistoryOptions): Promise<void> {
    /** What this client saw last at a key: what a compare-and-swap may hope for. */
    const seen = new Map<string, string | null>();
    while (this.#started < calls) {
      const call = this.#started++;
      const key = keyFor(call);
      this.#keys.add(key);
      const answer = await this.#call(client, index, key, drawRequest(key, `${index}/${call}`, seen.get(key) ?? null));
      if (answer?.type === "value") seen.set(key, answer.value);
      if (answer?.type === "swapped") seen.set(key, answer.current);
      if (answer?.type === "sum") seen.set(key, `${answer.sum}`);
    }
  }

  /** At the end: what an unanswered write left behind is to show. */
  async readAll(client: TestClient, index: number): Promise<void> {
    for (const key of this.#keys) await this.#call(client, index, key, { op: "get" });
  }

  close(): void {
    this.#recorder.close();
  }

  async #call({ store }: TestClient, index: number, key: string, request: KvRequest): Promise<KvAnswer | undefined> {
    const answer = await this.#recorder.call(index, store, key, request);
    this.#ended++;
    if (answer === undefined) this.#unanswered++;
    for (const { count, wake } of this.#waiting) if (this.#ended >= count) wake();
    return answer;
  }
}

/** One of the keys in use by then: of a counter, or of texts. */
function keyFor(call: number): string {
  const set = Math.floor(call / CALLS_PER_KEY_SET);
  const key = randomInt(KEYS);
  return `${key % 2 === 0 ? "text" : "counter"}/${set}/${key}`;
}

/** `unique` is written by this call alone, so that a read tells whose write it saw. */
function drawRequest(key: string, unique: string, expect: string | null): KvRequest {
  const kind = randomInt(12);
  if (kind < 4) return { op: "get" };
  if (kind === 4) return { op: "del" };
  if (key.startsWith("counter")) {
    const value = expect === null ? "0" : `${BigInt(expect) + 1_000n}`;
    return kind < 8 ? { op: "cas", expect, value } : { op: "incr", value: BigInt(randomInt(1, 9)) };
  }
  return kind < 8 ? { op: "cas", expect, value: unique } : { op: "put", value: unique };
}

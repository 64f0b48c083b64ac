import type { ProcessCluster, TestClient } from "@quorate/test-harness";
import { expect } from "chai";
import type { KvClient } from "quorate";
import { QuorateError } from "quorate";

/** Random numbers of a test, the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What a client knows of its operations when its calls have ended. */
export class Ledger {
  /** Per counter, the sums that acknowledged increments by one returned. */
  readonly sums: Map<string, bigint[]> = new Map<string, bigint[]>();
  /** Per counter, increments whose outcome nobody knows. */
  readonly unknown: Map<string, number> = new Map<string, number>();
  /** Acknowledged puts. */
  readonly written: Map<string, string> = new Map<string, string>();
  acknowledged: number = 0;
  /** Operations that ended without a result. */
  failed: number = 0;
  /** A client was closed: whatever else it is asked for fails at once. */
  isClosed: boolean = false;
  #onAcknowledged: (() => void)[] = [];

  async increment(store: KvClient, key: string, timeoutMs: number): Promise<boolean> {
    try {
      const sum = await store.increment(key, 1n, { timeoutMs });
      this.sums.set(key, [...(this.sums.get(key) ?? []), sum]);
      return this.#acknowledge();
    } catch (error) {
      if (this.#isWithoutEffect(error)) return false;
      this.unknown.set(key, (this.unknown.get(key) ?? 0) + 1);
      return false;
    }
  }

  async put(store: KvClient, key: string, value: string, timeoutMs: number): Promise<boolean> {
    try {
      await store.put(key, value, { timeoutMs });
      this.written.set(key, value);
      return this.#acknowledge();
    } catch (error) {
      this.#isWithoutEffect(error);
      return false;
    }
  }

  /** Resolves when so many operations are acknowledged in all. */
  async reached(count: number): Promise<void> {
    while (this.acknowledged < count) await new Promise<void>((resolve) => this.#onAcknowledged.push(resolve));
  }

  #acknowledge(): true {
    this.acknowledged++;
    for (const wake of this.#onAcknowledged.splice(0)) wake();
    return true;
  }

  #isWithoutEffect(error: unknown): boolean {
    if (!(error instanceof QuorateError) || error.failure === undefined) throw error;
    if (error.failure.code === "client.closed") this.isClosed = true;
    this.failed++;
    return error.failure.effect === "none";
  }
}

/** So many operations of each client in an epoch belong to its beginning. */
const PAUSE_OPERATIONS = 3;

/**
 * Increments that clients keep going one after the other, each on all the counters in turn; every second operation is a
 * put of its own key. Loads on one cluster have counters of their own by another `counters`.
 */
export class Load {
  readonly clients: readonly TestClient[];
  readonly ledger: Ledger = new Ledger();
  /** When operations were acknowledged, ascending, and the epoch that their client knew of then. */
  readonly #acknowledged: { readonly atMs: number; readonly epoch: number }[] = [];
  readonly #counters: string;
  readonly #lanes: Promise<unknown>;
  #isOver = false;

  constructor(clients: readonly TestClient[], name: string, timeoutMs: number, counters: string = "counter") {
    this.clients = clients;
    this.#counters = counters;
    this.#lanes = Promise.all(clients.map((client, lane) => this.#run(client, `${name}/${lane}`, timeoutMs)));
    // Whoever ends the load sees what went wrong.
    this.#lanes.catch(() => undefined);
  }

  /** Resolves when so many more operations are acknowledged. */
  async goesOn(count: number): Promise<void> {
    await Promise.race([this.ledger.reached(this.ledger.acknowledged + count), this.#lanes]);
  }

  /** The longest time without an acknowledgement that ended after `sinceMs`. */
  longestGapSince(sinceMs: number): number {
    return longestGap([sinceMs, ...this.#acknowledged.map(({ atMs }) => atMs).filter((atMs) => atMs > sinceMs)]);
  }

  /**
   * The longest time without an acknowledgement around the beginning of an epoch, in milliseconds: from the last one of the epoch
   * before until every client had some in this one. The first may still be of what the epoch before has executed.
   */
  pauseAtBeginOf(epoch: number): number {
    const begin = this.#acknowledged.findIndex((acknowledged) => acknowledged.epoch >= epoch);
    const around = this.#acknowledged.slice(Math.max(0, begin - 1), begin + PAUSE_OPERATIONS * this.clients.length);
    if (begin <= 0 || around.length < 2) throw new Error(`nothing was acknowledged before or in epoch ${epoch}`);
    return longestGap(around.map(({ atMs }) => atMs));
  }

  /** Starts no more operations and waits for those on the way. */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.#lanes;
  }

  async #run({ client, store }: TestClient, name: string, timeoutMs: number): Promise<void> {
    // A lane that went on with a closed client would leave no turn to anything else.
    for (let i = 0; !this.#isOver && !this.ledger.isClosed; i++) {
      const isAcknowledged =
        i % 2 === 1
          ? await this.ledger.put(store, `put/${name}/${i}`, `${i}`, timeoutMs)
          : await this.ledger.increment(store, `${this.#counters}/${i % 3}`, timeoutMs);
      if (isAcknowledged) this.#acknowledged.push({ atMs: performance.now(), epoch: client.epochs.epoch });
    }
  }
}

function longestGap(atMs: readonly number[]): number {
  return Math.max(0, ...atMs.slice(1).map((later, at) => later - (atMs[at] ?? later)));
}

/** Each sum was returned to at most one increment, and none of those that were acknowledged is lost. */
export async function expectOnce(store: KvClient, { sums, unknown }: Ledger): Promise<void> {
  expect(sums.size).to.be.greaterThan(0);
  for (const [counter, returned] of sums) {
    const total = Number(await store.increment(counter, 0n));
    expect(new Set(returned).size, `${counter}: sums are unique`).to.equal(returned.length);
    expect(total, counter).to.be.at.least(returned.length);
    expect(total, counter).to.be.at.most(returned.length + (unknown.get(counter) ?? 0));
    for (const sum of returned)
      expect(sum >= 1n && sum <= BigInt(total), `${counter}: ${sum} of ${total}`).to.equal(true);
  }
}

/** Every acknowledged put is there. */
export async function expectWritten(store: KvClient, { written }: Ledger): Promise<void> {
  const decoder = new TextDecoder();
  const found = new Map<string, string>();
  for await (const { key, value } of store.scan("put/", 500)) found.set(decoder.decode(key), decoder.decode(value));
  expect(written.size).to.be.greaterThan(0);
  for (const [key, value] of written) expect(found.get(key), key).to.equal(value);
}

/** All replicas stand at one number with one state and one history. */
export async function expectSameState(cluster: ProcessCluster): Promise<void> {
  const statuses = await cluster.settled();
  expect(new Set(statuses.map(({ executed }) => executed)).size).to.equal(1);
  expect(new Set(await cluster.stateRoots()).size, "state roots").to.equal(1);
  expect(new Set(statuses.map(({ historyDigest }) => historyDigest)).size, "history digests").to.equal(1);
  // None of them lies: whoever was killed, stopped or slow has said nothing that contradicts what it had said.
  expect(
    statuses.map(({ evidence }) => evidence),
    "evidence",
  ).to.deep.equal(statuses.map(() => 0));
}

/** Without this replica the others are one short of a quorum unless the one that came back votes. */
export async function expectVotesCount(
  cluster: ProcessCluster,
  load: Load,
  { without, operations }: { readonly without: number; readonly operations: number },
): Promise<void> {
  await cluster.kill([without]);
  await load.goesOn(operations);
  await cluster.start(without);
  await load.end();
  const { store } = await cluster.connect();
  await expectOnce(store, load.ledger);
  await expectWritten(store, load.ledger);
  await expectSameState(cluster);
}

import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNodeHasher } from "@quorate/crypto/node";
import { clusterId, publicKey, sequenceNumber, utf8 } from "@quorate/protocol";
import { StateTree } from "@quorate/state-tree";
import { initializeStore, openStore, type ReplicaStore } from "@quorate/storage";

export interface StateBenchOptions {
  /** Keys of the larger state; the smaller has a tenth of them. */
  readonly keys: number;
  readonly valueBytes: number;
  readonly json: boolean;
  readonly check: boolean;
}

/** What a root after `CHANGES` changes cost in a state of so many keys, in milliseconds of CPU. */
export interface RootCost {
  readonly keys: number;
  readonly median: number;
  readonly least: number;
  readonly most: number;
  /** Milliseconds of CPU that writing the changes took before, each value hashed. */
  readonly change: number;
}

const CHANGES = 1000;
const ROUNDS = 20;
const GROUP = 10_000;
const ALL = Number.POSITIVE_INFINITY;
/** The project's minimums: milliseconds of CPU for a root in the larger state, and its ratio to that in the smaller. */
const ROOT_MS_MAX = 25;
const RATIO_MAX = 2.2;

/**
 * What a state root costs on this machine after 1,000 changes, in the store that replicas use: `npm run bench -- state`.
 *
 * @returns the exit code: 1 when `check` is set and a minimum was missed.
 */
export async function measureState({ keys, valueBytes, json, check }: StateBenchOptions): Promise<number> {
  const smaller = await costOf(Math.max(CHANGES, Math.floor(keys / 10)), valueBytes);
  const larger = await costOf(keys, valueBytes);
  const ratio = Number((larger.median / smaller.median).toFixed(2));
  const report = { changes: CHANGES, rounds: ROUNDS, valueBytes, smaller, larger, ratio };
  process.stdout.write(
    json ? `${JSON.stringify(report, undefined, 2)}\n` : `${table([smaller, larger])}ratio ${ratio}\n`,
  );
  if (!check) return 0;
  const missed = [
    ...(larger.median < ROOT_MS_MAX
      ? []
      : [`a root took ${larger.median} ms of CPU, expected less than ${ROOT_MS_MAX}`]),
    ...(ratio <= RATIO_MAX ? [] : [`ten times the keys took ${ratio} times the CPU, expected at most ${RATIO_MAX}`]),
  ];
  for (const text of missed) process.stderr.write(`bench: ${text}\n`);
  return missed.length === 0 ? 0 : 1;
}

async function costOf(keys: number, valueBytes: number): Promise<RootCost> {
  const folder = mkdtempSync(join(tmpdir(), "quorate-state-"));
  const path = join(folder, "store");
  const identity = { cluster: clusterId("00".repeat(32)), owner: publicKey("00".repeat(32)) };
  await initializeStore(path, identity);
  const store = openStore(path, identity, { durability: "async" });
  try {
    return await new StateBench(store, keys, valueBytes).run();
  } finally {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

class StateBench {
  readonly #store: ReplicaStore;
  readonly #keys: number;
  readonly #valueBytes: number;
  readonly #tree: StateTree;
  #seq = 0;

  constructor(store: ReplicaStore, keys: number, valueBytes: number) {
    this.#store = store;
    this.#keys = keys;
    this.#valueBytes = valueBytes;
    this.#tree = new StateTree({ state: store.state, local: store.local, hasher: createNodeHasher(), partOf: () => 2 });
  }

  async run(): Promise<RootCost> {
    await this.#checkpoint();
    for (let from = 0; from < this.#keys; from += GROUP)
      await this.#change(Array.from({ length: Math.min(GROUP, this.#keys - from) }, (_, i) => from + i));
    await this.#checkpoint();
    const roots: number[] = [];
    const changes: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const chosen = Array.from({ length: CHANGES }, () => randomInt(this.#keys));
      changes.push(await this.#change(chosen));
      roots.push(await this.#checkpoint());
    }
    roots.sort((a, b) => a - b);
    const [least = 0, most = 0] = [roots[0], roots.at(-1)];
    return { keys: this.#keys, median: medianOf(roots), least, most, change: medianOf(changes) };
  }

  async #change(chosen: readonly number[]): Promise<number> {
    const value = new Uint8Array(this.#valueBytes).fill(this.#seq);
    const startedUs = cpuUs();
    const changes = this.#tree.change([...new Set(chosen)].map((key) => ({ key: utf8(`user/${key}`), value })));
    const tookMs = msSince(startedUs);
    this.#store.writeAtomically(changes);
    await this.#flushed();
    return tookMs;
  }

  /** @returns milliseconds of CPU for the root alone: nothing of this process runs beside it. */
  async #checkpoint(): Promise<number> {
    const startedUs = cpuUs();
    const { local } = this.#tree.checkpoint(sequenceNumber(this.#seq++));
    const tookMs = msSince(startedUs);
    const older = this.#tree.kept.slice(0, -2).map(({ seq }) => this.#tree.drop(seq));
    this.#store.writeAtomically({ state: [], local: [...local, ...older] });
    this.#store.writeAtomically({
      state: [],
      local: this.#tree.tidied({ records: ALL, handedDown: ALL, bytes: ALL }),
    });
    await this.#flushed();
    return tookMs;
  }

  #flushed(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#store.flush((failure) => (failure === undefined ? resolve() : reject(failure)));
    });
  }
}

function cpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function msSince(startedUs: number): number {
  return Number(((cpuUs() - startedUs) / 1000).toFixed(1));
}

function medianOf(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function table(costs: readonly RootCost[]): string {
  const rows = costs.map(({ keys, median, least, most, change }) =>
    [`${keys} keys`.padEnd(14), `root ${median} ms (${least} to ${most})`.padEnd(34), `changes ${change} ms`].join(
      "  ",
    ),
  );
  return `milliseconds of CPU for ${CHANGES} changes, median of ${ROUNDS}\n${rows.join("\n")}\n`;
}

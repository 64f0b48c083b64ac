import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { connect, KvClient, type ProcessStatus } from "quorate";
import { BenchCluster } from "./cluster.ts";
import { round } from "./report.ts";

export interface TransferBenchOptions {
  readonly keys: number;
  readonly valueBytes: number;
  /** How long the load is measured before anything happens. */
  readonly seconds: number;
  readonly durability: "sync" | "async";
  readonly data: string | undefined;
  /** Where CPU profiles of the replicas go. */
  readonly profile: string | undefined;
  /** Values that shrink when they are compressed; otherwise they do not. */
  readonly compressible: boolean;
  readonly json: boolean;
  readonly check: boolean;
}

/** How the state came to a replica. */
interface Transferred {
  /** From its start until it executed what the others did. */
  readonly seconds: number;
  readonly megabytes: number;
  /** What they took on the way. */
  readonly megabytesOnWire: number;
  /**
   * From the first byte of state to the last, with all pauses: without the start of a process, the search for a target, and
   * what was ordered meanwhile.
   */
  readonly secondsMoving: number;
  /** In those. */
  readonly megabytesPerSecond: number;
  /** Of the bytes of all values. */
  readonly share: number;
  /** Of the others, with the load that runs. */
  readonly operationsPerSecond: number;
}

export interface TransferReport {
  readonly keys: number;
  readonly valueBytes: number;
  /** Before, with all four replicas. */
  readonly operationsPerSecond: number;
  /** To an empty disk. */
  readonly wiped: Transferred;
  /** After an absence in which one key of a hundred changed. */
  readonly absent: Transferred;
  /** The most anonymous memory that any replica had. */
  readonly anonymousMegabytesMax: number;
}

interface Moved {
  readonly bytes: number;
  readonly bytesOnWire: number;
  readonly seconds: number;
}

const WIPED = 3;
const OUTSTANDING = 100;
const FILL_OUTSTANDING = 1_000;
/** The least that a replica can be told to keep: whoever is away needs the state. */
const HISTORY_BYTES = 1024 * 1024;
const POLL_MS = 100;
/** What the load writes: few keys, so that what a transfer moves is what it is said to be. */
const LOAD_KEYS = 100;
const MEGABYTE = 1e6;
/** The project's minimums. */
const MINIMUM = { megabytesPerSecond: 40, throughputKept: 0.6, anonymousMegabytes: 600, shareOfAbsent: 0.03 };

/**
 * Brings a large state to an empty disk, and what changed to one that was away, under load: `npm run bench -- transfer`.
 *
 * @returns the exit code: 1 when `check` is set and a minimum was missed.
 */
export async function measureTransfer(options: TransferBenchOptions): Promise<number> {
  const cluster = await BenchCluster.start({
    replicas: 4,
    durability: options.durability,
    pipeline: undefined,
    historyBytesMax: HISTORY_BYTES,
    data: options.data,
    profile: options.profile,
  });
  try {
    const report = await new TransferBench(cluster, options).run();
    process.stdout.write(options.json ? `${JSON.stringify(report, undefined, 2)}\n` : table(report));
    if (!options.check) return 0;
    const missed = missedBy(report);
    for (const text of missed) process.stderr.write(`bench: ${text}\n`);
    return missed.length === 0 ? 0 : 1;
  } finally {
    await cluster.stop();
  }
}

class TransferBench {
  readonly #cluster: BenchCluster;
  readonly #options: TransferBenchOptions;
  #anonymousMax = 0;
  #isOver = false;

  constructor(cluster: BenchCluster, options: TransferBenchOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  async run(): Promise<TransferReport> {
    const { keys, valueBytes, seconds } = this.#options;
    const watch = this.#watchMemory();
    const client = await connect({ genesis: this.#cluster.genesis });
    const store = new KvClient(client);
    await this.#put(store, keys, (i) => i);
    const load = new Load(store, valueBytes);
    try {
      const before = await load.during(() => delay(seconds * 1000));
      const wiped = await this.#transferred(load, async () => this.#cluster.wipe(WIPED));
      const absent = await this.#transferred(load, () => this.#put(store, Math.floor(keys / 100), (i) => i * 100));
      return {
        keys,
        valueBytes,
        operationsPerSecond: before.operationsPerSecond,
        wiped,
        absent,
        anonymousMegabytesMax: round(this.#anonymousMax, 0),
      };
    } finally {
      await load.end();
      client.close();
      this.#isOver = true;
      await watch;
    }
  }

  /** The replica is down while `meanwhile` goes on, and comes back under load. */
  async #transferred(load: Load, meanwhile: () => Promise<void>): Promise<Transferred> {
    const before = await this.#cluster.statusOf(WIPED);
    await this.#cluster.kill(WIPED);
    await meanwhile();
    await this.#untilOutOfHistory(before?.highWatermark ?? 0);
    let moved: Moved = { bytes: 0, bytesOnWire: 0, seconds: 0 };
    const { operationsPerSecond, seconds } = await load.during(async () => {
      await this.#cluster.restart(WIPED);
      moved = await this.#untilBack();
    });
    const { bytes } = moved;
    const megabytes = bytes / MEGABYTE;
    return {
      seconds: round(seconds, 1),
      megabytes: round(megabytes, 1),
      megabytesOnWire: round(moved.bytesOnWire / MEGABYTE, 1),
      secondsMoving: round(moved.seconds, 1),
      megabytesPerSecond: round(megabytes / Math.max(moved.seconds, POLL_MS / 1000), 1),
      share: round(bytes / (this.#options.keys * this.#options.valueBytes), 4),
      operationsPerSecond,
    };
  }

  /** What was ordered up to `seq` is in no log any more, and the history is short: who is there needs the state. */
  async #untilOutOfHistory(seq: number): Promise<void> {
    while (((await this.#cluster.statusOf(0))?.lowWatermark ?? 0) < seq) await delay(POLL_MS);
  }

  /** @returns what state came, when the replica executes what the others do. */
  async #untilBack(): Promise<Moved> {
    let [bytes, bytesOnWire, before, beforeOnWire] = [0, 0, 0, 0];
    let beforeMs = performance.now();
    let firstMs: number | undefined;
    let lastMs = beforeMs;
    for (;;) {
      const [other, own] = await Promise.all([this.#cluster.statusOf(0), this.#cluster.statusOf(WIPED)]);
      const nowMs = performance.now();
      const received = own?.transfer?.bytesReceived ?? 0;
      const receivedOnWire = own?.transfer?.bytesOnWire ?? 0;
      // It counts anew for each target. What has come since the last look came in between.
      const more = received < before ? received : received - before;
      if (more > 0) {
        firstMs ??= beforeMs;
        lastMs = nowMs;
      }
      bytes += more;
      bytesOnWire += receivedOnWire - (received < before ? 0 : beforeOnWire);
      [before, beforeOnWire, beforeMs] = [received, receivedOnWire, nowMs];
      if (other !== undefined && own !== undefined && isBack(own, other) && bytes > 0)
        return { bytes, bytesOnWire, seconds: (lastMs - (firstMs ?? lastMs)) / 1000 };
      await delay(POLL_MS);
    }
  }

  async #put(store: KvClient, count: number, keyOf: (i: number) => number): Promise<void> {
    const value = new Uint8Array(this.#options.valueBytes);
    let next = 0;
    const loop = async (): Promise<void> => {
      while (next < count) {
        const key = keyOf(next++);
        if (this.#options.compressible) writeText(value, key + next);
        else writeNoise(value, key + next);
        await store.put(`user/${key}`, value.slice(), { timeoutMs: 120_000 });
      }
    };
    await Promise.all(Array.from({ length: Math.min(FILL_OUTSTANDING, count) }, loop));
  }

  async #watchMemory(): Promise<void> {
    while (!this.#isOver) {
      for (const pid of this.#cluster.pids) this.#anonymousMax = Math.max(this.#anonymousMax, anonymousMegabytes(pid));
      await delay(POLL_MS);
    }
  }
}

/** Closed loops that go on from one measurement to the next. */
class Load {
  readonly #store: KvClient;
  readonly #value: Uint8Array;
  readonly #loops: Promise<void>[];
  #answered = 0;
  #isOver = false;

  constructor(store: KvClient, valueBytes: number) {
    this.#store = store;
    this.#value = new Uint8Array(valueBytes).fill(1);
    this.#loops = Array.from({ length: OUTSTANDING }, (_, i) => this.#loop(i));
  }

  async during(work: () => Promise<void>): Promise<{ readonly operationsPerSecond: number; readonly seconds: number }> {
    const [startedMs, before] = [performance.now(), this.#answered];
    await work();
    const seconds = (performance.now() - startedMs) / 1000;
    return { operationsPerSecond: Math.round((this.#answered - before) / seconds), seconds };
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#loops);
  }

  async #loop(first: number): Promise<void> {
    for (let i = first; !this.#isOver; i += OUTSTANDING) {
      await this.#store.put(`load/${i % LOAD_KEYS}`, this.#value, { timeoutMs: 120_000 });
      this.#answered++;
    }
  }
}

/** Not to be made smaller (xorshift). */
function writeNoise(value: Uint8Array, seed: number): void {
  let state = Math.imul(seed, 0x9e3779b1) | 1;
  for (let at = 0; at < value.length; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    value[at] = state & 0xff;
  }
}

const FIELDS = ["name", "city", "account", "balance", "created", "currency"] as const;

/** A record as JSON would have it, over and over: names that are alike, numbers that are not. */
function writeText(value: Uint8Array, seed: number): void {
  let text = "";
  for (let i = 0; text.length < value.length; i++)
    text += `"${FIELDS[i % FIELDS.length]}":${Math.imul(seed + i, 0x9e3779b1) >>> 0},`;
  new TextEncoder().encodeInto(text.slice(0, value.length), value);
}

function isBack(own: ProcessStatus, other: ProcessStatus): boolean {
  return own.transfer === undefined && own.executed >= other.lowWatermark && own.executed > 0;
}

/** Memory of a process that is no file's; 0 when it is gone. */
function anonymousMegabytes(pid: number): number {
  try {
    const [, kilobytes = "0"] = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1")) ?? [];
    return (Number(kilobytes) * 1024) / MEGABYTE;
  } catch {
    return 0;
  }
}

function missedBy({ operationsPerSecond, wiped, absent, anonymousMegabytesMax }: TransferReport): string[] {
  const kept = wiped.operationsPerSecond / operationsPerSecond;
  const { megabytesPerSecond, throughputKept, anonymousMegabytes: memory, shareOfAbsent } = MINIMUM;
  return [
    [
      wiped.megabytesPerSecond >= megabytesPerSecond,
      `${wiped.megabytesPerSecond} MB/s, expected ${megabytesPerSecond}`,
    ],
    [kept >= throughputKept, `the cluster kept ${round(kept, 2)} of its throughput, expected ${throughputKept}`],
    [anonymousMegabytesMax < memory, `${anonymousMegabytesMax} MB of anonymous memory, expected less than ${memory}`],
    [absent.share < shareOfAbsent, `${absent.share} of the state moved for 0.01 changed, expected ${shareOfAbsent}`],
  ].flatMap(([isReached, text]) => (isReached === true ? [] : [`${text}`]));
}

function table({
  keys,
  valueBytes,
  operationsPerSecond,
  wiped,
  absent,
  anonymousMegabytesMax,
}: TransferReport): string {
  const line = (name: string, of: Transferred): string =>
    `${name.padEnd(24)}back after ${of.seconds} s; ${of.megabytes} MB (${of.share} of the state, ${of.megabytesOnWire} MB on the wire) in ${of.secondsMoving} s, ` +
    `${of.megabytesPerSecond} MB/s; meanwhile ${of.operationsPerSecond} operations / s\n`;
  return (
    `${keys} keys of ${valueBytes} bytes; with all four replicas ${operationsPerSecond} operations / s\n` +
    line("to an empty disk", wiped) +
    line("1 % of the keys changed", absent) +
    `most anonymous memory of a replica: ${anonymousMegabytesMax} MB\n`
  );
}

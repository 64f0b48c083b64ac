import { parseArgs } from "node:util";
import type { StateBenchOptions } from "./state.ts";
import type { TransferBenchOptions } from "./transfer.ts";

/** What is measured: one operation at a time, or many. */
export type Scenario = "latency" | "throughput";
export type OperationType = "put" | "get" | "increment";

/** What one run does. */
export interface RunOptions {
  readonly scenario: Scenario;
  /** Clients with a key and a session each, all in this process. */
  readonly clients: number;
  /** Closed loops of each client: it sends its next operation when one has been answered. */
  readonly outstanding: number;
  /** Operations to measure; undefined: measure for `seconds`. */
  readonly operations: number | undefined;
  readonly seconds: number;
  readonly operation: OperationType;
  readonly valueBytes: number;
}

/** How the cluster is made; every run of one call uses the same cluster. */
export interface ClusterOptions {
  readonly replicas: number;
  readonly durability: "sync" | "async";
  /** Undecided proposals of the primary at once; the product's default when left out. */
  readonly pipeline: number | undefined;
  /** Bytes of history of each replica; the product's default when left out. */
  readonly historyBytesMax?: number;
  /** Parent of the cluster's temporary folder. */
  readonly data: string | undefined;
  /** Where CPU profiles of every process go. */
  readonly profile: string | undefined;
}

/** How the calls of clients are recorded; nothing is measured then. */
export interface HistoryOptions {
  readonly file: string;
  readonly clients: number;
  /** Of all clients together, beside a last read of every key. */
  readonly calls: number;
  readonly replicas: number;
  /** How often the primary is killed meanwhile. */
  readonly primaryKills: number;
}

export interface BenchOptions {
  readonly runs: readonly RunOptions[];
  readonly cluster: ClusterOptions;
  readonly json: boolean;
  readonly check: boolean;
}

/** What is asked for: measurements, or a history. */
export type BenchTask = ({ readonly task: "measure" } & BenchOptions) | ({ readonly task: "record" } & RecordOptions);

export interface RecordOptions {
  readonly history: HistoryOptions;
  readonly json: boolean;
}

/** The command line cannot be understood; the message says what was expected. */
export class UsageError extends Error {}

export const HELP: string = `Usage: npm run bench -- [options]
       npm run bench -- --history FILE [--clients C] [--operations N] [--replicas N] [--kill-primary R]
       npm run bench -- crypto [--json]
       npm run bench -- state [--keys N] [--value-bytes B] [--check] [--json]
       npm run bench -- transfer [--keys N] [--value-bytes B] [--seconds S] [--compressible] [--durability MODE] [--data DIR]
                                      [--profile DIR] [--check] [--json]

Measures operations of closed-loop clients against a fresh cluster of real processes on this machine.

  --scenario NAME    latency (1 client, 1 operation outstanding), throughput (1 client, 100 outstanding) or all, one
                     after the other on the same cluster (default)
  --clients C        clients, each with its own key and session
  --outstanding O    operations that each client keeps on the way
  --operations N     measure this many operations
  --seconds S        measure for this long (5), when --operations is not given
  --operation TYPE   put (default), get or increment
  --value-bytes B    bytes of each value that put writes (64)
  --replicas N       replicas of the cluster (4)
  --durability MODE  sync (default) or async
  --pipeline D       proposals on the way at once (the default of a replica)
  --data DIR         make the cluster's temporary folder in DIR: the disk matters
  --profile DIR      write a CPU profile of every process to DIR
  --history FILE     measure nothing; record what clients (4) ask and get, get, put, del, cas and incr on few keys, as
                     one JSON object a line, for test-harness/bin/check-history.js and other checkers
  --kill-primary R   meanwhile kill -9 the primary R times (0), and start it again
  --check            exit 1 unless the medians and rates of one run in three reach the project's minimums; 3 if they do
                     not and somebody else was at work on the machine, which is no verdict
  --json             print JSON
  --help             print this

Example: npm run bench -- --scenario throughput --outstanding 400 --value-bytes 1024 --json`;

export const CRYPTO_HELP: string = `Usage: npm run bench -- crypto [--json] [--help]

Measures what one signature, one verification and one hash cost on this machine, per back end, in microseconds.

  --json             print JSON
  --help             print this

Example: npm run bench -- crypto --json`;

export const STATE_HELP: string = `Usage: npm run bench -- state [--keys N] [--value-bytes B] [--check] [--json] [--help]

Measures what a state root costs after 1,000 changes, in milliseconds of CPU, in a state of N keys and in one of a tenth.

  --keys N           keys of the larger state (1000000)
  --value-bytes B    bytes of each value (100)
  --check            exit 1 unless a root takes less than 25 ms, and at most 2.2 times that in the smaller state
  --json             print JSON
  --help             print this

Example: npm run bench -- state --keys 100000 --json`;

export const TRANSFER_HELP: string = `Usage: npm run bench -- transfer [options]

Fills a cluster of real processes, then under load wipes the disk of one replica, and later stops it while one key of a
hundred changes: how long its state takes to come back, how many bytes move, and what the others do meanwhile.

  --keys N           keys of the state (1000000)
  --value-bytes B    bytes of each value (1000)
  --compressible     values that shrink when they are compressed; without it, they are noise
  --seconds S        measure the load for this long before (10)
  --durability MODE  sync (default) or async
  --data DIR         make the cluster's temporary folder in DIR: the disk matters
  --profile DIR      write CPU profiles of the replicas to DIR, of their whole lives
  --check            exit 1 unless the state moves at 40 MB/s, the others keep 60 % of their throughput, no replica has
                     600 MB of anonymous memory, and after 1 % changed less than 3 % moves
  --json             print JSON
  --help             print this

Example: npm run bench -- transfer --keys 20000 --seconds 3`;

const TEXT = { type: "string" } as const;
const FLAG = { type: "boolean" } as const;
const FLAGS = {
  scenario: TEXT,
  clients: TEXT,
  outstanding: TEXT,
  operations: TEXT,
  seconds: TEXT,
  operation: TEXT,
  "value-bytes": TEXT,
  replicas: TEXT,
  durability: TEXT,
  pipeline: TEXT,
  data: TEXT,
  profile: TEXT,
  history: TEXT,
  "kill-primary": TEXT,
  json: FLAG,
  check: FLAG,
  help: FLAG,
} as const;
const TRANSFER_FLAGS = {
  keys: TEXT,
  compressible: FLAG,
  "value-bytes": TEXT,
  seconds: TEXT,
  durability: TEXT,
  data: TEXT,
  profile: TEXT,
  check: FLAG,
  json: FLAG,
  help: FLAG,
} as const;
const STATE_FLAGS = { keys: TEXT, "value-bytes": TEXT, check: FLAG, json: FLAG, help: FLAG } as const;
const CRYPTO_FLAGS = { json: FLAG, help: FLAG } as const;
const SCENARIOS: Readonly<Record<string, readonly Scenario[]>> = {
  latency: ["latency"],
  throughput: ["throughput"],
  // Many operations first: they warm the code that the single ones run through.
  all: ["throughput", "latency"],
};
const OUTSTANDING: Readonly<Record<Scenario, number>> = { latency: 1, throughput: 100 };

/**
 * Reads the command line.
 *
 * @returns undefined when help was asked for.
 * @throws UsageError
 */
export function parseOptions(args: readonly string[]): BenchTask | undefined {
  const flags = readFlags(args, FLAGS);
  if (flags.help === true) return undefined;
  if (flags.history !== undefined) return { task: "record", ...recordOptionsOf(flags, flags.history) };
  if (flags["kill-primary"] !== undefined) throw new UsageError("--kill-primary is for --history");
  return { task: "measure", ...measureOptionsOf(flags) };
}

/** The flags that `--history` takes beside itself. */
const RECORD_FLAGS: readonly string[] = ["history", "clients", "operations", "replicas", "kill-primary", "json"];

function recordOptionsOf(flags: Flags<typeof FLAGS>, file: string): RecordOptions {
  const other = Object.keys(flags).find((name) => !RECORD_FLAGS.includes(name));
  if (other !== undefined) throw new UsageError(`--${other} does not go with --history, which measures nothing`);
  const history = {
    file,
    clients: wholeNumber("clients", flags.clients) ?? 4,
    calls: wholeNumber("operations", flags.operations) ?? 2_000,
    replicas: wholeNumber("replicas", flags.replicas, 4) ?? 4,
    primaryKills: wholeNumber("kill-primary", flags["kill-primary"], 0) ?? 0,
  };
  return { history, json: flags.json === true };
}

function measureOptionsOf(flags: Flags<typeof FLAGS>): BenchOptions {
  const scenario = oneOf("scenario", flags.scenario ?? "all", ["latency", "throughput", "all"]);
  const operation = oneOf("operation", flags.operation ?? "put", ["put", "get", "increment"]);
  const durability = oneOf("durability", flags.durability ?? "sync", ["sync", "async"]);
  const operations = wholeNumber("operations", flags.operations);
  const runs = (SCENARIOS[scenario] ?? []).map((name) => ({
    scenario: name,
    clients: wholeNumber("clients", flags.clients) ?? 1,
    outstanding: wholeNumber("outstanding", flags.outstanding) ?? OUTSTANDING[name],
    operations,
    seconds: wholeNumber("seconds", flags.seconds) ?? 5,
    operation,
    valueBytes: wholeNumber("value-bytes", flags["value-bytes"], 0) ?? 64,
  }));
  const replicas = wholeNumber("replicas", flags.replicas, 4) ?? 4;
  const pipeline = wholeNumber("pipeline", flags.pipeline);
  return {
    runs,
    cluster: { replicas, durability, pipeline, data: flags.data, profile: flags.profile },
    json: flags.json === true,
    check: flags.check === true,
  };
}

/**
 * Reads the command line of `bench crypto`, without that word.
 *
 * @returns undefined when help was asked for.
 * @throws UsageError
 */
export function parseCryptoOptions(args: readonly string[]): { readonly json: boolean } | undefined {
  const { json, help } = readFlags(args, CRYPTO_FLAGS);
  return help === true ? undefined : { json: json === true };
}

/**
 * Reads the command line of `bench state`, without that word.
 *
 * @returns undefined when help was asked for.
 * @throws UsageError
 */
export function parseStateOptions(args: readonly string[]): StateBenchOptions | undefined {
  const flags = readFlags(args, STATE_FLAGS);
  if (flags.help === true) return undefined;
  return {
    keys: wholeNumber("keys", flags.keys, 1000) ?? 1_000_000,
    valueBytes: wholeNumber("value-bytes", flags["value-bytes"], 0) ?? 100,
    check: flags.check === true,
    json: flags.json === true,
  };
}

/**
 * Reads the command line of `bench transfer`, without that word.
 *
 * @returns undefined when help was asked for.
 * @throws UsageError
 */
export function parseTransferOptions(args: readonly string[]): TransferBenchOptions | undefined {
  const flags = readFlags(args, TRANSFER_FLAGS);
  if (flags.help === true) return undefined;
  const { durability = "sync" } = flags;
  if (durability !== "sync" && durability !== "async")
    throw new UsageError(`--durability is ${durability}, expected sync or async`);
  return {
    keys: wholeNumber("keys", flags.keys, 1000) ?? 1_000_000,
    valueBytes: wholeNumber("value-bytes", flags["value-bytes"]) ?? 1000,
    seconds: wholeNumber("seconds", flags.seconds) ?? 10,
    durability,
    data: flags.data,
    profile: flags.profile,
    compressible: flags.compressible === true,
    check: flags.check === true,
    json: flags.json === true,
  };
}

type FlagKinds = Readonly<Record<string, typeof TEXT | typeof FLAG>>;
type Flags<Kinds extends FlagKinds> = {
  readonly [Name in keyof Kinds]?: Kinds[Name]["type"] extends "string" ? string : boolean;
};

function readFlags<Kinds extends FlagKinds>(args: readonly string[], options: Kinds): Flags<Kinds> {
  try {
    return parseArgs({ args: [...args], options, strict: true }).values as Flags<Kinds>;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function wholeNumber(name: string, text: string | undefined, least = 1): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least)
    throw new UsageError(`--${name} is ${text}, expected a whole number of at least ${least}`);
  return value;
}

function oneOf<T extends string>(name: string, text: string, choices: readonly T[]): T {
  const choice = choices.find((candidate) => candidate === text);
  if (choice === undefined) throw new UsageError(`--${name} is ${text}, expected ${choices.join(", ")}`);
  return choice;
}

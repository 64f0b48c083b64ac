import { existsSync } from "node:fs";
import { join } from "node:path";
import { bytesToHex, equalBytes, STATE_READ_KEYS_MAX } from "@quorate/protocol";
import { ConfigurationError, readDocument, writeOnce } from "@quorate/server";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { QuorateClient, StaleEntries, StaleOutcome, StaleReadOptions } from "../client.ts";
import { connect } from "../connect.ts";
import { QuorateError } from "../errors.ts";
import { type KvCalls, KvClient, RANGE_LIMIT_DEFAULT } from "../kv-client.ts";
import { type AddressFlags, addressesOf, addressWords, withAddressFlags } from "./address-flags.ts";
import { integer, path } from "./arguments.ts";
import { DEFAULT_DATA } from "./cluster-command.ts";
import { EXIT } from "./exit-codes.ts";
import { readSeed } from "./read-key.ts";
import { printJson, printLine, shellWord } from "./terminal.ts";

interface ConnectionFlags extends AddressFlags {
  readonly data: string;
  readonly genesis?: string;
  readonly key?: string;
  readonly deadline: number;
  readonly receipt?: string;
  readonly json?: true;
}

interface StaleFlags extends ConnectionFlags {
  readonly stale?: true;
  readonly from?: string;
}

interface RangeFlags extends StaleFlags {
  readonly limit?: number;
}

const DEADLINE_MS = 10_000;
const decoder = new TextDecoder();

/** `quorate kv …`: the replicated key-value store from the command line. */
export function addKvCommand(program: Command): void {
  const kv = program
    .command("kv")
    .description("read and write the replicated key-value store; keys and values are UTF-8 text")
    .addHelpText("after", "\nExample:\n  quorate kv put greeting hello\n  quorate kv get greeting --json");
  const get = leaf(
    ...([
      kv,
      "get <key>",
      "print the value at a key; exit code 4 if there is none",
      "quorate kv get greeting",
    ] as const),
  );
  stale(get).action((key: string, flags: StaleFlags) =>
    withStore(flags, async (store) => {
      const found = await getOf(store, key, flags);
      const value = found.value === undefined ? undefined : decoder.decode(found.value);
      if (flags.json === true) printJson({ key, value: value ?? null, ...placeOf(found.stale) });
      else if (value !== undefined) printLine(value);
      tellPlace(found.stale, flags);
      return value === undefined ? EXIT.absent : EXIT.ok;
    }),
  );
  leaf(kv, "put <key> <value>", "set a key", "quorate kv put greeting hello").action(
    (key: string, value: string, flags: ConnectionFlags) =>
      withStore(flags, async (store) => {
        const replaced = await store.put(key, value);
        if (flags.json === true) printJson({ key, replaced });
        else printLine(replaced ? "replaced" : "created");
        return EXIT.ok;
      }),
  );
  leaf(kv, "delete <key>", "remove a key; exit code 4 if there was none", "quorate kv delete greeting").action(
    (key: string, flags: ConnectionFlags) =>
      withStore(flags, async (store) => {
        const deleted = await store.delete(key);
        if (flags.json === true) printJson({ key, deleted });
        else printLine(deleted ? "deleted" : "absent");
        return deleted ? EXIT.ok : EXIT.absent;
      }),
  );
  addCompareAndSwap(kv);
  addIncrement(kv);
  addRange(kv);
}

function addIncrement(kv: Command): void {
  leaf(kv, "incr <key>", "add to a whole number; prints the sum", "quorate kv incr visits -- -5")
    .argument("[by]", "what to add (1 unless given)", wholeNumber)
    .action((key: string, by: bigint | undefined, flags: ConnectionFlags) =>
      withStore(flags, async (store) => {
        const value = await store.increment(key, by ?? 1n);
        if (flags.json === true) printJson({ key, value });
        else printLine(`${value}`);
        return EXIT.ok;
      }),
    );
}

function addCompareAndSwap(kv: Command): void {
  const example = "quorate kv cas greeting --expect hello --next goodbye";
  leaf(kv, "cas <key>", "compare and swap; exit code 5 if the value was another", example)
    .option("--expect <value>", "what must be there (left out: nothing)")
    .option("--next <value>", "what to put there (left out: remove it)")
    .action((key: string, flags: ConnectionFlags & { readonly expect?: string; readonly next?: string }) =>
      withStore(flags, async (store) => {
        const { swapped, current } = await store.compareAndSwap(key, flags.expect, flags.next);
        printSwap(key, swapped, current === undefined ? null : decoder.decode(current), flags.json === true);
        return swapped ? EXIT.ok : EXIT.refused;
      }),
    );
}

function printSwap(key: string, swapped: boolean, value: string | null, json: boolean): void {
  if (json) return printJson({ key, swapped, value });
  printLine(`${swapped ? "swapped" : "not swapped"}${value === null ? "" : `: ${value}`}`);
}

function addRange(kv: Command): void {
  const example = "quorate kv range user/a user/b --limit 10";
  stale(leaf(kv, "range [from] [to]", "print entries with from <= key < to in order, tab-separated", example))
    .option(
      "--limit <n>",
      `at most so many entries (${RANGE_LIMIT_DEFAULT}, or ${STATE_READ_KEYS_MAX} stale ones)`,
      integer,
    )
    .action((from: string | undefined, to: string | undefined, flags: RangeFlags) =>
      withStore(flags, async (store) => {
        const { entries, next, ...found } = await rangeOf(store, from ?? "", to, flags);
        const texts = entries.map(({ key, value }) => ({ key: decoder.decode(key), value: decoder.decode(value) }));
        const more = next === undefined ? null : decoder.decode(next);
        if (flags.json === true) printJson({ entries: texts, next: more, ...placeOf(found.stale) });
        else for (const { key, value } of texts) printLine(`${key}\t${value}`);
        tellPlace(found.stale, flags);
        if (next !== undefined) tellMore(next, to, flags);
        return EXIT.ok;
      }),
    );
}

function stale(command: Command): Command {
  return command
    .option("--stale", "as of a stable checkpoint, from one replica, with proofs; nothing is ordered")
    .addOption(
      new Option("--from <address>", "host:port of the replica that is to answer; it need not be a member").implies({
        stale: true,
      }),
    );
}

interface FoundRange extends Pick<StaleEntries, "entries" | "next"> {
  readonly stale?: StaleOutcome;
}

async function getOf(
  store: KvClient,
  key: string,
  flags: StaleFlags,
): Promise<{ readonly value: Uint8Array | undefined; readonly stale?: StaleOutcome }> {
  if (flags.stale !== true) return { value: await store.get(key) };
  const { value, ...read } = await store.getStale(key, readOptions(flags));
  return { value, stale: read };
}

async function rangeOf(store: KvClient, from: string, to: string | undefined, flags: RangeFlags): Promise<FoundRange> {
  if (flags.stale !== true) return store.range(from, to, flags.limit);
  const { entries, next, ...read } = await store.rangeStale(from, to, flags.limit, readOptions(flags));
  return { entries, next, stale: read };
}

function readOptions({ from, deadline }: StaleFlags): StaleReadOptions {
  return { timeoutMs: Math.max(1, deadline), ...(from !== undefined && { from }) };
}

/** Which state was read, for programs. */
function placeOf(read: StaleOutcome | undefined): object {
  if (read === undefined) return {};
  const { seq, epoch, from, refused } = read;
  return { seq, epoch, from, refused: Object.fromEntries(refused) };
}

/** The same for people, on standard error, so that what reads the value is not given it. */
function tellPlace(read: StaleOutcome | undefined, { json }: ConnectionFlags): void {
  if (read === undefined || json === true) return;
  const { seq, epoch, from, refused } = read;
  process.stderr.write(`quorate: as of checkpoint ${seq} of epoch ${epoch}, proven by ${sourceName(from)}\n`);
  for (const [source, fault] of refused) process.stderr.write(`quorate: ${sourceName(source)}: ${fault}\n`);
}

function sourceName(source: StaleOutcome["from"]): string {
  return typeof source === "string" ? source : `replica ${source}`;
}

/** On standard error, so that what reads the entries is not given it. */
function tellMore(next: Uint8Array, to: string | undefined, flags: RangeFlags): void {
  if (flags.json === true) return;
  const from = decoder.decode(next);
  const words = ["kv", "range", ...connectionWords(flags)];
  if (flags.stale === true) words.push("--stale");
  if (flags.from !== undefined) words.push("--from", flags.from);
  if (flags.limit !== undefined) words.push("--limit", `${flags.limit}`);
  // A key may look like a flag.
  const keys = ["--", from, ...(to === undefined ? [] : [to])].map(shellWord).join(" ");
  const isText = equalBytes(new TextEncoder().encode(from), next);
  const how = isText
    ? `\`quorate ${words.map(shellWord).join(" ")} ${keys}\` goes on`
    : `the next key is no UTF-8 text, it is ${bytesToHex(next)} in hex; a program goes on from it with KvClient.range`;
  process.stderr.write(`quorate: there are more entries; ${how}\n`);
}

function connectionWords({ data, genesis, key, ...flags }: ConnectionFlags): string[] {
  const where = genesis === undefined ? (data === DEFAULT_DATA ? [] : ["--data", data]) : ["--genesis", genesis];
  return [...where, ...addressWords(flags), ...(key === undefined ? [] : ["--key", key])];
}

function leaf(kv: Command, usage: string, description: string, example: string): Command {
  const command = kv
    .command(usage)
    .description(description)
    .option("--data <dir>", "the folder of a local cluster", path, DEFAULT_DATA)
    .addOption(
      new Option("--genesis <file>", "the genesis document of the cluster, instead of --data")
        .argParser(path)
        .conflicts("data"),
    );
  return withAddressFlags(command)
    .option("--key <file>", "the client's key pair; a fresh one unless given", path)
    .option("--deadline <ms>", "give up after so long", integer, DEADLINE_MS)
    .addOption(
      new Option("--receipt <file>", "write the receipt, the proof of the answer, for `quorate verify`")
        .argParser(path)
        .conflicts("stale"),
    )
    .option("--json", "print JSON")
    .addHelpText("after", `\nExample:\n  ${example}`);
}

async function withStore(flags: StaleFlags, use: (store: KvClient) => Promise<number>): Promise<void> {
  const advice = "start a cluster with `npm start`, or name its document with --genesis";
  const genesis = flags.genesis ?? join(flags.data, "genesis.json");
  // Read here for the message; connect parses it.
  readDocument(genesis, "genesis document", advice);
  // Before anything has an effect.
  if (flags.receipt !== undefined && existsSync(flags.receipt))
    throw new ConfigurationError("configuration.exists", `${flags.receipt} exists already; it is not overwritten`);
  const client = await connect({
    genesis,
    ...addressesOf(flags),
    settings: { defaultTimeoutMs: Math.max(1, flags.deadline), sessionAtOnce: flags.stale !== true },
    ...(flags.key !== undefined && { seed: await readSeed(flags.key) }),
  });
  try {
    process.exitCode = await use(new KvClient(flags.receipt === undefined ? client : witnessed(client, flags.receipt)));
  } catch (error) {
    throw withAdvice(error, flags);
  } finally {
    client.close();
  }
}

/** Each answer is written down with its proof, before anything is made of it. */
function witnessed(client: QuorateClient, file: string): KvCalls {
  return {
    execute: async (operation, options) => {
      const outcome = await client.execute(operation, options);
      if (outcome.receipt === undefined)
        throw new ConfigurationError(
          "configuration.missing",
          "the operation is executed, but the replicas signed the answer at different places, so there is no receipt of it",
        );
      writeOnce(file, outcome.receipt.toBytes(), 0o644);
      return outcome;
    },
    readStale: (keys, options) => client.readStale(keys, options),
    readStaleRange: (from, to, limit, options) => client.readStaleRange(from, to, limit, options),
  };
}

/** What nobody ever got: the cluster is down, more often than not. */
function withAdvice(error: unknown, { data, genesis }: ConnectionFlags): unknown {
  if (!(error instanceof QuorateError) || error.failure?.code !== "client.no-quorum") return error;
  const { failure, code, message } = error;
  if (failure.effect !== "none" || failure.refusals.length > 0) return error;
  const at = data === DEFAULT_DATA ? "" : ` --data ${shellWord(data)}`;
  const start = at === "" ? "npm start" : `npm start --${at}`;
  const advice =
    genesis === undefined
      ? `is the cluster running? \`npx quorate status${at}\` tells, \`${start}\` starts it`
      : `are its replicas running, and to be reached at the addresses in ${genesis}?`;
  return new QuorateError(code, `${message}; ${advice}`, failure);
}

function wholeNumber(text: string): bigint {
  if (!/^[+-]?\d{1,30}$/.test(text)) throw new InvalidArgumentError(`expected a whole number, got ${text}.`);
  return BigInt(text);
}

/**
 * The client: `node examples/ledger/bank.js COMMAND … --key FILE [--receipt FILE] [--genesis FILE]`. The file with the key is made when it
 * is not there: whoever has it has the accounts.
 */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { connect } from "quorate";
import { decodeValue, encodeCall } from "quorate/service";

const { values: options, positionals } = parseArgs({
  options: {
    key: { type: "string", default: "ledger.key" },
    receipt: { type: "string" },
    genesis: { type: "string", default: ".ledger/genesis.json" },
  },
  allowPositionals: true,
});

/** What each command sends, of what was typed. */
const COMMANDS = {
  open: ([name]) => [name],
  issue: ([to, amount]) => [to, BigInt(amount ?? 0)],
  transfer: ([from, to, amount]) => [from, to, BigInt(amount ?? 0)],
  balance: ([name]) => [name],
  supply: () => [],
  journal: ([from]) => [Number(from ?? 0)],
};

function seedIn(file) {
  if (!existsSync(file)) writeFileSync(file, randomBytes(32).toString("hex"), { mode: 0o600, flag: "wx" });
  return new Uint8Array(Buffer.from(readFileSync(file, "utf8"), "hex"));
}

async function run() {
  const [command = "", ...typed] = positionals;
  const argumentsOf = Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined;
  if (argumentsOf === undefined) throw new Error(`expected one of ${Object.keys(COMMANDS).join(", ")}`);
  const operation = encodeCall(command, argumentsOf(typed));
  const client = await connect({ genesis: options.genesis, seed: seedIn(options.key) });
  try {
    // As `client.as()` would, but with the receipt: what f+1 replicas have signed.
    const { result, receipt } = await client.execute(operation, { timeoutMs: 30_000 });
    if (result.status !== "ok") throw new Error(new TextDecoder().decode(result.value));
    const value = decodeValue(result.value);
    for (const line of Array.isArray(value) ? value : [value]) console.log(shown(line));
    if (options.receipt !== undefined && receipt !== undefined)
      writeFileSync(options.receipt, receipt.toBytes(), { flag: "wx" });
  } finally {
    client.close();
  }
}

function shown(value) {
  if (typeof value !== "object" || value === null) return `${value}`;
  const { number, type, from, to, amount } = value;
  return [number, type, amount, from && `from ${from}`, to && `to ${to}`]
    .filter((part) => part !== undefined)
    .join(" ");
}

run().catch((error) => {
  console.error(`bank: ${error.message}`);
  process.exitCode = 1;
});

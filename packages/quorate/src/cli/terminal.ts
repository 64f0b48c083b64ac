import { BackendSelfTestError } from "@quorate/crypto";
import { KvError } from "@quorate/kv";
import { ConfigurationError, RecoveryError } from "@quorate/server";
import { StateError } from "@quorate/state-machine";
import { StorageError } from "@quorate/storage";
import { TransportError } from "@quorate/transport";
import Table from "cli-table3";
import { ClaimError } from "../claim-request.ts";
import { QuorateError } from "../errors.ts";
import { CheckpointError } from "./checkpoint-error.ts";
import { EXIT } from "./exit-codes.ts";
import { LeadershipError } from "./leadership-error.ts";

/** Prints a value for programs: one line of JSON; bigints as decimal text, bytes as UTF-8 text. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, (_key, field) => (typeof field === "bigint" ? `${field}` : field))}\n`);
}

export function printLine(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Tells people who wait how far it is; not part of what a command prints. */
export function printProgress(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** A word as a POSIX shell has to be given it. */
export function shellWord(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Prints rows for people, without lines between them. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const table = new Table({
    head: [...head],
    style: { head: [], border: [], "padding-left": 0, "padding-right": 2 },
    chars: {
      top: "",
      "top-mid": "",
      "top-left": "",
      "top-right": "",
      bottom: "",
      "bottom-mid": "",
      "bottom-left": "",
      "bottom-right": "",
      left: "",
      "left-mid": "",
      mid: "",
      "mid-mid": "",
      right: "",
      "right-mid": "",
      middle: "",
    },
  });
  for (const row of rows) table.push([...row]);
  printLine(table.toString().replace(/ +$/gm, ""));
}

/** Prints what is wrong, in one line to standard error. */
export function printComplaint(text: string): void {
  process.stderr.write(`quorate: ${text.replace(/\s*\n\s*/g, " ")}\n`);
}

/** Prints an error in one line to standard error and returns the exit code that goes with it. */
export function reportError(error: unknown): number {
  const message = error instanceof Error ? error.message : String(error);
  printComplaint(message);
  if (error instanceof QuorateError) return exitCodeOf(error);
  // What has no encoding would be refused by the service; a result that does not read is of another version of it.
  if (error instanceof KvError) return error.code === "kv.malformed" ? EXIT.failed : EXIT.refused;
  if (error instanceof LeadershipError) return error.code === "leadership.unchanged" ? EXIT.noResult : EXIT.failed;
  if (error instanceof CheckpointError) return EXIT.noResult;
  if (error instanceof ClaimError) return error.code === "claim.late" ? EXIT.noResult : EXIT.failed;
  if (isExpected(error)) return EXIT.failed;
  // Ours: the stack helps whoever reports it.
  if (error instanceof Error && error.stack !== undefined) process.stderr.write(`${error.stack}\n`);
  return EXIT.failed;
}

function isExpected(error: unknown): boolean {
  // A failed system call is no fault of this program; its message names the call and the path.
  if (error instanceof Error && "syscall" in error) return true;
  return [BackendSelfTestError, ConfigurationError, RecoveryError, StateError, StorageError, TransportError].some(
    (kind) => error instanceof kind,
  );
}

function exitCodeOf({ code, failure }: QuorateError): number {
  switch (code) {
    case "client.operation-failed":
    case "client.read-refused":
      return EXIT.refused;
    case "client.read-malformed":
      return EXIT.usage;
    // Waiting would not help: the key or the genesis document is to be changed.
    case "client.not-admitted":
    case "client.wrong-cluster":
      return EXIT.failed;
    case "client.change-refused":
    case "client.change-lost":
      return failure?.effect === "unknown" ? EXIT.noResult : EXIT.refused;
    case "client.checkpoint-refused":
      return failure?.code === code && failure.reason === "checkpoint-not-permitted" ? EXIT.failed : EXIT.refused;
    default:
      return EXIT.noResult;
  }
}

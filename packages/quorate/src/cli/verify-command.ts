import { readFileSync } from "node:fs";
import { join } from "node:path";
import { chooseBackend } from "@quorate/crypto/node";
import type { OperationResult } from "@quorate/protocol";
import { ConfigurationError, readDocument, readGenesis } from "@quorate/server";
import { type Command, Option } from "commander";
import { type ReceiptVerdict, verifyReceipt } from "../receipt.ts";
import { path } from "./arguments.ts";
import { DEFAULT_DATA } from "./cluster-command.ts";
import { EXIT } from "./exit-codes.ts";
import { printComplaint, printJson, printLine } from "./terminal.ts";

interface VerifyFlags {
  readonly data: string;
  readonly genesis?: string;
  readonly json?: true;
}

const decoder = new TextDecoder();

/** `quorate verify`: whether a receipt proves anything. */
export function addVerifyCommand(program: Command): void {
  program
    .command("verify")
    .argument("<file>", "the receipt", path)
    .description(
      "judge a receipt by the genesis document alone: what f+1 members have signed, without asking any of them",
    )
    .option("--data <dir>", "the folder of a local cluster", path, DEFAULT_DATA)
    .addOption(
      new Option("--genesis <file>", "the genesis document of the cluster, instead of --data")
        .argParser(path)
        .conflicts("data"),
    )
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nExample:\n  quorate verify greeting.receipt --genesis genesis.json\n\n" +
        "`quorate kv put greeting hello --receipt greeting.receipt` writes one.\n\nExit code: 0 if it is proven, 1 if it is not, with the reason.",
    )
    .action(async (file: string, flags: VerifyFlags) => {
      const source = flags.genesis ?? join(flags.data, "genesis.json");
      const document = readDocument(source, "genesis document", "get it from whoever runs the cluster");
      const verdict = verifyReceipt(bytesOf(file), readGenesis(document, source, await chooseBackend()));
      if (flags.json === true) printJson(shown(verdict));
      else tell(file, verdict);
      process.exitCode = verdict.valid ? EXIT.ok : EXIT.failed;
    });
}

/** @throws ConfigurationError for a file that cannot be read. */
function bytesOf(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ConfigurationError(
      code === "ENOENT" ? "configuration.missing" : "configuration.unreadable",
      `cannot read the receipt at ${file} (${code}); expected a file that \`quorate kv … --receipt FILE\` or a client has written`,
    );
  }
}

/** Values as text, as everywhere on the command line. */
function shown(verdict: ReceiptVerdict): object {
  return verdict.valid ? { ...verdict, results: verdict.results.map(textOf) } : verdict;
}

function textOf({ status, value }: OperationResult): { readonly status: string; readonly value: string } {
  return { status, value: decoder.decode(value) };
}

function tell(file: string, verdict: ReceiptVerdict): void {
  if (!verdict.valid) return printComplaint(`${file} proves nothing: ${verdict.message}`);
  const { epoch, seq, signers, number, session, requestDigest, results } = verdict;
  printLine(`${file} is proven: replicas ${signers.join(", ")} of epoch ${epoch} have signed what number ${seq} gave`);
  printLine(`request ${number} of session ${session}, digest ${requestDigest}`);
  for (const { status, value } of results) printLine(`  ${status} ${JSON.stringify(decoder.decode(value))}`);
}

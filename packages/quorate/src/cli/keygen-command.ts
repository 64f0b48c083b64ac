import { randomBytes } from "node:crypto";
import { generateSeed } from "@quorate/crypto";
import { chooseBackend } from "@quorate/crypto/node";
import { keyFileOf, writeOnce } from "@quorate/server";
import type { Command } from "commander";
import { path } from "./arguments.ts";
import { printJson, printLine } from "./terminal.ts";

/** `quorate keygen`: a key pair, made on the machine that will use it. */
export function addKeygenCommand(program: Command): void {
  program
    .command("keygen")
    .description("make an ed25519 key pair; only the public key ever leaves this machine")
    .requiredOption(
      "--out <file>",
      "where to write the key pair (mode 0600); an existing file is never overwritten",
      path,
    )
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  quorate keygen --out replica-0.key.json")
    .action(async ({ out, json }: { out: string; json?: true }) => {
      const backend = await chooseBackend();
      const key = keyFileOf(backend, generateSeed(randomBytes(32)));
      writeOnce(out, `${JSON.stringify(key, null, 2)}\n`, 0o600);
      if (json === true) printJson({ publicKey: key.publicKey, file: out });
      else printLine(key.publicKey);
    });
}

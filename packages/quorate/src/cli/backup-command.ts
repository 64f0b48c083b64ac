import { clusterIdOf } from "@quorate/crypto";
import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import { type BackupSummary, readDocument, readGenesis, verifyBackup } from "@quorate/server";
import type { Command } from "commander";
import { path } from "./arguments.ts";
import { openBackupSource } from "./backup-source.ts";
import { DEFAULT_DATA } from "./cluster-command.ts";
import { printJson, printLine } from "./terminal.ts";
import { writeBackup } from "./write-backup.ts";

interface CreateFlags {
  readonly out: string;
  readonly data: string;
  readonly force?: true;
  readonly json?: true;
}

/** `quorate backup`: the state at the last stable checkpoint as a file, and whether a file is one. */
export function addBackupCommand(program: Command): void {
  const backup = program
    .command("backup")
    .description("write the state at the last stable checkpoint to a file, or verify one")
    .addHelpText("after", "\nExample:\n  quorate backup create --out shop.backup --data /var/lib/quorate");
  backup
    .command("create", { isDefault: true })
    .description("write the state at the last stable checkpoint, with the certificate that proves it, to a file")
    .requiredOption("--out <file>", "where to write it, with mode 0600; it holds the whole state in the clear", path)
    .option("--data <dir>", "the cluster's folder, or one replica's; whether they run or not", path, DEFAULT_DATA)
    .option("--force", "replace a file that is there, once the new one is whole")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nExample:\n  quorate backup create --out shop.backup --data /var/lib/quorate\n\n" +
        "All of it is verified on the way; a backup that is not whole is not left behind.",
    )
    .action(async ({ out, data, force, json }: CreateFlags) => {
      const source = await openBackupSource(data);
      try {
        const summary = await writeBackup(source, out, force === true);
        if (json === true) printJson({ file: out, data: source.folder.path, ...jsonOf(summary) });
        else printLine(`${out}: ${sentenceOf(summary)}`);
      } finally {
        await source.close();
      }
    });
  backup
    .command("verify")
    .description("check a backup against the genesis document of the cluster that it is of")
    .argument("<file>", "what `quorate backup create` wrote", path)
    .requiredOption("--genesis <file>", "the cluster's genesis document, from somewhere you trust", path)
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nExample:\n  quorate backup verify shop.backup --genesis genesis.json\n\n" +
        "Exit code: 0 only if all of it is what a quorum of that cluster signed.",
    )
    .action(async (file: string, flags: { genesis: string; json?: true }) => {
      const cryptography = { backend: await chooseBackend(), hasher: createNodeHasher() };
      const text = readDocument(flags.genesis, "genesis document", "name the cluster's with --genesis");
      const genesis = readGenesis(text, flags.genesis, cryptography.backend);
      const cluster = clusterIdOf(cryptography.hasher, genesis);
      const summary = await verifyBackup(file, { genesis, cluster }, cryptography);
      if (flags.json === true) printJson({ file, ...jsonOf(summary) });
      else printLine(`${file} is sound: ${sentenceOf(summary)}`);
    });
}

function sentenceOf({ certificate, entries, bytes, restored }: BackupSummary): string {
  const signers = certificate.signatures.map(({ from }) => from).join(", ");
  return `the state of cluster ${restored.cluster} at checkpoint ${certificate.seq}, ${entries} entries of ${bytes} bytes, ${restored.entries} of them the application's; its root ${certificate.stateRoot} is signed by replicas ${signers}`;
}

function jsonOf({ certificate, entries, bytes, restored }: BackupSummary): object {
  const { cluster, checkpoint, applicationRoot, entries: applicationEntries, timestampMs } = restored;
  const signers = certificate.signatures.map(({ from }) => from);
  const { stateRoot } = certificate;
  return { cluster, checkpoint, stateRoot, signers, entries, bytes, applicationRoot, applicationEntries, timestampMs };
}

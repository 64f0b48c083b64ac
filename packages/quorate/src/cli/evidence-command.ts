import { createCodec, wireLimitsOf } from "@quorate/codec";
import { clusterIdOf, Verifier } from "@quorate/crypto";
import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import { accusedOf, type Evidence } from "@quorate/protocol";
import {
  ConfigurationError,
  checkEvidenceProof,
  describeEvidence,
  parseEvidenceDocument,
  readDocument,
  readGenesis,
  writeOnce,
} from "@quorate/server";
import { type Command, InvalidArgumentError } from "commander";
import { path } from "./arguments.ts";
import { DEFAULT_DATA } from "./cluster-command.ts";
import { type FoundPiece, findEvidence } from "./evidence-source.ts";
import { printJson, printLine, printTable } from "./terminal.ts";

const DATA_FLAG = "the cluster's folder, or one replica's data folder; whether they run or not";
/** The first digits of an id tell pieces apart. */
const SHORT_ID_LENGTH = 16;

/** `quorate evidence`: proven misbehaviour that replicas have seen. */
export function addEvidenceCommand(program: Command): void {
  const evidence = program
    .command("evidence")
    .description("proof that a replica misbehaved: what is kept, as a file, and whether a file proves it")
    .addHelpText("after", "\nExample:\n  quorate evidence list");
  addList(evidence);
  addExport(evidence);
  addVerify(evidence);
}

function addList(evidence: Command): void {
  evidence
    .command("list")
    .description("list the evidence that a replica, or each replica of a local cluster, keeps")
    .option("--data <dir>", DATA_FLAG, path, DEFAULT_DATA)
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  quorate evidence list --data /var/lib/quorate --json")
    .action(async ({ data, json }: { data: string; json?: true }) => {
      const found = await findEvidence(data);
      const rows = found.map(({ id, accused, keptBy, summary }) => [
        id.slice(0, SHORT_ID_LENGTH),
        `${keptBy}`,
        `${accused}`,
        summary,
      ]);
      if (json === true) printJson(found.map(({ document: _, ...piece }) => piece));
      else if (rows.length === 0) printLine("no evidence is kept");
      else printTable(["ID", "KEPT BY", "ACCUSED", "OF WHAT"], rows);
    });
}

function addExport(evidence: Command): void {
  evidence
    .command("export")
    .description("write one piece of evidence to a file that proves it to anyone who has the genesis document")
    .argument("<id>", "its id in `quorate evidence list`, or the first digits of it", idPrefix)
    .requiredOption("--out <file>", "where to write it; an existing file is never overwritten", path)
    .option("--data <dir>", DATA_FLAG, path, DEFAULT_DATA)
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  quorate evidence export 3fa85f6457174562 --out evidence.json")
    .action(async (prefix: string, { out, data, json }: { out: string; data: string; json?: true }) => {
      const piece = pick(await findEvidence(data), prefix, data);
      writeOnce(out, `${JSON.stringify(await piece.document(), null, 2)}\n`, 0o644);
      const { id, accused, summary } = piece;
      if (json === true) printJson({ id, accused, summary, file: out });
      else printLine(`${out}: ${summary}`);
    });
}

function addVerify(evidence: Command): void {
  evidence
    .command("verify")
    .description("check a file of evidence with nothing but the genesis document; says who is convicted of what")
    .argument("<file>", "what `quorate evidence export` wrote", path)
    .requiredOption("--genesis <file>", "the cluster's genesis document", path)
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nExample:\n  quorate evidence verify evidence.json --genesis genesis.json\n\nExit code: 0 only if it is proven.",
    )
    .action(async (file: string, flags: { genesis: string; json?: true }) => {
      const proven = await verifiedEvidence(file, flags.genesis);
      const accused = accusedOf(proven);
      if (flags.json === true)
        printJson({ proven: true, accused, type: proven.type, summary: describeEvidence(proven) });
      else printLine(`proven: ${describeEvidence(proven)}`);
    });
}

/** @throws ConfigurationError when the file is none, or proves nothing. */
async function verifiedEvidence(file: string, genesisPath: string): Promise<Evidence> {
  const [backend, hasher] = [await chooseBackend(), createNodeHasher()];
  const text = readDocument(genesisPath, "genesis document", "name the cluster's with --genesis");
  const genesis = readGenesis(text, genesisPath, backend);
  const cluster = clusterIdOf(hasher, genesis);
  const document = readDocument(file, "evidence", "export it with `quorate evidence export ID --out FILE`");
  const proof = parseEvidenceDocument(document, file, cluster, createCodec(wireLimitsOf(genesis)));
  checkEvidenceProof(proof, file, genesis, { cluster, hasher, verifier: new Verifier({ backend, hasher, cluster }) });
  return proof.evidence;
}

function pick(found: readonly FoundPiece[], prefix: string, data: string): FoundPiece {
  const matches = found.filter(({ id }) => id.startsWith(prefix));
  const [first] = matches;
  // Several replicas of one cluster may keep the same piece.
  if (first !== undefined && matches.every(({ id }) => id === first.id)) return first;
  const what = first === undefined ? "no piece of evidence" : "several pieces of evidence";
  throw new ConfigurationError(
    "configuration.missing",
    `${what} in ${data} with an id that begins with ${prefix}; \`quorate evidence list --json\` shows whole ids`,
  );
}

function idPrefix(text: string): string {
  if (!/^[0-9a-f]{4,64}$/.test(text)) throw new InvalidArgumentError("expected 4 to 64 digits of an id, in hex.");
  return text;
}

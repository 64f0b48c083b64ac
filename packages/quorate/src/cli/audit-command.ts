import { quorumSize, weakQuorumSize } from "@quorate/protocol";
import type { AuditDocument, KnownMembers, ReplicaName } from "@quorate/server";
import type { Command } from "commander";
import { path } from "./arguments.ts";
import { type Audited, type AuditVerdict, auditVerdicts } from "./audit-verdicts.ts";
import { DEFAULT_DATA } from "./cluster-command.ts";
import { EXIT } from "./exit-codes.ts";
import { fetchAudit, latestOf, type ReplicaRows, readReplicaRows } from "./replica-rows.ts";
import { printJson, printTable } from "./terminal.ts";

interface AuditFlags {
  readonly data: string;
  readonly at?: readonly string[];
  readonly json?: true;
}

/** `quorate audit`: what the replicas say of what they executed, side by side. */
export function addAuditCommand(program: Command): void {
  program
    .command("audit")
    .description("compare what the replicas executed, put out and hold, and say who differs")
    .option("--data <dir>", "the cluster's folder, or one replica's data folder", path, DEFAULT_DATA)
    .option("--at <addresses...>", "ask these admin addresses (HOST:PORT) too, of replicas on other machines")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nExample:\n  quorate audit --data /var/lib/quorate --at 10.0.0.2:8600 10.0.0.3:8600 10.0.0.4:8600\n\n" +
        "Exit code: 0 all that answer agree, 7 one differs or is quarantined, 6 some do not answer, 3 fewer than a quorum do.",
    )
    .action(async ({ data, at = [], json }: AuditFlags) => {
      const found = await readReplicaRows(data);
      const remote = await Promise.all(at.map((admin) => fetchAudit(admin, found.cluster)));
      const { rows, membership } = withRemote(found, await auditsOf(found), remote);
      const quorum = found.isSingle ? 1 : quorumSize(membership);
      const weakQuorum = weakQuorumSize(membership);
      rows.sort((a, b) => comparePlaces(a.replica, b.replica));
      const verdicts = auditVerdicts(rows, weakQuorum);
      if (json === true)
        printJson(rows.map(({ replica, audit }, i) => ({ replica, ...verdicts[i], ...summaryOf(audit) })));
      else
        printTable(
          HEAD,
          rows.map(({ replica, audit }, i) => cellsOf(replica, audit, verdicts[i])),
        );
      const missing = remote.filter((audit) => audit === undefined).length;
      process.exitCode = exitCodeOf(verdicts, missing, quorum);
    });
}

/** Who answers says who it is now. */
async function auditsOf({ rows }: ReplicaRows): Promise<readonly Audited[]> {
  return await Promise.all(
    rows.map(async ({ replica, owner, cluster, admin }) => {
      const audit = await fetchAudit(admin, cluster, owner);
      return { replica: audit === undefined ? replica : nameIn(audit), audit };
    }),
  );
}

/** With those that were named, and the members that nobody asked; by the latest members that any of them knows. */
function withRemote(
  { membership, distant }: ReplicaRows,
  local: readonly Audited[],
  remote: readonly (AuditDocument | undefined)[],
): { readonly rows: Audited[]; readonly membership: KnownMembers } {
  const rows = [...local];
  for (const audit of remote)
    if (audit !== undefined && !rows.some((row) => row.audit?.owner === audit.owner))
      rows.push({ replica: nameIn(audit), audit });
  for (const { replica } of distant)
    if (!rows.some((row) => row.replica === replica)) rows.push({ replica, audit: undefined });
  return { rows, membership: latestOf([membership, ...rows.flatMap(({ audit }) => audit?.membership ?? [])]) };
}

function nameIn({ replica }: AuditDocument): ReplicaName {
  return replica ?? "observer";
}

/** Observers behind the members. */
function comparePlaces(a: ReplicaName, b: ReplicaName): number {
  if (a === "observer" || b === "observer") return Number(a === "observer") - Number(b === "observer");
  return a - b;
}

const HEAD = [
  "REPLICA",
  "EXECUTED",
  "OUTPUTS",
  "STATE",
  "STABLE",
  "ITS ROOT",
  "LAST CHECKPOINT",
  "ITS ROOT",
  "VERDICT",
] as const;
const DIGEST_SHOWN = 12;

function cellsOf(replica: ReplicaName, audit: AuditDocument | undefined, verdict: AuditVerdict | undefined): string[] {
  const said = verdict === undefined ? "" : textOf(verdict);
  const own = audit?.own;
  if (own === undefined) return [`${replica}`, ...HEAD.slice(2).map(() => "-"), said];
  const { executed, executionDigest, stateRoot, stable, lastCheckpoint } = own;
  const short = (digest: string): string => digest.slice(0, DIGEST_SHOWN);
  return [
    `${replica}`,
    `${executed}`,
    short(executionDigest),
    short(stateRoot),
    `${stable.seq}`,
    short(stable.stateRoot),
    `${lastCheckpoint.seq}`,
    short(lastCheckpoint.stateRoot),
    said,
  ];
}

function textOf(verdict: AuditVerdict): string {
  switch (verdict.verdict) {
    case "differs":
      return `differs since ${verdict.since}`;
    case "quarantined":
      return `quarantined (repair ${verdict.attempt}${verdict.isGivenUp ? ", given up" : ""})`;
    case "not-compared":
      return "not compared";
    default:
      return verdict.verdict;
  }
}

/** Without the digests of single numbers, which nobody reads. */
function summaryOf(audit: AuditDocument | undefined): object {
  if (audit === undefined) return {};
  const { own, quarantine, isInstalling, divergent } = audit;
  if (own === undefined) return { quarantine, isInstalling, divergent };
  const { outputs: _, ...summary } = own;
  return { ...summary, quarantine, isInstalling, divergent };
}

function exitCodeOf(verdicts: readonly AuditVerdict[], missing: number, quorum: number): number {
  const count = (kind: AuditVerdict["verdict"]): number => verdicts.filter(({ verdict }) => verdict === kind).length;
  if (count("differs") + count("quarantined") > 0) return EXIT.divergent;
  const silent = count("unreachable");
  if (verdicts.length - silent < quorum) return EXIT.noResult;
  return silent + missing > 0 ? EXIT.degraded : EXIT.ok;
}

import type { ProcessStatus } from "@quorate/server";
import type { Command } from "commander";
import { path } from "./arguments.ts";
import { DEFAULT_DATA } from "./cluster-command.ts";
import { EXIT } from "./exit-codes.ts";
import { type DistantMember, membersUp, type ReplicaRow, readReplicaRows } from "./replica-rows.ts";
import { printJson, printTable } from "./terminal.ts";

/** `quorate status`: where each replica of a local cluster, or the one in a data folder, stands. */
export function addStatusCommand(program: Command): void {
  program
    .command("status")
    .description("show where the replicas stand (of a local cluster, or of one data folder)")
    .option("--data <dir>", "the cluster's folder, or one replica's data folder", path, DEFAULT_DATA)
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nExample:\n  quorate status --json\n\nExit code: 0 all replicas answer, 6 some do not, 3 fewer than a quorum do. Of a member whose folder is elsewhere a link with it is enough.",
    )
    .action(async ({ data, json }: { data: string; json?: true }) => {
      const found = await readReplicaRows(data);
      const { rows, distant, quorum } = found;
      if (json === true)
        printJson([
          ...rows.map(
            ({ replica, owner, status, admin, answeredBy }) =>
              status ?? { replica: replica === "observer" ? null : replica, owner, role: "down", admin, answeredBy },
          ),
          ...distant.map((member) => ({ ...member, role: isLost(member) ? "down" : "distant" })),
        ]);
      else printTable(HEAD, [...rows.map(cellsOf), ...distant.map(cellsOfDistant)]);
      const areAllUp = rows.every(({ status }) => status !== undefined) && distant.every(({ isLinked }) => isLinked);
      process.exitCode = areAllUp ? EXIT.ok : membersUp(found) >= quorum ? EXIT.degraded : EXIT.noResult;
    });
}

const HEAD = [
  "REPLICA",
  "PID",
  "ROLE",
  "VIEW",
  "TIME-OUT",
  "EXECUTED",
  "LOG WINDOW",
  "PENDING",
  "PEERS",
  "UPTIME",
] as const;

function cellsOf({ replica, status, admin, answeredBy }: ReplicaRow): string[] {
  if (status === undefined) {
    const why = answeredBy === undefined ? "" : ` (${answeredBy} answers at ${admin})`;
    return [`${replica}`, "-", `down${why}`, ...HEAD.slice(3).map(() => "-")];
  }
  const connected = status.peers.filter(({ isConnected }) => isConnected).length;
  return [
    `${replica}`,
    `${status.pid}`,
    roleOf(status),
    status.target === status.view ? `${status.view}` : `${status.view} -> ${status.target}`,
    `${status.timeOutMs / 1000}s`,
    `${status.executed}`,
    `(${status.lowWatermark}, ${status.highWatermark}]`,
    `${status.pendingRequests}`,
    `${connected}/${status.peers.length}`,
    durationText(status.uptimeMs),
  ];
}

/** Nobody here can ask it. */
function cellsOfDistant(member: DistantMember): string[] {
  const { replica, address, isLinked } = member;
  const where = isLost(member)
    ? `down (no folder; at ${address})`
    : `at ${address} (${isLinked ? "linked" : "no link"})`;
  return [`${replica}`, "-", where, ...HEAD.slice(3).map(() => "-")];
}

/** Whoever is linked runs, with or without its folder. */
function isLost({ isFolderGone, isLinked }: DistantMember): boolean {
  return isFolderGone && !isLinked;
}

/** With what keeps it from its part. */
function roleOf(status: ProcessStatus): string {
  const { role, mayStop, isStranded, mute, transfer, repair, quarantine } = status;
  if (repair !== undefined) return `damaged (repair ${repair.attempt}, after ${durationText(repair.pauseMs)})`;
  if (quarantine !== undefined)
    return `quarantined (repair ${quarantine.attempt}${quarantine.isGivenUp ? ", given up" : ""})`;
  if (transfer !== undefined) {
    const { target, percent, isVoting } = transfer;
    const how = `${percent === undefined ? "" : ` (${percent} %)`}${isVoting ? ", votes" : ""}`;
    return `fetches the state at ${target}${how}`;
  }
  if (mute !== undefined) return muteText(mute, status);
  return mayStop ? `${role} (may be stopped)` : isStranded ? `${role} (stranded)` : role;
}

function muteText(mute: NonNullable<ProcessStatus["mute"]>, { isStranded, view, lowWatermark }: ProcessStatus): string {
  const { replies, repliesNeeded, checkpoint, view: first } = mute;
  const stranded = isStranded ? ["stranded"] : [];
  const progress =
    checkpoint === undefined || first === undefined
      ? [`${replies}/${repliesNeeded} answers`]
      : [`checkpoint ${lowWatermark} of ${checkpoint}`, `view ${view} of ${first}`];
  return `mute (${[...progress, ...stranded].join(", ")})`;
}

function durationText(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${seconds % 60}s`;
  return `${Math.floor(seconds / 3600)}h${Math.floor((seconds % 3600) / 60)}m`;
}

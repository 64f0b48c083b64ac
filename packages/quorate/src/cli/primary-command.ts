import { setTimeout as sleep } from "node:timers/promises";
import { ADMIN_COMMAND, ADMIN_HEADER, describeReplica, type HandOverAnswer } from "@quorate/server";
import type { Command } from "commander";
import { path, positive } from "./arguments.ts";
import { DEFAULT_DATA } from "./cluster-command.ts";
import { LeadershipError } from "./leadership-error.ts";
import { fetchStatus, type ReplicaRow, type ReplicaRows, readReplicaRows } from "./replica-rows.ts";
import { printJson, printLine } from "./terminal.ts";

const DATA_FLAG = "the cluster's folder, or the data folder of the replica that is primary, on its host";
const DEFAULT_WAIT_MS = 15_000;
const ANSWER_TIMEOUT_MS = 3_000;
const POLL_MS = 50;

/** `quorate primary`: who orders, and who is to. */
export function addPrimaryCommand(program: Command): void {
  const primary = program
    .command("primary")
    .description("hand the turn as primary over to the next replica, before its host is stopped")
    .addHelpText("after", "\nExample:\n  quorate primary rotate");
  primary
    .command("rotate")
    .description("ask the primary to hand over, and wait until the next replica has taken its place")
    .option("--data <dir>", DATA_FLAG, path, DEFAULT_DATA)
    .option("--wait-ms <ms>", "how long to wait for the next view", positive, DEFAULT_WAIT_MS)
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nExample:\n  quorate primary rotate --data /var/lib/quorate --json\n\nExit code: 0 another replica is primary, 1 nobody could be asked, 3 none took over in time.",
    )
    .action(async ({ data, waitMs, json }: { data: string; waitMs: number; json?: true }) => {
      const found = await readReplicaRows(data);
      const old = findPrimary(found, data);
      await askToHandOver(old);
      const next = await nextPrimary(found.rows, old, waitMs);
      if (json === true)
        printJson({ from: { view: old.view, primary: old.replica }, to: { view: next.view, primary: next.primary } });
      else
        printLine(
          `view ${old.view}, primary ${old.replica} -> view ${next.view}, primary ${next.primary}: it has handed over`,
        );
    });
}

/** The primary of the highest view that anyone here is in. */
interface Primary {
  readonly replica: number;
  readonly admin: string;
  readonly view: number;
}

/** @throws LeadershipError when it is not among those that answer. */
function findPrimary({ rows, isSingle }: ReplicaRows, data: string): Primary {
  const up = rows.flatMap(({ status }) => status ?? []);
  const [highest] = up.toSorted((a, b) => b.view - a.view);
  if (highest === undefined)
    throw new LeadershipError(
      "leadership.no-primary",
      `no replica of ${data} answers; \`quorate status --data ${data}\` shows where they stand`,
    );
  const { view, primary } = highest;
  const row = rows.find(({ replica, status }) => replica === primary && status?.view === view);
  if (row !== undefined) return { replica: primary, admin: row.admin, view };
  throw isSingle
    ? new LeadershipError(
        "leadership.not-primary",
        `${describeReplica(highest.replica, highest.owner)} is not the primary: that of view ${view} is replica ${primary}; ask on its host`,
      )
    : new LeadershipError(
        "leadership.no-primary",
        `replica ${primary}, the primary of view ${view}, does not answer; the others replace it by themselves when a request waits for it`,
      );
}

/** @throws LeadershipError when it cannot. */
async function askToHandOver({ admin, replica }: Primary): Promise<void> {
  const answer = await postHandOver(admin);
  if (answer === undefined)
    throw new LeadershipError(
      "leadership.no-primary",
      `replica ${replica} does not take commands at ${admin}; is it of the same version?`,
    );
  const { isAsked, view, target, primary } = answer;
  if (isAsked) return;
  const where =
    target > view ? `it moves from view ${view} to view ${target}` : `replica ${primary} is, in view ${view}`;
  throw new LeadershipError("leadership.not-primary", `replica ${replica} is not the primary any more: ${where}`);
}

async function postHandOver(admin: string): Promise<HandOverAnswer | undefined> {
  try {
    const response = await fetch(`http://${admin}/hand-over`, {
      method: "POST",
      headers: { [ADMIN_HEADER]: ADMIN_COMMAND },
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    return response.status === 202 || response.status === 409 ? ((await response.json()) as HandOverAnswer) : undefined;
  } catch {
    return undefined;
  }
}

/** @throws LeadershipError when no replica here has entered a later view in time. */
async function nextPrimary(
  rows: readonly ReplicaRow[],
  { view: old, replica }: Primary,
  waitMs: number,
): Promise<{ readonly view: number; readonly primary: number }> {
  const deadline = performance.now() + waitMs;
  do {
    const seen = await Promise.all(rows.map(fetchStatus));
    const next = seen.flatMap(({ status }) => status ?? []).find(({ view }) => view > old);
    if (next !== undefined) return next;
    await sleep(POLL_MS);
  } while (performance.now() < deadline);
  throw new LeadershipError(
    "leadership.unchanged",
    `replica ${replica} has asked to be relieved, but no view after ${old} was entered in ${waitMs} ms; do a quorum of replicas run? See \`quorate status\``,
  );
}

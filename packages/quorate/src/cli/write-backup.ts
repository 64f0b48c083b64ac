import { randomBytes } from "node:crypto";
import { closeSync, existsSync, fsyncSync, linkSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { BackupJudge, BackupReader, type BackupSummary, ConfigurationError } from "@quorate/server";
import type { BackupSource } from "./backup-source.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;
/** What a file system without hard links answers, as there are on memory sticks and some mounts. */
const WITHOUT_LINKS: ReadonlySet<string> = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP"]);

/**
 * Writes a backup beside its name, verifies it on the way, and gives it its name when it is whole and on the disk.
 *
 * @throws ConfigurationError in one line; nothing is left behind then.
 */
export async function writeBackup(source: BackupSource, out: string, isForced: boolean): Promise<BackupSummary> {
  if (!isForced && existsSync(out)) refuseExisting(out);
  const temporary = `${out}.${randomBytes(4).toString("hex")}.part`;
  const file = openSync(temporary, "wx", 0o600);
  const removeAndEnd = (signal: NodeJS.Signals): void => {
    rmSync(temporary, { force: true });
    process.exit(signal === "SIGINT" ? 130 : 143);
  };
  for (const signal of SIGNALS) process.once(signal, removeAndEnd);
  try {
    let summary: BackupSummary;
    try {
      summary = await copy(source, file);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    if (isForced) renameSync(temporary, out);
    else nameOnce(temporary, out);
    syncFolder(dirname(out));
    return summary;
  } finally {
    rmSync(temporary, { force: true });
    for (const signal of SIGNALS) process.removeListener(signal, removeAndEnd);
  }
}

/** Some file systems cannot: then the name is as durable as they make it. */
function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EINVAL") throw error;
  } finally {
    closeSync(folder);
  }
}

async function copy({ folder, cryptography, bytes }: BackupSource, file: number): Promise<BackupSummary> {
  const source = `the backup of ${folder.path}`;
  const judge = new BackupJudge(folder, cryptography, source);
  const reader = new BackupReader({
    hasher: cryptography.hasher,
    source,
    onLink: (link, head) => judge.onLink(link, head),
    onStart: (start) => judge.onStart(start),
    onPiece: (piece) => judge.onPiece(piece),
  });
  for await (const part of bytes) {
    reader.push(part);
    for (let at = 0; at < part.length; ) at += writeSync(file, part, at);
  }
  reader.end();
  const { summary } = judge;
  if (summary === undefined) throw new Error(`${source} has ended before it began`);
  return summary;
}

/** Unlike a rename, a link replaces nothing that came to be there meanwhile; where there are no links, a look must do. */
function nameOnce(temporary: string, out: string): void {
  try {
    linkSync(temporary, out);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code === "EEXIST" || (WITHOUT_LINKS.has(code) && existsSync(out))) refuseExisting(out);
    if (!WITHOUT_LINKS.has(code)) throw error;
    renameSync(temporary, out);
  }
}

function refuseExisting(out: string): never {
  throw new ConfigurationError(
    "configuration.exists",
    `${out} exists already; choose another --out, or --force to replace it`,
  );
}

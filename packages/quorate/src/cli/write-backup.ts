import { closeSync, existsSync, fsyncSync, linkSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { BackupJudge, BackupReader, type BackupSummary, ConfigurationError } from "@quorate/server";
import type { BackupSource } from "./backup-source.ts";

/**
 * Writes a backup beside its name, verifies it on the way, and gives it its name when it is whole and on the disk.
 *
 * @throws ConfigurationError in one line; nothing is left behind then.
 */
export async function writeBackup(source: BackupSource, out: string, isForced: boolean): Promise<BackupSummary> {
  if (!isForced && existsSync(out)) refuseExisting(out);
  const temporary = `${out}.${process.pid}.part`;
  try {
    const file = openSync(temporary, "wx", 0o600);
    let summary: BackupSummary;
    try {
      summary = await copy(source, file);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    if (isForced) renameSync(temporary, out);
    else nameOnce(temporary, out);
    const folder = openSync(dirname(out), "r");
    fsyncSync(folder);
    closeSync(folder);
    return summary;
  } finally {
    rmSync(temporary, { force: true });
  }
}

async function copy({ folder, cryptography, bytes }: BackupSource, file: number): Promise<BackupSummary> {
  const source = `the backup of ${folder.path}`;
  const judge = new BackupJudge(folder, cryptography, source);
  const reader = new BackupReader({
    hasher: cryptography.hasher,
    source,
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

/** Unlike a rename, a link replaces nothing that came to be there meanwhile. */
function nameOnce(temporary: string, out: string): void {
  try {
    linkSync(temporary, out);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    refuseExisting(out);
  }
}

function refuseExisting(out: string): never {
  throw new ConfigurationError(
    "configuration.exists",
    `${out} exists already; choose another --out, or --force to replace it`,
  );
}

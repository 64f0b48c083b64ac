import { createReadStream } from "node:fs";
import { invariant } from "@quorate/protocol";
import { ConfigurationError } from "../configuration-error.ts";
import type { Cryptography } from "../data-reader.ts";
import { BackupReader, type BackupReaderOptions } from "./backup-reader.ts";
import { BackupJudge, type BackupOrigin, type BackupSummary } from "./judge-backup.ts";

const READ_BYTES = 256 * 1024;

/**
 * Reads a backup to its end, and checks all of it against the genesis document of the cluster that it is of.
 *
 * @throws ConfigurationError in one line.
 */
export async function verifyBackup(
  path: string,
  origin: BackupOrigin,
  cryptography: Cryptography,
): Promise<BackupSummary> {
  const judge = new BackupJudge(origin, cryptography, path);
  const { hasher } = cryptography;
  await readBackupFile(path, {
    hasher,
    onLink: (link, head) => judge.onLink(link, head),
    onStart: (start) => judge.onStart(start),
    onPiece: (piece) => judge.onPiece(piece),
  });
  const { summary } = judge;
  invariant(summary !== undefined, "backup.no-start");
  return summary;
}

/**
 * Reads a backup file to its end; whose it is and what is signed in it is for `onStart`.
 *
 * @param afterRead awaited after each part that was read, of which the pieces have been given.
 * @throws ConfigurationError in one line.
 */
export async function readBackupFile(
  path: string,
  options: Omit<BackupReaderOptions, "source">,
  afterRead?: () => Promise<void>,
): Promise<void> {
  const reader = new BackupReader({ ...options, source: path });
  try {
    for await (const bytes of createReadStream(path, { highWaterMark: READ_BYTES })) {
      reader.push(bytes as Uint8Array);
      await afterRead?.();
    }
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (syscall === undefined) throw error;
    const why = code === "ENOENT" ? `no backup at ${path}` : `cannot read the backup at ${path} (${code})`;
    throw new ConfigurationError(
      code === "ENOENT" ? "configuration.missing" : "configuration.unreadable",
      `${why}: make one with \`quorate backup create\``,
    );
  }
  reader.end();
}

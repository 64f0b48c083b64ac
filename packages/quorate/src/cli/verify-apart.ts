import { fork } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import { ConfigurationError, type DataVerdict, unreadableVerdict, verifyData } from "@quorate/server";
import { lockFolderToRead } from "@quorate/storage";

/** The name of an environment variable: set, this process checks a folder for its parent, and prints nothing. */
const APART = "QUORATE_VERIFY_APART";

/** Whether this process was started by `verifyApart`. */
export function isApart(): boolean {
  return process.env[APART] !== undefined;
}

/** Checks a folder, and tells the parent. */
export async function tellVerdict(folder: string): Promise<void> {
  const verdict = await verifyData(folder, { backend: await chooseBackend(), hasher: createNodeHasher() });
  await new Promise<void>((resolve) => process.send?.(verdict, () => resolve()));
  process.disconnect();
}

/**
 * Checks a folder in a process of its own: LMDB reads its file as memory, and a file that is cut short, or damaged where it
 * holds together, may end whoever reads it. The lock stays here, so that nothing is left of one that was ended.
 *
 * @throws StorageError `storage.locked` when a process uses the folder.
 */
export async function verifyApart(folder: string): Promise<DataVerdict> {
  // Of a folder that is not there nothing is made, and the check says so.
  const lock = existsSync(folder) ? lockFolderToRead(folder) : undefined;
  const temporary = mkdtempSync(join(tmpdir(), "quorate-verify-"));
  try {
    return await verdictOfChild(folder, temporary);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
    lock?.release();
  }
}

function verdictOfChild(folder: string, temporary: string): Promise<DataVerdict> {
  const command = fileURLToPath(new URL("../../bin/quorate.js", import.meta.url));
  const child = fork(command, ["verify-data", folder], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    env: { ...process.env, [APART]: "1", TMPDIR: temporary },
  });
  return new Promise((resolve, reject) => {
    let verdict: DataVerdict | undefined;
    child.once("message", (message) => {
      verdict = message as DataVerdict;
    });
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      if (verdict !== undefined) resolve(verdict);
      else if (signal !== null) resolve(unreadableVerdict(folder, signal));
      else reject(new ConfigurationError("configuration.unreadable", `${folder} was not checked: exit code ${code}`));
    });
  });
}

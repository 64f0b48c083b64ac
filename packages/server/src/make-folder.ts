import { mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { ConfigurationError } from "./configuration-error.ts";

/**
 * Makes a folder for its owner alone, and those above it that are missing.
 *
 * @param advice what to do when that fails.
 * @returns whether there was none before.
 * @throws ConfigurationError `configuration.unreadable` in one line.
 */
export function makeFolder(path: string, advice: string): boolean {
  // One by one, for Node's own `recursive` never comes back where a folder that is there takes no new one with ENOENT,
  // as those of /proc do.
  const missing: string[] = [];
  for (let folder = resolve(path); !isThere(folder); folder = dirname(folder)) missing.push(folder);
  try {
    if (missing.length === 0 && !statSync(path).isDirectory()) throw Object.assign(new Error(), { code: "EEXIST" });
    for (const folder of missing.reverse()) mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ConfigurationError("configuration.unreadable", `cannot make the folder ${path} (${code}); ${advice}`);
  }
  return missing.length > 0;
}

/** What cannot be looked at counts as there: making something in it then says why. */
function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true;
  }
}

import { readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Not `npm ci`: it refuses a lock file that lacks an optional binary of some other platform, and which of them a
 * registry mirror serves differs. Versions and hashes of the lock file bind this just as well; `--no-save` leaves it be.
 */
export const INSTALL_ARGUMENTS = ["install", "--no-save", "--include=dev", "--no-audit", "--no-fund"];

/**
 * Whether `node_modules` holds what `package-lock.json` asks for, judged by the record npm keeps of what it installed.
 * Contents are compared, not times: a fresh checkout touches every file.
 *
 * @param {string} root the workspace's folder
 * @returns {boolean}
 */
export function isInstalled(root) {
  const wanted = packagesOf(join(root, "package-lock.json"));
  const installed = packagesOf(join(root, "node_modules", ".package-lock.json"));
  if (wanted === undefined || installed === undefined) return false;
  for (const [path, entry] of Object.entries(wanted)) {
    const isOurs = !path.includes("node_modules/");
    if (isOurs) continue;
    const found = installed[path];
    if (found === undefined) {
      if (entry.optional === true || entry.peer === true) continue;
      return false;
    }
    if (found.version !== entry.version || found.integrity !== entry.integrity) return false;
  }
  return true;
}

function packagesOf(lockFile) {
  try {
    return JSON.parse(readFileSync(lockFile, "utf8")).packages;
  } catch {
    return undefined;
  }
}

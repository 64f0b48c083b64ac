import { existsSync, readdirSync, renameSync } from "node:fs";
import { dirname } from "node:path";
import { syncPath } from "./node-log-files.ts";

/**
 * Moves what is left of a lost store out of the way, durably, and deletes nothing: `store` becomes `store.lost-1`, the
 * next one `store.lost-2`. It must never be put back (protocol rule 8.4).
 *
 * @returns where it lies; undefined when there is nothing.
 */
export function setStoreAside(path: string): string | undefined {
  if (!existsSync(path) || readdirSync(path).length === 0) return undefined;
  let number = 1;
  while (existsSync(`${path}.lost-${number}`)) number += 1;
  const aside = `${path}.lost-${number}`;
  renameSync(path, aside);
  syncPath(dirname(path));
  return aside;
}

import { readFileSync } from "node:fs";

/** Names the current boot of the machine; undefined on a system that does not tell. */
export function bootOf(): string | undefined {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  } catch {
    return undefined;
  }
}

import { closeSync, fsyncSync, openSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A replica that ends at every start must not fill its disk; the first traces say most, so they stay. */
export const TRACE_FILES_MAX = 8;

const TRACE_FILE = /^trace-.*\.cbor$/;

/** A trace that was written, or why none was. */
export type SavedTrace = { readonly path: string } | { readonly reason: string };

/**
 * Writes a trace into a data folder, for its owner's eyes only: it holds what clients wrote. Never throws, for what is to
 * be told is the error before it.
 */
export function saveTrace(folder: string, encode: () => Uint8Array, now: Date): SavedTrace {
  const path = join(folder, `trace-${now.toISOString().replaceAll(/[:.]/g, "-")}.cbor`);
  try {
    const there = readdirSync(folder).filter((name) => TRACE_FILE.test(name)).length;
    if (there >= TRACE_FILES_MAX) return { reason: `${there} traces are in ${folder} already: move them away` };
    const file = openSync(path, "wx", 0o600);
    try {
      writeFileSync(file, encode());
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    return { path };
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) };
  }
}

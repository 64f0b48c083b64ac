import { constants as os } from "node:os";

/**
 * What can go wrong with a data folder.
 *
 * - `storage.not-initialized`: no finished store is there: lost, never made, or its making was cut short (rule 8.4).
 * - `storage.already-initialized`: a store can be made only once.
 * - `storage.foreign`: the files belong to another program, another cluster or another replica.
 * - `storage.version`: written by another version of this format.
 * - `storage.locked`: another process uses the folder.
 * - `storage.inaccessible`: this process may not read or write there, or the system fails to: no sign of a lost disk.
 * - `storage.damaged`: what is read is not what was written; the message names the record.
 * - `storage.flush-failed`: a write, or what a start found, did not become durable. Final: the process must end (rule 8.3).
 * - `storage.closed`: the store was closed before the flush.
 */
export type StorageErrorCode =
  | "storage.not-initialized"
  | "storage.already-initialized"
  | "storage.foreign"
  | "storage.version"
  | "storage.locked"
  | "storage.inaccessible"
  | "storage.damaged"
  | "storage.flush-failed"
  | "storage.closed";

/** A failure of the environment. The message is one line: what was expected, what was found, what to do. */
export class StorageError extends Error {
  readonly code: StorageErrorCode;

  constructor(code: StorageErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "StorageError";
    this.code = code;
  }
}

/**
 * What a refused access means for the operator: a store that cannot be opened for want of a right is no lost disk.
 * Undefined for every other error.
 */
export function inaccessible(path: string, error: unknown): StorageError | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  const code = codeOf(error.code);
  if (code === undefined) return undefined;
  const advice = "nothing that was kept is lost; give the user of this process the right to read and write all of it";
  return new StorageError("storage.inaccessible", `cannot use ${path} (${code}): ${advice}`, error);
}

/** LMDB names an error by its number. */
function codeOf(code: unknown): string | undefined {
  return Object.entries(DENIALS).find(([name, number]) => code === name || code === number)?.[0];
}

const DENIALS = { EACCES: os.errno.EACCES, EPERM: os.errno.EPERM, EROFS: os.errno.EROFS };

/**
 * What can go wrong with a data folder.
 *
 * - `storage.not-initialized`: no finished store is there: lost, never made, or its making was cut short (rule 8.4).
 * - `storage.already-initialized`: a store can be made only once.
 * - `storage.foreign`: the files belong to another program, another cluster or another replica.
 * - `storage.version`: written by another version of this format.
 * - `storage.locked`: another process uses the folder.
 * - `storage.damaged`: what is read is not what was written; the message names the record.
 * - `storage.flush-failed`: a write did not become durable. Final: the process must end (rule 8.3).
 * - `storage.closed`: the store was closed before the flush.
 */
export type StorageErrorCode =
  | "storage.not-initialized"
  | "storage.already-initialized"
  | "storage.foreign"
  | "storage.version"
  | "storage.locked"
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

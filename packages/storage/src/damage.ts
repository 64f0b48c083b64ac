import { inaccessible, StorageError } from "./storage-error.ts";

/** The error for a record of which more is wrong than can be repaired here. */
export function damaged(record: string, found: string): StorageError {
  const advice = "the disk has lost or changed what was written: treat it as lost, do not go on with it";
  return new StorageError("storage.damaged", `${record} is damaged: ${found}; ${advice}`);
}

/** The error for a log of which the system does not make durable what a start found in it. */
export function notSettled(place: string, error: unknown): StorageError {
  const reason = error instanceof Error ? error.message : String(error);
  const found = `expected to make durable what is there, but: ${reason}`;
  const advice = "nothing is lost by this, and nothing runs on it; repair the disk, start again";
  return new StorageError("storage.flush-failed", `the log in ${place}: ${found}; ${advice}`, error);
}

/**
 * What a start gets from a file. That it cannot be had now proves no loss, so nothing is taken for a lost disk by it.
 *
 * @throws StorageError `storage.inaccessible`, naming the file, for whatever the system says; other errors as they are.
 */
export function readAtStart<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!isOfTheSystem(error)) throw error;
    throw inaccessible(file, error) ?? unreadable(file, error);
  }
}

function isOfTheSystem(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error;
}

function unreadable(file: string, error: Error): StorageError {
  const found = `expected to read it and to write on, but: ${error.message}`;
  const advice =
    "nothing runs on it; end what stands in the way, start again; only if the disk is past repair is it lost";
  return new StorageError("storage.inaccessible", `${file}: ${found}; ${advice}`, error);
}

/** The error for a write or sync that the system refused. */
export function flushFailed(error: unknown): StorageError {
  const reason = error instanceof Error ? error.message : String(error);
  const advice = "nothing that waits for it may be said; end the process, repair the disk, start again";
  return new StorageError("storage.flush-failed", `a write did not become durable: ${reason}; ${advice}`, error);
}

import type { SequenceNumber } from "@quorate/protocol";
import { type History, StorageError } from "@quorate/storage";

/** An entry of a history; undefined when it is not there, or not what was written. */
export function readableEntry(history: History, seq: SequenceNumber): Uint8Array | undefined {
  try {
    return history.get(seq);
  } catch (error) {
    if (error instanceof StorageError && error.code === "storage.damaged") return undefined;
    throw error;
  }
}

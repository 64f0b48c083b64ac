import type { LogFileDone } from "./log-files.ts";

/** The file in which entries wait for their merge, on whatever disk. */
export interface SpoolFile {
  /** How many bytes are there. */
  readonly length: number;
  /** @throws what the system says, and for less than `length` bytes. */
  read(at: number, length: number): Buffer;
  /**
   * Writes behind what was appended in this life, before which what an earlier one left is removed; done when that is durable, and
   * that the file is there. One call at a time; the bytes are the caller's again then.
   */
  append(bytes: Uint8Array, done: LogFileDone): void;
  /** Removes what is there, durably. One call at a time. */
  remove(done: LogFileDone): void;
}

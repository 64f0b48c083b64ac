import { closeSync, fdatasync, openSync, readSync, statSync, unlink, write } from "node:fs";
import { dirname, join } from "node:path";
import { invariant } from "@quorate/protocol";
import { readAtStart } from "./damage.ts";
import type { LogFileDone } from "./log-files.ts";
import { syncFolder } from "./node-log-files.ts";
import type { SpoolFile } from "./spool-file.ts";

/** The name of the file in the folder of a store. */
const SPOOL_FILE = "bulk.runs";

/** The spool of a store as a file beside its database. */
export class NodeSpoolFile implements SpoolFile {
  readonly #path: string;
  readonly #isSynced: boolean;
  /** Open from the first use on. */
  #descriptor: number | undefined;
  #length: number;
  /** What is there was appended in this life. */
  #isOwn = false;
  #isBusy = false;
  #isClosed = false;

  /**
   * @param isSynced whether a write waits for the disk, or for the operating system only.
   * @throws StorageError `storage.inaccessible`.
   */
  constructor(store: string, isSynced: boolean) {
    this.#path = join(store, SPOOL_FILE);
    this.#isSynced = isSynced;
    this.#length = readAtStart(this.#path, () => statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0);
    if (this.#length > 0) this.#descriptor = readAtStart(this.#path, () => openSync(this.#path, "r+"));
  }

  get length(): number {
    return this.#length;
  }

  read(at: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafeSlow(length);
    const read = readSync(this.#open(), bytes, 0, length, at);
    if (read < length) throw new Error(`expected ${length} bytes of ${this.#path} at ${at}, found ${read}`);
    return bytes;
  }

  append(bytes: Uint8Array, done: LogFileDone): void {
    this.#begin(done, (finish) => {
      if (this.#isOwn) return this.#write(bytes, 0, finish);
      this.#release();
      this.#descriptor = openSync(this.#path, "w+", 0o600);
      this.#length = 0;
      this.#isOwn = true;
      if (!this.#isSynced) return this.#write(bytes, 0, finish);
      syncFolder(dirname(this.#path), (error) => {
        if (error === null) this.#write(bytes, 0, finish);
        else finish(error);
      });
    });
  }

  remove(done: LogFileDone): void {
    this.#begin(done, (finish) => {
      this.#release();
      this.#length = 0;
      this.#isOwn = false;
      unlink(this.#path, (error) => {
        const failed = error !== null && error.code !== "ENOENT" ? error : null;
        if (failed !== null || !this.#isSynced) finish(failed);
        else syncFolder(dirname(this.#path), finish);
      });
    });
  }

  /** Lets go of the file, which stays. */
  close(): void {
    this.#isClosed = true;
    if (!this.#isBusy) this.#release();
  }

  #begin(done: LogFileDone, act: (finish: LogFileDone) => void): void {
    invariant(!this.#isBusy, "storage.spool-busy");
    this.#isBusy = true;
    const finish: LogFileDone = (error) => {
      this.#isBusy = false;
      if (this.#isClosed) this.#release();
      done(error);
    };
    try {
      act(finish);
    } catch (error) {
      setImmediate(finish, error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** A write may be cut short without an error; the rest then tells why. */
  #write(bytes: Uint8Array, from: number, done: LogFileDone): void {
    write(this.#open(), bytes, from, bytes.length - from, this.#length, (error, count) => {
      if (error !== null) return done(error);
      this.#length += count;
      if (from + count < bytes.length) return this.#write(bytes, from + count, done);
      if (this.#isSynced) fdatasync(this.#open(), done);
      else done(null);
    });
  }

  #open(): number {
    this.#descriptor ??= openSync(this.#path, "r+");
    return this.#descriptor;
  }

  #release(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}

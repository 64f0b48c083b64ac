import { close, constants, openSync, writeSync } from "node:fs";
import { readFrom } from "./descriptor-bytes.ts";
import type { LogFileDone, MarkFile } from "./log-files.ts";

/** The file of flush marks, made when it is not there. */
export class NodeMarkFile implements MarkFile {
  readonly #descriptor: number;

  constructor(path: string) {
    this.#descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  }

  read(): Buffer {
    return readFrom(this.#descriptor, 0);
  }

  /** A few bytes into the page cache: the way to a thread and back would take twenty times as long. */
  write(bytes: Buffer, at: number): void {
    const count = writeSync(this.#descriptor, bytes, 0, bytes.length, at);
    if (count < bytes.length) throw new Error(`the flush mark was cut short after ${count} bytes`);
  }

  close(done: LogFileDone): void {
    close(this.#descriptor, (error) => done(error ?? null));
  }
}

import { invariant } from "@quorate/protocol";
import type { LogFileDone } from "./log-files.ts";
import type { MemoryPower } from "./memory-keyspace.ts";
import type { SpoolFile } from "./spool-file.ts";

/** What a crash leaves of a spool. */
export interface DurableSpool {
  bytes: Buffer;
}

/** A spool in memory: what is being appended is durable when its owner says so, and a crash may leave a part of it. */
export class MemorySpoolFile implements SpoolFile {
  readonly #durable: DurableSpool;
  readonly #power: Pick<MemoryPower, "schedule" | "isFailing">;
  #appending: Buffer | undefined;
  #isOwn = false;

  constructor(durable: DurableSpool, power: Pick<MemoryPower, "schedule" | "isFailing">) {
    this.#durable = durable;
    this.#power = power;
  }

  get length(): number {
    return this.#durable.bytes.length;
  }

  /** How many bytes a crash may leave of what is being appended. */
  get appending(): number {
    return this.#appending?.length ?? 0;
  }

  read(at: number, length: number): Buffer {
    invariant(at + length <= this.length, "storage.spool-read", { at, length, size: this.length });
    return Buffer.from(this.#durable.bytes.subarray(at, at + length));
  }

  append(bytes: Uint8Array, done: LogFileDone): void {
    invariant(this.#appending === undefined, "storage.spool-busy");
    if (!this.#isOwn) this.#durable.bytes = Buffer.alloc(0);
    this.#isOwn = true;
    this.#appending = Buffer.from(bytes);
    this.#complete(() => this.keep(this.appending), done);
  }

  remove(done: LogFileDone): void {
    this.#complete(() => {
      this.#durable.bytes = Buffer.alloc(0);
      this.#isOwn = false;
    }, done);
  }

  /** Makes the first so many bytes of what is being appended durable, and forgets the rest. */
  keep(bytes: number): void {
    const appending = this.#appending ?? Buffer.alloc(0);
    this.#appending = undefined;
    this.#durable.bytes = Buffer.concat([this.#durable.bytes, appending.subarray(0, bytes)]);
  }

  #complete(act: () => void, done: LogFileDone): void {
    this.#power.schedule(() => {
      if (this.#power.isFailing) return done(new Error("the disk refused"));
      act();
      done(null);
    });
  }
}

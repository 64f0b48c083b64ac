import { KvError } from "./kv-error.ts";

/** Reads fixed layouts strictly: whatever does not fit is a `kv.malformed` error that says where. */
export class WireReader {
  readonly #what: string;
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(what: string, bytes: Uint8Array) {
    this.#what = what;
    this.#bytes = bytes;
  }

  u8(): number {
    return this.#bytes[this.#take(1)] ?? 0;
  }
  u32(): number {
    const at = this.#take(4);
    let value = 0;
    for (let i = at; i < at + 4; i++) value = value * 0x100 + (this.#bytes[i] ?? 0);
    return value;
  }
  int64(): bigint {
    const { buffer, byteOffset } = this.#bytes;
    return new DataView(buffer, byteOffset + this.#take(8)).getBigInt64(0);
  }
  boolean(): boolean {
    const byte = this.u8();
    if (byte > 1) throw this.malformed(`expected 0 or 1, found ${byte}`);
    return byte === 1;
  }
  /** Bytes behind a four-byte length; a copy. */
  sized(): Uint8Array {
    const length = this.u32();
    const at = this.#take(length);
    return this.#bytes.slice(at, at + length);
  }
  /** A byte that says whether they are there, then sized bytes. */
  optional(): Uint8Array | undefined {
    return this.boolean() ? this.sized() : undefined;
  }
  /** @throws KvError if something is left. */
  finish(): void {
    if (this.#at !== this.#bytes.length)
      throw this.malformed(`expected the end at byte ${this.#at} of ${this.#bytes.length}`);
  }
  malformed(detail: string): KvError {
    return new KvError("kv.malformed", `malformed ${this.#what}: ${detail}`);
  }

  #take(count: number): number {
    const at = this.#at;
    if (at + count > this.#bytes.length)
      throw this.malformed(`expected ${count} bytes at byte ${at}, of ${this.#bytes.length}`);
    this.#at += count;
    return at;
  }
}

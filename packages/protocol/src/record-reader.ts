import { bytesToHex } from "./hex.ts";
import { invariant } from "./invariant.ts";

/**
 * Reads what a `PreimageWriter` wrote. A record that does not read back is not a peer's doing but this replica's own
 * store gone wrong, hence the invariants.
 */
export class RecordReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }
  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }
  u64(): number {
    const at = this.#take(8);
    return this.#view.getUint32(at) * 0x1_0000_0000 + this.#view.getUint32(at + 4);
  }
  /** 32 bytes as hex. */
  hex32(): string {
    const at = this.#take(32);
    return bytesToHex(this.#bytes.subarray(at, at + 32));
  }
  /** Bytes behind a four-byte length; a copy. */
  sized(): Uint8Array {
    const length = this.u32();
    const at = this.#take(length);
    return this.#bytes.slice(at, at + length);
  }
  /** Asserts that nothing is left. */
  finish(): void {
    invariant(this.#at === this.#bytes.length, "record.trailing-bytes", { read: this.#at, size: this.#bytes.length });
  }

  #take(count: number): number {
    const at = this.#at;
    invariant(at + count <= this.#bytes.length, "record.truncated", { at, count, size: this.#bytes.length });
    this.#at += count;
    return at;
  }
}

import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { Compressor } from "../dist/compressor.js";

/** Ends what it was asked for when it is told to. */
export class HeldCompressor implements Compressor {
  deflations = 0;
  inflations = 0;
  #ends: (() => void)[] = [];

  get waiting(): number {
    return this.#ends.length;
  }

  deflate(bytes: Uint8Array, done: (deflated: Uint8Array | undefined) => void): void {
    this.deflations++;
    this.#ends.push(() => done(deflateRawSync(bytes)));
  }

  inflate(deflated: Uint8Array, length: number, done: (bytes: Uint8Array | undefined) => void): void {
    this.inflations++;
    this.#ends.push(() => done(inflated(deflated, length)));
  }

  finish(): this {
    for (const end of this.#ends.splice(0)) end();
    return this;
  }
}

function inflated(deflated: Uint8Array, maxOutputLength: number): Uint8Array | undefined {
  try {
    const options = { maxOutputLength, info: true };
    const { buffer, engine } = inflateRawSync(deflated, options) as unknown as {
      buffer: Buffer;
      engine: { bytesWritten: number };
    };
    const isExact = buffer.length === maxOutputLength && engine.bytesWritten === deflated.length;
    return isExact ? buffer : undefined;
  } catch {
    return undefined;
  }
}

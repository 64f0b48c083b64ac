import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { Compressor } from "@quorate/server/host";

/** What production's does on other threads; the same level. */
const LEVEL = 1;

/** What comes with `info`, which the types of Node.js do not know. */
interface Inflated {
  readonly buffer: Uint8Array;
  readonly engine: { readonly bytesWritten: number };
}

/** Real deflate, which ends when the virtual clock says so. */
export function simulatedCompressor(later: (end: () => void) => void): Compressor {
  return {
    deflate: (bytes, done) => {
      const deflated = new Uint8Array(deflateRawSync(bytes, { level: LEVEL }));
      later(() => done(deflated));
    },
    inflate: (deflated, length, done) => {
      const bytes = inflated(deflated, length);
      later(() => done(bytes));
    },
  };
}

function inflated(deflated: Uint8Array, length: number): Uint8Array | undefined {
  try {
    const result = inflateRawSync(deflated, { maxOutputLength: length, info: true });
    const { buffer, engine } = result as unknown as Inflated;
    return buffer.length === length && engine.bytesWritten === deflated.length ? new Uint8Array(buffer) : undefined;
  } catch {
    return undefined;
  }
}

import { invariant } from "@quorate/protocol";
import type { Decoded } from "./decode-error.ts";
import type { ScanLimits } from "./pre-scan.ts";
import { type Copying, decodeStrictly } from "./strict-decoder.ts";
import type { Tuple } from "./tuple.ts";
import type { WireLimits } from "./wire-limits.ts";
import { Writer } from "./writer.ts";

/** Encodes and decodes whatever has a writer and a reader, within the limits of a cluster. */
export interface Coding {
  encode<T>(kind: string, scan: ScanLimits, write: (writer: Writer, value: T) => void, value: T): Uint8Array;
  decode<T>(
    bytes: Uint8Array,
    name: string,
    scan: ScanLimits,
    read: (tuple: Tuple) => T | undefined,
    copying?: Copying,
  ): Decoded<T>;
}

export function createCoding(limits: WireLimits): Coding {
  // Used again and again: encoding is synchronous, and nothing is encoded inside of another encoding.
  const writer = new Writer();
  return {
    encode: (kind, { bytesMax }, write, value) => {
      writer.restart();
      write(writer, value);
      const { length } = writer;
      if (length > bytesMax) invariant(false, "codec.too-large", { kind, bytes: length, max: bytesMax });
      return writer.copyFrom(0);
    },
    decode: (bytes, name, scan, read, copying) => decodeStrictly(bytes, name, scan, limits, read, copying),
  };
}

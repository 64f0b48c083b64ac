import { hexToBytes, invariant, isCounter } from "@quorate/protocol";

/** What cbor-x is given: it knows no other types, so nothing else can be written by mistake. */
export type Wire = number | bigint | Uint8Array | readonly Wire[];

/**
 * An unsigned integer below 2^53. From 2^32 on cbor-x writes a number as a float and a BigInt as an integer of eight
 * bytes; below it writes a number in the shortest form and a BigInt in eight bytes all the same.
 */
export function uint(value: number): Wire {
  invariant(isCounter(value), "codec.counter", { value });
  return value < 0x1_0000_0000 ? value : BigInt(value);
}

/** A digest, key or id: 32 bytes. */
export function hex32(hex: string): Wire {
  invariant(hex.length === 64, "codec.hex32", { length: hex.length });
  return hexToBytes(hex);
}

/** 64 bytes. */
export function signature(bytes: Uint8Array): Wire {
  invariant(bytes.length === 64, "codec.signature", { length: bytes.length });
  return plainBytes(bytes);
}

/** cbor-x chooses by constructor: a Buffer is written alike, but another typed array would get a tag. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  invariant(bytes instanceof Uint8Array, "codec.bytes", { type: typeof bytes });
  return bytes;
}

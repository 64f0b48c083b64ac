import { invariant } from "@quorate/protocol";
import { Encoder } from "cbor-x/encode";
import type { Wire } from "./fields.ts";

// Nothing but arrays, byte strings and integers is ever written, so these settings only rule out what cbor-x would
// otherwise add of its own: records, tags, floats for small numbers, shared references, packed strings.
export const CBOR_SETTINGS = {
  useRecords: false,
  tagUint8Array: false,
  variableMapSize: true,
  copyBuffers: true,
  structuredClone: false,
  pack: false,
  bundleStrings: false,
  useFloat32: 0,
  int64AsNumber: false,
  useTag259ForMaps: false,
} as const;
const encoder = new Encoder(CBOR_SETTINGS);

const ARRAY = 0x80;
/** Longer arrays have a longer header. */
const SHORT_ARRAY_MAX = 23;

/** A value that is encoded already. */
export class Encoded {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/** An array of at most 23 places in which a value may stand that is encoded already. */
export type WireParts = readonly (Wire | Encoded)[];

/** The bytes of a value, which nobody else holds. */
export function encodeValue(wire: Wire): Uint8Array {
  // The encoder writes into an arena that it uses again, and answers with a view of it.
  return new Uint8Array(encoder.encode(wire));
}

/** As `encodeValue` of the same array without any place encoded before: values in an array just follow one another. */
export function encodeParts(parts: WireParts): Uint8Array {
  const pieces = parts.map((part) => (part instanceof Encoded ? part.bytes : encodeValue(part)));
  const bytes = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 1));
  invariant(parts.length <= SHORT_ARRAY_MAX, "codec.parts", { parts: parts.length });
  bytes[0] = ARRAY | parts.length;
  let at = 1;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

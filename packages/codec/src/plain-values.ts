import { Decoder } from "cbor-x/decode";
import { Encoder } from "cbor-x/encode";

const OPTIONS = {
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  tagUint8Array: false,
  copyBuffers: true,
  structuredClone: false,
} as const;

/**
 * Any plain value (objects, arrays, texts, numbers, byte strings, booleans, null, undefined) as ordinary CBOR with its
 * field names. For files that people and tools read, never for what is signed, hashed or taken from others: unlike the
 * wire it is neither canonical nor bounded.
 */
export function encodePlainValue(value: unknown): Uint8Array {
  // The encoder gives a view into a block that it uses again.
  return new Encoder(OPTIONS).encode(value).slice();
}

/**
 * Reads what `encodePlainValue` wrote.
 *
 * @throws Error for what is not CBOR. What it means is for the caller to check.
 */
export function decodePlainValue(bytes: Uint8Array): unknown {
  // A plain view: a Buffer would give Buffers.
  return new Decoder(OPTIONS).decode(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
}

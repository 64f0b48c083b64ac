import { crc32 } from "node:zlib";

/** What a seal adds. */
export const SEAL_BYTES = 4;

/**
 * The bytes behind a CRC-32 of key and bytes: a flipped bit is found, and so is a record under another's key. It guards
 * against decay, not against someone who can write to the folder.
 */
export function seal(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  const sealed = Buffer.allocUnsafeSlow(SEAL_BYTES + bytes.length);
  sealed.writeUInt32BE(crc32(bytes, crc32(key)));
  sealed.set(bytes, SEAL_BYTES);
  return sealed;
}

/** What was sealed under `key`; undefined if it was not this. */
export function unseal(key: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
  if (sealed.length < SEAL_BYTES) return undefined;
  const bytes = sealed.subarray(SEAL_BYTES);
  const stored = Buffer.from(sealed.buffer, sealed.byteOffset, SEAL_BYTES).readUInt32BE();
  return stored === crc32(bytes, crc32(key)) ? bytes : undefined;
}

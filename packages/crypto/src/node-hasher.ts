import { hash } from "node:crypto";
import type { Digest, Hasher } from "@quorate/protocol";

const DIGEST_BYTES = 32;

/** SHA-256 of `node:crypto`. */
export function createNodeHasher(): Hasher {
  return { digest: (bytes) => hash("sha256", bytes, "hex") as Digest, digestInto };
}

/** A string of one character for each byte costs a third of the buffer that `node:crypto` would make. */
function digestInto(bytes: Uint8Array, target: Uint8Array, offset: number): void {
  const characters = hash("sha256", bytes, "binary");
  for (let i = 0; i < DIGEST_BYTES; i++) target[offset + i] = characters.charCodeAt(i);
}

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, type Digest, type Hasher } from "@quorate/protocol";

/** SHA-256 in pure TypeScript, for browsers and wherever speed does not matter. */
export function createNobleHasher(): Hasher {
  return {
    digest: (bytes) => bytesToHex(sha256(bytes)) as Digest,
    digestInto: (bytes, target, offset) => target.set(sha256(bytes), offset),
  };
}

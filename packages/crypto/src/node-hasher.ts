import { hash } from "node:crypto";
import type { Digest, Hasher } from "@quorate/protocol";

/** SHA-256 of `node:crypto`. */
export function createNodeHasher(): Hasher {
  return { digest: (bytes) => hash("sha256", bytes, "hex") as Digest };
}

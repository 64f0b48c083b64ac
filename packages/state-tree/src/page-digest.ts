import type { Digest, Hasher } from "@quorate/protocol";
import { bucketDigest, isBucket } from "./bucket.ts";
import { innerDigest } from "./inner-page.ts";

/** The digest of a page of either kind. */
export function pageDigest(hasher: Hasher, page: Uint8Array): Digest {
  return isBucket(page) ? bucketDigest(hasher, page) : innerDigest(hasher, page);
}

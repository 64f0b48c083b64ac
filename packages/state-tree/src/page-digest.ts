import type { Digest, Hasher } from "@quorate/protocol";
import { bucketDigest, isBucket } from "./bucket.ts";
import { innerDigest, isWholeInnerPage } from "./inner-page.ts";
import { NOTHING } from "./leaf.ts";

/** The digest of a page of either kind; zeros, which none has, for bytes that are no page or not as they were made. */
export function pageDigest(hasher: Hasher, page: Uint8Array): Digest {
  if (isBucket(page)) return bucketDigest(hasher, page);
  return isWholeInnerPage(hasher, page) ? innerDigest(hasher, page) : NOTHING;
}

import { allocateBytes, type Digest, type Hasher, readHex32 } from "@quorate/protocol";
import { isBucket, keysDigest, writeBucketDigest } from "./bucket.ts";
import { isWholeInnerPage, writeInnerDigest } from "./inner-page.ts";
import { DIGEST_BYTES } from "./leaf.ts";

/** The digest of a page of either kind; zeros, which none has, for bytes that are no page or not as they were made. */
export function pageDigest(hasher: Hasher, page: Uint8Array): Digest {
  const digest = allocateBytes(DIGEST_BYTES);
  writePageDigest(hasher, page, digest);
  return readHex32(digest, 0) as Digest;
}

export function writePageDigest(hasher: Hasher, page: Uint8Array, target: Uint8Array): void {
  if (isBucket(page)) writeBucketDigest(hasher, page, keysDigest(hasher, page), target);
  else if (isWholeInnerPage(hasher, page)) writeInnerDigest(hasher, page, target);
  else target.fill(0);
}

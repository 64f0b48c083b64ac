import type { Hasher } from "@quorate/protocol";
import { digestPlace } from "./bucket.ts";
import { areSame, DIGEST_BYTES, DOMAIN, LEAF_HEAD_BYTES, writeU32 } from "./leaf.ts";
import { recordBytes } from "./page-bytes.ts";

/**
 * The entries of a bucket as they are stored, in one piece of memory, from its keys and their values: those which are undefined are
 * not there. Undefined unless every value is what its leaf says.
 */
export function sealedEntries(
  hasher: Hasher,
  bucket: Uint8Array,
  keys: readonly Uint8Array[],
  values: readonly (Uint8Array | undefined)[],
): (Uint8Array | undefined)[] | undefined {
  let size = 0;
  for (let i = 0; i < keys.length; i++) {
    const value = values[i];
    if (value !== undefined) size += DIGEST_BYTES + LEAF_HEAD_BYTES + (keys[i]?.length ?? 0) + value.length;
  }
  const memory = recordBytes(size);
  const records: (Uint8Array | undefined)[] = [];
  let start = 0;
  for (let i = 0; i < keys.length; i++) {
    const [key, value] = [keys[i], values[i]];
    if (key === undefined || value === undefined) {
      records.push(undefined);
      continue;
    }
    const leaf = start + DIGEST_BYTES;
    const content = leaf + LEAF_HEAD_BYTES + key.length;
    const end = content + value.length;
    memory[leaf] = DOMAIN.leaf;
    writeU32(memory, leaf + 1, key.length);
    memory.set(key, leaf + LEAF_HEAD_BYTES);
    memory.set(value, content);
    hasher.digestInto(memory.subarray(leaf, end), memory, start);
    if (!areSame(memory, start, bucket, digestPlace(i), DIGEST_BYTES)) return undefined;
    records.push(memory.subarray(start, end));
    start = end;
  }
  return records;
}

import type { Digest } from "@quorate/protocol";
import type { Tuple } from "./tuple.ts";
import type { Writer } from "./writer.ts";

export function writeOptionalDigest(writer: Writer, digest: Digest | undefined): void {
  writer.array(digest === undefined ? 0 : 1);
  if (digest !== undefined) writer.hex32(digest);
}

/** A list of one digest, or of none. */
export function readOptionalDigest(list: Tuple): Digest | undefined {
  return list.length === 0 ? undefined : list.shape(1).hex32(0, 0);
}

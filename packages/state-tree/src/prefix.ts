import { allocateBytes } from "@quorate/protocol";

/** The prefix of the tree's root. */
export const ROOT_PREFIX: Uint8Array = new Uint8Array(0);

/** The prefix of a child. */
export function childPrefix(prefix: Uint8Array, child: number): Uint8Array {
  const below = allocateBytes(prefix.length + 1);
  below.set(prefix);
  below[prefix.length] = child;
  return below;
}

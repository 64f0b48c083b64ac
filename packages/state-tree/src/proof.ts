import { type Digest, type Hasher, invariant, type PageExcerpt, type StateProof } from "@quorate/protocol";
import { isBucket, leafInSlots, slotsOf } from "./bucket.ts";
import { childDigest, childInExcerpt, excerptFor } from "./inner-page.ts";
import { leafDigest, PATH_BYTES, pathOf } from "./leaf.ts";
import { childPrefix, ROOT_PREFIX } from "./prefix.ts";
import type { Snapshot } from "./snapshot.ts";

/** The proof of what a snapshot has at a path; `Snapshot.prove` is its face. @throws StateDamage */
export function proofOf(hasher: Hasher, snapshot: Snapshot, path: Uint8Array): StateProof {
  const excerpts: PageExcerpt[] = [];
  let digest: Digest | undefined = snapshot.root;
  for (let prefix = ROOT_PREFIX; digest !== undefined; ) {
    const page = snapshot.pageOf(prefix, digest);
    if (isBucket(page)) return { excerpts, slots: slotsOf(hasher, page) };
    invariant(prefix.length < PATH_BYTES, "state-tree.too-deep");
    const child = path[prefix.length] ?? 0;
    excerpts.push(excerptFor(page, child));
    digest = childDigest(page, child);
    prefix = childPrefix(prefix, child);
  }
  return { excerpts, slots: undefined };
}

/** Where something is shown to be, or not to be. */
export interface ProvenPlace {
  /** The part of the state that the key belongs to. */
  readonly part: number;
  readonly key: Uint8Array;
}

/**
 * Whether a proof shows that the tree with this root has `value` at a key; `undefined` stands for nothing there. A proof may
 * come from anybody.
 */
export function isProven(
  hasher: Hasher,
  root: Digest,
  { part, key }: ProvenPlace,
  value: Uint8Array | undefined,
  proof: StateProof,
): boolean {
  const path = pathOf(hasher, part, key);
  let digest: Digest | undefined = root;
  let depth = 0;
  for (const excerpt of proof.excerpts) {
    if (digest === undefined || depth >= PATH_BYTES) return false;
    const child = childInExcerpt(hasher, digest, excerpt, path[depth++] ?? 0);
    if (child === "wrong") return false;
    digest = child;
  }
  const { slots } = proof;
  if (slots === undefined) return digest === undefined && value === undefined;
  if (digest === undefined || proof.excerpts.length === 0) return false;
  const leaf = leafInSlots(slots, path);
  if (leaf === "wrong" || hasher.digest(slots) !== digest) return false;
  return leaf === (value === undefined ? undefined : leafDigest(hasher, key, value));
}

/** The root of the tree that a proof is of, if it is one of any; undefined if it has no page at all. */
export function rootOfProof(hasher: Hasher, { excerpts }: StateProof): Digest | undefined {
  const head = excerpts[0]?.head;
  return head === undefined ? undefined : hasher.digest(head);
}

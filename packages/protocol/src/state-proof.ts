/** What an inner page of the state tree says of one child: its head and the group of the child. */
export interface PageExcerpt {
  readonly head: Uint8Array;
  readonly group: Uint8Array;
}

/** Of an inner page without its groups: its domain, its count and sixteen digests. */
export const EXCERPT_HEAD_BYTES = 521;
/** Of a group: its domain and sixteen digests. */
export const EXCERPT_GROUP_BYTES = 513;
/** Of the fullest bucket: its domain, its count, 64 paths with their digests, and the digest of the keys. */
export const PROOF_SLOTS_BYTES_MAX = 4195;

/** The deepest that a proof goes: a page for each byte of a path. */
export const STATE_PROOF_EXCERPTS_MAX = 33;

/** Shows what the state has, or has not, at a path: of each page from the root down what leads there. */
export interface StateProof {
  readonly excerpts: readonly PageExcerpt[];
  /** Paths and digests of the bucket, and the digest of its keys; undefined when the last excerpt shows that there is nothing. */
  readonly slots: Uint8Array | undefined;
}

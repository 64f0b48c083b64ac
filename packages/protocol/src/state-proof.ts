/** What an inner page of the state tree says of one child: its head and the group of the child. */
export interface PageExcerpt {
  readonly head: Uint8Array;
  readonly group: Uint8Array;
}

/** Shows what the state has, or has not, at a path: of each page from the root down what leads there. */
export interface StateProof {
  readonly excerpts: readonly PageExcerpt[];
  /** Paths and digests of the bucket, and the digest of its keys; undefined when the last excerpt shows that there is nothing. */
  readonly slots: Uint8Array | undefined;
}

import type { Digest, ReplicaId } from "@quorate/protocol";
import { type Leaf, ROOT_PREFIX } from "@quorate/state-tree";

/** An inner page of the target that is here while what is below it comes. */
export interface OpenInner {
  readonly type: "inner";
  readonly prefix: Uint8Array;
  readonly page: Uint8Array;
  /** Undefined for the root. */
  readonly parent: OpenInner | undefined;
  /** The local tree has this very page: only what is below is in doubt. */
  readonly isHere: boolean;
  /** The local tree has nothing below: there is nothing to compare and nothing to remove. */
  readonly isBare: boolean;
  /** The first child that was not looked at. */
  next: number;
  /** Children that are open themselves. */
  open: number;
}

/** What the donors are asked for, and so can fail to give. */
interface Wanted {
  readonly prefix: Uint8Array;
  /** Donors that said they have it not. */
  readonly notAt: Set<ReplicaId>;
  /** Who said of which part that it did not fit: of a value by its index, of the page itself by none. */
  tooLarge: { readonly from: ReplicaId; readonly index: number | undefined; readonly bytes: number } | undefined;
}

/** A page that differs from the local one and is not here yet; nobody knows of which kind it is. */
export interface OpenPage extends Wanted {
  readonly type: "page";
  /** Undefined for the root, which the certificate proves. */
  readonly digest: Digest | undefined;
  readonly parent: OpenInner | undefined;
  /** The local tree has nothing there nor below: all of it is asked for at once. */
  readonly isBare: boolean;
  isAsked: boolean;
}

/** A bucket of the target that is here, while the values come that are not. */
export interface OpenBucket extends Wanted {
  readonly type: "bucket";
  readonly page: Uint8Array;
  readonly parent: OpenInner;
  readonly leaves: readonly Leaf[];
  /** Indexes of values that are not here and of which nobody is asked; then those of which somebody is. */
  readonly wanted: Set<number>;
  readonly asked: Set<number>;
  /** Entries that came and are not written, by index, as they will be stored. */
  readonly records: Map<number, Uint8Array>;
}

export function openPageAt(prefix: Uint8Array, digest: Digest, parent: OpenInner, isBare: boolean): OpenPage {
  return { type: "page", prefix, digest, parent, isBare, isAsked: false, notAt: new Set(), tooLarge: undefined };
}

/** The root page, which the certificate proves. */
export function openRoot(): OpenPage {
  const nowhere = { digest: undefined, parent: undefined, tooLarge: undefined };
  return { type: "page", prefix: ROOT_PREFIX, ...nowhere, isBare: false, isAsked: false, notAt: new Set() };
}

export function isComplete(bucket: OpenBucket): boolean {
  return bucket.wanted.size === 0 && bucket.asked.size === 0;
}

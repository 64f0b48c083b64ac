import type { Digest } from "@quorate/protocol";

/** Of an inner page of 8.7 kB: half a megabyte. */
const PAGES_MAX = 64;

/** An inner page that was read and checked. */
export interface ProvenInner {
  readonly page: Uint8Array;
  readonly keys: undefined;
}

/** Inner pages that were checked a moment ago, by their digests: what is above all that is asked for next. */
export class ProvenPages {
  /** The one that was used last is the last. */
  readonly #pages = new Map<Digest, ProvenInner>();

  get(digest: Digest): ProvenInner | undefined {
    const found = this.#pages.get(digest);
    if (found === undefined) return undefined;
    this.#pages.delete(digest);
    this.#pages.set(digest, found);
    return found;
  }

  /** @param page of one's own: it is kept. */
  add(digest: Digest, page: Uint8Array): ProvenInner {
    const added = { page, keys: undefined };
    this.#pages.set(digest, added);
    for (const oldest of this.#pages.keys()) {
      if (this.#pages.size <= PAGES_MAX) break;
      this.#pages.delete(oldest);
    }
    return added;
  }
}

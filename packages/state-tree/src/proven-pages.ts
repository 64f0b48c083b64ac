import { areSame, DIGEST_BYTES } from "./leaf.ts";

/** The root, the pages of the parts, and those below them: what nearly every root goes through. */
const PREFIX_BYTES_MAX = 2;
/** The root, two parts with all their pages, and some of a third; 8.7 kB each. */
const PAGES_MAX = 520;

interface ProvenPage {
  readonly page: Uint8Array;
  readonly digest: Uint8Array;
}

/**
 * Inner pages near the root, each with the digest that its bytes were found to have, group by group. It is asked by digest: so
 * it never has a page that the tree has not, however the store came to another one.
 */
export class ProvenPages {
  readonly #pages = new Map<string, ProvenPage>();

  /** Whether pages at such a prefix are kept. */
  isFor(prefix: Uint8Array): boolean {
    return prefix.length <= PREFIX_BYTES_MAX;
  }

  get(prefix: Uint8Array, digest: Uint8Array): Uint8Array | undefined {
    if (!this.isFor(prefix)) return undefined;
    const proven = this.#pages.get(nameOf(prefix));
    return proven !== undefined && areSame(proven.digest, 0, digest, 0, DIGEST_BYTES) ? proven.page : undefined;
  }

  /** Keeps an inner page of which every byte has been checked, or made; neither array may be modified later. */
  keep(prefix: Uint8Array, page: Uint8Array, digest: Uint8Array): void {
    if (!this.isFor(prefix)) return;
    const name = nameOf(prefix);
    if (this.#pages.size < PAGES_MAX || this.#pages.has(name)) this.#pages.set(name, { page, digest });
  }

  /** There is no inner page at a prefix any more. */
  forget(prefix: Uint8Array): void {
    if (this.isFor(prefix)) this.#pages.delete(nameOf(prefix));
  }
}

function nameOf(prefix: Uint8Array): string {
  return String.fromCharCode(...prefix);
}

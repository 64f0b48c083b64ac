import { bytesToHex, equalBytes, type Hasher, type OrderedReader } from "@quorate/protocol";
import { childDigest, childPrefix, isBucket, leavesOf, pageKey, pathOf, ROOT_PREFIX } from "@quorate/state-tree";
import type { KeyCounter } from "./key-list.ts";
import type { Work } from "./work.ts";
import type { WriteGroup } from "./write-group.ts";

export interface OrphanSweepOptions {
  readonly hasher: Hasher;
  readonly partOf: (key: Uint8Array) => number;
  readonly state: OrderedReader;
  readonly local: OrderedReader;
  /** The root page, which is not written yet. */
  readonly root: Uint8Array;
}

/** Inner pages that are kept at hand: those of the first two levels, of three parts. */
const PAGES_MAX = 1024;
const NOTHING = new Uint8Array(0);

/** Removes what no bucket lists, when all buckets are right: what damage has put in, or has made the buckets forget. */
export class OrphanSweep {
  readonly #o: OrphanSweepOptions;
  readonly #pages = new Map<string, Uint8Array>();
  #next: Uint8Array = NOTHING;

  constructor(options: OrphanSweepOptions) {
    this.#o = options;
  }

  /** Whether the end is reached; else the rest takes another step. */
  run(group: WriteGroup, orphans: KeyCounter, work: Work): boolean {
    for (const [key] of this.#o.state.range(this.#next, undefined)) {
      if (!work.isLeft) {
        this.#next = new Uint8Array(key);
        return false;
      }
      work.spend(1);
      if (this.#isListed(key)) continue;
      orphans.add(key);
      group.state(new Uint8Array(key), undefined);
    }
    return true;
  }

  #isListed(key: Uint8Array): boolean {
    const { hasher, partOf } = this.#o;
    const path = pathOf(hasher, partOf(key), key);
    let page: Uint8Array | undefined = this.#o.root;
    let prefix = ROOT_PREFIX;
    while (page !== undefined && !isBucket(page)) {
      const child = path[prefix.length] ?? 0;
      if (childDigest(page, child) === undefined) return false;
      prefix = childPrefix(prefix, child);
      page = this.#page(prefix);
    }
    return page !== undefined && leavesOf(page).some((leaf) => equalBytes(leaf.key, key));
  }

  #page(prefix: Uint8Array): Uint8Array | undefined {
    const name = bytesToHex(prefix);
    const page = this.#pages.get(name) ?? this.#o.local.get(pageKey(prefix));
    if (page !== undefined && !isBucket(page) && this.#pages.size < PAGES_MAX) this.#pages.set(name, page);
    return page;
  }
}

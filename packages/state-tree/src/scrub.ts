import { compareBytes, type Digest, invariant } from "@quorate/protocol";
import { isBucket, leavesOf } from "./bucket.ts";
import { CHILDREN, childDigest, leavesBelow } from "./inner-page.ts";
import { childPrefix, ROOT_PREFIX } from "./prefix.ts";
import type { Snapshot } from "./snapshot.ts";
import type { StateTree } from "./state-tree.ts";

/** What one slice may take. */
export interface ScrubBudget {
  readonly bytesMax: number;
  /** Asked after each entry: whether the slice has taken long enough. */
  readonly isOver: () => boolean;
}

/** What one slice did. */
export interface ScrubSlice {
  readonly entries: number;
  readonly bytes: number;
  /** The last entry of the state was looked at; the next slice begins anew. */
  readonly isRoundOver: boolean;
}

/**
 * Looks at every page and entry of the state once in each round, in the order of the tree, slice by slice: what nobody reads
 * is damaged unnoticed. It goes on behind where it was, whatever was written meanwhile; what is new is looked at in the next round.
 */
export class StateScrub {
  /** The path of the entry that was looked at last in this round. */
  #at: Uint8Array | undefined;
  #entriesOfRound = 0;
  #leaves = 0;

  /** How much of this round is done, from 0 to 1. */
  get position(): number {
    return this.#leaves === 0 ? 0 : Math.min(1, this.#entriesOfRound / this.#leaves);
  }

  /**
   * Looks at the next entries: at least at one.
   *
   * @throws StateDamage naming the entry or page that is not what was written.
   */
  slice(tree: StateTree, budget: ScrubBudget): ScrubSlice {
    const { last } = tree;
    const snapshot = last && tree.at(last.seq);
    invariant(snapshot !== undefined, "state-tree.scrub-before-checkpoint");
    const walk = new Walk(tree, snapshot, budget, this.#at);
    const isRoundOver = walk.below(ROOT_PREFIX, snapshot.root);
    this.#leaves = walk.leaves;
    this.#entriesOfRound = isRoundOver ? 0 : this.#entriesOfRound + walk.entries;
    this.#at = isRoundOver ? undefined : walk.at;
    return { entries: walk.entries, bytes: walk.bytes, isRoundOver };
  }
}

class Walk {
  entries = 0;
  bytes = 0;
  leaves = 0;
  at: Uint8Array | undefined;
  readonly #tree: StateTree;
  readonly #snapshot: Snapshot;
  readonly #budget: ScrubBudget;
  /** Where the slice before ended. */
  readonly #from: Uint8Array | undefined;

  constructor(tree: StateTree, snapshot: Snapshot, budget: ScrubBudget, from: Uint8Array | undefined) {
    this.#tree = tree;
    this.#snapshot = snapshot;
    this.#budget = budget;
    this.#from = from;
    this.at = from;
  }

  /** @returns whether all that is below the prefix has been looked at. */
  below(prefix: Uint8Array, digest: Digest): boolean {
    const page = this.#snapshot.pageOf(prefix, digest);
    const isOnTheWay = this.#isOnTheWay(prefix);
    // The pages down to where the slice begins were counted in the one before.
    if (!isOnTheWay) this.bytes += page.length;
    return isBucket(page) ? this.#bucket(page) : this.#inner(prefix, page, isOnTheWay);
  }

  #inner(prefix: Uint8Array, page: Uint8Array, isOnTheWay: boolean): boolean {
    if (prefix.length === 0) this.leaves = leavesBelow(page);
    const first = isOnTheWay ? (this.#from?.[prefix.length] ?? 0) : 0;
    for (let child = first; child < CHILDREN; child++) {
      const digest = childDigest(page, child);
      if (digest !== undefined && !this.below(childPrefix(prefix, child), digest)) return false;
    }
    return true;
  }

  #bucket(page: Uint8Array): boolean {
    for (const { path, key, digest } of leavesOf(page)) {
      if (this.#from !== undefined && compareBytes(path, this.#from) <= 0) continue;
      if (this.entries > 0 && (this.bytes >= this.#budget.bytesMax || this.#budget.isOver())) return false;
      this.bytes += this.#tree.checkEntry(key, digest);
      this.entries++;
      this.at = new Uint8Array(path);
    }
    return true;
  }

  #isOnTheWay(prefix: Uint8Array): boolean {
    return this.#from !== undefined && prefix.every((byte, i) => this.#from?.[i] === byte);
  }
}

import type { Change } from "@quorate/protocol";
import type { FlushDone, GroupChanges, ReplicaStore } from "@quorate/storage";

/** Written in one group, about: the store holds it in memory until it is flushed. */
const GROUP_BYTES: number = 8 * 1024 * 1024;

/**
 * Fills a store that was just made with a state that comes in the order of its tree. Only the first entries go to their places at once:
 * from then on a start says that the state is there in part only, and an installation trusts none of it, until the last group makes
 * it a state. All others go there in one merge, in the order of their keys: a gigabyte would be written thirty times otherwise.
 */
export class StoreFilling {
  readonly #store: ReplicaStore;
  readonly #groupBytes: number;
  #bytes = 0;
  /** Whether an entry is in its place. */
  #isBegun = false;
  #state: Change[] = [];
  #local: Change[] = [];

  constructor(store: ReplicaStore, groupBytes: number = GROUP_BYTES) {
    this.#store = store;
    this.#groupBytes = groupBytes;
  }

  add(changes: GroupChanges | undefined): void {
    if (changes === undefined) return;
    for (const { key, value } of [...changes.state, ...changes.local]) this.#bytes += key.length + (value?.length ?? 0);
    this.#state.push(...changes.state);
    this.#local.push(...changes.local);
  }

  /** Comes back when there is room for more. */
  async pause(): Promise<void> {
    if (this.#bytes < this.#groupBytes) return;
    const { bulk } = this.#store;
    if (this.#isBegun) {
      bulk.add(this.#take());
      await done((flushed) => bulk.flush(flushed));
      if (bulk.isFull) await done((settled) => bulk.settle(settled));
    } else await this.#write();
  }

  /** @param last with which it is a state. It comes back when all is durable. */
  async finish(last: GroupChanges): Promise<void> {
    await done((settled) => this.#store.bulk.settle(settled));
    this.add(last);
    await this.#write();
  }

  async #write(): Promise<void> {
    const group = this.#take();
    this.#store.writeAtomically(group);
    await done((flushed) => this.#store.flush(flushed));
    this.#isBegun ||= group.state.length > 0;
  }

  #take(): GroupChanges {
    const taken = { state: this.#state, local: this.#local };
    this.#state = [];
    this.#local = [];
    this.#bytes = 0;
    return taken;
  }
}

function done(start: (done: FlushDone) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((failure) => (failure === undefined ? resolve() : reject(failure)));
  });
}

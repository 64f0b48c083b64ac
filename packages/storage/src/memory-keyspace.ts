import { type Change, invariant } from "@quorate/protocol";
import type { FlushDomain, LazyDomain } from "./flushing.ts";
import { GroupedFlush } from "./grouped-flush.ts";
import type { Keyspace } from "./keyspace.ts";
import { type OrderedEntry, OrderedMap, orderedText } from "./ordered-map.ts";
import type { FlushDone } from "./ports.ts";
import { StorageError } from "./storage-error.ts";

/** What a crash leaves of a keyspace in memory. */
export type DurableEntries = Map<string, OrderedEntry>;

/** The machine that holds keyspaces in memory: it decides when a flush is done, when one fails, and when all ends. */
export interface MemoryPower {
  /** Takes each completion of a flush and runs it once, later, in the order given. */
  schedule(complete: () => void): void;
  /** Whether a flush that completes now fails. */
  readonly isFailing: boolean;
  /** The store was closed in order: what a flush covers is durable already. */
  readonly isClosed: boolean;
  /** @throws InvariantViolation when nothing may be written any more. */
  checkOpen(): void;
}

/** A flush domain in memory: `keep` makes the first so many of what waits durable. */
export function memoryDomain(power: MemoryPower, waiting: () => number, keep: (groups: number) => void): FlushDomain {
  const start = (finish: (failure: StorageError | undefined) => void): void => {
    const covered = waiting();
    power.schedule(() => {
      if (power.isFailing) {
        finish(new StorageError("storage.flush-failed", "the write was not made durable: the disk refused; stop here"));
        return;
      }
      if (!power.isClosed) keep(covered);
      finish(undefined);
    });
  };
  return new GroupedFlush({ gather: (begin) => begin(), later: (task) => power.schedule(task) }, start);
}

interface PlacedChange {
  readonly text: string;
  readonly entry: OrderedEntry;
}

/** History, state and local in memory: a map of what is there, and the groups that a crash would lose. */
export class MemoryKeyspace implements Keyspace, LazyDomain {
  readonly isFull = false;
  readonly #power: MemoryPower;
  readonly #durable: DurableEntries;
  readonly #current: OrderedMap;
  readonly #domain: FlushDomain;
  readonly #mark: () => Change | undefined;
  /** In the order of their writes. Bounded by what the owner writes without flushing. */
  readonly #unflushed: (readonly PlacedChange[])[] = [];

  /** @param mark a change that belongs into whatever becomes durable; undefined when nothing has changed of it. */
  constructor(durable: DurableEntries, power: MemoryPower, mark: () => Change | undefined = () => undefined) {
    this.#power = power;
    this.#durable = durable;
    this.#current = new OrderedMap(new Map(durable));
    this.#mark = mark;
    this.#domain = memoryDomain(
      power,
      () => this.#unflushed.length,
      (groups) => this.keep(groups),
    );
  }

  /** Groups that a crash would lose. */
  get unflushedGroups(): number {
    return this.#unflushed.length;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#current.get(orderedText(key))?.value;
  }

  *range(from: Uint8Array, to: Uint8Array | undefined): Iterable<readonly [Uint8Array, Uint8Array]> {
    invariant(to !== undefined, "storage.open-range");
    for (const { key, value } of this.#current.range(orderedText(from), orderedText(to))) {
      if (value !== undefined) yield [key, value];
    }
  }

  *keys(from: Uint8Array, to: Uint8Array | undefined): Iterable<Uint8Array> {
    for (const [key] of this.range(from, to)) yield key;
  }

  write(changes: readonly Change[]): void {
    this.#power.checkOpen();
    const group = changes.map((entry) => ({ text: orderedText(entry.key), entry }));
    for (const { text, entry } of group) {
      if (entry.value === undefined) this.#current.delete(text);
      else this.#current.set(text, entry);
    }
    this.#unflushed.push(group);
  }

  flush(done: FlushDone): void {
    // What is committed from here on says how far the log reached before.
    const mark = this.#mark();
    if (mark !== undefined) this.write([mark]);
    this.#domain.flush(done);
  }

  /** Makes the first groups durable. */
  keep(groups: number): void {
    for (const { text, entry } of this.#unflushed.splice(0, groups).flat()) {
      if (entry.value === undefined) this.#durable.delete(text);
      else this.#durable.set(text, entry);
    }
  }
}

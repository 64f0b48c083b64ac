import { hash } from "node:crypto";
import {
  bytesToHex,
  type Change,
  compareBytes,
  type Digest,
  type Hasher,
  hexToBytes,
  type OrderedStore,
  sequenceNumber,
} from "@quorate/protocol";
import { BUCKET_LEAVES_MAX, StateTree, type TreeChanges } from "@quorate/state-tree";

export const hasher: Hasher = {
  digest: (bytes) => hash("sha256", bytes, "hex") as Digest,
  digestInto: (bytes, target, offset) => target.set(hash("sha256", bytes, "buffer"), offset),
};
/** All paths of a part begin with the same two bytes behind it: few entries make a deep tree. */
export const deepHasher: Hasher = {
  digest: hasher.digest,
  digestInto(bytes, target, offset) {
    hasher.digestInto(bytes, target, offset);
    if (bytes[0] === 4) target.fill(0, offset, offset + 2);
  },
};
export const partOf = (key: Uint8Array): number => (key[0] ?? 0) % 3;
export const seqOf: typeof sequenceNumber = sequenceNumber;

/** An ordered store that forgets nothing by itself. */
export class PlainStore implements OrderedStore {
  readonly entries: Map<string, Uint8Array> = new Map();
  #sorted: string[] | undefined;

  get(key: Uint8Array): Uint8Array | undefined {
    return this.entries.get(bytesToHex(key));
  }

  *range(from: Uint8Array, to: Uint8Array | undefined): Generator<readonly [Uint8Array, Uint8Array]> {
    this.#sorted ??= [...this.entries.keys()].sort();
    const [low, high] = [bytesToHex(from), to === undefined ? undefined : bytesToHex(to)];
    for (const name of this.#sorted)
      if (name >= low && (high === undefined || name < high)) yield [hexToBytes(name), this.entries.get(name)!];
  }

  *keys(from: Uint8Array, to: Uint8Array | undefined): Generator<Uint8Array> {
    for (const [key] of this.range(from, to)) yield key;
  }

  write(changes: readonly Change[]): void {
    this.#sorted = undefined;
    for (const { key, value } of changes)
      if (value === undefined) this.entries.delete(bytesToHex(key));
      else this.entries.set(bytesToHex(key), value.slice());
  }
}

/** A store that hands out what it was given, and Buffers at that: who changes what it read changes the store. */
export class SharingStore implements OrderedStore {
  readonly #entries = new Map<string, Buffer>();

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#entries.get(bytesToHex(key));
  }

  *range(from: Uint8Array, to: Uint8Array | undefined): Generator<readonly [Uint8Array, Uint8Array]> {
    for (const name of [...this.#entries.keys()].sort()) {
      const key = hexToBytes(name);
      const isIn = compareBytes(key, from) >= 0 && (to === undefined || compareBytes(key, to) < 0);
      if (isIn) yield [key, this.#entries.get(name)!];
    }
  }

  *keys(from: Uint8Array, to: Uint8Array | undefined): Generator<Uint8Array> {
    for (const [key] of this.range(from, to)) yield key;
  }

  write(changes: readonly Change[]): void {
    for (const { key, value } of changes)
      if (value === undefined) this.#entries.delete(bytesToHex(key));
      else this.#entries.set(bytesToHex(key), Buffer.from(value.buffer, value.byteOffset, value.length));
  }
}

/** A tree over two plain stores. */
export class TreeScene {
  readonly state: PlainStore = new PlainStore();
  readonly local: PlainStore = new PlainStore();
  tree: StateTree;
  readonly #hasher: Hasher;

  constructor(treeHasher: Hasher = hasher) {
    this.#hasher = treeHasher;
    this.tree = this.reopened();
    this.checkpoint(0);
  }

  reopened(): StateTree {
    return new StateTree({ state: this.state, local: this.local, hasher: this.#hasher, partOf });
  }

  write({ state, local }: Partial<TreeChanges>): void {
    this.state.write(state ?? []);
    this.local.write(local ?? []);
  }

  change(changes: readonly Change[]): void {
    this.write(this.tree.change(changes));
  }

  /** Part by part, until the pages have all changes. */
  absorb(): void {
    for (const changes of [50, 1])
      for (let local = this.tree.absorb(changes); local.length > 0; local = this.tree.absorb(changes))
        this.write({ local });
  }

  /** Part by part, until nothing is left of what was dropped. */
  tidy(records = 7, bytes: number = Number.POSITIVE_INFINITY): void {
    for (;;) {
      const local = this.tree.tidied({ records, handedDown: 3, bytes });
      if (local.length === 0) return;
      this.write({ local });
    }
  }

  checkpoint(seq: number): Digest {
    const { root, local } = this.tree.checkpoint(seqOf(seq));
    this.write({ local });
    return root;
  }

  drop(seq: number): void {
    this.write({ local: [this.tree.drop(seqOf(seq))] });
    this.tidy();
  }
}

const sha256 = (...parts: readonly (Uint8Array | string | number[])[]): string =>
  hash(
    "sha256",
    Buffer.concat(parts.map((part) => (typeof part === "string" ? hexToBytes(part) : Uint8Array.from(part)))),
    "hex",
  );

const u64 = (value: number): number[] => [...Buffer.from(BigInt(value).toString(16).padStart(16, "0"), "hex")];

/** The root of a state as docs/wire.md defines it, written again without a look at the code. */
export function rootByDefinition(entries: Iterable<readonly [key: Uint8Array, value: Uint8Array]>): string {
  const leaves = [...entries].map(([key, value]) => ({
    path: Buffer.concat([Buffer.of(partOf(key)), hexToBytes(sha256([4], key))]),
    digest: sha256([0], u64(key.length).slice(4), key, value),
    key,
  }));
  leaves.sort((a, b) => compareBytes(a.path, b.path));
  return node(leaves, 0) ?? sha256([2], u64(0), "00".repeat(32 * 16));
}

function node(
  leaves: readonly { path: Uint8Array; digest: string; key: Uint8Array }[],
  depth: number,
): string | undefined {
  if (leaves.length === 0) return undefined;
  if (depth > 0 && leaves.length <= BUCKET_LEAVES_MAX)
    return sha256(
      ...[[1], u64(leaves.length).slice(6), ...leaves.flatMap(({ path, digest }) => [path, digest])],
      sha256([5], ...leaves.flatMap(({ key }) => [u64(key.length).slice(6), key])),
    );
  const none = "00".repeat(32);
  const groups = Array.from({ length: 16 }, (_, group) => {
    const children = Array.from({ length: 16 }, (__, low) =>
      node(
        leaves.filter(({ path }) => path[depth] === group * 16 + low),
        depth + 1,
      ),
    );
    return children.every((child) => child === undefined)
      ? none
      : sha256([3], ...children.map((child) => child ?? none));
  });
  return sha256([2], u64(leaves.length), ...groups);
}

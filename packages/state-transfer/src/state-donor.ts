import {
  bytesToHex,
  type Digest,
  type FetchState,
  type FetchStateItem,
  type Hasher,
  type ReplicaId,
  type SequenceNumber,
  type StateChunk,
  type StateChunkItem,
  type StateUnavailable,
} from "@quorate/protocol";
import { childDigest, isBucket, keysOf, packedPage, type Snapshot, StateDamage } from "@quorate/state-tree";
import { ByteBudget, type ByteRate } from "./byte-budget.ts";
import { Pins } from "./pins.ts";
import { ProvenPages } from "./proven-pages.ts";

export interface StateDonorOptions {
  readonly hasher: Hasher;
  /** The most content of any chunk (`stateChunkBytesMax`). */
  readonly chunkBytesMax: number;
  readonly limits?: Partial<DonorLimits>;
}

export interface DonorLimits {
  readonly ratePerPeer: ByteRate;
  readonly rate: ByteRate;
  readonly pinMs: number;
  readonly pinMaxMs: number;
}

/** A joiner fetches a gigabyte in a minute, and three of them do not stop this replica from ordering. */
export const DEFAULT_DONOR_LIMITS: DonorLimits = {
  ratePerPeer: { bytesPerSecond: 16 * 1024 * 1024, burstBytes: 4 * 1024 * 1024 },
  rate: { bytesPerSecond: 32 * 1024 * 1024, burstBytes: 8 * 1024 * 1024 },
  pinMs: 30_000,
  pinMaxMs: 1_800_000,
};

/** What a request gets. */
export interface DonorAnswer {
  readonly answer:
    | { readonly type: "chunk"; readonly chunk: StateChunk }
    | { readonly type: "unavailable"; readonly unavailable: StateUnavailable }
    | { readonly type: "over-budget" };
  /** What was found damaged here, and was not sent. */
  readonly damages: readonly StateDamage[];
}

/** What a request costs beside what is sent, for each page that is read. */
const READ_COST_BYTES = 2 * 1024;
/** So many times the bytes that it may send one answer reads at most, to see whether whole pages fit. */
const READ_MAX = 2;

/**
 * Serves the state at a kept checkpoint, within a budget, so that this replica keeps ordering (protocol rule 10.1). What it
 * sends it has checked: a damaged disk must not make a correct replica look like a liar.
 */
export class StateDonor {
  readonly #o: StateDonorOptions;
  readonly #budget: ByteBudget;
  readonly #pins: Pins;
  readonly #proven = new ProvenPages();

  constructor(options: StateDonorOptions) {
    this.#o = options;
    const limits = { ...DEFAULT_DONOR_LIMITS, ...options.limits };
    this.#budget = new ByteBudget(limits.ratePerPeer, limits.rate);
    this.#pins = new Pins(limits);
  }

  /** The checkpoints that are being fetched, ascending: they should be kept. */
  pinned(atMs: number): readonly SequenceNumber[] {
    return this.#pins.at(atMs);
  }

  /** In how many milliseconds a peer is within its budget; 0 when it is now. */
  opensInMs(peer: ReplicaId, atMs: number): number {
    return this.#budget.opensInMs(peer, atMs);
  }

  /** @param stable the last stable checkpoint of this replica. */
  answer(
    request: FetchState,
    snapshotAt: (seq: SequenceNumber) => Snapshot | undefined,
    stable: SequenceNumber,
    atMs: number,
    peer: ReplicaId,
  ): DonorAnswer {
    const { seq } = request;
    this.#pins.retain((pinned) => snapshotAt(pinned) !== undefined);
    const snapshot = snapshotAt(seq);
    if (!this.#budget.isOpen(peer, atMs)) return { answer: { type: "over-budget" }, damages: [] };
    if (snapshot === undefined) {
      this.#budget.charge(peer, atMs, READ_COST_BYTES);
      return { answer: { type: "unavailable", unavailable: { seq, stable } }, damages: [] };
    }
    this.#pins.onAsked(peer, seq, atMs);
    const writer = new ChunkWriter(this.#proven, snapshot, Math.min(request.bytesMax, this.#o.chunkBytesMax));
    const { items, left } = writer.write(request.items);
    this.#budget.charge(peer, atMs, writer.cost);
    const chunk = { request: request.request, seq, items, left };
    return { answer: { type: "chunk", chunk }, damages: writer.damages };
  }
}

/** A page that is what the page above says; of a bucket with its keys. */
interface ProvenPage {
  readonly page: Uint8Array;
  readonly keys: readonly Uint8Array[] | undefined;
}

class ChunkWriter {
  readonly damages: StateDamage[] = [];
  readonly #proven: ProvenPages;
  readonly #snapshot: Snapshot;
  readonly #bytesMax: number;
  /** Pages of this request, by prefix: those above what is asked for are nearly always the same. */
  readonly #pages = new Map<string, ProvenPage | undefined>();
  #pagesRead = 0;
  #valueBytesRead = 0;
  #bytes = 0;
  #left = 0;

  constructor(proven: ProvenPages, snapshot: Snapshot, bytesMax: number) {
    this.#proven = proven;
    this.#snapshot = snapshot;
    this.#bytesMax = bytesMax;
  }

  /** What the answer costs this replica. */
  get cost(): number {
    return Math.max(this.#bytes + this.#left, this.#valueBytesRead) + this.#pagesRead * READ_COST_BYTES;
  }

  write(asked: readonly FetchStateItem[]): { readonly items: readonly StateChunkItem[]; readonly left: number } {
    const items: StateChunkItem[] = [];
    for (const item of asked) {
      const answer = this.#item(item);
      if (answer !== undefined) items.push(answer);
      if (this.#left > 0) break;
    }
    return { items, left: this.#left };
  }

  #item(item: FetchStateItem): StateChunkItem | undefined {
    const found = this.#pageAt(item.prefix);
    if (found === undefined) return { type: "missing" };
    if (item.type === "page") return this.#page(found);
    if (item.type === "whole") return this.#whole(found);
    return found.keys === undefined ? { type: "missing" } : this.#values(found.page, found.keys, item.indexes);
  }

  #page({ page }: ProvenPage): StateChunkItem | undefined {
    const packed = packedPage(page);
    return this.#fits(packed.length) ? { type: "page", page: packed } : undefined;
  }

  #whole(found: ProvenPage): StateChunkItem | undefined {
    const { page, keys } = found;
    if (keys === undefined || this.#valueBytesRead > READ_MAX * this.#bytesMax) return this.#page(found);
    const packed = packedPage(page);
    const values: Uint8Array[] = [];
    const missing: number[] = [];
    let bytes = packed.length;
    for (let place = 0; place < keys.length; place++) {
      const value = this.#value(page, place, keys[place]);
      if (value === undefined) missing.push(place);
      else values.push(value);
      bytes += value?.length ?? 0;
      if (bytes > this.#bytesMax) return this.#page(found);
    }
    return this.#fits(bytes) ? { type: "whole", page: packed, values, missing } : undefined;
  }

  #values(bucket: Uint8Array, keys: readonly Uint8Array[], indexes: readonly number[]): StateChunkItem | undefined {
    const values: Uint8Array[] = [];
    const missing: number[] = [];
    for (const [place, index] of indexes.entries()) {
      const value = this.#value(bucket, index, keys[index]);
      if (value === undefined) missing.push(place);
      else if (this.#fits(value.length)) values.push(value);
      else break;
    }
    return values.length + missing.length === 0 ? undefined : { type: "values", values, missing };
  }

  #fits(bytes: number): boolean {
    if (this.#bytes + bytes > this.#bytesMax) {
      this.#left = bytes;
      return false;
    }
    this.#bytes += bytes;
    return true;
  }

  #value(bucket: Uint8Array, index: number, key: Uint8Array | undefined): Uint8Array | undefined {
    if (key === undefined) return undefined;
    try {
      const value = this.#snapshot.valueIn(bucket, index, key);
      this.#valueBytesRead += value.length;
      return value;
    } catch (error) {
      return this.#noted(error);
    }
  }

  /** A page with the digest that its parent names, all the way up to the root; undefined if there is none. */
  #pageAt(prefix: Uint8Array): ProvenPage | undefined {
    const name = bytesToHex(prefix);
    if (!this.#pages.has(name)) this.#pages.set(name, this.#provenPage(prefix));
    return this.#pages.get(name);
  }

  #provenPage(prefix: Uint8Array): ProvenPage | undefined {
    let digest: Digest | undefined = this.#snapshot.root;
    if (prefix.length > 0) {
      const parent = this.#pageAt(prefix.subarray(0, prefix.length - 1));
      if (parent === undefined || parent.keys !== undefined) return undefined;
      digest = childDigest(parent.page, prefix[prefix.length - 1] ?? 0);
      if (digest === undefined) return undefined;
    }
    return this.#proven.get(digest) ?? this.#readPage(prefix, digest);
  }

  #readPage(prefix: Uint8Array, digest: Digest): ProvenPage | undefined {
    this.#pagesRead++;
    try {
      const page = this.#snapshot.pageOf(prefix, digest);
      if (isBucket(page)) return { page, keys: keysOf(page) };
      return this.#proven.add(digest, new Uint8Array(page));
    } catch (error) {
      return this.#noted(error);
    }
  }

  #noted(error: unknown): undefined {
    if (!(error instanceof StateDamage)) throw error;
    this.damages.push(error);
  }
}

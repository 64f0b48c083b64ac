import { createNodeHasher } from "@quorate/crypto/node";
import {
  bytesToHex,
  type Change,
  type CheckpointCertificate,
  type ClusterId,
  contentBytes,
  digest,
  epochNumber,
  type FetchState,
  type Hasher,
  hexToBytes,
  type OrderedStore,
  type Rejection,
  type ReplicaId,
  replicaId,
  type StateChunk,
  sequenceNumber,
  stateRootPreimage,
} from "@quorate/protocol";
import {
  type ByteRate,
  type DonorLimits,
  type FetchLimits,
  type FetchStep,
  StateDonor,
  StateFetcher,
} from "@quorate/state-transfer";
import { installMarkOf, StateTree, type TreeChanges } from "@quorate/state-tree";

export const hasher: Hasher = createNodeHasher();
export const partOf = (key: Uint8Array): number => (key[0] ?? 0) % 3;
export const seqOf: typeof sequenceNumber = sequenceNumber;
const CLUSTER: ClusterId = digest("ab".repeat(32)) as unknown as ClusterId;
export const CHUNK_BYTES_MAX: number = 1024 * 1024;

/** An ordered store that finds a range without looking at all keys. */
export class SortedStore implements OrderedStore {
  readonly entries: Map<string, Uint8Array> = new Map();
  #sorted: string[] = [];

  get(key: Uint8Array): Uint8Array | undefined {
    return this.entries.get(bytesToHex(key));
  }

  *range(from: Uint8Array, to: Uint8Array | undefined): Generator<readonly [Uint8Array, Uint8Array]> {
    const high = to === undefined ? undefined : bytesToHex(to);
    for (let at = this.#placeOf(bytesToHex(from)); at < this.#sorted.length; at++) {
      const name = this.#sorted[at]!;
      if (high !== undefined && name >= high) return;
      yield [hexToBytes(name), this.entries.get(name)!];
    }
  }

  *keys(from: Uint8Array, to: Uint8Array | undefined): Generator<Uint8Array> {
    for (const [key] of this.range(from, to)) yield key;
  }

  write(changes: readonly Change[]): void {
    const isMany = changes.length > 2000;
    for (const { key, value } of changes) {
      const name = bytesToHex(key);
      const place = isMany ? 0 : this.#placeOf(name);
      if (value === undefined && this.entries.delete(name) && !isMany) this.#sorted.splice(place, 1);
      if (value === undefined) continue;
      if (!this.entries.has(name) && !isMany) this.#sorted.splice(place, 0, name);
      this.entries.set(name, value.slice());
    }
    if (isMany) this.#sorted = [...this.entries.keys()].sort();
  }

  copy(): SortedStore {
    const copy = new SortedStore();
    for (const [name, value] of this.entries) copy.entries.set(name, value.slice());
    copy.#sorted = [...this.#sorted];
    return copy;
  }

  #placeOf(name: string): number {
    let [low, high] = [0, this.#sorted.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sorted[middle]! < name) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** A replica's two stores, with the tree over them when there is one. */
export class Stores {
  readonly state: SortedStore;
  readonly local: SortedStore;

  constructor(state: SortedStore = new SortedStore(), local: SortedStore = new SortedStore()) {
    this.state = state;
    this.local = local;
  }

  /** The state of these entries at one checkpoint, made at once. */
  static of(entries: ReadonlyMap<string, Uint8Array>, seq: number): Stores {
    const stores = new Stores();
    const tree = stores.tree();
    stores.change(tree, changesOf(entries));
    stores.checkpoint(tree, seq);
    return stores;
  }

  tree(): StateTree {
    return new StateTree({ state: this.state, local: this.local, hasher, partOf });
  }

  change(tree: StateTree, changes: readonly Change[]): void {
    const written = tree.change(changes);
    this.state.write(written.state);
    this.local.write(written.local);
  }

  checkpoint(tree: StateTree, seq: number): void {
    this.local.write(tree.checkpoint(seqOf(seq)).local);
  }

  copy(): Stores {
    return new Stores(this.state.copy(), this.local.copy());
  }
}

export function changesOf(entries: ReadonlyMap<string, Uint8Array>): Change[] {
  return [...entries].map(([key, value]) => ({ key: hexToBytes(key), value }));
}

/** The certificate of the last checkpoint of a state: signatures are no matter of state transfer. */
export function certificateOf(stores: Stores): CheckpointCertificate {
  const { seq, root } = stores.tree().last!;
  const stateRoot = hasher.digest(stateRootPreimage(CLUSTER, root));
  return { epoch: epochNumber(0), seq, stateRoot, signatures: [] };
}

/** What one donor sends for a request, after how long. */
export interface Sent {
  readonly chunk?: StateChunk;
  readonly isUnavailable?: true;
  readonly afterMs: number;
}
export type DonorModel = (request: FetchState, atMs: number) => readonly Sent[];

const ample: ByteRate = { bytesPerSecond: 1e12, burstBytes: 1e12 };
export const AMPLE: Pick<DonorLimits, "ratePerPeer" | "rate"> = { ratePerPeer: ample, rate: ample };

/** A correct donor of one state, which answers after `afterMs`. */
export function correctDonor(stores: Stores, afterMs = 20): DonorModel {
  const donor = new StateDonor({ hasher, chunkBytesMax: CHUNK_BYTES_MAX, limits: AMPLE });
  const tree = stores.tree();
  return (request, atMs) => {
    const { answer } = donor.answer(request, (seq) => tree.at(seq), tree.last!.seq, atMs, replicaId(0));
    return answer.type === "chunk" ? [{ chunk: answer.chunk, afterMs }] : [{ isUnavailable: true, afterMs }];
  };
}

interface Arrival {
  readonly atMs: number;
  readonly from: ReplicaId;
  readonly seq: number;
  readonly sent: Sent;
}

export interface TransferOptions {
  readonly stores: Stores;
  readonly target: CheckpointCertificate;
  readonly donors: readonly DonorModel[];
  readonly distrustsEntries?: boolean;
  readonly limits?: Partial<FetchLimits>;
  /** Called before each group is written; to crash there is to write it or not, and start again. */
  readonly crashAt?: (group: number) => "before" | "after" | undefined;
  /** How many of so many groups of bulk a crash leaves; all unless given. */
  readonly bulkKept?: (groups: number) => number;
}

const TICK_MS = 100;
const GIVE_UP_MS = 3_600_000;

/** A fetcher among its donors, in a time of its own. */
export class Transfer {
  readonly #o: TransferOptions;
  target: CheckpointCertificate;
  donors: readonly DonorModel[];
  fetcher: StateFetcher;
  nowMs: number = 1_000;
  #arrivals: Arrival[] = [];
  #groups = 0;
  /** Groups that were added and not settled. */
  #bulk: TreeChanges[] = [];
  bulkGroups: number = 0;
  settled: number = 0;
  done: FetchStep["done"];
  readonly rejections: Rejection[] = [];
  readonly asked: Map<number, number> = new Map();
  /** Content and, about, what the requests and heads took. */
  bytes: number = 0;
  openMax: number = 0;
  /** Requests that one donor had at once. */
  unansweredMax: number = 0;
  groupEntriesMax: number = 0;
  readonly partsSeen: number[] = [];
  #step: FetchStep;

  constructor(options: TransferOptions) {
    this.#o = options;
    this.target = options.target;
    this.donors = options.donors;
    this.fetcher = this.#created();
    this.#step = this.fetcher.start(this.target, this.nowMs);
  }

  supersede(target: CheckpointCertificate, donors: readonly DonorModel[]): void {
    this.target = target;
    this.donors = donors;
    this.#apply();
    this.#step = this.fetcher.supersede(target, this.nowMs);
  }

  get stores(): Stores {
    return this.#o.stores;
  }

  /** What was to be done first. */
  get first(): FetchStep {
    return this.#step;
  }

  /** One answer, without any that the donors give by themselves; what it brings is written. */
  deliver(from: ReplicaId, chunk: StateChunk): FetchStep {
    return this.#written(this.fetcher.onChunk(from, chunk, this.nowMs));
  }

  tick(): FetchStep {
    return this.#written(this.fetcher.onTick(this.nowMs));
  }

  #written(step: FetchStep): FetchStep {
    this.#o.stores.state.write(step.writes?.state ?? []);
    this.#o.stores.local.write(step.writes?.local ?? []);
    this.#addBulk(step.bulk);
    return step;
  }

  #addBulk(bulk: TreeChanges | undefined): void {
    if (bulk === undefined) return;
    this.bulkGroups++;
    this.groupEntriesMax = Math.max(this.groupEntriesMax, bulk.state.length + bulk.local.length);
    this.#bulk.push(bulk);
  }

  /** So much waits that it is settled in the middle. */
  settleNow(): void {
    this.#apply();
    this.#step = this.fetcher.settle(this.nowMs);
  }

  #settleBulk(): void {
    for (const { state, local } of this.#bulk) {
      this.#o.stores.state.write(state);
      this.#o.stores.local.write(local);
    }
    this.#bulk = [];
  }

  /** Until it is done, or for so many calls. */
  run(calls: number = Number.POSITIVE_INFINITY): this {
    for (let i = 0; i < calls && this.done === undefined; i++) {
      if (this.nowMs > GIVE_UP_MS) throw new Error(`stuck: ${JSON.stringify(this.fetcher.progress)}`);
      this.#apply();
      if (this.done === undefined) this.#step = this.#next();
    }
    return this;
  }

  #created(): StateFetcher {
    const { stores, distrustsEntries = false, limits } = this.#o;
    return new StateFetcher({
      ...{ hasher, cluster: CLUSTER, partOf, state: stores.state, local: stores.local, distrustsEntries },
      ...{ donors: this.donors.map((_, id) => replicaId(id)), chunkBytesMax: CHUNK_BYTES_MAX },
      takesDeflated: false,
      ...(limits && { limits }),
    });
  }

  #apply(): void {
    const { requests, writes, bulk, settles, rejections, done, hasMore } = this.#step;
    const nothing = { requests: [], writes: undefined, bulk: undefined, rejections: [], done: undefined };
    this.#step = { ...nothing, settles: false, hasMore };
    const written = writes ?? (bulk && { state: [], local: [] });
    if (written !== undefined && this.#isCrashedAt(written, bulk, done !== undefined)) return this.#apply();
    this.rejections.push(...rejections);
    this.done = done;
    const { progress } = this.fetcher;
    this.openMax = Math.max(this.openMax, progress?.openCount ?? 0);
    this.partsSeen.push(progress?.partsComplete ?? 0);
    for (const { to, request } of requests) this.#send(to, request);
    if (!settles) return;
    this.settled++;
    this.#settleBulk();
    this.#step = this.fetcher.onSettled(this.nowMs);
    this.#apply();
  }

  /** Writes, unless it crashes before; starts again if it crashes at all. */
  #isCrashedAt(writes: TreeChanges, bulk: TreeChanges | undefined, isDone: boolean): boolean {
    const crash = this.#o.crashAt?.(++this.#groups);
    this.groupEntriesMax = Math.max(this.groupEntriesMax, writes.state.length + writes.local.length);
    if (crash !== "before") {
      this.#o.stores.state.write(writes.state);
      this.#o.stores.local.write(writes.local);
      this.#addBulk(bulk);
    }
    if (crash === undefined || (isDone && crash === "after")) return false;
    this.nowMs += 50;
    this.#bulk.length = this.#o.bulkKept?.(this.#bulk.length) ?? this.#bulk.length;
    this.#settleBulk();
    this.fetcher = this.#created();
    this.#step = this.fetcher.start(this.target, this.nowMs);
    return true;
  }

  #send(to: ReplicaId, request: FetchState): void {
    this.asked.set(to, (this.asked.get(to) ?? 0) + 1);
    this.bytes += 16;
    for (const item of request.items)
      this.bytes += 4 + item.prefix.length + (item.type === "values" ? item.indexes.length : 0);
    for (const sent of this.donors[to]!(request, this.nowMs))
      this.#arrivals.push({ atMs: this.nowMs + sent.afterMs, from: to, seq: request.seq, sent });
    const unanswered = this.#arrivals.filter(({ from }) => from === to).length;
    this.unansweredMax = Math.max(this.unansweredMax, unanswered);
  }

  #next(): FetchStep {
    if (this.#step.hasMore) return this.fetcher.onTick(this.nowMs);
    const next = this.#arrivals.reduce<Arrival | undefined>(
      (first, arrival) => (first === undefined || arrival.atMs < first.atMs ? arrival : first),
      undefined,
    );
    if (next === undefined || next.atMs > this.nowMs + TICK_MS) {
      this.nowMs += TICK_MS;
      return this.fetcher.onTick(this.nowMs);
    }
    this.#arrivals = this.#arrivals.filter((arrival) => arrival !== next);
    this.nowMs = Math.max(this.nowMs, next.atMs);
    const { sent, from, seq } = next;
    if (sent.isUnavailable) return this.fetcher.onUnavailable(from, seqOf(seq), this.nowMs);
    this.bytes += contentBytes(sent.chunk!.items) + 8 * sent.chunk!.items.length + 16;
    return this.fetcher.onChunk(from, sent.chunk!, this.nowMs);
  }
}

/** What is wrong with stores after an install: nothing when they are those of a tree made at once. */
export function differenceOf(stores: Stores, expected: Stores): string | undefined {
  if (installMarkOf(stores.local) !== undefined) return "the mark is there";
  for (const part of ["state", "local"] as const) {
    const [found, wanted] = [stores[part].entries, expected[part].entries];
    for (const [key, value] of wanted) {
      const other = found.get(key);
      if (other === undefined) return `${part}: ${key} is not there`;
      if (bytesToHex(other) !== bytesToHex(value)) return `${part}: ${key} differs`;
    }
    for (const key of found.keys()) if (!wanted.has(key)) return `${part}: ${key} is left`;
  }
  return undefined;
}

import {
  type CheckpointCertificate,
  type ClusterId,
  contentBytes,
  type Digest,
  type FetchState,
  type Hasher,
  hexToBytes,
  invariant,
  type KeyReader,
  type OrderedReader,
  type Rejection,
  type ReplicaId,
  type SequenceNumber,
  type StateChunk,
  type StateChunkFault,
  stateRootPreimage,
} from "@quorate/protocol";
import {
  type InstallMark,
  installMarkChange,
  installMarkOf,
  isBucket,
  leavesBelow,
  pageDigest,
  pageKey,
  ROOT_PREFIX,
  SNAPSHOTS,
  snapshotKey,
  type TreeChanges,
} from "@quorate/state-tree";
import { type ChunkJudgement, judgeChunk, type ProvenPart } from "./chunk-judgement.ts";
import { DonorBook } from "./donor-book.ts";
import type { KeyList } from "./key-list.ts";
import { LocalTree } from "./local-tree.ts";
import { type OpenBucket, type OpenPage, openRoot } from "./open-page.ts";
import { OrphanSweep } from "./orphan-sweep.ts";
import { prepare } from "./preparation.ts";
import { type AskedRequest, RequestBook, unmark } from "./request-book.ts";
import { TreeWalk } from "./tree-walk.ts";
import { Work } from "./work.ts";

export interface StateFetcherOptions {
  readonly hasher: Hasher;
  readonly cluster: ClusterId;
  /** As the state tree has it. */
  readonly partOf: (key: Uint8Array) => number;
  /** The two stores of the state tree. What a step says is written before the next call. */
  readonly state: OrderedReader;
  readonly local: KeyReader;
  /** Who may be asked: the other members. */
  readonly donors: readonly ReplicaId[];
  /** The most content of any chunk (`stateChunkBytesMax`). */
  readonly chunkBytesMax: number;
  /** Entries that look like those of the target are read and checked: for a replica whose state was damaged. */
  readonly distrustsEntries: boolean;
  /** Answers may come deflated: whoever calls inflates them. */
  readonly takesDeflated: boolean;
  readonly limits?: Partial<FetchLimits>;
}

/** How much is done at once. */
export interface FetchLimits {
  readonly requestsPerDonorMax: number;
  /** What one request asks for, in bytes of content, unless one value is larger. */
  readonly requestBytes: number;
  /** How long an answer may take at most. */
  readonly timeoutMs: number;
  /** How long nobody could be asked when those are asked again who should not be. */
  readonly pauseMs: number;
  /** Pages and buckets that are fetched at once. */
  readonly openMax: number;
  /** Bytes of values that wait in memory for the rest of their buckets. */
  readonly heldBytesMax: number;
  /** Entries and pages that one step looks at. */
  readonly workMax: number;
}

export const DEFAULT_FETCH_LIMITS: FetchLimits = {
  requestsPerDonorMax: 4,
  requestBytes: 256 * 1024,
  timeoutMs: 5_000,
  pauseMs: 1_000,
  openMax: 1024,
  heldBytesMax: 4 * 1024 * 1024,
  workMax: 4_096,
};

/** What is to be done after a call. */
export interface FetchStep {
  readonly requests: readonly { readonly to: ReplicaId; readonly request: FetchState }[];
  /** One atomic group, to be written before the next call. */
  readonly writes: TreeChanges | undefined;
  /**
   * Another group, which may wait for others: to be added behind these writes to what `settles` moves. A crash may lose it and what
   * was added after it, but no crash keeps it that loses what was written before.
   */
  readonly bulk: TreeChanges | undefined;
  /** All bulk is to be moved to where it belongs, durably; then `onSettled` goes on. */
  readonly settles: boolean;
  readonly rejections: readonly Rejection[];
  /** The local store is this checkpoint, once the writes are made; nothing follows. */
  readonly done: { readonly seq: SequenceNumber; readonly treeRoot: Digest } | undefined;
  /** There is work that waits for nobody: call `onTick` soon, and do not wait for an answer. */
  readonly hasMore: boolean;
}

/** How far it is. */
export interface FetchProgress {
  readonly target: SequenceNumber;
  /** Leaves of the target; undefined before its root page is here. */
  readonly leaves: number | undefined;
  /** Leaves that were here already, and that were fetched, since the walk last began at the root. */
  readonly leavesSkipped: number;
  readonly leavesFetched: number;
  /** All parts of the state before this one are complete and proven: 2 when membership and sessions are. */
  readonly partsComplete: number;
  /** Content of chunks: pages and values. */
  readonly bytesReceived: number;
  /** The same as it came: less where donors deflate. */
  readonly bytesOnWire: number;
  readonly pagesFetched: number;
  readonly chunksRejected: number;
  /** Pages and buckets held in memory. */
  readonly openCount: number;
  /** Entries that were not those of the target, or not to be there. */
  readonly differing: KeyList;
}

type Phase = "idle" | "root" | "preparing" | "walking" | "settling" | "sweeping" | "done";

/**
 * Brings the local tree to a checkpoint that a certificate names, from several donors at once, trusting none of them
 * (protocol rule 10.1). Without I/O: each call returns what is to be sent and written. A crash costs nothing but the pages
 * that are open: it is started again, with the same target or another one.
 */
export class StateFetcher {
  readonly #o: StateFetcherOptions;
  readonly #limits: FetchLimits;
  readonly #donors: DonorBook;
  readonly #tree: LocalTree;
  readonly #walk: TreeWalk;
  #book: RequestBook | undefined;
  #phase: Phase = "idle";
  /** What follows when the bulk is settled. */
  #afterSettling: Exclude<Phase, "settling"> = "idle";
  #settles = false;
  #target: CheckpointCertificate | undefined;
  #root: { readonly page: Uint8Array; readonly digest: Digest } | undefined;
  /** The root page, while it is asked for. */
  #wantedRoot: OpenPage = openRoot();
  #sweep: OrphanSweep | undefined;
  #stalledSinceMs: number | undefined;
  #isPaused = false;
  #bytesReceived = 0;
  #bytesOnWire = 0;
  #pagesFetched = 0;
  #chunksRejected = 0;

  constructor(options: StateFetcherOptions) {
    this.#o = options;
    const limits = { ...DEFAULT_FETCH_LIMITS, ...options.limits };
    invariant(limits.requestBytes <= options.chunkBytesMax, "state-fetcher.request-bytes", { ...limits });
    this.#limits = limits;
    const { donors, distrustsEntries } = options;
    this.#donors = new DonorBook({ donors, ...limits });
    this.#tree = new LocalTree(options, distrustsEntries || isDoubtful(options));
    this.#walk = new TreeWalk({ tree: this.#tree, ...limits });
  }

  get progress(): FetchProgress | undefined {
    const target = this.#target;
    if (target === undefined) return undefined;
    const { skipped, fetched } = this.#walk.leaves;
    return {
      target: target.seq,
      leaves: this.#root === undefined ? undefined : leavesBelow(this.#root.page),
      leavesSkipped: skipped,
      leavesFetched: fetched,
      partsComplete: this.#walk.partsComplete,
      bytesReceived: this.#bytesReceived,
      bytesOnWire: this.#bytesOnWire,
      pagesFetched: this.#pagesFetched,
      chunksRejected: this.#chunksRejected,
      openCount: this.#walk.openCount,
      differing: this.#tree.differing,
    };
  }

  /** Begins, or goes on where another process was interrupted. The certificate is verified. */
  start(target: CheckpointCertificate, atMs: number): FetchStep {
    invariant(this.#phase === "idle", "state-fetcher.started", { phase: this.#phase });
    const { requestBytes: bytesMax } = this.#limits;
    const { takesDeflated } = this.#o;
    // Fewer than a thousand requests are made in a millisecond: no number is that of an earlier run.
    this.#book = new RequestBook({ bytesMax, takesDeflated }, atMs * 1000);
    return this.#aim(target, atMs);
  }

  /** A newer target: what is here is compared with that one from its root on. An older one changes nothing. */
  supersede(target: CheckpointCertificate, atMs: number): FetchStep {
    const isNewer = this.#target !== undefined && target.seq > this.#target.seq;
    return isNewer && this.#phase !== "done" ? this.#aim(target, atMs) : this.#step(atMs, []);
  }

  /** What this donor is asked under a number, and has not answered; `"former"` for what is not waited for any more. */
  asked(from: ReplicaId, request: number): FetchState | "former" | undefined {
    const asked = this.#book?.find(from, request);
    return asked === "former" ? asked : asked?.request;
  }

  /** An answer of a donor is here and is being inflated: how long that takes is not the donor's fault. */
  onArrival(from: ReplicaId, request: number, atMs: number): void {
    this.#book?.arrive(from, request, atMs);
  }

  /**
   * An answer of a donor.
   *
   * @param bytesOnWire what it took to come here, if it was deflated.
   */
  onChunk(from: ReplicaId, chunk: StateChunk, atMs: number, bytesOnWire?: number): FetchStep {
    const asked = this.#book?.take(from, chunk.request);
    const bytes = contentBytes(chunk.items);
    this.#bytesReceived += bytes;
    this.#bytesOnWire += bytesOnWire ?? bytes;
    if (asked === "former") return this.#step(atMs, []);
    if (asked === undefined) return this.#step(atMs, [this.#rejection(from, "state-chunk.not-asked-for", chunk.seq)]);
    this.#donors.onAnswer(from, (asked.arrivedAtMs ?? atMs) - asked.atMs);
    const { hasher, chunkBytesMax } = this.#o;
    const isPage = (open: OpenPage, page: Uint8Array): boolean => this.#isPage(open, page);
    const judgement = judgeChunk({ hasher, chunkBytesMax, isPage }, asked, chunk);
    this.#accept(judgement, asked);
    const rejections = judgement.liars.map((liar) => this.#offence(liar, "state-chunk.false-size", chunk.seq));
    if (judgement.fault !== undefined) rejections.push(this.#offence(from, judgement.fault, chunk.seq));
    return this.#step(atMs, rejections);
  }

  /** An answer of a donor that could not be inflated, or was not to be. */
  onBadChunk(
    from: ReplicaId,
    { request, seq }: Pick<StateChunk, "request" | "seq">,
    fault: StateChunkFault,
    atMs: number,
  ): FetchStep {
    const asked = this.#book?.take(from, request);
    if (asked === "former") return this.#step(atMs, []);
    if (asked === undefined) return this.#step(atMs, [this.#rejection(from, "state-chunk.not-asked-for", seq)]);
    this.#donors.onAnswer(from, (asked.arrivedAtMs ?? atMs) - asked.atMs);
    for (const item of asked.items) unmark(item);
    return this.#step(atMs, [this.#offence(from, fault, seq)]);
  }

  /** The donor does not keep the checkpoint `seq`. */
  onUnavailable(from: ReplicaId, seq: SequenceNumber, atMs: number): FetchStep {
    if (seq === this.#target?.seq) {
      this.#donors.onUnavailable(from);
      this.#giveUpOn(from);
    }
    return this.#step(atMs, []);
  }

  /** Asks for nothing more, while what has come is not stored: the disk is slower than the donors. */
  pause(): void {
    this.#isPaused = true;
  }

  /** Goes on after a pause. */
  resume(atMs: number): FetchStep {
    this.#isPaused = false;
    return this.#step(atMs, []);
  }

  /** So much bulk waits that it is to be settled before more comes. */
  settle(atMs: number): FetchStep {
    if (this.#phase === "walking" && this.#tree.awaitsSettling) {
      this.#giveUpAll();
      this.#enter("walking");
    }
    return this.#step(atMs, []);
  }

  /** The bulk is where it belongs, as a step had asked for. */
  onSettled(atMs: number): FetchStep {
    invariant(this.#phase === "settling", "state-fetcher.settled", { phase: this.#phase });
    this.#tree.onSettled();
    this.#phase = this.#afterSettling;
    return this.#step(atMs, []);
  }

  /** Time passes; or a step had more to do. */
  onTick(atMs: number): FetchStep {
    return this.#step(atMs, []);
  }

  #aim(target: CheckpointCertificate, atMs: number): FetchStep {
    this.#book?.giveUp(() => true);
    this.#donors.onTarget();
    this.#walk.stop();
    this.#target = target;
    this.#root = undefined;
    this.#wantedRoot = openRoot();
    this.#enter("root");
    this.#stalledSinceMs = undefined;
    return this.#step(atMs, []);
  }

  /** Begins a phase, before which all bulk is settled: from it on the store is read. */
  #enter(phase: Exclude<Phase, "settling">): void {
    this.#afterSettling = phase;
    if (this.#phase === "settling") return;
    this.#settles = this.#tree.awaitsSettling;
    this.#phase = this.#settles ? "settling" : phase;
  }

  #isPage({ digest, parent }: OpenPage, page: Uint8Array): boolean {
    const found = pageDigest(this.#o.hasher, page);
    if (parent !== undefined) return found === digest;
    const { hasher, cluster } = this.#o;
    return !isBucket(page) && hasher.digest(stateRootPreimage(cluster, found)) === this.#target?.stateRoot;
  }

  #accept({ parts, missing, fault }: ChunkJudgement, asked: AskedRequest): void {
    for (const part of parts)
      if (part.type === "entry") {
        this.#book?.onValue(part.record.length);
        this.#walk.onEntry(part.open, part.index, part.record);
      } else {
        this.#pagesFetched++;
        this.#acceptPage(part, asked.to);
      }
    for (const item of asked.items) unmark(item);
    for (const open of missing) open.notAt.add(asked.to);
    if (fault === undefined) this.#donors.onItems(asked.to, parts.length, missing.length);
  }

  #acceptPage(part: Exclude<ProvenPart, { readonly type: "entry" }>, from: ReplicaId): void {
    const { open } = part;
    if (open.isBare) this.#book?.onWhole(part.type === "whole" ? part.bucket.bytes : part.page.length);
    if (part.type === "whole") this.#walk.onWhole(open, part.bucket, from);
    else if (open.parent === undefined) this.#onRoot(part.page);
    else this.#walk.onPage(open, part.page);
  }

  #onRoot(page: Uint8Array): void {
    this.#root = { page, digest: pageDigest(this.#o.hasher, page) };
    this.#phase = "preparing";
  }

  #offence(from: ReplicaId, code: StateChunkFault, seq: SequenceNumber): Rejection {
    this.#donors.onOffence(from);
    this.#giveUpOn(from);
    return this.#rejection(from, code, seq);
  }

  #rejection(from: ReplicaId, code: StateChunkFault, seq: SequenceNumber): Rejection {
    this.#chunksRejected++;
    return { from, code, seq };
  }

  #giveUpAll(): void {
    for (const { to } of this.#book?.giveUp(() => true) ?? []) this.#donors.onGivenUp(to);
  }

  #giveUpOn(donor: ReplicaId): void {
    for (const { to } of this.#book?.giveUp((asked) => asked.to === donor) ?? []) this.#donors.onGivenUp(to);
  }

  /** Time-outs are looked at in every step, so that nobody who sends often can keep them off. */
  #step(atMs: number, rejections: readonly Rejection[]): FetchStep {
    const isOverdue = ({ arrivedAtMs, untilMs }: AskedRequest): boolean => arrivedAtMs === undefined && untilMs <= atMs;
    for (const { to } of this.#book?.giveUp(isOverdue) ?? []) this.#donors.onTimeout(to, atMs);
    const done = this.#work(new Work(this.#limits.workMax));
    const writes = this.#tree.take();
    const bulk = this.#tree.takeBulk();
    const settles = this.#settles;
    this.#settles = false;
    const hasMore = this.#phase === "preparing" || this.#phase === "sweeping" || this.#isWalkBusy();
    return { requests: this.#requests(atMs), writes, bulk, settles, rejections, done, hasMore };
  }

  #isWalkBusy(): boolean {
    return this.#phase === "walking" && (this.#walk.isComplete || this.#walk.hasWork);
  }

  /** Does what needs no donor, phase after phase, but no more than a step's share. */
  #work(work: Work): FetchStep["done"] {
    if (this.#phase === "preparing" && this.#prepared(work)) this.#phase = "walking";
    if (this.#phase === "walking") this.#advanceWalk(work);
    return this.#phase === "sweeping" ? this.#finish(work) : undefined;
  }

  /** The walk compares with what is in the store: it begins when all that is prepared is written. */
  #prepared(work: Work): boolean {
    const { local } = this.#o;
    return prepare(local, this.#mark(), this.#tree.group, work) && this.#tree.group.changes === undefined;
  }

  #advanceWalk(work: Work): void {
    const root = this.#openRoot();
    if (!this.#walk.isStarted) this.#walk.start(root.page, root.digest);
    this.#walk.advance(work);
    if (this.#tree.isDamaged) {
      // What the pages say of the entries cannot be relied on: all over again, and this time each entry is read.
      this.#tree.distrust();
      this.#tree.group.local(installMarkChange(this.#mark()));
      this.#giveUpAll();
      this.#walk.stop();
      this.#enter("preparing");
    } else if (this.#walk.isComplete && this.#tree.group.changes === undefined) {
      const { page } = root;
      this.#sweep = this.#tree.distrustsEntries ? new OrphanSweep({ ...this.#o, root: page }) : undefined;
      this.#enter("sweeping");
    }
  }

  #finish(work: Work): FetchStep["done"] {
    const { group, differing } = this.#tree;
    if (this.#sweep?.run(group, differing, work) === false) return undefined;
    const { seq, root: treeRoot } = this.#mark();
    group.local({ key: pageKey(ROOT_PREFIX), value: this.#openRoot().page });
    group.local({ key: snapshotKey(seq), value: hexToBytes(treeRoot) });
    group.local(installMarkChange(undefined));
    this.#phase = "done";
    return { seq, treeRoot };
  }

  #openRoot(): { readonly page: Uint8Array; readonly digest: Digest } {
    const root = this.#root;
    invariant(root !== undefined, "state-fetcher.no-root", { phase: this.#phase });
    return root;
  }

  #mark(): InstallMark {
    const target = this.#target;
    invariant(target !== undefined, "state-fetcher.no-target");
    return { seq: target.seq, root: this.#openRoot().digest, distrustsEntries: this.#tree.distrustsEntries };
  }

  #wanted(): Iterable<OpenPage | OpenBucket> {
    if (this.#phase === "root") return [this.#wantedRoot];
    return this.#phase === "walking" ? this.#walk.wanted : [];
  }

  #requests(atMs: number): FetchStep["requests"] {
    const book = this.#book;
    const target = this.#target;
    if (book === undefined || target === undefined) return [];
    const requests = this.#isPaused ? [] : this.#ask(book, target.seq, atMs);
    if (this.#isPaused || !book.isEmpty || isEmpty(this.#wanted())) {
      this.#stalledSinceMs = undefined;
      return requests;
    }
    this.#stalledSinceMs ??= atMs;
    if (atMs - this.#stalledSinceMs < this.#limits.pauseMs) return requests;
    this.#stalledSinceMs = undefined;
    this.#donors.readmit();
    for (const open of this.#wanted()) open.notAt.clear();
    return this.#ask(book, target.seq, atMs);
  }

  #ask(book: RequestBook, seq: SequenceNumber, atMs: number): { to: ReplicaId; request: FetchState }[] {
    const requests: { to: ReplicaId; request: FetchState }[] = [];
    const passedOver = new Set<ReplicaId>();
    for (;;) {
      const to = this.#donors.next(atMs, passedOver);
      if (to === undefined) return requests;
      const untilMs = atMs + this.#donors.timeoutOf(to);
      const request = book.ask(to, seq, this.#wanted(), { atMs, untilMs });
      if (request === undefined) passedOver.add(to);
      else {
        this.#donors.onAsked(to);
        requests.push({ to, request });
      }
    }
  }
}

function isEmpty(things: Iterable<unknown>): boolean {
  for (const _thing of things) return false;
  return true;
}

/** A store that has been in distrust stays so until the end; one that has a state without any checkpoint was never right. */
function isDoubtful({ state, local }: StateFetcherOptions): boolean {
  const mark = installMarkOf(local);
  if (mark !== undefined) return mark.distrustsEntries;
  for (const _kept of local.range(...SNAPSHOTS)) return false;
  for (const _entry of state.range(ROOT_PREFIX, undefined)) return true;
  return false;
}

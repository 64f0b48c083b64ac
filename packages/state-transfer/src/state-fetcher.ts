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
  isBucket,
  leavesBelow,
  pageDigest,
  pageKey,
  ROOT_PREFIX,
  snapshotKey,
} from "@quorate/state-tree";
import { type ChunkJudgement, judgeChunk, type ProvenPart } from "./chunk-judgement.ts";
import { isDoubtful } from "./doubt.ts";
import { DEFAULT_FETCH_LIMITS, type FetchLimits } from "./fetch-limits.ts";
import type { FetchProgress, FetchStep } from "./fetch-step.ts";
import { Inquiry } from "./inquiry.ts";
import { LocalTree } from "./local-tree.ts";
import { type OpenBucket, type OpenPage, openRoot } from "./open-page.ts";
import { OrphanSweep } from "./orphan-sweep.ts";
import { prepare } from "./preparation.ts";
import { type AskedRequest, unmark } from "./request-book.ts";
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

type Phase = "idle" | "root" | "preparing" | "walking" | "settling" | "sweeping" | "done";

/**
 * Brings the local tree to a checkpoint that a certificate names, from several donors at once, trusting none of them
 * (protocol rule 10.1). Without I/O: each call returns what is to be sent and written. A crash costs nothing but the pages
 * that are open: it is started again, with the same target or another one.
 */
export class StateFetcher {
  readonly #o: StateFetcherOptions;
  readonly #limits: FetchLimits;
  readonly #inquiry: Inquiry;
  readonly #tree: LocalTree;
  readonly #walk: TreeWalk;
  #phase: Phase = "idle";
  /** What follows when the bulk is settled. */
  #afterSettling: Exclude<Phase, "settling"> = "idle";
  #settles = false;
  #target: CheckpointCertificate | undefined;
  #root: { readonly page: Uint8Array; readonly digest: Digest } | undefined;
  /** The root page, while it is asked for. */
  #wantedRoot: OpenPage = openRoot();
  #sweep: OrphanSweep | undefined;
  #bytesReceived = 0;
  #bytesOnWire = 0;
  #pagesFetched = 0;
  #chunksRejected = 0;

  constructor(options: StateFetcherOptions) {
    this.#o = options;
    const limits = { ...DEFAULT_FETCH_LIMITS, ...options.limits };
    invariant(limits.requestBytes <= options.chunkBytesMax, "state-fetcher.request-bytes", { ...limits });
    this.#limits = limits;
    const { donors, takesDeflated, distrustsEntries } = options;
    this.#inquiry = new Inquiry({ donors, takesDeflated, limits });
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
    this.#inquiry.start(atMs);
    return this.#aim(target, atMs);
  }

  /** A newer target: what is here is compared with that one from its root on. An older one changes nothing. */
  supersede(target: CheckpointCertificate, atMs: number): FetchStep {
    const isNewer = this.#target !== undefined && target.seq > this.#target.seq;
    return isNewer && this.#phase !== "done" ? this.#aim(target, atMs) : this.#step(atMs, []);
  }

  /** What this donor is asked under a number, and has not answered; `"former"` for what is not waited for any more. */
  asked(from: ReplicaId, request: number): FetchState | "former" | undefined {
    const asked = this.#inquiry.find(from, request);
    return asked === "former" ? asked : asked?.request;
  }

  /** An answer of a donor is here and is being inflated: how long that takes is not the donor's fault. */
  onArrival(from: ReplicaId, request: number, atMs: number): void {
    this.#inquiry.arrive(from, request, atMs);
  }

  /**
   * An answer of a donor.
   *
   * @param bytesOnWire what it took to come here, if it was deflated.
   */
  onChunk(from: ReplicaId, chunk: StateChunk, atMs: number, bytesOnWire?: number): FetchStep {
    const asked = this.#inquiry.take(from, chunk.request, atMs);
    const bytes = contentBytes(chunk.items);
    this.#bytesReceived += bytes;
    this.#bytesOnWire += bytesOnWire ?? bytes;
    if (asked === "former") return this.#step(atMs, []);
    if (asked === undefined) return this.#step(atMs, [this.#rejection(from, "state-chunk.not-asked-for", chunk.seq)]);
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
    const asked = this.#inquiry.take(from, request, atMs);
    if (asked === "former") return this.#step(atMs, []);
    if (asked === undefined) return this.#step(atMs, [this.#rejection(from, "state-chunk.not-asked-for", seq)]);
    for (const item of asked.items) unmark(item);
    return this.#step(atMs, [this.#offence(from, fault, seq)]);
  }

  /** The donor does not keep the checkpoint `seq`. */
  onUnavailable(from: ReplicaId, seq: SequenceNumber, atMs: number): FetchStep {
    if (seq === this.#target?.seq) this.#inquiry.onUnavailable(from);
    return this.#step(atMs, []);
  }

  /** Asks for nothing more, while what has come is not stored: the disk is slower than the donors. */
  pause(): void {
    this.#inquiry.pause();
  }

  /** Goes on after a pause. */
  resume(atMs: number): FetchStep {
    this.#inquiry.resume();
    return this.#step(atMs, []);
  }

  /** So much bulk waits that it is to be settled before more comes. */
  settle(atMs: number): FetchStep {
    if (this.#phase === "walking" && this.#tree.awaitsSettling) {
      this.#inquiry.giveUpAll();
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
    this.#inquiry.onTarget();
    this.#walk.stop();
    this.#target = target;
    this.#root = undefined;
    this.#wantedRoot = openRoot();
    this.#enter("root");
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
        this.#inquiry.onValue(part.record.length);
        this.#walk.onEntry(part.open, part.index, part.record);
      } else {
        this.#pagesFetched++;
        this.#acceptPage(part, asked.to);
      }
    for (const item of asked.items) unmark(item);
    for (const open of missing) open.notAt.add(asked.to);
    if (fault === undefined) this.#inquiry.onItems(asked.to, parts.length, missing.length);
  }

  #acceptPage(part: Exclude<ProvenPart, { readonly type: "entry" }>, from: ReplicaId): void {
    const { open } = part;
    if (open.isBare) this.#inquiry.onWhole(part.type === "whole" ? part.bucket.bytes : part.page.length);
    if (part.type === "whole") this.#walk.onWhole(open, part.bucket, from);
    else if (open.parent === undefined) this.#onRoot(part.page);
    else this.#walk.onPage(open, part.page);
  }

  #onRoot(page: Uint8Array): void {
    this.#root = { page, digest: pageDigest(this.#o.hasher, page) };
    this.#phase = "preparing";
  }

  #offence(from: ReplicaId, code: StateChunkFault, seq: SequenceNumber): Rejection {
    this.#inquiry.onOffence(from);
    return this.#rejection(from, code, seq);
  }

  #rejection(from: ReplicaId, code: StateChunkFault, seq: SequenceNumber): Rejection {
    this.#chunksRejected++;
    return { from, code, seq };
  }

  /** Time-outs are looked at in every step, so that nobody who sends often can keep them off. */
  #step(atMs: number, rejections: readonly Rejection[]): FetchStep {
    this.#inquiry.onTime(atMs);
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
      this.#inquiry.giveUpAll();
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
    const target = this.#target;
    return target === undefined ? [] : this.#inquiry.requests(target.seq, this.#wanted(), atMs);
  }
}

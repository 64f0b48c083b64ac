import type { Codec } from "@quorate/codec";
import { EpochVerifier, type Verifier } from "@quorate/crypto";
import {
  type CheckpointCertificate,
  type ClusterId,
  type Genesis,
  type Hasher,
  invariant,
  type Membership,
  outOfEpoch,
  type ReplicaFrame,
  type ReplicaId,
  type SequenceNumber,
  stateChunkBytesMax,
  weakQuorumSize,
} from "@quorate/protocol";
import type { EpochChain } from "@quorate/reconfiguration";
import { partOf } from "@quorate/state-machine";
import { type FetchProgress, type FetchStep, StateFetcher } from "@quorate/state-transfer";
import type { TreeChanges } from "@quorate/state-tree";
import type { ReplicaStore, StorageError } from "@quorate/storage";
import { ChunkInflater } from "./chunk-inflater.ts";
import type { Compressor } from "./compressor.ts";
import { type Installation, writeInstallation } from "./installation-record.ts";
import type { HostPorts, IngressRejection } from "./ports.ts";
import { SteadyClock } from "./steady-clock.ts";

export interface StateInstallerOptions {
  readonly genesis: Genesis;
  readonly epochs: EpochChain;
  readonly cluster: ClusterId;
  readonly self: ReplicaId;
  readonly store: ReplicaStore;
  readonly codec: Codec;
  readonly verifier: Verifier;
  readonly hasher: Hasher;
  readonly ports: HostPorts;
  readonly installation: Installation;
  /** Without it, chunks come as they are. */
  readonly compressor?: Compressor | undefined;
  readonly onRejection: (rejection: IngressRejection) => void;
  /** What votes rest on is here and proven, of the target's state: membership and sessions. Once for each target. */
  readonly onVotesFounded: (target: CheckpointCertificate) => void;
  /** Sees to it that the log says that the target is stable, durably, and calls back later. */
  readonly raiseLog: (target: CheckpointCertificate, done: () => void) => void;
  /** The state is that of the target, durably; the log says so too. Nothing happens afterwards. */
  readonly onInstalled: (progress: FetchProgress) => void;
  /** It cannot go on: a failed flush, or a broken invariant. Nothing happens afterwards. */
  readonly onFatal: (error: Error) => void;
  /** What is written between two flushes; `FLUSH_BYTES` unless given. */
  readonly flushBytes?: number;
}

/**
 * Large groups: each flush makes one run of what waits to be moved, and a commit of the rest. As much may be written while a
 * flush runs; then nothing more is asked for.
 */
const FLUSH_BYTES: number = 8 * 1024 * 1024;

/** Time-outs are looked at so often. */
const TICK_MS = 100;
/** A target that still comes is not given up for a newer one: who knows of each new certificate first could keep it from ever coming. */
const STALLED_AFTER_MS = 1_000;
/** Membership and sessions come first (protocol rule 10.2). */
const PARTS_FOR_VOTES = 2;

/**
 * Brings the state of this replica to a certified checkpoint while nothing else reads or writes it (protocol rule 10.1). What
 * the replica has promised stays in its log.
 *
 * The end has an order. First all of the state but the last group is durable, with the record of the installation. Then the log
 * says that the checkpoint is stable and forgets what is below, if it does not yet. Then the last of the state goes, and with it the
 * marks. A crash in between goes on installing: the log never says more than a store without a record of an installation holds,
 * and the history beside it.
 */
export class StateInstaller {
  readonly #o: StateInstallerOptions;
  readonly #membership: Membership;
  readonly #fetcher: StateFetcher;
  readonly #inflater: ChunkInflater;
  readonly #clock: SteadyClock;
  #installation: Installation;
  #isTicking = false;
  /** Who does not keep the target (any more). */
  readonly #unavailableAt = new Set<ReplicaId>();
  /** The target whose first parts are proven. */
  #founded: SequenceNumber | undefined;
  #unflushedBytes = 0;
  #isFlushing = false;
  #isPaused = false;
  #isSettling = false;
  #partsReceived = 0;
  #receivedAtMs = 0;
  /** From then on it is this target, whatever comes. */
  #isFinishing = false;
  #isOver = false;

  constructor(options: StateInstallerOptions) {
    this.#o = options;
    const { genesis, cluster, self, store, hasher, ports, installation } = options;
    this.#installation = installation;
    this.#membership = options.epochs.membership;
    this.#clock = new SteadyClock(
      () => ports.nowMs(),
      () => ports.monotonicMs(),
    );
    this.#fetcher = new StateFetcher({
      hasher,
      cluster,
      partOf,
      state: store.state,
      local: store.local,
      donors: this.#membership.members.map(({ id }) => id).filter((id) => id !== self),
      chunkBytesMax: stateChunkBytesMax(genesis.limits),
      distrustsEntries: installation.distrustsEntries,
      takesDeflated: options.compressor !== undefined,
    });
    this.#inflater = new ChunkInflater({
      ...options,
      asked: (from, request) => this.#fetcher.asked(from, request),
      onArrival: (from, request) => this.#fetcher.onArrival(from, request, this.#clock.nowMs()),
      onChunk: (from, chunk, bytesOnWire) =>
        this.#fetched((atMs) => this.#fetcher.onChunk(from, chunk, atMs, bytesOnWire)),
      onFault: (from, chunk, fault) => this.#fetched((atMs) => this.#fetcher.onBadChunk(from, chunk, fault, atMs)),
    });
  }

  get progress(): FetchProgress | undefined {
    return this.#fetcher.progress;
  }
  /** See `onVotesFounded`: it has been told of this target. */
  get isFounded(): boolean {
    return this.#founded === this.#installation.target.seq;
  }
  get installation(): Installation {
    return this.#installation;
  }

  /** To be called once, when frames can be sent. */
  start(): void {
    this.#guarded(() => {
      this.#note();
      // What an interrupted installation left on its way comes first: what is in the store is what was proven.
      const begin = (atMs: number): FetchStep => this.#fetcher.start(this.#installation.target, atMs);
      if (this.#o.store.bulk.isEmpty) this.#perform(begin(this.#clock.nowMs()));
      else this.#settle(begin);
    });
  }

  /** Nothing happens any more. */
  stop(): void {
    this.#isOver = true;
    this.#o.ports.cancelTimer("install");
  }

  /**
   * A frame from the replica at the other end of an authenticated link; most have nothing to say to it.
   *
   * @returns false when no correct replica sends such a thing: the link is to be cut.
   */
  onReplicaFrame(peer: ReplicaId, frame: ReplicaFrame): boolean {
    let isCorrect = true;
    if (this.#isFinishing) return isCorrect;
    this.#guarded(() => {
      const atMs = this.#clock.nowMs();
      switch (frame.type) {
        case "state-chunk":
          return this.#perform(this.#fetcher.onChunk(peer, frame.chunk, atMs));
        case "deflated-chunk":
          return this.#inflater.take(peer, frame.chunk);
        case "state-unavailable":
          return this.#onUnavailable(peer, frame.unavailable.seq, atMs);
        case "stable-checkpoint":
        case "below-history":
          isCorrect = this.#onCertificate(peer, frame, atMs);
          return;
        default:
          return;
      }
    });
    return isCorrect;
  }

  /** Another target, if it is newer: what is here counts for it. The certificate is verified. */
  supersede(target: CheckpointCertificate): void {
    if (this.#isFinishing || target.seq <= this.#installation.target.seq) return;
    this.#guarded(() => this.#supersede(target, this.#clock.nowMs()));
  }

  /** A chunk is inflated, or could not be. */
  #fetched(step: (atMs: number) => FetchStep): void {
    if (!this.#isFinishing) this.#guarded(() => this.#perform(step(this.#clock.nowMs())));
  }

  /** Donors say what they have instead of what was asked for: a newer one is as good. */
  #onCertificate(
    peer: ReplicaId,
    { checkpoint }: Extract<ReplicaFrame, { type: "stable-checkpoint" | "below-history" }>,
    atMs: number,
  ): boolean {
    if (checkpoint.seq <= this.#installation.target.seq || !this.#isStalled(atMs)) return true;
    const judge = new EpochVerifier(this.#o.verifier, this.#o.epochs);
    // Of an epoch that is not known here yet: its link comes first.
    if (!judge.isKnown(checkpoint.epoch)) return true;
    const outside = outOfEpoch(this.#o.epochs, checkpoint);
    if (outside !== undefined) {
      this.#o.onRejection({ from: peer, code: "ingress.out-of-epoch", ...outside });
      return true;
    }
    const target = judge.verifyCheckpointCertificate(checkpoint);
    if (target === undefined) {
      this.#o.onRejection({ from: peer, code: "ingress.bad-certificate" });
      return false;
    }
    this.#supersede(target, atMs);
    return true;
  }

  #supersede(target: CheckpointCertificate, atMs: number): void {
    this.#installation = { ...this.#installation, target };
    this.#unavailableAt.clear();
    this.#note();
    this.#perform(this.#fetcher.supersede(target, atMs));
  }

  #onUnavailable(peer: ReplicaId, seq: SequenceNumber, atMs: number): void {
    if (seq === this.#installation.target.seq) this.#unavailableAt.add(peer);
    this.#perform(this.#fetcher.onUnavailable(peer, seq, atMs));
  }

  /** One correct donor does not keep the target, or nothing comes of it. */
  #isStalled(atMs: number): boolean {
    const isGone = this.#unavailableAt.size >= weakQuorumSize(this.#membership);
    return isGone || (!this.#isPaused && !this.#isSettling && atMs - this.#receivedAtMs >= STALLED_AFTER_MS);
  }

  #note(): void {
    writeInstallation(this.#o.store.local, this.#o.codec, this.#installation);
  }

  #perform({ requests, writes, bulk, settles, rejections, done, hasMore }: FetchStep): void {
    const { ports, onRejection } = this.#o;
    for (const rejection of rejections) onRejection(rejection);
    this.#noteProgress();
    if (done !== undefined) return this.#finish(writes);
    this.#write(writes, bulk);
    if (settles) this.#settle((atMs) => this.#fetcher.onSettled(atMs));
    for (const { to, request } of requests) ports.sendToReplica(to, { type: "fetch-state", fetch: request });
    this.#found();
    // A timer that runs is not put off: whoever sends often must not keep time-outs from being looked at.
    const isBusy = hasMore && !this.#isPaused;
    if (!isBusy && this.#isTicking) return;
    this.#isTicking = true;
    ports.startTimer("install", isBusy ? 0 : TICK_MS, () => {
      this.#isTicking = false;
      this.#guarded(() => this.#perform(this.#fetcher.onTick(this.#clock.nowMs())));
    });
  }

  #found(): void {
    const { target } = this.#installation;
    const { partsComplete = 0 } = this.#fetcher.progress ?? {};
    if (partsComplete < PARTS_FOR_VOTES || this.#founded === target.seq) return;
    this.#founded = target.seq;
    this.#o.onVotesFounded(target);
  }

  #write(writes: TreeChanges | undefined, bulk: TreeChanges | undefined): void {
    const { store, flushBytes = FLUSH_BYTES } = this.#o;
    if (writes !== undefined) store.writeAtomically(writes);
    if (bulk !== undefined) store.bulk.add(bulk);
    this.#unflushedBytes += bytesOf(writes) + bytesOf(bulk);
    if (this.#unflushedBytes >= flushBytes) this.#flushMore();
  }

  /** Moves what waits to where it belongs; nothing is fetched meanwhile. */
  #settle(next: (atMs: number) => FetchStep): void {
    this.#isSettling = true;
    this.#o.store.bulk.settle((failure) => {
      if (this.#isLost(failure)) return;
      this.#isSettling = false;
      this.#guarded(() => {
        this.#receivedAtMs = this.#clock.nowMs();
        this.#perform(next(this.#receivedAtMs));
      });
    });
  }

  #flushMore(): void {
    if (this.#isFlushing) {
      this.#isPaused = true;
      return this.#fetcher.pause();
    }
    this.#isFlushing = true;
    this.#unflushedBytes = 0;
    const { bulk } = this.#o.store;
    this.#flushed(bulk, () => {
      this.#isFlushing = false;
      if (bulk.isFull && !this.#isFinishing) this.#perform(this.#fetcher.settle(this.#clock.nowMs()));
      if (!this.#isPaused || this.#isFinishing) return;
      this.#isPaused = false;
      this.#receivedAtMs = this.#clock.nowMs();
      this.#flushMore();
      this.#perform(this.#fetcher.resume(this.#clock.nowMs()));
    });
  }

  #noteProgress(): void {
    const { pagesFetched = 0, leavesFetched = 0 } = this.#fetcher.progress ?? {};
    if (pagesFetched + leavesFetched === this.#partsReceived) return;
    this.#partsReceived = pagesFetched + leavesFetched;
    this.#receivedAtMs = this.#clock.nowMs();
  }

  #finish(last: FetchStep["writes"]): void {
    const { store, codec, ports } = this.#o;
    const { target } = this.#installation;
    this.#isFinishing = true;
    ports.cancelTimer("install");
    this.#flushed(store, () =>
      this.#o.raiseLog(target, () =>
        this.#guarded(() => {
          if (last !== undefined) store.writeAtomically(last);
          writeInstallation(store.local, codec, undefined);
          this.#flushed(store, () => this.#end());
        }),
      ),
    );
  }

  #flushed(domain: Pick<ReplicaStore, "flush">, next: () => void): void {
    domain.flush((failure) => {
      if (!this.#isLost(failure)) this.#guarded(next);
    });
  }

  #end(): void {
    const { progress } = this.#fetcher;
    invariant(progress !== undefined, "host.installed-nothing");
    this.#isOver = true;
    this.#o.onInstalled(progress);
  }

  #isLost(failure: StorageError | undefined): boolean {
    if (this.#isOver) return true;
    if (failure !== undefined) this.#die(failure);
    return failure !== undefined;
  }

  #guarded(act: () => void): void {
    if (this.#isOver) return;
    try {
      act();
    } catch (error) {
      this.#die(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #die(error: Error): void {
    this.#isOver = true;
    this.#o.onFatal(error);
  }
}

function bytesOf(changes: TreeChanges | undefined): number {
  let bytes = 0;
  if (changes === undefined) return bytes;
  for (const part of [changes.state, changes.local])
    for (const { key, value } of part) bytes += key.length + (value?.length ?? 0);
  return bytes;
}

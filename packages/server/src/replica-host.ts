import { digestBatch } from "@quorate/crypto";
import {
  assertNever,
  type CheckpointCertificate,
  type ClientFrame,
  type Contradiction,
  type Effect,
  type Fill,
  genesisMembership,
  type Membership,
  type PublicKey,
  type ReplicaFrame,
  type ReplicaId,
  type Request,
  type SequenceNumber,
  type ServerFrame,
  sequenceNumberOf,
  viewNumber,
} from "@quorate/protocol";
import {
  OutputGate,
  Replica,
  type ReplicaEvent,
  type ReplicaStatus,
  recover,
  type WriteNumber,
} from "@quorate/replica";
import { type ExecutedReply, Executor, type OwnCheckpoint } from "@quorate/state-machine";
import { StateDamage } from "@quorate/state-tree";
import type { OwnAudit } from "./audit-document.ts";
import { refusalFrame, replyFrame } from "./client-frames.ts";
import { ClientRequests } from "./client-requests.ts";
import { readDisk } from "./disk-recovery.ts";
import { DurableState } from "./durable-state.ts";
import { EvidenceShelf, type KeptEvidence } from "./evidence-shelf.ts";
import { HistoryDonor } from "./history-donor.ts";
import type { HostOptions } from "./host-options.ts";
import { DEFAULT_HOST_SETTINGS } from "./host-settings.ts";
import { Ingress, JUNK_CODES } from "./ingress.ts";
import type { HandOverAnswer, IngressRejection } from "./ports.ts";
import { type QuarantineRecord, readQuarantine, writeQuarantine } from "./quarantine-record.ts";
import { genesisCheckpoint, replicaOptionsOf } from "./replica-setup.ts";
import type { ReplicaTrace } from "./replica-trace.ts";
import { ServedState } from "./served-state.ts";
import { StandingWatch } from "./standing-watch.ts";
import { SteadyClock } from "./steady-clock.ts";
import { StepRecorder } from "./step-recorder.ts";

type Performed = Exclude<Effect, { type: "persist" }>;

/** Why a host ends while its replica goes on: its state has to come from the others. */
export interface Departure {
  /** Undefined when no certificate is known. */
  readonly target: CheckpointCertificate | undefined;
  /** See `Installation.distrustsEntries`. */
  readonly distrustsEntries: boolean;
  /** It was found to be wrong, and may have said wrong things up to there. */
  readonly quarantine:
    | {
        readonly contradiction: Contradiction;
        readonly upTo: SequenceNumber;
        /** The last own checkpoint. */
        readonly lastCheckpoint: SequenceNumber;
      }
    | undefined;
}

/**
 * Runs one `Replica` over ports: verifies what comes in, performs what comes out behind the output gate, executes, and
 * answers clients. Synchronous; production and the simulator differ only in the ports, the store and the scheme of
 * signatures.
 */
export class ReplicaHost {
  readonly #options: HostOptions;
  readonly #membership: Membership;
  readonly #others: readonly ReplicaId[];
  readonly #replica: Replica;
  readonly #recorder: StepRecorder;
  readonly #gate: OutputGate;
  readonly #executor: Executor;
  readonly #ingress: Ingress;
  readonly #evidence: EvidenceShelf;
  readonly #donor: HistoryDonor;
  readonly #stateDonor: ServedState;
  readonly #leave: (departure: Departure) => void;
  #leftFor: Departure | undefined;
  /** The last one, over or not. */
  #quarantine: QuarantineRecord | undefined;
  readonly #clientRequests: ClientRequests;
  readonly #clock: SteadyClock;
  readonly #events: ReplicaEvent[] = [];
  #isDraining = false;
  #isFlushing = false;
  #isDead = false;
  /** The frame at hand cannot come from a correct replica. */
  #isJunk = false;
  /** Events of one turn come one by one, but writes of a whole burst share a flush: see `#flush`. */
  #flushedWrite = 0;
  readonly #standingWatch: StandingWatch;
  readonly #durableState: DurableState;

  /**
   * Recovers from what the store holds.
   *
   * @param leave called when only the state of the others can help this replica; nothing happens in it afterwards.
   * @throws RecoveryError or StorageError when the disk holds what this replica cannot have written.
   */
  constructor(options: HostOptions, leave: (departure: Departure) => void) {
    const { genesis, store, codec, verifier, signer } = options;
    this.#options = options;
    this.#leave = leave;
    this.#membership = genesisMembership(genesis);
    const { ports } = options;
    this.#clock = new SteadyClock(
      () => ports.nowMs(),
      () => ports.monotonicMs(),
    );
    this.#others = this.#membership.members.map(({ id }) => id).filter((id) => id !== signer.self);
    this.#quarantine = readQuarantine(store.local);
    const silentUpTo = this.#quarantine?.upTo;
    this.#executor = new Executor({ ...options, membership: this.#membership, silentUpTo });
    this.#donor = new HistoryDonor({
      history: store.history,
      codec,
      ports: options.ports,
      reject: (rejection) => options.observer.onRejection?.(rejection),
      onDamage: (damage) => options.observer.onHistoryDamaged?.(damage),
    });
    this.#stateDonor = new ServedState(options, this.#executor);
    this.#evidence = new EvidenceShelf(
      store.local,
      codec,
      options.hasher,
      this.#membership.members.map(({ id }) => id),
    );
    const disk = readDisk(store, codec, verifier, this.#membership, this.#executor.executed);
    const genesisBase = {
      stable: genesisCheckpoint(this.#membership, options.cluster),
      membership: this.#membership,
      view: viewNumber(0),
    };
    const { executionDigest } = this.#executor;
    const { base, recovery } = recover(genesisBase, { ...disk, executionDigest, silentUpTo });
    this.#replica = new Replica(replicaOptionsOf(options), base, recovery);
    const settings = { ...DEFAULT_HOST_SETTINGS, ...options.settings };
    this.#gate = new OutputGate(settings.gatedMessagesMax);
    const { tracedStepsMax: stepsMax, tracedBytesMax: bytesMax } = settings;
    this.#recorder = new StepRecorder({ stepsMax, bytesMax }, { base, recovery });
    this.#standingWatch = new StandingWatch(options.observer, this.#replica);
    this.#durableState = new DurableState({
      store,
      executor: this.#executor,
      checkpointInterval: genesis.checkpointInterval,
      pinned: () => this.#stateDonor.pinned(this.#now()),
      onFlushed: (own, failure) => this.#afterStateFlush(own, failure),
    });
    this.#ingress = new Ingress({
      verifier,
      membership: this.#membership,
      relevance: this.#replica.relevance,
      view: () => this.#replica.view,
      digestOf: (batch) => digestBatch(options.hasher, options.cluster, batch).digest,
      nowMs: () => this.#now(),
      standingOf: (request) => this.#executor.standing(request),
      reject: (rejection: IngressRejection) => this.#onIngressRejection(rejection),
    });
    this.#clientRequests = new ClientRequests({
      ingress: this.#ingress,
      executor: this.#executor,
      reject: (rejection) => this.#onIngressRejection(rejection),
    });
  }

  get status(): ReplicaStatus {
    return this.#replica.status;
  }
  /** What was executed, and what was put out by it, in one digest each. */
  get digests(): { readonly historyDigest: string; readonly executionDigest: string } {
    const { historyDigest, executionDigest } = this.#executor;
    return { historyDigest, executionDigest };
  }
  /** For audits and tests: the digest of the replicated state and of the history after the last executed batch. Costs what changed. */
  get stateDigests(): { readonly stateRoot: string; readonly historyDigest: string } {
    return { stateRoot: this.#executor.stateRoot(), historyDigest: this.#executor.historyDigest };
  }
  /** For audits and tests: the number of the last checkpoint, stable or not. */
  get lastCheckpoint(): number {
    return this.#executor.lastCheckpoint.seq;
  }
  /** What is compared with the other replicas: the own part of an audit. */
  get audited(): OwnAudit {
    const { executed, historyDigest, executionDigest, lastCheckpoint } = this.#executor;
    const { seq, stateRoot } = this.#replica.stable;
    return {
      executed,
      historyDigest,
      executionDigest,
      stateRoot: this.#executor.stateRoot(),
      stable: { seq, stateRoot },
      lastCheckpoint,
      outputs: this.#replica.recentOutputs,
      silentUpTo: this.#quarantine?.upTo ?? 0,
    };
  }
  /** See `Replica.fills`. */
  get fills(): readonly Fill[] {
    return [...this.#replica.fills, this.#evidence.fill, this.#gate.fill];
  }
  get evidenceCount(): number {
    return this.#evidence.count;
  }
  /** See `EvidenceShelf.dropped`. */
  get evidenceDropped(): number {
    return this.#evidence.dropped;
  }
  /** Effects that wait for a flush of the log. */
  get gatedEffects(): number {
    return this.#gate.waitingCount;
  }
  /** See `EvidenceShelf.kept`. */
  keptEvidence(): Iterable<KeptEvidence> {
    return this.#evidence.kept();
  }

  /** What came before `failure`, to be kept for those who look for its cause; see `encodeReplicaTrace`. */
  trace(failure: Error, madeBy: string): Omit<ReplicaTrace, "format"> {
    const { genesis, cluster, signer } = this.#options;
    const { name, message, stack = "" } = failure;
    return {
      madeBy,
      genesis,
      cluster,
      replica: signer.self,
      settings: { ...DEFAULT_HOST_SETTINGS, ...this.#options.settings },
      failure: { name, message, stack },
      ...this.#recorder.steps(),
    };
  }

  /** To be called once, when frames can be sent. */
  start(): void {
    const own = this.#durableState.revoteLast(this.#replica.status.lowWatermark);
    if (own !== undefined) this.#step({ type: "state-durable", ...own });
    this.#step({ type: "start" });
  }

  /**
   * A decoded frame from the replica at the other end of an authenticated link.
   *
   * @returns false when no correct replica sends such a thing: the link is to be cut, so that junk costs its sender a
   * new handshake (protocol rule 13.1).
   */
  onReplicaFrame(peer: ReplicaId, frame: ReplicaFrame): boolean {
    if (this.#isDead) return true;
    this.#isJunk = false;
    try {
      if (frame.type === "fetch-state") {
        this.#stateDonor.answer(peer, frame.fetch, this.#replica.stable, this.#now());
        return true;
      }
      const event = this.#ingress.fromReplica(peer, frame);
      if (event !== undefined) this.#step(event);
    } catch (error) {
      this.#onThrown(error);
    }
    return !this.#isJunk;
  }

  /**
   * A decoded frame from a client over its own authenticated link.
   *
   * @returns false when no correct client sends such a thing: the link is to be closed (protocol rule 13.1).
   */
  onClientFrame(client: PublicKey, frame: ClientFrame): boolean {
    if (this.#isDead) return true;
    try {
      return this.#onClientRequest(client, frame.request);
    } catch (error) {
      this.#onThrown(error);
      return true;
    }
  }

  /** The operator wants another primary: a primary asks to be relieved, a backup can do nothing (protocol rule 7.6). */
  askHandOver(): HandOverAnswer {
    const { view, target, primary, mute } = this.#replica.status;
    const isOrdering = view === target && mute === undefined && !this.#isDead;
    const isAsked = isOrdering && primary === this.#options.signer.self;
    this.#step({ type: "hand-over-asked" });
    return { isAsked, view, target, primary };
  }

  /** What a client is told when its link is up: hints for a start. */
  welcome(): ServerFrame {
    const { view, executed } = this.#replica.status;
    return { type: "welcome", epoch: this.#membership.epoch, view, executed };
  }

  /** Nothing happens any more; what was not flushed is not spoken. */
  stop(): void {
    this.#isDead = true;
  }

  #onClientRequest(client: PublicKey, request: Request): boolean {
    const outcome = this.#clientRequests.onRequest(client, request, this.#now());
    switch (outcome.type) {
      case "junk":
        return false;
      case "over-budget":
      case "silent":
        return true;
      case "answered":
        this.#reply(client, outcome.reply);
        return true;
      case "pending":
        this.#step({ type: "request", request: outcome.request, standing: outcome.standing });
        return true;
      default:
        return assertNever(outcome);
    }
  }

  #onIngressRejection(rejection: IngressRejection): void {
    if (JUNK_CODES.has(rejection.code)) this.#isJunk = true;
    this.#options.observer.onRejection?.(rejection);
  }

  /** Steps, and performs what may happen now; events that this brings about follow in order, never inside one another. */
  #step(event: ReplicaEvent): void {
    this.#events.push(event);
    if (this.#isDraining || this.#isDead) return;
    try {
      this.#drain();
      this.#flush();
      this.#leaveIfAsked();
    } catch (error) {
      this.#onThrown(error);
    }
  }

  #drain(): void {
    this.#isDraining = true;
    for (let event = this.#events.shift(); event !== undefined; event = this.#events.shift()) this.#stepOne(event);
    this.#isDraining = false;
  }

  #stepOne(event: ReplicaEvent): void {
    const atMs = this.#now();
    this.#recorder.begin(event, atMs);
    const stepped = this.#replica.step(event, atMs);
    this.#recorder.end(stepped);
    // Most votes change a count and ask for nothing.
    if (stepped.length === 0) return;
    this.#standingWatch.look(this.#replica);
    const { writes, effects } = this.#gate.push(stepped);
    const { store, codec } = this.#options;
    for (const record of writes) store.log.append(sequenceNumberOf(record), codec.encodeLogRecord(record));
    for (const effect of effects) this.#performOne(effect);
  }

  /**
   * One flush of the log at a time; what is written while it runs shares the next one. What was executed may reach the
   * disk later: only promises cannot be made again (protocol rule 8.3).
   */
  #flush(): void {
    const write = this.#gate.lastWrite;
    if (this.#isFlushing || this.#flushedWrite === write) return;
    this.#isFlushing = true;
    const { ports, observer, store } = this.#options;
    const startedMs = ports.monotonicMs();
    store.flushLog((failure) => {
      this.#isFlushing = false;
      if (this.#isDead) return;
      if (failure !== undefined) return this.#die(failure);
      this.#flushedWrite = write;
      observer.onLogFlushed?.(ports.monotonicMs() - startedMs);
      try {
        this.#afterFlush(write);
      } catch (error) {
        this.#onThrown(error);
      }
    });
  }

  #afterFlush(write: WriteNumber): void {
    this.#isDraining = true;
    for (const effect of this.#gate.onDurable(write)) this.#performOne(effect);
    this.#drain();
    this.#flush();
    this.#leaveIfAsked();
  }

  /** Never in the middle of a step: all that it asked for has been done by then, or waits for a flush, as before a crash. */
  #leaveIfAsked(): void {
    if (this.#leftFor === undefined || this.#isDead) return;
    this.#isDead = true;
    this.#leave(this.#leftFor);
  }

  #performOne(effect: Performed): void {
    const { ports, store, codec, observer } = this.#options;
    switch (effect.type) {
      case "send":
        return ports.sendToReplica(effect.to, effect.frame);
      case "broadcast":
        return ports.sendToReplicas(this.#others, effect.frame);
      case "execute":
        return this.#execute(effect);
      case "archive":
        return store.history.put(effect.seq, codec.encodeCommittedEntry(effect.entry));
      case "send-history":
        return this.#donor.send(effect, this.#now());
      case "cut":
        return this.#onStable(this.#durableState.cut(effect.upTo));
      case "fetch-state":
        this.#leftFor ??= { target: effect.target, distrustsEntries: false, quarantine: undefined };
        return;
      case "quarantine": {
        const { contradiction, upTo, target } = effect;
        const lastCheckpoint = this.#executor.lastCheckpoint.seq;
        this.#leftFor = { target, distrustsEntries: true, quarantine: { contradiction, upTo, lastCheckpoint } };
        return;
      }
      case "divergence":
        return observer.onDivergence?.(effect.divergence);
      case "start-timer":
        return ports.startTimer(effect.timer, effect.afterMs, () =>
          this.#step({ type: "timeout", timer: effect.timer, token: effect.token }),
        );
      case "cancel-timer":
        return ports.cancelTimer(effect.timer);
      case "evidence":
        if (this.#evidence.keep(effect.evidence)) observer.onEvidence?.(effect.evidence);
        return;
      case "rejected":
        return observer.onRejection?.(effect.rejection);
      case "refuse":
        return ports.sendToClient(effect.client, refusalFrame(effect));
      default:
        return assertNever(effect);
    }
  }

  #execute({ seq, batch }: Extract<Effect, { type: "execute" }>): void {
    const { observer } = this.#options;
    const { replies, historyDigest, executionDigest, progress, checkpoint } = this.#executor.execute(seq, batch);
    for (const { client, reply } of replies) this.#reply(client, reply);
    observer.onExecuted?.({
      seq,
      batchDigest: batch.digest,
      historyDigest,
      requests: batch.requests.length,
      sessionsEvicted: progress.evicted.length,
      isCheckpoint: checkpoint !== undefined,
    });
    if (checkpoint !== undefined) this.#durableState.makeDurable(checkpoint);
    this.#events.push({ type: "executed", seq, progress, executionDigest });
  }

  /** A quorum agrees with what came after a quarantine: the next one is the first again. */
  #onStable(seq: SequenceNumber): void {
    const { store, observer } = this.#options;
    if (this.#quarantine !== undefined && this.#quarantine.attempts > 0 && seq > this.#quarantine.upTo) {
      this.#quarantine = { ...this.#quarantine, attempts: 0 };
      writeQuarantine(store.local, this.#quarantine);
    }
    observer.onStable?.(seq);
  }

  #reply(client: PublicKey, executed: ExecutedReply): void {
    this.#options.ports.sendToClient(client, replyFrame(executed, this.#replica.view));
  }

  #afterStateFlush({ seq, stateRoot }: OwnCheckpoint, failure: Error | undefined): void {
    if (this.#isDead) return;
    if (failure !== undefined) return this.#die(failure);
    this.#step({ type: "state-durable", seq, stateRoot });
  }

  #now(): number {
    return this.#clock.nowMs();
  }

  /**
   * Whatever is thrown in here is our own bug or our own disk: the replica stops, and says nothing more. But a damaged entry of
   * the state, found before anything was made of it, is replaced by that of the others, and of each other entry it is
   * made sure that it is what the last stable checkpoint says (protocol rule 9.5).
   */
  #onThrown(error: unknown): void {
    const { stable } = this.#replica;
    if (error instanceof StateDamage && !this.#isDead) {
      this.#options.observer.onStateDamaged?.(error);
      const target = stable.signatures.length > 0 ? stable : undefined;
      this.#leftFor = { target, distrustsEntries: true, quarantine: undefined };
      return this.#leaveIfAsked();
    }
    this.#die(error instanceof Error ? error : new Error(String(error)));
  }

  #die(error: Error): void {
    if (this.#isDead) return;
    this.#isDead = true;
    this.#options.observer.onFatal(error);
  }
}

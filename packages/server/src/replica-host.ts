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
import type { AwaitedState } from "./awaited-state.ts";
import { BackupSlot } from "./backup/backup-slot.ts";
import type { RunningBackup } from "./backup/state-backup.ts";
import { refusalFrame, replyFrame } from "./client-frames.ts";
import { ClientRequests } from "./client-requests.ts";
import { DeferredExecution } from "./deferred-execution.ts";
import { readDisk } from "./disk-recovery.ts";
import { DurableState } from "./durable-state.ts";
import { EvidenceShelf, type KeptEvidence } from "./evidence-shelf.ts";
import { HistoryDonor } from "./history-donor.ts";
import type { HostExecution } from "./host-execution.ts";
import type { HostOptions } from "./host-options.ts";
import { DEFAULT_HOST_SETTINGS } from "./host-settings.ts";
import { Ingress, JUNK_CODES } from "./ingress.ts";
import type { HandOverAnswer, IngressRejection } from "./ports.ts";
import { type QuarantineRecord, readQuarantine, writeQuarantine } from "./quarantine-record.ts";
import { genesisCheckpoint, genesisTarget, replicaOptionsOf } from "./replica-setup.ts";
import type { ReplicaTrace } from "./replica-trace.ts";
import { Scrubber } from "./scrubber.ts";
import { ServedState } from "./served-state.ts";
import { StandingWatch } from "./standing-watch.ts";
import { SteadyClock } from "./steady-clock.ts";
import { StepRecorder } from "./step-recorder.ts";

type Performed = Exclude<Effect, { type: "persist" }>;

/** What identifies the state and all that was executed to come to it. */
export interface StateDigests {
  readonly stateRoot: string;
  readonly historyDigest: string;
}

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
        readonly statementsUpTo: SequenceNumber;
        /** The last own checkpoint. */
        readonly lastCheckpoint: SequenceNumber;
      }
    | undefined;
  /** What is damaged, if that is why. */
  readonly damage?: Error | undefined;
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
  /** Undefined while the state is brought here. */
  readonly #state: Executor | undefined;
  readonly #execution: HostExecution;
  readonly #ingress: Ingress;
  readonly #evidence: EvidenceShelf;
  readonly #donor: HistoryDonor;
  readonly #stateDonor: ServedState;
  readonly #backup: BackupSlot;
  readonly #leave: (departure: Departure) => void;
  #leftFor: Departure | undefined;
  /** The last one, over or not. */
  #quarantine: QuarantineRecord | undefined;
  readonly #clientRequests: ClientRequests;
  readonly #clock: SteadyClock;
  readonly #events: ReplicaEvent[] = [];
  readonly #votesMax: () => number;
  /**
   * What was put off beyond `#votesMax`. Not counted as executed, it holds the window and the filling of gaps where they are, as a
   * slow disk does, so that it is bounded as that is.
   */
  readonly #putOff: Extract<ReplicaEvent, { type: "executed" }>[] = [];
  #isDraining = false;
  #isFlushing = false;
  #isDead = false;
  /** The frame at hand cannot come from a correct replica. */
  #isJunk = false;
  /** See `#raiseAwaited`. */
  #raisedTo: SequenceNumber | undefined;
  /** Events of one turn come one by one, but writes of a whole burst share a flush: see `#flush`. */
  #flushedWrite = 0;
  readonly #standingWatch: StandingWatch;
  readonly #durableState: DurableState;
  readonly #scrubber: Scrubber | undefined;

  /**
   * Recovers from what the store holds.
   *
   * @param leave called when only the state of the others can help this replica; nothing happens in it afterwards.
   * @throws RecoveryError or StorageError when the disk holds what this replica cannot have written.
   */
  constructor(options: HostOptions, leave: (departure: Departure) => void, awaited?: AwaitedState) {
    const { genesis, cluster, store, codec, verifier, signer } = options;
    this.#options = options;
    this.#leave = leave;
    this.#votesMax = awaited?.votesMax ?? (() => Number.POSITIVE_INFINITY);
    this.#membership = genesisMembership(genesis);
    const { ports } = options;
    this.#clock = new SteadyClock(
      () => ports.nowMs(),
      () => ports.monotonicMs(),
    );
    this.#others = this.#membership.members.map(({ id }) => id).filter((id) => id !== signer.self);
    this.#quarantine = readQuarantine(store.local);
    const silentUpTo = this.#quarantine?.upTo;
    this.#state = awaited === undefined ? this.#newExecutor() : undefined;
    const genesisStable = genesisCheckpoint(this.#membership, cluster);
    this.#execution = this.#state ?? new DeferredExecution(awaited?.stable ?? genesisStable);
    this.#donor = new HistoryDonor({
      history: store.history,
      codec,
      ports: options.ports,
      reject: (rejection) => options.observer.onRejection?.(rejection),
      onDamage: (damage) => options.observer.onHistoryDamaged?.(damage),
    });
    this.#stateDonor = new ServedState(options, this.#execution, {
      nowMs: () => this.#now(),
      onThrown: (error) => this.#onThrown(error),
    });
    this.#backup = new BackupSlot({
      ...options,
      endedBy: () => this.#endOfBackups,
      onThrown: (error) => this.#onThrown(error),
    });
    this.#evidence = new EvidenceShelf(
      store.local,
      codec,
      options.hasher,
      this.#membership.members.map(({ id }) => id),
    );
    const disk = readDisk(store, codec, verifier, this.#membership, this.#execution.executed);
    const genesisBase = {
      stable: genesisStable,
      membership: this.#membership,
      view: viewNumber(0),
    };
    const { base, recovery } = recover(genesisBase, {
      ...disk,
      executionDigest: this.#state?.executionDigest,
      silentUpTo,
      awaitsState: awaited !== undefined,
    });
    this.#replica = new Replica(replicaOptionsOf(options), base, recovery);
    const settings = { ...DEFAULT_HOST_SETTINGS, ...options.settings };
    this.#gate = new OutputGate(settings.gatedMessagesMax);
    const { tracedStepsMax: stepsMax, tracedBytesMax: bytesMax } = settings;
    this.#recorder = new StepRecorder({ stepsMax, bytesMax }, { base, recovery });
    this.#standingWatch = new StandingWatch(options.observer, this.#replica);
    this.#durableState = new DurableState({
      store,
      awaited,
      executor: this.#execution,
      checkpointInterval: genesis.checkpointInterval,
      pinned: () => this.#pinned(),
      onFlushed: (own, failure) => this.#afterStateFlush(own, failure),
    });
    this.#scrubber =
      this.#state &&
      new Scrubber({
        ...options,
        executor: this.#state,
        bytesPerSecond: settings.scrubBytesPerSecond,
        onThrown: (error) => this.#onThrown(error),
      });
    this.#ingress = this.#newIngress();
    this.#clientRequests = new ClientRequests({
      ingress: this.#ingress,
      executor: this.#execution,
      reject: (rejection) => this.#onIngressRejection(rejection),
    });
  }

  #newExecutor(): Executor {
    const silentUpTo = this.#quarantine?.statementsUpTo;
    return new Executor({ ...this.#options, membership: this.#membership, silentUpTo });
  }

  #newIngress(): Ingress {
    const { verifier, hasher, cluster } = this.#options;
    return new Ingress({
      verifier,
      membership: this.#membership,
      relevance: this.#replica.relevance,
      view: () => this.#replica.view,
      digestOf: (batch) => digestBatch(hasher, cluster, batch).digest,
      nowMs: () => this.#now(),
      standingOf: (request) => this.#execution.standing(request),
      reject: (rejection: IngressRejection) => this.#onIngressRejection(rejection),
    });
  }

  get status(): ReplicaStatus {
    return this.#replica.status;
  }
  /** The last number that was executed, or put off while the state is brought here. */
  get executed(): SequenceNumber {
    return this.#replica.executed;
  }
  /** The stable checkpoint that its votes rest on: h, or s while the state is brought here (protocol rule 9.1). */
  get stable(): CheckpointCertificate {
    return this.#replica.stable;
  }
  /** What was executed, and what was put out by it, in one digest each; undefined while the state is brought here. */
  get digests(): { readonly historyDigest: string; readonly executionDigest: string } | undefined {
    if (this.#state === undefined) return undefined;
    const { historyDigest, executionDigest } = this.#state;
    return { historyDigest, executionDigest };
  }
  /**
   * For audits and tests: the digest of the replicated state and of the history after the last executed batch; undefined
   * while the state is brought here. Costs what changed.
   */
  get stateDigests(): StateDigests | undefined {
    return this.#state && { stateRoot: this.#state.stateRoot(), historyDigest: this.#state.historyDigest };
  }
  /** For audits and tests: the number of the last checkpoint, stable or not. */
  get lastCheckpoint(): number {
    return this.#execution.lastCheckpoint.seq;
  }
  /** What is compared with the other replicas: the own part of an audit; undefined while the state is brought here. */
  get audited(): OwnAudit | undefined {
    if (this.#state === undefined) return undefined;
    const { executed, historyDigest, executionDigest, lastCheckpoint } = this.#state;
    const { seq, stateRoot } = this.#replica.stable;
    return {
      executed,
      historyDigest,
      executionDigest,
      stateRoot: this.#state.stateRoot(),
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
  /** How much of its round the scrubber has done, from 0 to 1. */
  get scrubbed(): number {
    return this.#state?.scrubbed ?? 0;
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
    if (!this.#isDead) this.#scrubber?.start();
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
        // Without a state it says nothing: that it has none says nothing of what the others keep.
        if (this.#state !== undefined) this.#stateDonor.answer(peer, frame.fetch, this.#replica.stable);
        return true;
      }
      // What requests are worth is known by their sessions.
      if (frame.type === "request" && this.#state === undefined) return true;
      const event = this.#ingress.fromReplica(peer, frame);
      if (event !== undefined) this.#step(event);
    } catch (error) {
      this.#onThrown(error);
    }
    return !this.#isJunk;
  }

  /**
   * A decoded frame from a client over its own authenticated link. While the state is brought here, clients are left to
   * the others.
   *
   * @returns false when no correct client sends such a thing: the link is to be closed (protocol rule 13.1).
   */
  onClientFrame(client: PublicKey, frame: ClientFrame): boolean {
    if (this.#isDead || this.#state === undefined) return true;
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

  /** `AwaitedState.votesMax` has moved up: what was put off below counts as executed. */
  countExecuted(): void {
    this.#takePutOff();
    if (this.#events.length > 0) this.#takeSteps();
  }

  /** What a client is told when its link is up: hints for a start. */
  welcome(): ServerFrame {
    const { view, executed } = this.#replica.status;
    return { type: "welcome", epoch: this.#membership.epoch, view, executed };
  }

  /** The state at the last stable checkpoint as a backup, one at a time; undefined when there is none to be had. */
  openBackup(): RunningBackup | undefined {
    const { stable } = this.#replica;
    return this.#isDead ? undefined : this.#backup.open(stable, this.#state?.snapshotAt(stable.seq));
  }

  /** Nothing happens any more; what was not flushed is not spoken. */
  stop(): void {
    this.#isDead = true;
    this.#stateDonor.stop();
  }

  get #endOfBackups(): string | undefined {
    if (!this.#isDead) return undefined;
    return this.#leftFor === undefined ? "the replica stops" : "the replica has its state brought to it";
  }

  #pinned(): readonly SequenceNumber[] {
    return [...this.#stateDonor.pinned(this.#now()), ...this.#backup.pinned];
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
    this.#takeSteps();
  }

  #takeSteps(): void {
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
    if (this.#state === undefined) this.#raiseAwaited();
  }

  /**
   * The state is not here, and a later checkpoint is certified: votes rest on that one as soon as all batches below it are
   * in the history, durably, from where they are executed later (protocol rule 9.1, s). Members cannot change yet: those of
   * the certificate's epoch are those of genesis.
   */
  #raiseAwaited(): void {
    const { certified, stable, executed } = this.#replica;
    const { seq, stateRoot } = certified;
    if (seq <= stable.seq || seq > executed || seq === this.#raisedTo) return;
    this.#raisedTo = seq;
    this.#durableState.makeDurable({ seq, stateRoot });
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
    const { ports, codec, observer } = this.#options;
    switch (effect.type) {
      case "send":
        return ports.sendToReplica(effect.to, effect.frame);
      case "broadcast":
        return ports.sendToReplicas(this.#others, effect.frame);
      case "execute":
        return this.#execute(effect);
      case "archive":
        return this.#durableState.archive(effect.seq, codec.encodeCommittedEntry(effect.entry));
      case "send-history":
        return this.#donor.send(effect, this.#now());
      case "cut": {
        const stable = this.#durableState.cut(effect.upTo);
        return this.#state === undefined ? observer.onVoting?.(stable) : this.#onStable(stable);
      }
      case "fetch-state":
        this.#leftFor ??= { target: effect.target, distrustsEntries: false, quarantine: undefined };
        return;
      case "quarantine": {
        const { contradiction, upTo, statementsUpTo, target } = effect;
        const lastCheckpoint = this.#execution.lastCheckpoint.seq;
        const quarantine = { contradiction, upTo, statementsUpTo, lastCheckpoint };
        this.#leftFor = { target, distrustsEntries: true, quarantine };
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
    const { replies, historyDigest, executionDigest, progress, checkpoint } = this.#execution.execute(seq, batch);
    if (historyDigest !== undefined)
      observer.onExecuted?.({
        seq,
        batchDigest: batch.digest,
        historyDigest,
        requests: batch.requests.length,
        sessionsEvicted: progress.evicted.length,
        isCheckpoint: checkpoint !== undefined,
      });
    for (const { client, reply } of replies) this.#reply(client, reply);
    if (checkpoint !== undefined) this.#durableState.makeDurable(checkpoint);
    this.#putOff.push({ type: "executed", seq, progress, executionDigest });
    this.#takePutOff();
  }

  #takePutOff(): void {
    for (let next = this.#putOff[0]; next !== undefined && next.seq <= this.#votesMax(); next = this.#putOff[0]) {
      this.#putOff.shift();
      this.#events.push(next);
    }
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
    if (error instanceof StateDamage && !this.#isDead) {
      const { stable } = this.#replica;
      this.#options.observer.onStateDamaged?.(error);
      const target = stable.signatures.length > 0 ? stable : genesisTarget(this.#options);
      this.#leftFor = { target, distrustsEntries: true, quarantine: undefined, damage: error };
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

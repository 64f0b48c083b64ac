import type {
  CheckpointCertificate,
  Configuration,
  Epoch,
  Fill,
  Membership,
  PublicKey,
  ReadState,
  ReplicaFrame,
  ReplicaId,
  Request,
  SequenceNumber,
  ServerFrame,
} from "@quorate/protocol";
import type { Replica, ReplicaEvent, ReplicaStatus, WriteNumber } from "@quorate/replica";
import type { OwnCheckpoint } from "@quorate/state-machine";
import { AbsentState } from "./absent-state.ts";
import type { OwnAudit } from "./audit-document.ts";
import type { AwaitedState } from "./awaited-state.ts";
import type { RunningBackup } from "./backup/state-backup.ts";
import { BatchExecution } from "./batch-execution.ts";
import { replyFrame } from "./client-frames.ts";
import type { Departure } from "./departure.ts";
import { DurableState } from "./durable-state.ts";
import { EffectPerformer } from "./effect-performer.ts";
import { endOfEpoch } from "./end-of-epoch.ts";
import { EvidenceShelf, type KeptEvidence } from "./evidence-shelf.ts";
import { GatedLog, type Performed } from "./gated-log.ts";
import { HeldReplies } from "./held-replies.ts";
import { HistoryDonor } from "./history-donor.ts";
import { HostEnd } from "./host-end.ts";
import { HostInputs } from "./host-inputs.ts";
import type { HostOptions } from "./host-options.ts";
import { DEFAULT_HOST_SETTINGS, type HostSettings } from "./host-settings.ts";
import type { ExecutionDigests, HostState, StateDigests } from "./host-state.ts";
import { PastQuarantine } from "./past-quarantine.ts";
import type { HandOverAnswer } from "./ports.ts";
import { PresentState } from "./present-state.ts";
import { recoverReplica } from "./recover-replica.ts";
import { startTarget } from "./replica-setup.ts";
import type { ReplicaTrace } from "./replica-trace.ts";
import { StandingWatch } from "./standing-watch.ts";
import { SteadyClock } from "./steady-clock.ts";
import type { StepRecorder } from "./step-recorder.ts";

/**
 * Runs one `Replica` over ports: verifies what comes in, performs what comes out behind the output gate, executes, and
 * answers clients. Synchronous; production and the simulator differ only in the ports, the store and the scheme of
 * signatures. Here is its turn: an event is stepped, what may happen at once is performed, what that brings about is stepped in
 * order, and the log is flushed.
 */
export class ReplicaHost {
  readonly #options: HostOptions;
  readonly #settings: HostSettings;
  readonly #membership: Membership;
  readonly #configuration: Configuration;
  readonly #replica: Replica;
  readonly #recorder: StepRecorder;
  readonly #log: GatedLog;
  readonly #state: HostState;
  readonly #durableState: DurableState;
  readonly #batches: BatchExecution;
  readonly #inputs: HostInputs;
  readonly #effects: EffectPerformer;
  readonly #replies: HeldReplies;
  readonly #donor: HistoryDonor;
  readonly #evidence: EvidenceShelf;
  readonly #standingWatch: StandingWatch;
  readonly #clock: SteadyClock;
  readonly #end: HostEnd;
  readonly #events: ReplicaEvent[] = [];
  #isDraining = false;

  /**
   * Recovers from what the store holds.
   *
   * @param leave called when only the state of the others can help this replica; nothing happens in it afterwards.
   * @throws RecoveryError or StorageError when the disk holds what this replica cannot have written.
   */
  constructor(options: HostOptions, leave: (departure: Departure) => void, awaited?: AwaitedState) {
    const { epochs, store, codec, hasher, observer, ports } = options;
    this.#options = options;
    this.#settings = { ...DEFAULT_HOST_SETTINGS, ...options.settings };
    this.#end = new HostEnd({
      observer,
      leave,
      repairTarget: () => (this.stable.signatures.length > 0 ? this.stable : startTarget(options)),
    });
    this.#membership = epochs.membership;
    this.#configuration = epochs.configuration;
    this.#clock = new SteadyClock(
      () => ports.nowMs(),
      () => ports.monotonicMs(),
    );
    const quarantine = new PastQuarantine(store.local);
    this.#state = this.#stateOf(quarantine, awaited);
    const { execution } = this.#state;
    const members = this.#membership.members.map(({ id }) => id);
    this.#evidence = new EvidenceShelf(store.local, codec, hasher, members);
    const ground = { membership: this.#membership, state: this.#state, quarantine, awaitsState: awaited !== undefined };
    const { replica, recorder } = recoverReplica(options, ground);
    this.#replica = replica;
    this.#recorder = recorder;
    this.#replies = this.#newReplies();
    this.#standingWatch = new StandingWatch(observer, this.#replica);
    this.#durableState = new DurableState({
      store,
      awaited,
      executor: execution,
      checkpointInterval: epochs.configuration.checkpointInterval,
      pinned: () => this.#state.pinned(this.#now()),
      onFlushed: (own, failure) => this.#afterStateFlush(own, failure),
    });
    this.#batches = new BatchExecution({
      execution,
      observer,
      votesMax: awaited?.votesMax ?? (() => Number.POSITIVE_INFINITY),
      reply: (client, executed) => this.#replies.give(client, executed),
      onCheckpoint: (own) => this.#durableState.makeDurable(own),
      count: (event) => this.#events.push(event),
    });
    this.#donor = new HistoryDonor({
      ...options,
      history: store.history,
      reject: (rejection) => observer.onRejection?.(rejection),
      onDamage: (damage) => observer.onHistoryDamaged?.(damage),
    });
    this.#log = this.#newLog();
    this.#inputs = this.#newInputs();
    this.#effects = this.#newEffects(members);
  }

  #stateOf(quarantine: PastQuarantine, awaited: AwaitedState | undefined): HostState {
    if (awaited === undefined)
      return new PresentState({
        ...this.#options,
        membership: this.#membership,
        quarantine,
        nowMs: () => this.#now(),
        endedBy: () => this.#end.reason,
        onThrown: (error) => this.#end.onThrown(error),
      });
    return new AbsentState({
      stable: awaited.stable,
      activation: endOfEpoch(this.#options, awaited),
      observer: this.#options.observer,
      makeDurable: (checkpoint) => this.#durableState.makeDurable(checkpoint),
    });
  }

  #newReplies(): HeldReplies {
    return new HeldReplies({
      windowSize: this.#configuration.windowSize,
      stable: this.stable.seq,
      executed: this.#state.execution.executed,
      flush: (done) => this.#flushState(done),
      send: (client, reply) => this.#options.ports.sendToClient(client, replyFrame(reply, this.#replica.view)),
    });
  }

  #newLog(): GatedLog {
    return new GatedLog({
      ...this.#options,
      messagesMax: this.#settings.gatedMessagesMax,
      isDead: () => this.#end.isOver,
      onDurable: (write) => this.#end.guarded(() => this.#afterFlush(write)),
      onFailed: (failure) => this.#end.die(failure),
    });
  }

  #newInputs(): HostInputs {
    return new HostInputs({
      ...this.#options,
      membership: this.#membership,
      replica: this.#replica,
      state: this.#state,
      donor: this.#donor,
      nowMs: () => this.#now(),
      step: (event) => this.#step(event),
      reply: (client, executed) => this.#replies.give(client, executed),
    });
  }

  #newEffects(members: readonly ReplicaId[]): EffectPerformer {
    const { signer } = this.#options;
    return new EffectPerformer({
      ...this.#options,
      others: members.filter((id) => id !== signer.self),
      state: this.#state,
      onStable: (seq) => {
        this.#replies.onStable(seq);
        this.#state.onStable(seq);
      },
      batches: this.#batches,
      durableState: this.#durableState,
      donor: this.#donor,
      evidence: this.#evidence,
      nowMs: () => this.#now(),
      step: (event) => this.#step(event),
      depart: (departure) => this.#end.depart(departure),
    });
  }

  /** That it lives in. */
  get epoch(): Epoch {
    return this.#membership.epoch;
  }
  /** Requests that wait to be ordered: they are worth as much in the next epoch. */
  get pendingRequests(): Iterable<Request> {
    return this.#replica.pendingRequests;
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
  /** Undefined while the state is brought here, as are the next two. */
  get digests(): ExecutionDigests | undefined {
    return this.#state.digests;
  }
  /** For audits and tests: the digest of the replicated state and of the history after the last executed batch. */
  get stateDigests(): StateDigests | undefined {
    return this.#state.stateDigests;
  }
  /** See `HostState.audited`. */
  get audited(): OwnAudit | undefined {
    return this.#state.audited(this.#replica);
  }
  /** For audits and tests: the number of the last checkpoint, stable or not. */
  get lastCheckpoint(): number {
    return this.#state.execution.lastCheckpoint.seq;
  }
  /** See `Replica.fills`. */
  get fills(): readonly Fill[] {
    return [...this.#replica.fills, this.#evidence.fill, this.#log.fill, this.#replies.fill];
  }
  /** See `HostState.pendingChange`. */
  get pendingChange(): HostState["pendingChange"] {
    return this.#state.pendingChange;
  }
  /** See `HostState.scrubbed`. */
  get scrubbed(): number {
    return this.#state.scrubbed;
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
    return this.#log.waitingCount;
  }
  /** See `EvidenceShelf.kept`. */
  keptEvidence(): Iterable<KeptEvidence> {
    return this.#evidence.kept();
  }

  /** What came before `failure`, to be kept for those who look for its cause; see `encodeReplicaTrace`. */
  trace(failure: Error, madeBy: string): Omit<ReplicaTrace, "format"> {
    const { genesis, cluster, signer } = this.#options;
    const { checkpointInterval, windowSize } = this.#configuration;
    const { name, message, stack = "" } = failure;
    return {
      madeBy,
      genesis,
      configuration: { checkpointInterval, windowSize },
      cluster,
      replica: signer.self,
      settings: this.#settings,
      failure: { name, message, stack },
      ...this.#recorder.steps(),
    };
  }

  /** To be called once, when frames can be sent. */
  start(): void {
    const own = this.#durableState.revoteLast(this.#replica.status.lowWatermark);
    if (own !== undefined) this.#step({ type: "state-durable", ...own });
    this.#step({ type: "start" });
    if (!this.#end.isOver) this.#state.start();
  }

  /**
   * A decoded frame from the replica at the other end of an authenticated link.
   *
   * @returns false when no correct replica sends such a thing: the link is to be cut, so that junk costs its sender a
   * new handshake (protocol rule 13.1).
   */
  onReplicaFrame(peer: ReplicaId, frame: ReplicaFrame): boolean {
    if (this.#end.isOver) return true;
    this.#end.guarded(() => this.#inputs.onReplicaFrame(peer, frame));
    return !this.#inputs.isJunk;
  }

  /**
   * A request from a client over its own authenticated link.
   *
   * @returns false when no correct client sends such a thing: the link is to be closed (protocol rule 13.1).
   */
  onClientRequest(client: PublicKey, request: Request): boolean {
    if (this.#end.isOver) return true;
    return this.#end.guarded(() => this.#inputs.onClientRequest(client, request)) ?? true;
  }

  /**
   * A client reads the state at the last stable checkpoint (protocol rule 6.2).
   *
   * @returns false where there is no state to read.
   */
  onStateRead(client: PublicKey, read: ReadState): boolean {
    return !this.#end.isOver && this.#state.read(client, read, () => this.#replica.stable);
  }

  /** A decoded frame of an epoch that is over; see `HostInputs`. */
  onEarlierEpoch(peer: ReplicaId, frame: ReplicaFrame): boolean {
    if (this.#end.isOver) return true;
    this.#end.guarded(() => this.#inputs.onEarlierEpoch(peer, frame));
    return !this.#inputs.isJunk;
  }

  /** The operator wants another primary: a primary asks to be relieved, a backup can do nothing (protocol rule 7.6). */
  askHandOver(): HandOverAnswer {
    const { view, target, primary, mute } = this.#replica.status;
    const isOrdering = view === target && mute === undefined && !this.#end.isOver;
    const isAsked = isOrdering && primary === this.#options.signer.self;
    this.#step({ type: "hand-over-asked" });
    return { isAsked, view, target, primary };
  }

  /** `AwaitedState.votesMax` has moved up: what was put off below counts as executed. */
  countExecuted(): void {
    this.#batches.countExecuted();
    if (this.#events.length > 0) this.#takeSteps();
  }

  /** Whether a client may open sessions, as far as is known here. */
  isClientAdmitted(client: PublicKey): boolean {
    return this.#state.execution.isAdmitted(client);
  }

  /** What a client is told when its link is up: hints for a start. */
  welcome(): ServerFrame {
    const { view, executed } = this.#replica.status;
    return { type: "welcome", epoch: this.#membership.epoch, view, executed };
  }

  /** The state at the last stable checkpoint as a backup, one at a time; undefined when there is none to be had. */
  openBackup(): RunningBackup | undefined {
    return this.#end.isOver ? undefined : this.#state.openBackup(this.#replica.stable);
  }

  /** Nothing happens any more; what was not flushed is not spoken. */
  stop(): void {
    this.#end.stop();
    this.#state.stop();
  }

  /** Steps, and performs what may happen now; events that this brings about follow in order, never inside one another. */
  #step(event: ReplicaEvent): void {
    this.#events.push(event);
    this.#takeSteps();
  }

  #takeSteps(): void {
    if (this.#isDraining || this.#end.isOver) return;
    this.#end.guarded(() => this.#endTurn());
  }

  #endTurn(): void {
    this.#drain();
    this.#log.flush();
    this.#end.leaveIfAsked();
  }

  #drain(): void {
    this.#isDraining = true;
    for (let event = this.#events.shift(); event !== undefined; event = this.#events.shift()) this.#stepOne(event);
    this.#isDraining = false;
    this.#state.onVotes(this.#replica);
  }

  #stepOne(event: ReplicaEvent): void {
    const atMs = this.#now();
    this.#recorder.begin(event, atMs);
    const stepped = this.#replica.step(event, atMs);
    this.#recorder.end(stepped);
    // Most votes change a count and ask for nothing.
    if (stepped.length === 0) return;
    this.#standingWatch.look(this.#replica);
    this.#perform(this.#log.push(stepped));
  }

  #perform(effects: readonly Performed[]): void {
    for (const effect of effects) this.#effects.perform(effect);
  }

  #afterFlush(write: WriteNumber): void {
    // What comes back meanwhile waits for its turn, which is the one that begins here.
    this.#isDraining = true;
    this.#perform(this.#log.release(write));
    this.#endTurn();
  }

  #afterStateFlush({ seq, stateRoot }: OwnCheckpoint, failure: Error | undefined): void {
    if (this.#end.isOver) return;
    if (failure !== undefined) return this.#end.die(failure);
    this.#step({ type: "state-durable", seq, stateRoot });
  }

  #flushState(done: () => void): void {
    this.#options.store.flush((failure) => {
      if (this.#end.isOver) return;
      if (failure !== undefined) return this.#end.die(failure);
      done();
    });
  }

  #now(): number {
    return this.#clock.nowMs();
  }
}

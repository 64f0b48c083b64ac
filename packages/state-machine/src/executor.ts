import { executionDigest, historyDigest, seedDigest } from "@quorate/crypto";
import {
  type CheckpointRequest,
  type ClusterId,
  type Configuration,
  type Digest,
  type DigestedCertifiedBatch,
  type DigestedRequest,
  type Epoch,
  type ExecutionProgress,
  type Genesis,
  type Hasher,
  invariant,
  NO_MEMBER,
  nextSequenceNumber,
  type OperationsRequest,
  type PublicKey,
  type ReconfigurationRequest,
  type Reply,
  type RequestStanding,
  type SequenceNumber,
  type Signer,
  type Statement,
  type TimestampMs,
  timestampMs,
} from "@quorate/protocol";
import type { JudgedChange, PendingChange, Rejoin } from "@quorate/reconfiguration";
import type { ScrubBudget, ScrubSlice, Snapshot } from "@quorate/state-tree";
import { CommittedConfiguration, type ConfigurationBatch } from "./committed-configuration.ts";
import { CommittedSessions, isInWindow, readReply } from "./committed-sessions.ts";
import type { ExecutionStore } from "./execution-store.ts";
import { CheckpointRule } from "./ordered-checkpoint.ts";
import type { KeptLeaf, Output } from "./output-record.ts";
import { Outputs, treeOf } from "./outputs.ts";
import { Overlay } from "./overlay.ts";
import { encodeProgress, type Progress } from "./records.ts";
import { RequestExecution, type RequestOutput } from "./request-execution.ts";
import { type OwnCheckpoint, RootedState } from "./rooted-state.ts";
import type { Service } from "./service.ts";
import { ServiceNotices } from "./service-notices.ts";
import { progressOf, SessionTable } from "./session-table.ts";
import { PROGRESS_KEY } from "./state-keys.ts";

/** What an `Executor` is made of. */
export interface ExecutorOptions {
  readonly service: Service;
  readonly store: ExecutionStore;
  readonly genesis: Genesis;
  readonly cluster: ClusterId;
  readonly hasher: Hasher;
  /** Where it is no member's it signs no statement, so that nobody is answered. */
  readonly signer: Signer;
  /** The epoch that it signs in: what it says of another one has no signature. Undefined: of each. */
  readonly signsIn?: Epoch | undefined;
  /** After a quarantine: up to there no statement is signed, for others were, perhaps different ones (protocol rule 9.5). */
  readonly silentUpTo?: SequenceNumber | undefined;
}

/** A reply but for the view, which the replica adds when it sends. */
export type ExecutedReply = Omit<Reply, "view">;

/** One batch while it is executed. */
interface BatchPlace {
  readonly overlay: Overlay;
  readonly table: SessionTable;
  readonly configuration: ConfigurationBatch;
  readonly seq: SequenceNumber;
  readonly timestampMs: TimestampMs;
  readonly history: Digest;
}

/** What executing one batch brought. */
export interface Execution {
  readonly seq: SequenceNumber;
  /** The agreed time of the batch. */
  readonly timestampMs: TimestampMs;
  readonly historyDigest: Digest;
  /** See `Executor.executionDigest`. */
  readonly executionDigest: Digest;
  readonly statement: Statement;
  /** The state after the batch, if it is a checkpoint: a multiple of K, or one that it ordered (protocol rule 9.1). */
  readonly checkpoint: OwnCheckpoint | undefined;
  /** The last number of the epoch of this batch, where a change waits for it: this batch, perhaps. */
  readonly activation: SequenceNumber | undefined;
  /** What became of each reconfiguration in the batch. */
  readonly changes: readonly JudgedChange[];
  readonly progress: ExecutionProgress;
  /** In the order of the batch. They may be sent at once: the promises behind them are durable, execution is repeatable. */
  readonly replies: readonly { readonly client: PublicKey; readonly reply: ExecutedReply }[];
}

const NO_SIGNATURE = new Uint8Array(0);

/**
 * Executes committed batches in order, once (protocol rules 3, 4.7 and 5.1). State, session table, progress and the
 * outputs of a batch become one atomic group of its store (rule 8.3), and all that execution reads is in the replicated
 * state, so an executor made over the same store goes on where the last one ended.
 */
export class Executor {
  readonly #o: ExecutorOptions;
  readonly #state: RootedState;
  readonly #sessions: CommittedSessions;
  readonly #outputs: Outputs;
  readonly #configuration: CommittedConfiguration;
  readonly #notices: ServiceNotices;
  #checkpointRule: CheckpointRule;
  #progress: Progress;

  /**
   * Goes on from what the store holds; an empty one is given the genesis state.
   *
   * @throws StateError for the state of another cluster, or one that does not read back.
   */
  constructor(options: ExecutorOptions) {
    this.#o = options;
    const { genesis, store, hasher, cluster } = options;
    this.#state = new RootedState({ store, hasher, genesis, cluster });
    this.#progress = this.#state.open();
    this.#sessions = new CommittedSessions(this.#state.reader);
    this.#outputs = new Outputs(store.local, hasher);
    this.#configuration = new CommittedConfiguration(this.#state.reader, genesis, this.#progress.executed);
    this.#checkpointRule = new CheckpointRule(this.#configuration.current);
    this.#notices = new ServiceNotices(options.service, genesis.limits.requestBytesMax);
    this.#notices.open(this.#state.reader);
  }

  /** The last executed sequence number. */
  get executed(): SequenceNumber {
    return this.#progress.executed;
  }
  /** The hash chain over all executed batches. */
  get historyDigest(): Digest {
    return this.#progress.historyDigest;
  }
  /** The hash chain over all statements: two replicas with the same have put out the same, all the way (protocol rule 9.5). */
  get executionDigest(): Digest {
    return this.#progress.executionDigest;
  }
  /** The agreed time of the last executed batch. */
  get timestampMs(): TimestampMs {
    return this.#progress.timestampMs;
  }

  /** What is in force: that of the next epoch as soon as the last batch of one is executed (protocol rule 11.2). */
  get configuration(): Configuration {
    return this.#configuration.current;
  }
  /** The last number of this epoch, where a change has been ordered; undefined otherwise. */
  get activation(): SequenceNumber | undefined {
    return this.#configuration.record.pending?.activation;
  }
  /** What waits for that, see `PendingChange`. */
  get pendingChange(): PendingChange | undefined {
    return this.#configuration.record.pending;
  }
  /** How members rejoined last, see `Rejoin`. */
  get rejoins(): readonly Rejoin[] {
    return this.#configuration.record.rejoins;
  }

  /**
   * Executes the batch that follows. When it returns, everything is written, though not yet durable.
   *
   * @throws what the store throws when it fails: nothing of the batch was written, and the replica must stop.
   */
  execute(seq: SequenceNumber, batch: DigestedCertifiedBatch): Execution {
    invariant(seq === this.executed + 1, "execution.order", { seq, executed: this.executed });
    const { hasher, cluster } = this.#o;
    const { epoch } = this.#configuration.current;
    const history = historyDigest(hasher, cluster, this.historyDigest, seq, batch.digest);
    const time = timestampMs(Math.max(this.timestampMs, batch.timestampMs));
    const overlay = new Overlay(this.#state.reader);
    const table = this.#tableFor(overlay, seq);
    const configuration = this.#configuration.beginBatch(seq, this.#state.lastCheckpoint);
    const batchPlace = { overlay, table, configuration, seq, timestampMs: time, history };
    const { outputs, hasOrderedCheckpoint } = this.#executeRequests(batch.requests, batchPlace);
    const isCheckpoint = this.#checkpointRule.isRegular(seq) || hasOrderedCheckpoint;
    const lastCheckpoint = isCheckpoint ? seq : this.#progress.lastCheckpoint;

    const leaves = outputs.map((output) => output.leaf);
    const tree = treeOf(hasher, leaves);
    const statement: Statement = { epoch, seq, historyDigest: history, outputsRoot: tree.root };
    const execution = executionDigest(hasher, cluster, this.executionDigest, statement);
    const kept = this.#sign(statement, leaves);
    const { sessions, nonces } = table;
    const progress: Progress = {
      cluster,
      executed: seq,
      historyDigest: history,
      executionDigest: execution,
      timestampMs: time,
      sessions,
      nonces,
      lastCheckpoint,
    };
    overlay.put(PROGRESS_KEY, encodeProgress(progress));
    const written = leaves.length > 0 ? [this.#outputs.changeFor(kept)] : [];
    this.#state.write(overlay, written, isCheckpoint ? seq : undefined);

    this.#progress = progress;
    this.#sessions.adopt(table.changed);
    this.#adoptConfiguration(configuration);
    if (leaves.length > 0) this.#outputs.adopt(kept, tree);
    return {
      seq,
      timestampMs: time,
      historyDigest: history,
      executionDigest: execution,
      statement,
      checkpoint: isCheckpoint ? this.#state.lastCheckpoint : undefined,
      activation: configuration.activation,
      changes: configuration.changes,
      progress: {
        answered: leaves.map((leaf) => leaf.requestDigest),
        sessions: progressOf(table.changed),
        evicted: table.evicted,
        lastCheckpoint,
      },
      replies: isSigned(kept)
        ? outputs.map(({ client, leaf, results }, index) => ({
            client,
            reply: this.#replyOf(kept, leaf, results, tree.path(index)),
          }))
        : [],
    };
  }

  /**
   * The reply to a request that was executed, made again; undefined unless its standing is `answered`, and where this replica is
   * silent.
   */
  replyTo(request: DigestedRequest): ExecutedReply | undefined {
    const place = this.#outputs.placeOf(request.digest);
    if (place === undefined || this.standing(request).type !== "answered") return undefined;
    // What it has put out there before it was repaired may still be kept, and is wrong.
    if (place.seq <= (this.#o.silentUpTo ?? 0)) return undefined;
    const { output, tree } = this.#outputs.at(place.seq);
    if (!isSigned(output)) return undefined;
    const leaf = output.leaves[place.index];
    invariant(leaf?.requestDigest === request.digest, "outputs.place", { seq: place.seq, index: place.index });
    const results =
      place.inline ??
      readReply(this.#state.reader, leaf.session, leaf.number, this.#o.genesis.limits.sessionWindow).results;
    return this.#replyOf(output, leaf, results, tree.path(place.index));
  }

  /** Where a request stands in the executed state. */
  standing({ request, digest }: DigestedRequest): RequestStanding {
    if (request.type === "operations") return this.#standingInSession(request, digest);
    if (this.#outputs.placeOf(digest) !== undefined) return { type: "answered" };
    if (request.type === "checkpoint") return this.#standingOfCheckpoint(request);
    if (request.type === "reconfiguration") return this.#standingOfChange(request);
    if (this.#state.isNonceRemembered(request.client, request.nonce)) return { type: "answer-lost" };
    const isOpening = request.lastValid > this.executed && this.isAdmitted(request.client);
    return { type: isOpening ? "executable" : "refusable" };
  }

  /** Whether a client may open sessions (protocol rule 11.1). */
  isAdmitted(client: PublicKey): boolean {
    return this.#configuration.isAdmitted(client);
  }

  /** The last checkpoint that execution came to, stable or not. */
  get lastCheckpoint(): OwnCheckpoint {
    return this.#state.lastCheckpoint;
  }

  /** The state root at a checkpoint that is kept. */
  checkpointRoot(seq: SequenceNumber): Digest | undefined {
    return this.#state.rootAt(seq);
  }

  /** The state at a checkpoint that is kept. */
  snapshotAt(seq: SequenceNumber): Snapshot | undefined {
    return this.#state.at(seq);
  }

  /**
   * A checkpoint is stable: of those below it only the last is kept, and those that are `pinned`, because they are being
   * fetched. Outputs at or below `answeredTo` are forgotten: their statements are not made again.
   */
  collect(stable: SequenceNumber, answeredTo: SequenceNumber, pinned: readonly SequenceNumber[] = []): void {
    this.#state.collectCheckpoints(stable, pinned);
    const changes = this.#outputs.collect(answeredTo);
    if (changes.length > 0) this.#o.store.writeAtomically({ state: [], local: changes });
  }

  /** Identifies the whole replicated state as of `executed`. Costs what changed since the last checkpoint. */
  stateRoot(): Digest {
    return this.#state.root();
  }

  /** Whether the state root is that of what the store really holds. Reads all of it. */
  verifyStateRoot(): boolean {
    return this.#state.verify();
  }

  /**
   * Looks at the next part of the state, as far as the budget goes, for what the disk has changed.
   *
   * @throws StateDamage
   */
  scrub(budget: ScrubBudget): ScrubSlice {
    return this.#state.scrub(budget);
  }

  /** How much of this round of `scrub` is done, from 0 to 1. */
  get scrubbed(): number {
    return this.#state.scrubbed;
  }

  #adoptConfiguration(batch: ConfigurationBatch): void {
    const before = this.#configuration.current;
    this.#configuration.adopt(batch);
    const { current } = this.#configuration;
    if (current !== before) this.#checkpointRule = new CheckpointRule(current);
  }

  #tableFor(overlay: Overlay, seq: SequenceNumber): SessionTable {
    const { hasher, cluster, genesis } = this.#o;
    const { sessions, nonces } = this.#progress;
    const { limits } = genesis;
    const committed = this.#sessions;
    return new SessionTable({ committed, overlay, limits, hasher, cluster, seq, sessions, nonces });
  }

  #executeRequests(
    requests: readonly DigestedRequest[],
    { overlay, table, configuration, seq, timestampMs, history }: BatchPlace,
  ): { readonly outputs: readonly RequestOutput[]; readonly hasOrderedCheckpoint: boolean } {
    const { service, hasher, cluster, genesis } = this.#o;
    const { limits } = genesis;
    const batchSeed = seedDigest(hasher, cluster, history, seq);
    const valueBytesMax = limits.requestBytesMax;
    const surroundings = { service, overlay, hasher, seq, timestampMs, batchSeed, valueBytesMax };
    const checkpointRule = this.#checkpointRule;
    const checkpointPlace = { seq, last: this.#progress.lastCheckpoint };
    const execution = new RequestExecution({
      table,
      surroundings,
      limits,
      hasher,
      configuration,
      checkpointRule,
      checkpointPlace,
    });
    table.forgetNonces();
    const outputs = new Map<Digest, RequestOutput>();
    requests.forEach((request, index) => {
      // A primary may order a request twice in one batch: it has one output, and the first place counts.
      if (outputs.has(request.digest)) return;
      const output = execution.execute(request, index);
      if (output !== undefined) outputs.set(request.digest, output);
    });
    if (configuration.finish(overlay)) this.#notices.onMembership(configuration.record, surroundings);
    this.#notices.finishBatch(overlay);
    table.finish();
    return { outputs: [...outputs.values()], hasOrderedCheckpoint: execution.hasOrderedCheckpoint };
  }

  #sign(statement: Statement, leaves: readonly KeptLeaf[]): Output {
    const { signer, signsIn = statement.epoch, silentUpTo = 0 } = this.#o;
    const isMember = signer.self !== NO_MEMBER && statement.epoch === signsIn;
    const isSaid = isMember && leaves.length > 0 && statement.seq > silentUpTo;
    return { statement, signature: isSaid ? signer.signStatement(statement) : NO_SIGNATURE, leaves };
  }

  #replyOf(
    { statement, signature }: Output,
    { session, number, requestDigest }: KeptLeaf,
    results: ExecutedReply["results"],
    path: ExecutedReply["path"],
  ): ExecutedReply {
    return { from: this.#o.signer.self, statement, signature, session, number, requestDigest, results, path };
  }

  /**
   * As it would be judged in the next batch. One whose answer is gone is not ordered again for the same answer: there is a
   * checkpoint above its number, and by that it would be refused.
   */
  #standingOfCheckpoint(request: CheckpointRequest): RequestStanding {
    const place = { seq: nextSequenceNumber(this.executed), last: this.#progress.lastCheckpoint };
    return { type: this.#checkpointRule.judge(request, place) === "ok" ? "executable" : "refusable" };
  }

  /** As it would be judged in the next batch. One whose nonce is spent was executed, and its answer is gone. */
  #standingOfChange(request: ReconfigurationRequest): RequestStanding {
    const verdict = this.#configuration.judge(request, nextSequenceNumber(this.executed));
    if (verdict.type !== "refused" || verdict.isNonceSpent) return { type: "executable" };
    return { type: verdict.refusal === "nonce-used" ? "answer-lost" : "refusable" };
  }

  #standingInSession(request: OperationsRequest, digest: Digest): RequestStanding {
    const { sessionWindow } = this.#o.genesis.limits;
    const session = this.#sessions.find(request.session);
    const place = this.#outputs.placeOf(digest);
    if (session?.client === request.client) {
      if (request.number > session.expected) return { type: "ahead", expected: session.expected };
      if (request.number === session.expected) return { type: "executable" };
      if (isInWindow(session, request.number, sessionWindow)) {
        if (place !== undefined) return { type: "answered" };
        const reply = readReply(this.#state.reader, session.id, request.number, sessionWindow);
        return { type: reply.requestDigest === digest ? "answer-lost" : "refusable" };
      }
    }
    // What would be refused now was answered if the refusal is kept. A kept output of an execution says nothing any
    // more: its results have left the session's window.
    return { type: place?.inline === undefined ? "refusable" : "answered" };
  }
}

function isSigned({ signature }: Output): boolean {
  return signature.length > 0;
}

import {
  type Base,
  type Batch,
  type BatchComposer,
  type Commit,
  type Digest,
  type DigestedRequest,
  type ExecutionProgress,
  type Fill,
  invariant,
  type Lack,
  type Membership,
  nextSequenceNumber,
  type Outbox,
  type PrePrepare,
  type Prepare,
  type PreparedCertificate,
  primaryOf,
  quorumSize,
  type RejectionCode,
  type ReplicaFrame,
  type ReplicaId,
  type Request,
  type RequestStanding,
  type SequenceNumber,
  type Signer,
  sequenceNumber,
  type ThreePhaseMessage,
  timestampMs,
  type VerifiedBatch,
  type VerifiedCommittedEntry,
  type VerifiedEnvelope,
  type VerifiedNewView,
  type VerifiedRequest,
  type ViewNumber,
  weakQuorumSize,
} from "@quorate/protocol";
import { ClockWait } from "./clock-wait.ts";
import { type Decision, decisionsOf, NO_DECISIONS } from "./decision.ts";
import { PreparedSet } from "./prepared-set.ts";
import { type BatchLimits, RequestQueue, type RequestQueueLimits } from "./request-queue.ts";
import type { Slot, VoteOutcome } from "./slot.ts";
import { Waits } from "./waits.ts";
import { Window } from "./window.ts";

/** How one replica orders; the bounds on batches come from genesis, the rest is local. */
export interface OrderingOptions {
  readonly signer: Signer;
  readonly composer: BatchComposer;
  /** What fills a gap: time 0, no requests. */
  readonly nullBatch: VerifiedBatch;
  /** L of genesis. */
  readonly windowSize: number;
  readonly limits: BatchLimits;
  /** δ of genesis: how far ahead of the own clock a proposal's time may be. */
  readonly clockToleranceMs: number;
  /** How many proposed numbers may be undecided; what arrives meanwhile forms the next batch (protocol rule 4.6). */
  readonly pipelineDepthMax: number;
  readonly queue: RequestQueueLimits;
}

/** What the log held of former promises, see `Ordering.restore`. */
export interface RestoredOrdering {
  /** Of the current view. */
  readonly slots: readonly RestoredSlot[];
  /** Of the highest view for each number above the stable checkpoint; the body where the log has it. */
  readonly prepared: readonly {
    readonly certificate: PreparedCertificate;
    readonly batch: VerifiedBatch | undefined;
  }[];
}

/** What the log held about numbers above the executed one, see `Ordering.restore`. */
export interface RestoredSlot {
  readonly prePrepare: VerifiedEnvelope<PrePrepare>;
  readonly batch: VerifiedBatch;
  /** The PREPAREs of a prepared certificate, when one was written. */
  readonly prepares: readonly VerifiedEnvelope<Prepare>[] | undefined;
}

/** The normal case (OSDI'99 §4.2): three phases over the window (h, h+L] of the current view. */
export class Ordering {
  readonly #options: OrderingOptions;
  readonly #queue: RequestQueue;
  readonly #membership: Membership;
  #view: ViewNumber;
  /** The highest number that this replica, as primary, has proposed. */
  #lastProposed: SequenceNumber;
  #highestAccepted: SequenceNumber;
  readonly #window: Window;
  readonly #clockWait: ClockWait;
  readonly #preparedSet = new PreparedSet();
  /** Numbers that prepared here in this view and are not executed (protocol rule 7.4). */
  readonly #unexecuted = new Waits<SequenceNumber>();
  /** Whether this view still orders here: no VIEW-CHANGE has left it. */
  #isActive = true;
  /** Of the membership and the view; asked for with every message. */
  #primary: ReplicaId;
  readonly #quorum: number;
  readonly #weakQuorum: number;

  constructor(options: OrderingOptions, base: Base, executed: SequenceNumber) {
    invariant(options.pipelineDepthMax >= 1, "ordering.pipeline-depth", { depth: options.pipelineDepthMax });
    invariant(executed >= base.stable.seq, "ordering.executed-below-stable", { executed, stable: base.stable.seq });
    this.#options = options;
    this.#queue = new RequestQueue(options.queue);
    this.#membership = base.membership;
    this.#view = base.view;
    this.#primary = primaryOf(base.membership, base.view);
    this.#quorum = quorumSize(base.membership);
    this.#weakQuorum = weakQuorumSize(base.membership);
    this.#lastProposed = executed;
    this.#highestAccepted = executed;
    this.#clockWait = new ClockWait(options.clockToleranceMs);
    this.#window = new Window(options.windowSize, base.stable.seq, executed);
  }

  get view(): ViewNumber {
    return this.#view;
  }
  get lowWatermark(): SequenceNumber {
    return this.#window.low;
  }
  get highWatermark(): SequenceNumber {
    return this.#window.high;
  }
  get lastDelivered(): SequenceNumber {
    return this.#window.lastDelivered;
  }
  /** The highest number for which a pre-prepare was accepted or sent. */
  get highestAccepted(): SequenceNumber {
    return this.#highestAccepted;
  }
  /** See `Window.highestHeard`. */
  get highestHeard(): SequenceNumber {
    return this.#window.highestHeard;
  }
  get pendingCount(): number {
    return this.#queue.size;
  }
  get fills(): readonly Fill[] {
    const { windowSize } = this.#options;
    const prepared = { of: "prepared certificates", size: this.#preparedSet.size, max: windowSize };
    const unexecuted = { of: "prepared and not executed", size: this.#unexecuted.size, max: windowSize };
    return [...this.#queue.fills, ...this.#window.fills, prepared, unexecuted];
  }
  /** Whether this replica orders in its view and is the view's primary. */
  get isPrimary(): boolean {
    return this.#isActive && this.#primary === this.#options.signer.self;
  }
  /** Since when the oldest work that the primary ought to have done waits (protocol rule 7.4). */
  get oldestWaitAtMs(): number | undefined {
    const requests = this.#queue.oldestAtMs;
    const unexecuted = this.#unexecuted.oldestAtMs;
    if (requests === undefined || unexecuted === undefined) return requests ?? unexecuted;
    return Math.min(requests, unexecuted);
  }
  /** What prepared here above h, in any view, ascending by number (OSDI'99 §4.4, set P). */
  get preparedCertificates(): PreparedCertificate[] {
    return this.#preparedSet.certificates;
  }
  get primary(): ReplicaId {
    return this.#primary;
  }

  /**
   * Where a three-phase message stands relative to the view and the window; "future" ones, of views or numbers that are
   * not reached, may wait in the backlog.
   */
  classify({ view, seq }: ThreePhaseMessage): "current" | "future" | RejectionCode {
    if (view < this.#view) return "view.past";
    if (seq <= this.#window.low) return "window.below";
    if (view > this.#view) return "future";
    if (!this.#isActive) return "view.past";
    return seq > this.#window.high ? "future" : "current";
  }

  /**
   * Whether a vote can change nothing any more, so that verifying it would be wasted (protocol rule 13.1). A vote for
   * another digest than the decided one is never redundant: verified, it is evidence.
   */
  isRedundant(from: ReplicaId, message: ThreePhaseMessage): boolean {
    const standing = this.classify(message);
    const isDelivered = message.seq <= this.#window.lastDelivered;
    if (this.#isOutOfTurn(from, message)) return true;
    if (standing === "future") return isDelivered;
    if (standing !== "current") return true;
    const decided = this.#window.decisionAt(message.seq);
    const slot = this.#window.find(message.seq);
    if (slot === undefined) return isDelivered || decided?.batch.digest === message.digest;
    return slot.isRedundant(from, message, isDelivered ? slot.digest : decided?.batch.digest);
  }

  /** Whether this very proposal is held: repeated, it can bring nothing but its body. */
  isProposalHeld({ view, seq, digest }: PrePrepare): boolean {
    return view === this.#view && this.#window.find(seq)?.digest === digest;
  }

  /** Whether a batch with this digest is missing: looked at before the signatures of a body that came. */
  isBodyAwaited(digest: Digest): boolean {
    return this.#slotWaitingFor(digest) !== undefined;
  }

  onRequest(
    request: VerifiedRequest,
    standing: RequestStanding,
    atMs: number,
    out: Outbox,
  ): "added" | "known" | "full" {
    const outcome = this.#queue.add(request, standing, atMs, this.isPrimary);
    if (outcome === "added") this.#propose(atMs, out);
    return outcome;
  }

  /** A pre-prepare; `batch` is undefined when its body was missing or not what it should be (protocol rule 4.4). */
  onPrePrepare(
    envelope: VerifiedEnvelope<PrePrepare>,
    batch: VerifiedBatch | undefined,
    atMs: number,
    out: Outbox,
  ): readonly Decision[] {
    const { from, message } = envelope;
    // Nor is one that bears the own key ours: whoever proposes knows what it proposed.
    if (this.#isOutOfTurn(from, message)) {
      out.push({ type: "rejected", rejection: { code: "pre-prepare.not-from-primary", from, seq: message.seq } });
      return NO_DECISIONS;
    }
    const slot = this.#window.slotAt(this.#view, message.seq);
    if (!this.#isCounted(slot.addPrePrepare(envelope), out) && slot.digest !== message.digest) return NO_DECISIONS;
    if (this.#window.isDecided(message.seq)) return NO_DECISIONS;
    if (batch === undefined) return this.#fetchBody(slot, out);
    if (batch.digest !== message.digest) {
      const { digest } = message;
      out.push({
        type: "rejected",
        rejection: { code: "pre-prepare.digest-mismatch", from, seq: message.seq, digest },
      });
      return this.#fetchBody(slot, out);
    }
    slot.batch ??= batch;
    return decisionsOf(this.#accept(slot, atMs, out), this.#decide(slot, out));
  }

  onPrepare(envelope: VerifiedEnvelope<Prepare>, atMs: number, out: Outbox): readonly Decision[] {
    const { from, message } = envelope;
    if (this.#isOutOfTurn(from, message)) {
      out.push({ type: "rejected", rejection: { code: "prepare.from-primary", from, seq: message.seq } });
      return NO_DECISIONS;
    }
    const slot = this.#window.slotAt(this.#view, message.seq);
    if (!this.#isCounted(slot.addPrepare(envelope), out) || this.#window.isDecided(message.seq)) return NO_DECISIONS;
    // f+1 PREPAREs end the wait for a proposal whose time is ahead of ours (protocol rule 4.7).
    return decisionsOf(this.#accept(slot, atMs, out), this.#prepared(slot, atMs, out));
  }

  onCommit(envelope: VerifiedEnvelope<Commit>, out: Outbox): readonly Decision[] {
    const slot = this.#window.slotAt(this.#view, envelope.message.seq);
    if (!this.#isCounted(slot.addCommit(envelope), out)) return NO_DECISIONS;
    return this.#decide(slot, out);
  }

  /** A body that was asked for by digest. False when nobody waits for it. */
  onBatchBody(batch: VerifiedBatch, atMs: number, out: Outbox): readonly Decision[] | undefined {
    const slot = this.#slotWaitingFor(batch.digest);
    if (slot === undefined) return undefined;
    slot.batch = batch;
    return decisionsOf(this.#accept(slot, atMs, out), this.#decide(slot, out));
  }

  /** A decision of others with its certificate; valid in any view and not bound to the window (protocol rule 4.5). */
  onCommitted(entry: VerifiedCommittedEntry, out: Outbox): readonly Decision[] {
    const { seq, digest } = entry.certificate;
    if (this.#window.isDecided(seq)) return NO_DECISIONS;
    invariant(entry.batch.digest === digest, "ordering.certified-digest", { seq });
    return this.#addDecision({ seq, batch: entry.batch, certificate: entry.certificate }, out);
  }

  /** The wait for a proposal's time may be over. */
  onClockWait(atMs: number, out: Outbox): readonly Decision[] {
    this.#clockWait.onTimeout();
    const decisions: Decision[] = [];
    for (const slot of [...this.#window.undelivered()])
      if (!slot.isAccepted && slot.batch !== undefined) decisions.push(...this.#accept(slot, atMs, out));
    return decisions;
  }

  /**
   * The batch at `seq` was executed here.
   *
   * @returns how long the number, since it prepared, or the oldest of the requests that have their output now had waited
   *   here, in milliseconds.
   */
  onExecuted(
    seq: SequenceNumber,
    requests: readonly DigestedRequest[],
    progress: ExecutionProgress,
    atMs: number,
    out: Outbox,
  ): number {
    const requestsMs = this.#queue.onExecuted(seq, requests, progress, atMs);
    const preparedAtMs = this.#unexecuted.end(seq) ?? atMs;
    this.#propose(atMs, out);
    return Math.max(requestsMs, atMs - preparedAtMs);
  }

  /** Requests that the primary ought to have ordered since `atMs` or longer, oldest first. */
  waitingSince(atMs: number, most: number): Request[] {
    return this.#queue.waitingSince(atMs, most);
  }

  /** All requests that wait, for a new primary. */
  pendingRequests(): Iterable<Request> {
    return this.#queue.pending();
  }

  /** The view is left: nothing is accepted or voted for before the next one is entered (OSDI'99 §4.4). */
  leaveView(out: Outbox): void {
    this.#isActive = false;
    this.#clockWait.cancel(out);
  }

  /** A view is entered, and orders what its NEW-VIEW proposes again (OSDI'99 §4.4). */
  enterView({ newView, prePrepares }: VerifiedNewView, atMs: number, out: Outbox): Decision[] {
    const { view, start } = newView.envelope.message;
    invariant(view > this.#view, "ordering.view-moves-back", { view, at: this.#view });
    invariant(start <= this.#window.low, "ordering.view-starts-above-window", { start, h: this.#window.low });
    // Nothing that others may have prepared may be lost, but what only one of us accepted has no claim on the number.
    const bodies = this.#acceptedBodies();
    this.#view = view;
    this.#primary = primaryOf(this.#membership, view);
    this.#isActive = true;
    this.#window.clearSlots();
    this.#unexecuted.clear();
    this.#clockWait.cancel(out);
    this.#queue.onNewView(atMs);
    this.#highestAccepted = this.#window.lastDelivered;
    this.#lastProposed = sequenceNumber(Math.max(start + prePrepares.length, this.#window.lastDelivered));
    const decisions = this.#orderAgain(prePrepares, bodies, atMs, out);
    this.#propose(atMs, out);
    return decisions;
  }

  /** After a restart: the clocks of what was restored run, and what the view's NEW-VIEW proposes is ordered. */
  resume(newView: VerifiedNewView | undefined, atMs: number, out: Outbox): Decision[] {
    for (const { seq, isPrepared } of this.#window.undelivered()) if (isPrepared) this.#unexecuted.begin(seq, atMs);
    if (newView === undefined || !this.#isActive) return [];
    const { prePrepares } = newView;
    const last = newView.newView.envelope.message.start + prePrepares.length;
    this.#lastProposed = sequenceNumber(Math.max(this.#lastProposed, last));
    return this.#orderAgain(prePrepares, new Map(), atMs, out);
  }

  /** h moved up: slots and decisions at or below it go, and the window has room again (OSDI'99 §4.3). */
  collectGarbage(stable: SequenceNumber, atMs: number, out: Outbox): void {
    this.#window.collectGarbage(stable);
    this.#preparedSet.collectGarbage(stable);
    this.#propose(atMs, out);
  }

  /** Puts back what the log holds, before anything is sent: the same votes as before the crash (protocol rule 8.2). */
  restore({ slots, prepared }: RestoredOrdering): void {
    for (const { certificate, batch } of prepared) {
      const { seq } = certificate.prePrepare.message;
      if (seq <= this.#window.low) continue;
      this.#preparedSet.add(certificate, seq > this.#window.lastDelivered ? batch : undefined);
    }
    for (const slot of slots) this.#restoreSlot(slot);
  }

  #restoreSlot({ prePrepare, batch, prepares }: RestoredSlot): void {
    const { seq, view, epoch, digest } = prePrepare.message;
    if (seq <= this.#window.low || view !== this.#view) return;
    const slot = this.#window.slotAt(view, seq);
    slot.addPrePrepare(prePrepare);
    if (seq > this.#window.lastDelivered) slot.batch = batch;
    slot.isAccepted = true;
    this.#highestAccepted = sequenceNumber(Math.max(this.#highestAccepted, seq));
    if (this.isPrimary) this.#lastProposed = sequenceNumber(Math.max(this.#lastProposed, seq));
    else slot.addPrepare(this.#options.signer.sign({ type: "prepare", epoch, view, seq, digest }));
    if (prepares === undefined) return;
    for (const prepare of prepares) slot.addPrepare(prepare);
    slot.isPrepared = true;
    slot.addCommit(this.#options.signer.sign({ type: "commit", epoch, view, seq, digest }));
  }

  /** See `Window.lacks`. */
  lacks(upTo: SequenceNumber): Lack[] {
    return this.#window.lacks(upTo);
  }

  /** See `Window.framesFor`. */
  framesFor(lack: Lack): ReplicaFrame[] {
    return this.#window.framesFor(lack, this.#options.signer.self);
  }

  /**
   * The batch with this digest at `seq`, its requests verified, until it is delivered. Not one that is known by its
   * certificate alone: who asks for a body judges its requests, and us by them.
   */
  batchAt(seq: SequenceNumber, digest: Digest): Batch | undefined {
    const batch = this.#window.find(seq)?.batch;
    return batch?.digest === digest ? batch.batch : this.#preparedSet.bodyOf(seq, digest)?.batch;
  }

  /** Bounds that hold whatever arrives: the mediator asks after each step. */
  checkInvariants(): void {
    this.#window.checkInvariants();
    // Filling a gap delivers beyond the window, and what is proposed next lies above what is delivered.
    const highest = Math.max(this.highWatermark, this.lastDelivered);
    invariant(this.#lastProposed <= highest, "ordering.proposed-above-window", { at: this.#lastProposed });
    const prepared = this.#preparedSet.size;
    invariant(prepared <= this.#options.windowSize, "ordering.too-many-prepared", { prepared });
  }

  /** Only the primary pre-prepares, to others, and only backups prepare (OSDI'99 §4.2). */
  #isOutOfTurn(from: ReplicaId, { type, view }: ThreePhaseMessage): boolean {
    // What is of a later view waits for it: its own primary counts.
    const primary = view === this.#view ? this.#primary : primaryOf(this.#membership, view);
    if (type === "pre-prepare") return from !== primary || primary === this.#options.signer.self;
    return type === "prepare" && from === primary;
  }

  /** The bodies of this view's accepted proposals that are not delivered. */
  #acceptedBodies(): Map<Digest, VerifiedBatch> {
    const bodies = new Map<Digest, VerifiedBatch>();
    for (const { batch } of this.#window.undelivered()) if (batch !== undefined) bodies.set(batch.digest, batch);
    return bodies;
  }

  /** Numbers that are decided here need no second vote: their certificate convinces whoever lacks them. */
  #orderAgain(
    prePrepares: readonly VerifiedEnvelope<PrePrepare>[],
    bodies: ReadonlyMap<Digest, VerifiedBatch>,
    atMs: number,
    out: Outbox,
  ): Decision[] {
    const decisions: Decision[] = [];
    for (const prePrepare of prePrepares) {
      const { seq, digest } = prePrepare.message;
      if (seq <= this.#window.low || this.#window.isDecided(seq)) continue;
      const slot = this.#window.slotAt(this.#view, seq);
      if (slot.isAccepted) continue;
      this.#isCounted(slot.addPrePrepare(prePrepare), out);
      slot.isReproposed = true;
      slot.batch = this.#bodyFor(seq, digest, bodies);
      if (slot.batch === undefined) decisions.push(...this.#fetchBody(slot, out));
      else decisions.push(...this.#accept(slot, atMs, out), ...this.#decide(slot, out));
    }
    return decisions;
  }

  #bodyFor(seq: SequenceNumber, digest: Digest, bodies: ReadonlyMap<Digest, VerifiedBatch>): VerifiedBatch | undefined {
    const { nullBatch } = this.#options;
    return digest === nullBatch.digest ? nullBatch : (bodies.get(digest) ?? this.#preparedSet.bodyOf(seq, digest));
  }

  #slotWaitingFor(digest: Digest): Slot | undefined {
    for (const slot of this.#window.undelivered()) {
      if (slot.batch !== undefined) continue;
      if (slot.digest === digest || slot.commitQuorumDigest(this.#quorum) === digest) return slot;
    }
    return undefined;
  }

  #isCounted(outcome: VoteOutcome, out: Outbox): boolean {
    if (outcome.type === "conflicting") {
      const { first, second } = outcome;
      const { from, message } = second;
      out.push({ type: "evidence", evidence: { type: "equivocation", first, second } });
      out.push({ type: "rejected", rejection: { code: "vote.conflicting", from, seq: message.seq } });
    }
    return outcome.type === "counted";
  }

  #fetchBody(slot: Slot, out: Outbox): readonly Decision[] {
    const digest = slot.digest;
    // Once: a primary that repeats its proposal without a body must not make us repeat the question to everyone.
    if (slot.batch !== undefined || digest === undefined || slot.isBodyAskedFor) return NO_DECISIONS;
    slot.isBodyAskedFor = true;
    const fetch = this.#options.signer.sign({
      type: "fetch-batch",
      epoch: this.#membership.epoch,
      seq: slot.seq,
      digest,
    });
    out.push({ type: "broadcast", frame: { type: "signed", envelope: fetch } });
    return NO_DECISIONS;
  }

  /** Pre-prepares the slot: write first, then vote. Waits while the proposal's time is ahead (protocol rule 4.7). */
  #accept(slot: Slot, atMs: number, out: Outbox): readonly Decision[] {
    const { prePrepare, batch } = slot;
    // A body or the end of a wait may come when the view is left: the VIEW-CHANGE has said what prepared in it.
    if (!this.#isActive) return NO_DECISIONS;
    if (slot.isAccepted || prePrepare === undefined || batch === undefined) return NO_DECISIONS;
    if (batch.digest !== prePrepare.message.digest) return NO_DECISIONS;
    const { epoch, view, seq, digest } = prePrepare.message;
    if (batch.requests.length === 0 && !slot.isReproposed) {
      out.push({ type: "rejected", rejection: { code: "pre-prepare.empty-batch", from: prePrepare.from, seq } });
      return NO_DECISIONS;
    }
    // f+1 PREPAREs hold one of a correct replica, whose clock did not find the proposal too far ahead.
    const isVouchedFor = slot.isReproposed || slot.prepareCount(digest) >= this.#weakQuorum;
    if (!isVouchedFor && this.#clockWait.mustWait(batch.timestampMs, atMs, out)) return NO_DECISIONS;
    slot.isAccepted = true;
    this.#highestAccepted = sequenceNumber(Math.max(this.#highestAccepted, seq));
    this.#queue.markProposed(seq, batch.requests);
    out.push({ type: "persist", record: { type: "pre-prepared", envelope: prePrepare, batch: batch.batch } });
    // The primary's PRE-PREPARE is its vote, and has left with the NEW-VIEW.
    if (!this.isPrimary) {
      const prepare = this.#options.signer.sign({ type: "prepare", epoch, view, seq, digest });
      slot.addPrepare(prepare);
      out.push({ type: "broadcast", frame: { type: "signed", envelope: prepare } });
    }
    return this.#prepared(slot, atMs, out);
  }

  /** When prepared(d, v, n) became true: write the certificate, then COMMIT. */
  #prepared(slot: Slot, atMs: number, out: Outbox): readonly Decision[] {
    if (slot.isPrepared || !slot.hasPrepareQuorum(this.#quorum)) return NO_DECISIONS;
    slot.isPrepared = true;
    const certificate: PreparedCertificate = slot.preparedCertificate(this.#quorum);
    const { epoch, view, seq, digest } = certificate.prePrepare.message;
    this.#preparedSet.add(certificate, slot.batch);
    this.#unexecuted.begin(seq, atMs);
    out.push({ type: "persist", record: { type: "prepared", certificate } });
    const commit = this.#options.signer.sign({ type: "commit", epoch, view, seq, digest });
    slot.addCommit(commit);
    out.push({ type: "broadcast", frame: { type: "signed", envelope: commit } });
    return this.#decide(slot, out);
  }

  /** committed-local: q COMMITs of one digest whose batch is held. */
  #decide(slot: Slot, out: Outbox): readonly Decision[] {
    if (this.#window.isDecided(slot.seq)) return NO_DECISIONS;
    const digest = slot.commitQuorumDigest(this.#quorum);
    if (digest === undefined) return NO_DECISIONS;
    if (slot.batch?.digest !== digest) {
      // Decided elsewhere on a batch that we do not hold: its entry comes with the next status exchange or by digest.
      return slot.digest === digest ? this.#fetchBody(slot, out) : NO_DECISIONS;
    }
    const certificate = slot.commitCertificate(digest, this.#quorum);
    return this.#addDecision({ seq: slot.seq, batch: slot.batch, certificate }, out);
  }

  #addDecision(decision: Decision, out: Outbox): readonly Decision[] {
    out.push({
      type: "archive",
      seq: decision.seq,
      entry: { batch: decision.batch.batch, certificate: decision.certificate },
    });
    const delivered = this.#window.decide(decision);
    for (const { seq } of delivered) this.#preparedSet.onDelivered(seq);
    return delivered;
  }

  /** Proposes while the pipeline has room: at once when it is idle, in batches when it is not (protocol rule 4.6). */
  #propose(atMs: number, out: Outbox): void {
    if (!this.isPrimary) return;
    this.#lastProposed = sequenceNumber(Math.max(this.#lastProposed, this.#window.lastDelivered));
    while (this.#queue.readyCount > 0 && this.#lastProposed < this.highWatermark) {
      if (this.#lastProposed - this.#window.lastDelivered >= this.#options.pipelineDepthMax) return;
      const seq = nextSequenceNumber(this.#lastProposed);
      const requests = this.#queue.take(seq, this.#options.limits, atMs);
      invariant(requests.length > 0, "ordering.empty-proposal", { seq });
      this.#lastProposed = seq;
      this.#proposeBatch(seq, this.#options.composer.compose(timestampMs(Math.floor(atMs)), requests), out);
    }
  }

  #proposeBatch(seq: SequenceNumber, batch: VerifiedBatch, out: Outbox): void {
    const { epoch } = this.#membership;
    const { digest } = batch;
    const prePrepare = this.#options.signer.sign({ type: "pre-prepare", epoch, view: this.#view, seq, digest });
    const slot = this.#window.slotAt(this.#view, seq);
    invariant(slot.prePrepare === undefined, "ordering.proposed-twice", { seq });
    slot.addPrePrepare(prePrepare);
    slot.batch = batch;
    slot.isAccepted = true;
    this.#highestAccepted = sequenceNumber(Math.max(this.#highestAccepted, seq));
    out.push({ type: "persist", record: { type: "pre-prepared", envelope: prePrepare, batch: batch.batch } });
    out.push({ type: "broadcast", frame: { type: "pre-prepare", envelope: prePrepare, batch: batch.batch } });
  }
}

import {
  type Base,
  type Batch,
  type Commit,
  type Digest,
  type DigestedRequest,
  type ExecutionProgress,
  type Fill,
  invariant,
  type Lack,
  type Outbox,
  type PrePrepare,
  type Prepare,
  type PreparedCertificate,
  type RejectionCode,
  type ReplicaFrame,
  type ReplicaId,
  type Request,
  type RequestStanding,
  type SequenceNumber,
  sequenceNumber,
  type ThreePhaseMessage,
  type VerifiedBatch,
  type VerifiedCommittedEntry,
  type VerifiedEnvelope,
  type VerifiedNewView,
  type VerifiedRequest,
  type ViewNumber,
} from "@quorate/protocol";
import { CurrentView } from "./current-view.ts";
import { type Decision, decisionsOf, NO_DECISIONS } from "./decision.ts";
import type { ExecutedWaits } from "./executed-waits.ts";
import type { EndOfEpoch, OrderingOptions, RestoredOrdering } from "./ordering-options.ts";
import { Proposer } from "./proposer.ts";
import { Reproposals } from "./reproposals.ts";
import { RequestQueue } from "./request-queue.ts";
import { restoreOrdering } from "./restore-ordering.ts";
import { isCounted, ThreePhases } from "./three-phases.ts";
import { VoteStanding } from "./vote-standing.ts";
import { Window } from "./window.ts";

/** The normal case (OSDI'99 §4.2): three phases over the window (h, h+L] of the current view. */
export class Ordering {
  readonly #options: OrderingOptions;
  readonly #queue: RequestQueue;
  readonly #view: CurrentView;
  readonly #window: Window;
  readonly #phases: ThreePhases;
  readonly #proposer: Proposer;
  readonly #reproposals: Reproposals;
  readonly #standing: VoteStanding;
  /** When a number was executed last, or the view was entered. */
  #progressAtMs: number | undefined;

  constructor(options: OrderingOptions, base: Base, executed: SequenceNumber, end?: EndOfEpoch) {
    invariant(executed >= base.stable.seq, "ordering.executed-below-stable", { executed, stable: base.stable.seq });
    this.#options = options;
    this.#queue = new RequestQueue(options.queue);
    const { isMute = false, rotateEveryBatches } = options;
    this.#view = new CurrentView(base.membership, options.signer.self, base.view, rotateEveryBatches, isMute);
    this.#window = new Window(options.windowSize, base.stable.seq, executed, end);
    this.#standing = new VoteStanding(options.signer.self, this.#view, this.#window);
    this.#phases = new ThreePhases(options, this.#view, this.#window, this.#queue, executed);
    this.#proposer = new Proposer(options, this.#queue, this.#window, executed);
    this.#reproposals = new Reproposals(options.nullBatch, this.#view, this.#window, this.#phases);
  }

  get view(): ViewNumber {
    return this.#view.number;
  }
  /** See `CurrentView.last`. */
  get lastOfView(): SequenceNumber {
    return this.#view.last;
  }
  get lowWatermark(): SequenceNumber {
    return this.#window.low;
  }
  /** See `Window.high`. */
  get highWatermark(): SequenceNumber {
    return this.#window.high;
  }
  /** See `Window.activation`. */
  get activation(): SequenceNumber | undefined {
    return this.#window.activation;
  }
  /** See `Window.end`. */
  get end(): SequenceNumber | undefined {
    return this.#window.end;
  }
  get lastDelivered(): SequenceNumber {
    return this.#window.lastDelivered;
  }
  /** The highest number for which a pre-prepare was accepted or sent. */
  get highestAccepted(): SequenceNumber {
    return this.#phases.highestAccepted;
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
    const prepared = { of: "prepared certificates", size: this.#phases.preparedSet.size, max: windowSize };
    const unexecuted = { of: "prepared and not executed", size: this.#phases.unexecuted.size, max: windowSize };
    return [...this.#queue.fills, ...this.#window.fills, prepared, unexecuted, this.#phases.votedBodies.fill];
  }
  /** Whether this replica orders in its view and is the view's primary. */
  get isPrimary(): boolean {
    return this.#view.isPrimary;
  }
  /** Since when the oldest work that the primary ought to have done waits (protocol rule 7.4). */
  get oldestWaitAtMs(): number | undefined {
    return earlier(earlier(this.#queue.oldestAtMs, this.#phases.unexecuted.oldestAtMs), this.#endAwaitedSinceMs);
  }
  /** How many requests the primary is held to (protocol rule 7.4). */
  get clockedCount(): number {
    return this.#queue.clockedCount;
  }
  /** What prepared here above h, in any view, ascending by number (OSDI'99 §4.4, set P). */
  get preparedCertificates(): PreparedCertificate[] {
    return this.#phases.preparedSet.certificates;
  }
  get primary(): ReplicaId {
    return this.#view.primary;
  }
  /** Whether it is known here that this replica once sent a COMMIT for `seq`, which it must be above h. */
  hasPrepared(seq: SequenceNumber): boolean {
    return this.#phases.preparedSet.has(seq);
  }

  /**
   * A change was executed that takes effect at `activation`: the way there is work that waits, for as long as it takes (protocol
   * rule 11.2). What is above it, see `Window.endAt`.
   */
  endAt(activation: SequenceNumber): void {
    this.#window.endAt(activation);
  }

  /** See `VoteStanding.classify`. */
  classify(message: ThreePhaseMessage): "current" | "future" | RejectionCode {
    return this.#standing.classify(message);
  }

  /** See `VoteStanding.isRedundant`. */
  isRedundant(from: ReplicaId, message: ThreePhaseMessage): boolean {
    return this.#standing.isRedundant(from, message);
  }

  /** Whether this very proposal is held: repeated, it can bring nothing but its body. */
  isProposalHeld({ view, seq, digest }: PrePrepare): boolean {
    return view === this.#view.number && this.#window.find(seq)?.digest === digest;
  }

  /** Whether a batch with this digest is missing: looked at before the signatures of a body that came. */
  isBodyAwaited(digest: Digest): boolean {
    return this.#phases.slotWaitingFor(digest) !== undefined;
  }

  onRequest(
    request: VerifiedRequest,
    standing: RequestStanding,
    atMs: number,
    out: Outbox,
  ): "added" | "known" | "full" {
    const before = this.#queue.displaced;
    const outcome = this.#queue.add(request, standing, atMs, this.isPrimary);
    for (let i = before; i < this.#queue.displaced; i++)
      out.push({ type: "rejected", rejection: { code: "request.displaced", from: undefined } });
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
    if (this.#standing.isOutOfTurn(from, message)) {
      out.push({ type: "rejected", rejection: { code: "pre-prepare.not-from-primary", from, seq: message.seq } });
      return NO_DECISIONS;
    }
    const slot = this.#window.slotAt(this.#view.number, message.seq);
    if (!isCounted(slot.addPrePrepare(envelope), out) && slot.digest !== message.digest) return NO_DECISIONS;
    if (this.#window.isDecided(message.seq)) return NO_DECISIONS;
    if (batch === undefined) return this.#phases.fetchBody(slot, out);
    if (batch.digest !== message.digest) {
      const { digest } = message;
      out.push({
        type: "rejected",
        rejection: { code: "pre-prepare.digest-mismatch", from, seq: message.seq, digest },
      });
      return this.#phases.fetchBody(slot, out);
    }
    slot.batch ??= batch;
    return decisionsOf(this.#phases.accept(slot, atMs, out), this.#phases.decide(slot, out));
  }

  onPrepare(envelope: VerifiedEnvelope<Prepare>, atMs: number, out: Outbox): readonly Decision[] {
    const { from, message } = envelope;
    if (this.#standing.isOutOfTurn(from, message)) {
      out.push({ type: "rejected", rejection: { code: "prepare.from-primary", from, seq: message.seq } });
      return NO_DECISIONS;
    }
    const slot = this.#window.slotAt(this.#view.number, message.seq);
    if (!isCounted(slot.addPrepare(envelope), out) || this.#window.isDecided(message.seq)) return NO_DECISIONS;
    // f+1 PREPAREs end the wait for a proposal whose time is ahead of ours (protocol rule 4.7).
    return decisionsOf(this.#phases.accept(slot, atMs, out), this.#phases.prepare(slot, atMs, out));
  }

  onCommit(envelope: VerifiedEnvelope<Commit>, out: Outbox): readonly Decision[] {
    const slot = this.#window.slotAt(this.#view.number, envelope.message.seq);
    if (!isCounted(slot.addCommit(envelope), out)) return NO_DECISIONS;
    return this.#phases.decide(slot, out);
  }

  /** A body that was asked for by digest. False when nobody waits for it. */
  onBatchBody(batch: VerifiedBatch, atMs: number, out: Outbox): readonly Decision[] | undefined {
    const slot = this.#phases.slotWaitingFor(batch.digest);
    if (slot === undefined) return undefined;
    slot.batch = batch;
    return decisionsOf(this.#phases.accept(slot, atMs, out), this.#phases.decide(slot, out));
  }

  /** A decision of others with its certificate; valid in any view and not bound to the window (protocol rule 4.5). */
  onCommitted(entry: VerifiedCommittedEntry, out: Outbox): readonly Decision[] {
    const { seq, digest } = entry.certificate;
    if (this.#window.isDecided(seq)) return NO_DECISIONS;
    invariant(entry.batch.digest === digest, "ordering.certified-digest", { seq });
    return this.#phases.addDecision({ seq, batch: entry.batch, certificate: entry.certificate }, out);
  }

  /** The wait for a proposal's time may be over. */
  onClockWait(atMs: number, out: Outbox): readonly Decision[] {
    this.#phases.clockWait.onTimeout();
    return this.#acceptWaiting(atMs, out);
  }

  /**
   * Null batches are accepted up to `accepts`, and up to `proposes` this replica as primary fills numbers with them while
   * it has nothing to order: a member that lost its disk waits for the numbers (protocol rule 8.5), or a change for its
   * activation (protocol rule 11.2).
   */
  onNullBatches(
    { accepts, proposes }: { readonly accepts: SequenceNumber; readonly proposes: SequenceNumber },
    atMs: number,
    out: Outbox,
  ): readonly Decision[] {
    const isRaised = accepts > this.#phases.nullBatchesUntil;
    this.#phases.nullBatchesUntil = accepts;
    this.#proposer.nullBatchesUntil = proposes;
    const decisions = isRaised ? this.#acceptWaiting(atMs, out) : NO_DECISIONS;
    this.#propose(atMs, out);
    return decisions;
  }

  /** The pause before the next null batch is over, see `NullBatchPace`. */
  onNullBatchDue(atMs: number, out: Outbox): void {
    this.#proposer.onNullBatchDue();
    this.#propose(atMs, out);
  }

  /** From now on this replica votes: for what it has taken note of until now, too. */
  unmute(atMs: number, out: Outbox): readonly Decision[] {
    this.#view.unmute();
    return this.#acceptWaiting(atMs, out);
  }

  /**
   * The batch at `seq` was executed here.
   */
  onExecuted(
    seq: SequenceNumber,
    requests: readonly DigestedRequest[],
    progress: ExecutionProgress,
    atMs: number,
    out: Outbox,
  ): ExecutedWaits {
    const served = this.#queue.onExecuted(seq, requests, progress, atMs);
    const preparedAtMs = this.#phases.unexecuted.end(seq);
    this.#progressAtMs = atMs;
    this.#propose(atMs, out);
    let sinceMs = preparedAtMs ?? atMs;
    for (const request of served) sinceMs = Math.min(sinceMs, request.sinceMs);
    return { waitedMs: atMs - sinceMs, served, isOrderedHere: preparedAtMs !== undefined };
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
    this.#view.leave();
    this.#phases.clockWait.cancel(out);
  }

  /** A view is entered, and orders what its NEW-VIEW proposes again (OSDI'99 §4.4). */
  enterView({ newView, prePrepares }: VerifiedNewView, atMs: number, out: Outbox): Decision[] {
    const { view, start } = newView.envelope.message;
    invariant(view > this.#view.number, "ordering.view-moves-back", { view, at: this.#view.number });
    invariant(start <= this.#window.low, "ordering.view-starts-above-window", { start, h: this.#window.low });
    this.#phases.keepVoted();
    const bodies = this.#reproposals.acceptedBodies();
    const taken = sequenceNumber(start + prePrepares.length);
    this.#view.enter(view, taken);
    this.#window.clearSlots();
    this.#phases.clockWait.cancel(out);
    this.#queue.onNewView(atMs);
    this.#progressAtMs = atMs;
    this.#phases.onNewView();
    this.#proposer.restartAt(sequenceNumber(Math.max(taken, this.#window.lastDelivered)));
    const decisions = this.#reproposals.orderAgain(prePrepares, bodies, atMs, out);
    this.#propose(atMs, out);
    return decisions;
  }

  /** After a restart: the clocks of what was restored run, and what the view's NEW-VIEW proposes is ordered. */
  resume(newView: VerifiedNewView | undefined, atMs: number, out: Outbox): Decision[] {
    this.#progressAtMs = atMs;
    for (const { seq, isPrepared } of this.#window.undelivered())
      if (isPrepared) this.#phases.unexecuted.begin(seq, atMs);
    if (newView === undefined) return [];
    const { prePrepares } = newView;
    const taken = sequenceNumber(newView.newView.envelope.message.start + prePrepares.length);
    this.#view.beganAt(taken);
    if (!this.#view.isActive) return [];
    this.#proposer.skipTo(taken);
    return this.#reproposals.orderAgain(prePrepares, new Map(), atMs, out);
  }

  /** h moved up: slots and decisions at or below it go, and the window has room again (OSDI'99 §4.3). */
  collectGarbage(stable: SequenceNumber, atMs: number, out: Outbox): void {
    this.#window.collectGarbage(stable);
    this.#phases.preparedSet.collectGarbage(stable);
    this.#propose(atMs, out);
  }

  /** Puts back what the log holds, before anything is sent: the same votes as before the crash (protocol rule 8.2). */
  restore(restored: RestoredOrdering): void {
    restoreOrdering(restored, {
      signer: this.#options.signer,
      view: this.#view,
      window: this.#window,
      phases: this.#phases,
      proposer: this.#proposer,
    });
  }

  /** See `Window.lacks`. Who votes for nothing lacks no votes but those that decide. */
  lacks(upTo: SequenceNumber): Lack[] {
    const lacks = this.#window.lacks(upTo);
    if (!this.#view.isMute) return lacks;
    return lacks.map(({ seq, commits }) => {
      const prePrepare = this.#window.find(seq)?.batch === undefined;
      return { seq, prePrepare, prepares: false, commits };
    });
  }

  /** See `ThreePhases.askForBodiesAgain`. */
  askForBodiesAgain(upTo: SequenceNumber, out: Outbox): void {
    this.#phases.askForBodiesAgain(upTo, out);
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
    return batch?.digest === digest ? batch.batch : this.#phases.votedBody(seq, digest)?.batch;
  }

  /** Bounds that hold whatever arrives: the mediator asks after each step. */
  checkInvariants(): void {
    this.#window.checkInvariants();
    // Filling a gap delivers beyond the window, and what is proposed next lies above what is delivered.
    const highest = Math.max(this.#window.top, this.lastDelivered);
    const { lastProposed } = this.#proposer;
    invariant(lastProposed <= highest, "ordering.proposed-above-window", { at: lastProposed });
    const prepared = this.#phases.preparedSet.size;
    invariant(prepared <= this.#options.windowSize, "ordering.too-many-prepared", { prepared });
  }

  /** Since when nothing was done for the activation that is waited for: each number on the way there has its own clock. */
  get #endAwaitedSinceMs(): number | undefined {
    const { activation, lastDelivered } = this.#window;
    return activation !== undefined && lastDelivered < activation ? this.#progressAtMs : undefined;
  }

  /** What held proposals back may be over. */
  #acceptWaiting(atMs: number, out: Outbox): Decision[] {
    const decisions: Decision[] = [];
    for (const slot of [...this.#window.undelivered()])
      if (!slot.isAccepted && slot.batch !== undefined) decisions.push(...this.#phases.accept(slot, atMs, out));
    return decisions;
  }

  /** Proposes while the pipeline has room (protocol rule 4.6): writes first, then speaks. */
  #propose(atMs: number, out: Outbox): void {
    if (!this.isPrimary) return;
    const { last } = this.#view;
    for (;;) {
      const next = this.#proposer.next(last, atMs, out);
      if (next === undefined) return;
      const { seq, batch } = next;
      const { epoch } = this.#view.membership;
      const view = this.#view.number;
      const prePrepare = this.#options.signer.sign({ type: "pre-prepare", epoch, view, seq, digest: batch.digest });
      const slot = this.#window.slotAt(view, seq);
      invariant(slot.prePrepare === undefined, "ordering.proposed-twice", { seq });
      slot.addPrePrepare(prePrepare);
      slot.batch = batch;
      this.#phases.markAccepted(slot);
      out.push({ type: "persist", record: { type: "pre-prepared", envelope: prePrepare, batch: batch.batch } });
      out.push({ type: "broadcast", frame: { type: "pre-prepare", envelope: prePrepare, batch: batch.batch } });
    }
  }
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

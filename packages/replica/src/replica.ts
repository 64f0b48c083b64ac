import { Checkpointing } from "@quorate/checkpoint";
import { type Decision, Ordering, type OrderingOptions, type RestoredOrdering } from "@quorate/pbft-core";
import {
  assertNever,
  type Base,
  type Batch,
  type CheckpointCertificate,
  type Digest,
  type Effect,
  type Envelope,
  type FetchBatch,
  invariant,
  type Lack,
  type Membership,
  memberOf,
  type NewView,
  nextSequenceNumber,
  type PrePrepare,
  primaryOf,
  type Rejection,
  type ReplicaId,
  type ReplicaMessage,
  type Request,
  type SequenceNumber,
  type Signer,
  type Status,
  sequenceNumber,
  type ThreePhaseMessage,
  type Verified,
  type VerifiedBatch,
  type VerifiedCommittedEntry,
  type VerifiedEnvelope,
  type VerifiedNewView,
  type ViewChange,
  type ViewChangeComposer,
  type ViewNumber,
} from "@quorate/protocol";
import { GapFiller, ServingBudget } from "@quorate/state-transfer";
import { type RestoredViews, type ViewChangeStep, ViewChanging, type ViewChangingOptions } from "@quorate/view-change";
import { Backlog } from "./backlog.ts";
import type { ReplicaEvent } from "./events.ts";
import { PrimaryWatch } from "./primary-watch.ts";
import { type OrderingStand, StatusRounds } from "./status-rounds.ts";

export interface ReplicaOptions
  extends Omit<OrderingOptions, "signer" | "windowSize">,
    Pick<ViewChangingOptions, "viewChangeMs" | "viewChangeMaxMs"> {
  readonly signer: Signer;
  readonly viewChangeComposer: ViewChangeComposer;
  /** K of genesis. */
  readonly checkpointInterval: number;
  /** L of genesis. */
  readonly windowSize: number;
  /** How often a replica that has work says where it stands. */
  readonly statusIntervalMs: number;
}

/** What the disk held, verified again; see `recover`. */
export interface Recovery {
  /** The last number whose effects are in the state. */
  readonly executed: SequenceNumber;
  readonly ordering: RestoredOrdering;
  readonly views: RestoredViews;
  /** Committed entries of the own history above `executed`. */
  readonly committed: readonly VerifiedCommittedEntry[];
}

/** How many requests a backup passes on again at each tick: those that the primary may have lost. */
const PASSED_ON_PER_TICK_MAX = 64;

/** Asks `framesFor` for a decision only, not for votes. */
const NOTHING_LACKS: Omit<Lack, "seq"> = { prePrepare: false, prepares: false, commits: false };

/** Where a replica stands, for `status` and metrics. */
export interface ReplicaStatus {
  /** The view entered last. */
  readonly view: ViewNumber;
  /** The view it moves to; equal to `view` while it orders. */
  readonly target: ViewNumber;
  /** How long a request may wait in this view, in milliseconds. */
  readonly timeOutMs: number;
  readonly primary: ReplicaId;
  readonly executed: SequenceNumber;
  readonly lowWatermark: SequenceNumber;
  readonly highWatermark: SequenceNumber;
  readonly pendingRequests: number;
  /** The gap to the others has left their histories. */
  readonly isStranded: boolean;
}

/**
 * One replica as a function: an event in, an ordered list of effects out, nothing else. It is the mediator of the
 * sub-protocols: the one place where what one of them returns becomes a call on another.
 */
export class Replica {
  readonly #options: ReplicaOptions;
  readonly #membership: Membership;
  readonly #ordering: Ordering;
  readonly #checkpointing: Checkpointing;
  readonly #gapFiller: GapFiller;
  readonly #viewChanging: ViewChanging;
  readonly #primaryWatch = new PrimaryWatch();
  readonly #backlog = new Backlog();
  readonly #statusRounds: StatusRounds;
  readonly #statusBudget: ServingBudget;
  readonly #fetchBudget: ServingBudget;
  readonly #recovered: readonly VerifiedCommittedEntry[];
  /** Handed out for execution and not yet executed. */
  readonly #executing = new Map<SequenceNumber, Decision>();
  #executed: SequenceNumber;

  constructor(options: ReplicaOptions, base: Base, recovery?: Recovery) {
    this.#options = options;
    this.#membership = base.membership;
    this.#executed = recovery?.executed ?? base.stable.seq;
    const { signer, windowSize, checkpointInterval: interval, statusIntervalMs } = options;
    this.#statusRounds = new StatusRounds(statusIntervalMs, this.#executed);
    this.#ordering = new Ordering(options, base, this.#executed);
    const nullDigest = options.nullBatch.digest;
    const composer = options.viewChangeComposer;
    this.#viewChanging = new ViewChanging({ ...options, composer, nullDigest }, base, recovery?.views);
    this.#checkpointing = new Checkpointing({ signer, windowSize, interval }, base);
    this.#gapFiller = new GapFiller({ signer, epoch: base.membership.epoch, retryAfterMs: 4 * statusIntervalMs });
    this.#statusBudget = new ServingBudget({ burst: 4, refillMs: statusIntervalMs / 2 });
    this.#fetchBudget = new ServingBudget({ burst: 8, refillMs: statusIntervalMs / 40 });
    this.#recovered = recovery?.committed ?? [];
    if (recovery !== undefined) this.#ordering.restore(recovery.ordering);
  }

  get status(): ReplicaStatus {
    return {
      view: this.#ordering.view,
      target: this.#viewChanging.target,
      timeOutMs: this.#viewChanging.timeOutMs,
      primary: this.#ordering.primary,
      executed: this.#executed,
      lowWatermark: this.#ordering.lowWatermark,
      highWatermark: this.#ordering.highWatermark,
      pendingRequests: this.#ordering.pendingCount,
      isStranded: this.#gapFiller.isStranded(this.#ordering.lastDelivered),
    };
  }

  /** The view this replica is in, as `status` says. */
  get view(): ViewNumber {
    return this.#ordering.view;
  }

  /** The view it moves to, as `status` says. */
  get target(): ViewNumber {
    return this.#viewChanging.target;
  }

  /** Whether verifying this message would be wasted: it could change nothing (protocol rule 13.1). */
  isRedundant(from: ReplicaId, message: ReplicaMessage): boolean {
    if (this.#isForeign(from, message)) return true;
    switch (message.type) {
      case "pre-prepare":
      case "prepare":
      case "commit":
        return this.#ordering.isRedundant(from, message) || this.#isTooEarly(from, message);
      case "checkpoint":
        return this.#checkpointing.isRedundant(from, message);
      case "hand-over":
        return this.#viewChanging.isHandOverRedundant(from, message);
      default:
        return false;
    }
  }

  /** Whether this very proposal is here already, and only its body may be of use. */
  isProposalHeld(message: PrePrepare): boolean {
    return (
      this.#ordering.isProposalHeld(message) || this.#backlog.holds(primaryOf(this.#membership, message.view), message)
    );
  }

  /** As `isRedundant`, for a VIEW-CHANGE, whoever passes it on. */
  isViewChangeRedundant(envelope: Envelope<ViewChange>): boolean {
    return this.#isForeign(envelope.from, envelope.message) || this.#viewChanging.isViewChangeRedundant(envelope);
  }

  /** As `isRedundant`, for a NEW-VIEW, whoever passes it on. */
  isNewViewRedundant(envelope: Envelope<NewView>): boolean {
    return this.#isForeign(envelope.from, envelope.message) || this.#viewChanging.isNewViewRedundant(envelope);
  }

  /** As `isRedundant`, for a committed entry. */
  isEntryAwaited(seq: SequenceNumber): boolean {
    const isNear = seq <= this.#ordering.highWatermark || this.#gapFiller.isAwaited(seq);
    return seq > this.#ordering.lastDelivered && isNear;
  }

  /** As `isRedundant`, for the body of a batch with this digest. */
  isBodyAwaited(digest: Digest): boolean {
    return this.#ordering.isBodyAwaited(digest);
  }

  /** Whether this member may answer that its history does not reach down to what it was asked for. */
  isDonor(id: ReplicaId): boolean {
    return this.#gapFiller.isDonor(id);
  }

  /** As `isRedundant`, for a certificate of a checkpoint. */
  isCertificateAwaited(seq: SequenceNumber): boolean {
    return seq > this.#checkpointing.certified.seq;
  }

  /**
   * One event in, an ordered list of effects out.
   *
   * @param atMs wall-clock milliseconds that the runner keeps from going back; the replica has no other clock.
   * @throws InvariantViolation when this replica's own code or state is wrong; the process must stop.
   */
  step(event: ReplicaEvent, atMs: number): readonly Effect[] {
    const out: Effect[] = [];
    this.#dispatch(event, atMs, out);
    this.#gapFiller.onDelivered(this.#ordering.lastDelivered, out);
    this.#watchPrimary(atMs, out);
    this.#checkInvariants();
    return out;
  }

  #dispatch(event: ReplicaEvent, atMs: number, out: Effect[]): void {
    switch (event.type) {
      case "start":
        return this.#onStart(atMs, out);
      case "request":
        return this.#onRequest(event, atMs, out);
      case "message":
        return this.#onMessage(event, atMs, out);
      case "batch-body":
        return this.#onBatchBody(event, atMs, out);
      case "committed":
        return this.#onCommitted(event, out);
      case "certificate":
        if (event.isBelowHistory) this.#gapFiller.onBelowHistory(event.from, this.#ordering.lastDelivered, out);
        return this.#afterCheckpoint(this.#checkpointing.onCertificate(event.certificate), atMs, out);
      case "view-change":
        return this.#follow(this.#viewChanging.onViewChange(event.viewChange, out), atMs, out);
      case "new-view":
        return this.#follow(this.#viewChanging.onNewView(event.newView, out), atMs, out);
      case "timeout":
        return this.#onTimeout(event, atMs, out);
      case "executed":
        return this.#onExecuted(event, atMs, out);
      case "state-durable":
        return this.#afterCheckpoint(this.#checkpointing.onStateDurable(event.seq, event.stateRoot, out), atMs, out);
      default:
        return assertNever(event);
    }
  }

  /** After a restart the own votes go out again with the answers to the others' status: ask for them right away. */
  #onStart(atMs: number, out: Effect[]): void {
    for (const entry of this.#recovered) this.#afterOrdering(this.#ordering.onCommitted(entry, out), out);
    if (!this.#viewChanging.isSettled) this.#ordering.leaveView(out);
    this.#afterOrdering(this.#ordering.resume(this.#viewChanging.standing.newView, atMs, out), out);
    this.#sendStatus(out);
    this.#statusRounds.startTimer(out);
  }

  #onRequest(event: Extract<ReplicaEvent, { type: "request" }>, atMs: number, out: Effect[]): void {
    const { request, standing } = event;
    const outcome = this.#ordering.onRequest(request, standing, atMs, out);
    if (outcome === "full") {
      out.push({ type: "rejected", rejection: { code: "request.queue-full", from: undefined } });
      out.push({ type: "refuse", client: request.request.client, requestDigest: request.digest, code: "overloaded" });
      return;
    }
    if (standing.type !== "answered") this.#passOn(request.request, out);
  }

  /** A backup passes a request on to the one who can order it; between two views there is nobody. */
  #passOn(request: Request, out: Effect[]): void {
    if (this.#ordering.isPrimary || !this.#viewChanging.isSettled) return;
    out.push({ type: "send", to: this.#ordering.primary, frame: { type: "request", request } });
  }

  #onMessage(event: Extract<ReplicaEvent, { type: "message" }>, atMs: number, out: Effect[]): void {
    const { envelope } = event;
    const { from, message } = envelope;
    if (memberOf(this.#membership, from) === undefined) return reject({ code: "membership.stranger", from }, out);
    if (message.epoch !== this.#membership.epoch)
      return reject({ code: "epoch.other", from, epoch: message.epoch }, out);
    switch (message.type) {
      case "pre-prepare":
      case "prepare":
      case "commit":
        return this.#onThreePhase(narrow(envelope, message), event.batch, atMs, out);
      case "checkpoint": {
        const stable = this.#checkpointing.onCheckpoint(narrow(envelope, message), out);
        return this.#afterCheckpoint(stable, atMs, out);
      }
      case "status":
        return this.#onStatus(from, message, atMs, out);
      case "fetch-batch":
        return this.#onFetchBatch(from, message, atMs, out);
      case "fetch-committed":
        if (!this.#fetchBudget.take(from, atMs)) return reject({ code: "fetch.over-budget", from }, out);
        return this.#sendHistory(from, message.first, message.last, out);
      case "hand-over":
        return this.#follow(this.#viewChanging.onHandOver(narrow(envelope, message), out), atMs, out);
      case "view-change":
      case "new-view":
        // They come in frames of their own, with what justifies them.
        return invariant(false, "replica.unjustified-view-message", { type: message.type });
      default:
        return assertNever(message);
    }
  }

  /** There is no place for it beyond the window, or it waits there already. */
  #isTooEarly(from: ReplicaId, message: ThreePhaseMessage): boolean {
    if (this.#ordering.classify(message) !== "future") return false;
    const isAbove = message.seq > this.#ordering.highWatermark + this.#options.windowSize;
    return isAbove || !this.#backlog.hasRoomFor(from, message);
  }

  #onThreePhase(
    envelope: VerifiedEnvelope<ThreePhaseMessage>,
    batch: VerifiedBatch | undefined,
    atMs: number,
    out: Effect[],
  ): void {
    const { from, message } = envelope;
    const standing = this.#ordering.classify(message);
    if (standing === "future") {
      if (message.seq > this.#ordering.highWatermark + this.#options.windowSize)
        return reject({ code: "window.above", from, seq: message.seq }, out);
      if (!this.#backlog.add({ envelope, batch })) reject({ code: "backlog.full", from }, out);
      return;
    }
    if (standing !== "current") return reject(rejectionOf(standing, from, message), out);
    switch (message.type) {
      case "pre-prepare":
        return this.#afterOrdering(this.#ordering.onPrePrepare(narrow(envelope, message), batch, atMs, out), out);
      case "prepare":
        return this.#afterOrdering(this.#ordering.onPrepare(narrow(envelope, message), atMs, out), out);
      case "commit":
        return this.#afterOrdering(this.#ordering.onCommit(narrow(envelope, message), out), out);
      default:
        return assertNever(message);
    }
  }

  #onBatchBody(event: Extract<ReplicaEvent, { type: "batch-body" }>, atMs: number, out: Effect[]): void {
    const decisions = this.#ordering.onBatchBody(event.batch, atMs, out);
    if (decisions !== undefined) return this.#afterOrdering(decisions, out);
    reject({ code: "body.not-asked-for", from: event.from, digest: event.batch.digest }, out);
  }

  #onCommitted(event: Extract<ReplicaEvent, { type: "committed" }>, out: Effect[]): void {
    const { seq } = event.entry.certificate;
    if (seq <= this.#ordering.lastDelivered) return;
    if (!this.isEntryAwaited(seq)) return reject({ code: "committed.not-asked-for", from: event.from, seq }, out);
    this.#afterOrdering(this.#ordering.onCommitted(event.entry, out), out);
  }

  #onExecuted(event: Extract<ReplicaEvent, { type: "executed" }>, atMs: number, out: Effect[]): void {
    const { seq, progress } = event;
    invariant(seq === this.#executed + 1, "replica.executed-out-of-order", { seq, executed: this.#executed });
    const decision = this.#executing.get(seq);
    invariant(decision !== undefined, "replica.executed-unasked", { seq });
    this.#executing.delete(seq);
    this.#executed = seq;
    const { requests } = decision.batch;
    const waitedMs = this.#ordering.onExecuted(seq, requests, progress, atMs, out);
    // Null batches say nothing about what a view can do.
    if (requests.length > 0 && decision.certificate.view === this.#ordering.view)
      this.#viewChanging.onProgress(waitedMs);
  }

  #onTimeout(event: Extract<ReplicaEvent, { type: "timeout" }>, atMs: number, out: Effect[]): void {
    switch (event.timer) {
      case "status":
        if (this.#statusRounds.isDue(event.token)) this.#onStatusTick(atMs, out);
        return;
      case "clock-wait":
        return this.#afterOrdering(this.#ordering.onClockWait(atMs, out), out);
      case "fetch":
        return this.#gapFiller.onTimeout(event.token, this.#ordering.lastDelivered, out);
      case "progress":
        return this.#onProgressTimeout(event.token, atMs, out);
      case "view-change":
        return this.#follow(this.#viewChanging.onTimeout(event.token), atMs, out);
      default:
        return assertNever(event.timer);
    }
  }

  #onStatusTick(atMs: number, out: Effect[]): void {
    const { lastDelivered, highestHeard, highWatermark, pendingCount } = this.#ordering;
    const isBusy = pendingCount > 0 || !this.#viewChanging.isSettled;
    const stand: OrderingStand = { lastDelivered, highestHeard, highWatermark, isBusy };
    if (this.#statusRounds.onTick(stand)) this.#sendStatus(out);
    this.#gapFiller.onTick(lastDelivered, out);
    this.#statusRounds.afterTick(stand);
    // What was passed on may have been lost: nobody is held to what he may not have heard of.
    const since = atMs - this.#options.statusIntervalMs;
    if (!this.#ordering.isPrimary)
      for (const request of this.#ordering.waitingSince(since, PASSED_ON_PER_TICK_MAX)) this.#passOn(request, out);
    this.#statusRounds.startTimer(out);
  }

  #sendStatus(out: Effect[]): void {
    out.push({
      type: "broadcast",
      frame: { type: "signed", envelope: this.#options.signer.sign(this.#statusMessage()) },
    });
  }

  #statusMessage(): Status {
    return {
      type: "status",
      epoch: this.#membership.epoch,
      view: this.#ordering.view,
      executed: this.#executed,
      stable: this.#checkpointing.stable.seq,
      accepted: this.#ordering.highestAccepted,
      lacks: this.#ordering.lacks(this.#statusRounds.knownAtTick),
      target: this.#viewChanging.target,
      viewChangesOf: this.#viewChanging.viewChangesOf,
    };
  }

  /** A peer says where it stands: what it lacks and we have goes to it, within its share (TOCS'02 §5.2). */
  #onStatus(from: ReplicaId, status: Status, atMs: number, out: Effect[]): void {
    if (!this.#statusBudget.take(from, atMs)) return reject({ code: "status.over-budget", from }, out);
    if (status.view === this.#ordering.view) this.#statusRounds.onStatus(from, status.accepted);
    this.#gapFiller.onStatus(from, status.executed, this.#ordering.lastDelivered, out);
    for (const frame of this.#viewChanging.framesFor(from, status)) out.push({ type: "send", to: from, frame });
    // It is in a view that we have not heard of, or on its way to one: saying where we stand asks for what we missed.
    if (status.view > this.#ordering.view || status.target > this.#viewChanging.target) {
      const envelope = this.#options.signer.sign(this.#statusMessage());
      out.push({ type: "send", to: from, frame: { type: "signed", envelope } });
    }
    for (const frame of this.#checkpointing.framesFor(status.stable)) out.push({ type: "send", to: from, frame });
    for (const lack of status.lacks) {
      if (lack.seq <= this.#ordering.lastDelivered) this.#sendHistory(from, lack.seq, lack.seq, out);
      else for (const frame of this.#ordering.framesFor(lack)) out.push({ type: "send", to: from, frame });
    }
  }

  #onFetchBatch(from: ReplicaId, { seq, digest }: FetchBatch, atMs: number, out: Effect[]): void {
    if (!this.#fetchBudget.take(from, atMs)) return reject({ code: "fetch.over-budget", from }, out);
    const batch: Batch | undefined = this.#ordering.batchAt(seq, digest);
    if (batch !== undefined) out.push({ type: "send", to: from, frame: { type: "batch-body", batch } });
    else if (seq <= this.#ordering.lastDelivered) this.#sendHistory(from, seq, seq, out);
    else
      for (const frame of this.#ordering.framesFor({ seq, ...NOTHING_LACKS }))
        out.push({ type: "send", to: from, frame });
  }

  #sendHistory(to: ReplicaId, first: SequenceNumber, last: SequenceNumber, out: Effect[]): void {
    const end = Math.min(last, this.#ordering.lastDelivered);
    if (first > end || first === 0) return;
    out.push({ type: "send-history", to, first, last: sequenceNumber(end), stable: this.#checkpointing.stable });
  }

  #afterOrdering(decisions: readonly Decision[], out: Effect[]): void {
    for (const decision of decisions) {
      const { seq, batch } = decision;
      invariant(seq === this.#executed + this.#executing.size + 1, "replica.delivered-out-of-order", { seq });
      this.#executing.set(seq, decision);
      out.push({ type: "execute", seq, batch, checkpoint: this.#checkpointing.isDueAt(seq) });
    }
  }

  /** h moved: the log below it goes, the window opens, and what waited for it is looked at again. */
  #afterCheckpoint(stable: CheckpointCertificate | undefined, atMs: number, out: Effect[]): void {
    if (stable === undefined) return;
    out.push({ type: "persist", record: { type: "stable", checkpoint: stable } });
    // What still stands of views moves up with h.
    const { viewChange, newView } = this.#viewChanging.standing;
    if (viewChange !== undefined)
      out.push({ type: "persist", record: { type: "view-change", at: stable.seq, viewChange: viewChange.viewChange } });
    if (newView !== undefined)
      out.push({ type: "persist", record: { type: "new-view", at: stable.seq, newView: newView.newView } });
    // The new "stable" record itself belongs to its number, and stays.
    out.push({ type: "cut", upTo: sequenceNumber(stable.seq - 1) });
    this.#ordering.collectGarbage(stable.seq, atMs, out);
    this.#releaseBacklog(atMs, out);
    this.#follow(this.#viewChanging.onStable(stable.seq, out), atMs, out);
  }

  #releaseBacklog(atMs: number, out: Effect[]): void {
    const { view, highWatermark } = this.#ordering;
    for (const early of this.#backlog.release(view, highWatermark))
      this.#onThreePhase(early.envelope, early.batch, atMs, out);
  }

  /** Does what the view change asks for, step by step. */
  #follow(first: ViewChangeStep | undefined, atMs: number, out: Effect[]): void {
    for (let step = first; step !== undefined; ) {
      if (step.type === "enter") return this.#enterView(step.newView, atMs, out);
      this.#ordering.leaveView(out);
      this.#primaryWatch.stop(out);
      const prepared = this.#ordering.preparedCertificates;
      step = this.#viewChanging.leave(step.target, { stable: this.#checkpointing.stable, prepared }, out);
    }
  }

  #enterView(newView: VerifiedNewView, atMs: number, out: Effect[]): void {
    this.#primaryWatch.stop(out);
    this.#statusRounds.onNewView(this.#ordering.lastDelivered);
    this.#afterOrdering(this.#ordering.enterView(newView, atMs, out), out);
    for (const request of this.#ordering.pendingRequests()) this.#passOn(request, out);
    this.#releaseBacklog(atMs, out);
  }

  /** A backup holds the primary to what waits (protocol rule 7.4). */
  #watchPrimary(atMs: number, out: Effect[]): void {
    if (this.#ordering.isPrimary || !this.#viewChanging.isSettled) return;
    this.#primaryWatch.watch(this.#ordering.oldestWaitAtMs, atMs, this.#viewChanging.timeOutMs, out);
  }

  #onProgressTimeout(token: number, atMs: number, out: Effect[]): void {
    const { oldestWaitAtMs, isPrimary } = this.#ordering;
    const isLate = this.#primaryWatch.onTimeout(token, oldestWaitAtMs, atMs, this.#viewChanging.timeOutMs);
    if (isLate && !isPrimary && this.#viewChanging.isSettled) this.#follow(this.#viewChanging.onFailed(), atMs, out);
  }

  /** Of another epoch, or of nobody. */
  #isForeign(from: ReplicaId, message: ReplicaMessage): boolean {
    return message.epoch !== this.#membership.epoch || memberOf(this.#membership, from) === undefined;
  }

  #checkInvariants(): void {
    this.#ordering.checkInvariants();
    this.#viewChanging.checkInvariants();
    invariant(this.#viewChanging.view === this.#ordering.view, "replica.two-views", { view: this.#ordering.view });
    this.#checkpointing.checkInvariants();
    const { lastDelivered, lowWatermark } = this.#ordering;
    invariant(lowWatermark === this.#checkpointing.stable.seq, "replica.two-low-watermarks", { h: lowWatermark });
    invariant(lowWatermark <= this.#executed, "replica.stable-above-executed", { h: lowWatermark });
    invariant(this.#executed <= lastDelivered, "replica.executed-above-delivered", { executed: this.#executed });
    invariant(nextSequenceNumber(lastDelivered) - this.#executed - 1 === this.#executing.size, "replica.executing", {
      executing: this.#executing.size,
    });
  }
}

function reject(rejection: Rejection, out: Effect[]): void {
  out.push({ type: "rejected", rejection });
}

/** The discriminant of a message does not narrow the envelope around it; this says so once. */
function narrow<M extends ReplicaMessage>(envelope: Verified<Envelope>, message: M): VerifiedEnvelope<M> {
  invariant(envelope.message === message, "replica.narrow");
  return envelope as Verified<Envelope & { readonly message: M }>;
}

function rejectionOf(code: string, from: ReplicaId, message: ThreePhaseMessage): Rejection {
  switch (code) {
    case "view.past":
      return { code, from, view: message.view };
    default:
      return { code: "window.below", from, seq: message.seq };
  }
}

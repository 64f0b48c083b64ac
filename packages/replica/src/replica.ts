import { Checkpointing } from "@quorate/checkpoint";
import { type Decision, Ordering } from "@quorate/pbft-core";
import {
  assertNever,
  type Base,
  type CheckpointCertificate,
  type Effect,
  type Envelope,
  FETCH_COMMITTED_MAX,
  type Fill,
  invariant,
  memberOf,
  nextSequenceNumber,
  type Rejection,
  type ReplicaId,
  type ReplicaMessage,
  type Request,
  type SequenceNumber,
  type ServedRequest,
  sequenceNumber,
  type ThreePhaseMessage,
  type Verified,
  type VerifiedBatch,
  type VerifiedCommittedEntry,
  type VerifiedEnvelope,
  type VerifiedNewView,
  type ViewNumber,
  viewNumber,
} from "@quorate/protocol";
import { GapFiller } from "@quorate/state-transfer";
import { type LeaveCause, PrimaryJudge, type ViewChangeStep, ViewChanging } from "@quorate/view-change";
import { Backlog } from "./backlog.ts";
import type { ReplicaEvent } from "./events.ts";
import { LostDisks } from "./lost-disks.ts";
import { Muteness, type MuteStatus } from "./muteness.ts";
import { PrimaryWatch } from "./primary-watch.ts";
import { Relevance } from "./relevance.ts";
import type { Recovery, ReplicaOptions, ReplicaStatus } from "./replica-options.ts";
import { StatusExchange } from "./status-exchange.ts";
import type { SubProtocols } from "./sub-protocols.ts";

/** How many requests a backup passes on again at each tick: those that the primary may have lost. */
const PASSED_ON_PER_TICK_MAX = 64;

/**
 * One replica as a function: an event in, an ordered list of effects out, nothing else. It is the mediator of the
 * sub-protocols: the one place where what one of them returns becomes a call on another.
 */
export class Replica {
  /** For whoever has to decide whether a message is worth a look at its signature. */
  readonly relevance: Relevance;
  readonly #options: ReplicaOptions;
  readonly #parts: SubProtocols;
  readonly #ordering: Ordering;
  readonly #checkpointing: Checkpointing;
  readonly #gapFiller: GapFiller;
  readonly #viewChanging: ViewChanging;
  readonly #primaryWatch = new PrimaryWatch();
  readonly #primaryJudge: PrimaryJudge;
  readonly #backlog = new Backlog();
  readonly #statusExchange: StatusExchange;
  readonly #muteness: Muteness;
  readonly #lostDisks: LostDisks;
  readonly #recovered: readonly VerifiedCommittedEntry[];
  /** Handed out for execution and not yet executed. */
  readonly #executing = new Map<SequenceNumber, Decision>();
  #executed: SequenceNumber;
  /** The view that it left another one for, or entered. */
  #target: ViewNumber;
  #leaveCause: LeaveCause | "followed" = "followed";

  constructor(options: ReplicaOptions, base: Base, recovery?: Recovery) {
    this.#options = options;
    this.#executed = recovery?.executed ?? base.stable.seq;
    const { signer, windowSize, checkpointInterval: interval, statusIntervalMs } = options;
    const { membership } = base;
    this.#muteness = new Muteness(signer.self, membership, windowSize, recovery?.muteness);
    const { isMute } = this.#muteness;
    this.#ordering = new Ordering({ ...options, isMute }, base, this.#executed);
    const nullDigest = options.nullBatch.digest;
    const composer = options.viewChangeComposer;
    this.#viewChanging = new ViewChanging({ ...options, composer, nullDigest, isMute }, base, recovery?.views);
    this.#checkpointing = new Checkpointing({ signer, windowSize, interval, isMute }, base);
    this.#target = this.#viewChanging.target;
    this.#primaryJudge = new PrimaryJudge(options, membership);
    this.#gapFiller = new GapFiller({ signer, epoch: membership.epoch, retryAfterMs: 4 * statusIntervalMs });
    this.#parts = {
      membership,
      ordering: this.#ordering,
      checkpointing: this.#checkpointing,
      gapFiller: this.#gapFiller,
      viewChanging: this.#viewChanging,
      backlog: this.#backlog,
    };
    this.#lostDisks = new LostDisks(signer, this.#parts, this.#muteness, windowSize, statusIntervalMs);
    this.relevance = new Relevance(this.#parts, windowSize, this.#lostDisks, this.#muteness);
    this.#statusExchange = new StatusExchange(signer, this.#parts, statusIntervalMs, this.#executed);
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
      viewsLeft: this.#viewChanging.viewsLeft,
      isStranded: this.#gapFiller.isStranded(this.#ordering.lastDelivered),
      mute: this.#muteness.status,
    };
  }

  /** How full everything is that others can fill. Looks at all of it: not for each step of a loaded replica. */
  get fills(): readonly Fill[] {
    const { windowSize } = this.#options;
    // While a flush takes its time: the window, and what was asked for of a history.
    const max = windowSize + FETCH_COMMITTED_MAX;
    const executing = { of: "batches handed out for execution", size: this.#executing.size, max };
    const components = [this.#backlog, this.#ordering, this.#checkpointing, this.#viewChanging];
    return [executing, ...components.flatMap(({ fills }) => fills)];
  }

  /** The view this replica is in, as `status` says. */
  get view(): ViewNumber {
    return this.#ordering.view;
  }

  /** Whether and how far from voting it is mute, as `status` says; the same object until something changes. */
  get mute(): MuteStatus | undefined {
    return this.#muteness.status;
  }

  /** The view it moves to, as `status` says. */
  get target(): ViewNumber {
    return this.#viewChanging.target;
  }

  /** Why it gave up a view, when `target` moved last; `followed`: a later view had begun without it. */
  get leaveCause(): LeaveCause | "followed" {
    return this.#leaveCause;
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
    this.#takeTurns(atMs, out);
    this.#serveMuteMembers(atMs, out);
    this.#tryToSpeak(atMs, out);
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
      case "query-stable":
        return this.#lostDisks.onQuery(event.from, event.envelope, atMs, out);
      case "reply-stable":
        return this.#lostDisks.onReply(event.reply, out);
      case "hand-over-asked":
        return this.#onHandOverAsked(atMs, out);
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
    this.#lostDisks.ask(out);
    this.#statusExchange.start(this.#executed, out);
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
    const { primary } = this.#ordering;
    // Mute, it may be the primary and not order, or in a view of long ago whose primary would pass it back.
    if (this.#muteness.isMute || primary === this.#options.signer.self || !this.#viewChanging.isSettled) return;
    out.push({ type: "send", to: primary, frame: { type: "request", request } });
  }

  #onMessage(event: Extract<ReplicaEvent, { type: "message" }>, atMs: number, out: Effect[]): void {
    const { envelope } = event;
    const { from, message } = envelope;
    if (memberOf(this.#parts.membership, from) === undefined) return reject({ code: "membership.stranger", from }, out);
    if (message.epoch !== this.#parts.membership.epoch)
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
        this.#lostDisks.onStatus(from, message.target, out);
        return this.#statusExchange.onStatus(from, message, this.#executed, atMs, out);
      case "fetch-batch":
        return this.#statusExchange.onFetchBatch(from, message, atMs, out);
      case "fetch-committed":
        return this.#statusExchange.onFetchCommitted(from, message, atMs, out);
      case "hand-over":
        return this.#follow(this.#viewChanging.onHandOver(narrow(envelope, message), out), atMs, out);
      case "view-change":
      case "new-view":
      case "query-stable":
      case "reply-stable":
        // They come in frames of their own, with what justifies them.
        return invariant(false, "replica.unjustified-message", { type: message.type });
      default:
        return assertNever(message);
    }
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
    if (!this.relevance.isEntryAwaited(seq))
      return reject({ code: "committed.not-asked-for", from: event.from, seq }, out);
    this.#checkMemory(event.entry);
    this.#afterOrdering(this.#ordering.onCommitted(event.entry, out), out);
  }

  /**
   * What this replica committed to above h is in its log. If not, the disk is not the one that it spoke from: it was lost or
   * rolled back, and nobody said so. Certificates tell late, but better than never (protocol rule 8.4).
   */
  #checkMemory({ certificate: { seq, signatures } }: VerifiedCommittedEntry): void {
    if (this.#muteness.isMute || !signatures.some(({ from }) => from === this.#options.signer.self)) return;
    const advice = "its disk was lost or rolled back: stop, and run `quorate init --lost-disk`";
    invariant(this.#ordering.hasPrepared(seq), "replica.own-commit-forgotten", { seq, advice });
  }

  #onExecuted(event: Extract<ReplicaEvent, { type: "executed" }>, atMs: number, out: Effect[]): void {
    const { seq, progress } = event;
    invariant(seq === this.#executed + 1, "replica.executed-out-of-order", { seq, executed: this.#executed });
    const decision = this.#executing.get(seq);
    invariant(decision !== undefined, "replica.executed-unasked", { seq });
    this.#executing.delete(seq);
    this.#executed = seq;
    const { requests } = decision.batch;
    const waits = this.#ordering.onExecuted(seq, requests, progress, atMs, out);
    // Null batches say nothing about what a view can do.
    if (requests.length === 0 || decision.certificate.view !== this.#ordering.view) return;
    this.#viewChanging.onProgress(waits.waitedMs);
    if (waits.isOrderedHere) this.#judgePrimary(decision, waits.served, atMs, out);
  }

  /** A backup holds the primary to what others could do, too; the primary learns from itself what that is. */
  #judgePrimary({ batch }: Decision, served: readonly ServedRequest[], atMs: number, out: Effect[]): void {
    if (!this.#viewChanging.isSettled) return;
    const verdict = this.#primaryJudge.onExecuted(batch, served, atMs, this.#viewChanging.timeOutMs);
    if (verdict === undefined || this.#ordering.isPrimary) return;
    this.#follow(this.#viewChanging.onJudged(verdict), atMs, out);
  }

  #onTimeout(event: Extract<ReplicaEvent, { type: "timeout" }>, atMs: number, out: Effect[]): void {
    switch (event.timer) {
      case "status":
        if (this.#statusExchange.isDue(event.token)) this.#onStatusTick(atMs, out);
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
    this.#statusExchange.onTick(this.#executed, out);
    this.#lostDisks.onTick(out);
    // What was passed on may have been lost: nobody is held to what he may not have heard of.
    const since = atMs - this.#options.statusIntervalMs;
    if (!this.#ordering.isPrimary)
      for (const request of this.#ordering.waitingSince(since, PASSED_ON_PER_TICK_MAX)) this.#passOn(request, out);
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
    const muteness = this.#muteness.recordAt(stable.seq);
    if (muteness !== undefined) out.push({ type: "persist", record: muteness });
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
      // A VIEW-CHANGE is a vote like any other.
      const { isMute } = this.#muteness;
      if (isMute && !this.#muteness.isSafe(this.#checkpointing.stable.seq, step.target)) return;
      this.#ordering.leaveView(out);
      if (isMute) step = later(step, this.#speak(atMs, out));
      this.#primaryWatch.stop(out);
      this.#afterLeaving(step.target, step.cause);
      const prepared = this.#ordering.preparedCertificates;
      step = this.#viewChanging.leave(step, { stable: this.#checkpointing.stable, prepared }, out);
    }
  }

  #onHandOverAsked(atMs: number, out: Effect[]): void {
    const { view, isPrimary } = this.#ordering;
    // Before the start ordering does not know yet that the view was left.
    if (!isPrimary || !this.#viewChanging.isSettled)
      return reject({ code: "hand-over.not-primary", from: undefined, view }, out);
    const { epoch } = this.#parts.membership;
    const asked = this.#options.signer.sign({ type: "hand-over", epoch, view });
    this.#follow(this.#viewChanging.handOver(asked, out), atMs, out);
  }

  /**
   * The view's last number is executed: on to the next primary. A level, not an edge, so that it holds after a restart
   * and for whoever learnt from later views that this one is over (protocol rule 7.6).
   */
  #takeTurns(atMs: number, out: Effect[]): void {
    if (this.#executed >= this.#ordering.lastOfView) this.#follow(this.#viewChanging.onTurnOver(), atMs, out);
  }

  #afterLeaving(target: ViewNumber, cause: LeaveCause | "followed"): void {
    this.#target = target;
    this.#leaveCause = cause;
    this.#primaryJudge.onLeft(viewNumber(target - 1), cause);
  }

  #enterView(newView: VerifiedNewView, atMs: number, out: Effect[]): void {
    // Others left without it: it was cut off, or slower than they.
    if (this.#viewChanging.target > this.#target) this.#afterLeaving(this.#viewChanging.target, "followed");
    this.#primaryWatch.stop(out);
    this.#primaryJudge.onEntered(atMs);
    this.#statusExchange.onNewView();
    this.#lostDisks.onNewView(out);
    this.#afterOrdering(this.#ordering.enterView(newView, atMs, out), out);
    for (const request of this.#ordering.pendingRequests()) this.#passOn(request, out);
    this.#releaseBacklog(atMs, out);
  }

  /**
   * Members that lost their disks wait for numbers, which are null batches when nobody else wants them, and for views
   * (protocol rule 8.5).
   */
  #serveMuteMembers(atMs: number, out: Effect[]): void {
    const upTo = this.#lostDisks.nullBatches;
    if (upTo === undefined) return;
    this.#afterOrdering(this.#ordering.onNullBatches(upTo, atMs, out), out);
    const { handOver } = this.#lostDisks;
    if (handOver === undefined) return;
    this.#follow(this.#viewChanging.handOver(handOver, out), atMs, out);
  }

  /** Mute, this replica votes again as soon as it can contradict nothing that it promised before (protocol rule 8.5). */
  #tryToSpeak(atMs: number, out: Effect[]): void {
    const { isMute } = this.#muteness;
    if (isMute && this.#muteness.isSafe(this.#checkpointing.stable.seq, this.#ordering.view))
      this.#follow(this.#speak(atMs, out), atMs, out);
    if (this.#checkpointing.isMute && !this.#muteness.isMute)
      this.#afterCheckpoint(this.#checkpointing.unmute(out), atMs, out);
  }

  /** @returns what others did meanwhile that this replica now does, too. */
  #speak(atMs: number, out: Effect[]): ViewChangeStep | undefined {
    this.#muteness.release(this.#checkpointing.stable.seq, out);
    this.#afterOrdering(this.#ordering.unmute(atMs, out), out);
    return this.#viewChanging.unmute();
  }

  /** A backup holds the primary to what waits (protocol rule 7.4). */
  #watchPrimary(atMs: number, out: Effect[]): void {
    this.#primaryJudge.onStep(this.#ordering.clockedCount > 0, atMs);
    const { excused } = this.#viewChanging;
    if (excused !== undefined) this.#primaryJudge.onExcused(excused);
    if (this.#ordering.isPrimary || !this.#viewChanging.isSettled || this.#muteness.isMute) return;
    this.#primaryWatch.watch(this.#oldestWaitAtMs(atMs), atMs, this.#viewChanging.timeOutMs, out);
  }

  #oldestWaitAtMs(atMs: number): number | undefined {
    const waits = [this.#ordering.oldestWaitAtMs, this.#lostDisks.waitsSinceMs(atMs)].filter((at) => at !== undefined);
    return waits.length === 0 ? undefined : Math.min(...waits);
  }

  #onProgressTimeout(token: number, atMs: number, out: Effect[]): void {
    const isLate = this.#primaryWatch.onTimeout(token, this.#oldestWaitAtMs(atMs), atMs, this.#viewChanging.timeOutMs);
    if (isLate && !this.#ordering.isPrimary && this.#viewChanging.isSettled)
      this.#follow(this.#viewChanging.onFailed(), atMs, out);
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

type Leaving = Extract<ViewChangeStep, { type: "leave" }>;

function later(first: Leaving, second: ViewChangeStep | undefined): Leaving {
  return second?.type === "leave" && second.target > first.target ? second : first;
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
    case "view.over":
      return { code, from, seq: message.seq };
    default:
      return { code: "window.below", from, seq: message.seq };
  }
}

import type { Audit, Checkpointing } from "@quorate/checkpoint";
import type { Ordering } from "@quorate/pbft-core";
import {
  assertNever,
  type Base,
  type CheckpointCertificate,
  type Digest,
  type Effect,
  type Fill,
  invariant,
  memberOf,
  type Rejection,
  type Request,
  type SequenceNumber,
  type VerifiedCommittedEntry,
  type ViewNumber,
} from "@quorate/protocol";
import type { GapFiller } from "@quorate/state-transfer";
import type { LeaveCause, ViewChanging } from "@quorate/view-change";
import { BatchIntake } from "./batch-intake.ts";
import { createSubProtocols } from "./create-sub-protocols.ts";
import { cutLog } from "./cut-log.ts";
import type { Deliveries } from "./deliveries.ts";
import { EpochEnd } from "./epoch-end.ts";
import type { ReplicaEvent } from "./events.ts";
import { LeftBehind } from "./left-behind.ts";
import { LoneLeavers } from "./lone-leavers.ts";
import { LostDisks } from "./lost-disks.ts";
import type { Muteness, MuteStatus } from "./muteness.ts";
import { narrow } from "./narrow.ts";
import { isForObservers, Observing, refuse } from "./observing.ts";
import { PrimarySupervision } from "./primary-supervision.ts";
import { Relevance } from "./relevance.ts";
import type { ObserverStatus, Recovery, ReplicaOptions, ReplicaStatus } from "./replica-options.ts";
import { RequestRelay } from "./request-relay.ts";
import { SelfQuarantine } from "./self-quarantine.ts";
import { StatusExchange } from "./status-exchange.ts";
import type { SubProtocols } from "./sub-protocols.ts";
import { ViewFollowing } from "./view-following.ts";

/** Replicas that are asked within a second are seldom further apart. */
const OUTPUTS_TOLD = 1_024;

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
  readonly #supervision: PrimarySupervision;
  readonly #relay: RequestRelay;
  readonly #deliveries: Deliveries;
  readonly #intake: BatchIntake;
  readonly #statusExchange: Pick<StatusExchange, keyof StatusExchange>;
  /** Undefined of a member. */
  readonly #observing: Observing | undefined;
  readonly #muteness: Muteness;
  readonly #lostDisks: LostDisks;
  readonly #loneLeavers: LoneLeavers;
  readonly #leftBehind: LeftBehind;
  readonly #audit: Audit;
  readonly #selfQuarantine: SelfQuarantine;
  readonly #views: ViewFollowing;
  readonly #epochEnd: EpochEnd;
  readonly #recovered: readonly VerifiedCommittedEntry[];
  /** See `RecoveredDisk`. */
  readonly #awaitsState: boolean;

  constructor(options: ReplicaOptions, base: Base, recovery?: Recovery) {
    this.#options = options;
    const { signer, windowSize, statusIntervalMs } = options;
    this.#awaitsState = recovery?.awaitsState === true;
    const { parts, muteness, deliveries } = createSubProtocols(options, base, recovery);
    this.#parts = parts;
    this.#ordering = parts.ordering;
    this.#checkpointing = parts.checkpointing;
    this.#gapFiller = parts.gapFiller;
    this.#viewChanging = parts.viewChanging;
    this.#audit = parts.audit;
    this.#muteness = muteness;
    this.#deliveries = deliveries;
    this.#lostDisks = new LostDisks(signer, this.#parts, this.#muteness, options, statusIntervalMs);
    this.#epochEnd = new EpochEnd(this.#parts, options);
    this.#leftBehind = new LeftBehind(this.#parts);
    this.#loneLeavers = new LoneLeavers(signer, this.#parts, statusIntervalMs);
    this.#supervision = new PrimarySupervision(options, this.#parts, this.#muteness, this.#lostDisks);
    this.#relay = new RequestRelay(signer.self, this.#parts, this.#muteness);
    this.relevance = new Relevance(this.#parts, windowSize, this.#lostDisks, this.#muteness);
    this.#intake = new BatchIntake(options, this.#parts, this.#muteness, this.relevance, this.#deliveries);
    this.#observing = muteness.isObserver ? new Observing(parts, options) : undefined;
    this.#statusExchange = this.#observing ?? new StatusExchange(signer, parts, statusIntervalMs, deliveries.executed);
    this.#selfQuarantine = new SelfQuarantine(parts, windowSize);
    this.#views = new ViewFollowing({
      signer,
      awaitsState: this.#awaitsState,
      parts,
      deliveries,
      muteness,
      supervision: this.#supervision,
      statusExchange: this.#statusExchange,
      lostDisks: this.#lostDisks,
      relay: this.#relay,
      intake: this.#intake,
    });
    this.#recovered = recovery?.committed ?? [];
  }

  get status(): ReplicaStatus {
    return {
      epoch: this.#parts.membership.epoch,
      activation: this.#ordering.activation,
      view: this.#ordering.view,
      target: this.#viewChanging.target,
      timeOutMs: this.#viewChanging.timeOutMs,
      primary: this.#ordering.primary,
      executed: this.#deliveries.executed,
      lowWatermark: this.#ordering.lowWatermark,
      highWatermark: this.#ordering.highWatermark,
      pendingRequests: this.#ordering.pendingCount,
      viewsLeft: this.#viewChanging.viewsLeft,
      isStranded: this.#gapFiller.isStranded(this.#ordering.lastDelivered),
      mute: this.#muteness.status,
      observer: this.#observing?.status,
      divergent: this.#audit.convicted,
    };
  }

  /** Requests that wait to be ordered, for the next epoch. */
  get pendingRequests(): Iterable<Request> {
    return this.#ordering.pendingRequests();
  }

  /** How full everything is that others can fill. Looks at all of it: not for each step of a loaded replica. */
  get fills(): readonly Fill[] {
    const executing = this.#deliveries.fill(this.#options.windowSize);
    const components = [this.#parts.backlog, this.#ordering, this.#checkpointing, this.#audit, this.#viewChanging];
    return [executing, ...components.flatMap(({ fills }) => fills)];
  }

  /** The stable checkpoint whose state is held, with what proves it. */
  get stable(): CheckpointCertificate {
    return this.#checkpointing.stable;
  }

  /** The highest checkpoint with a certificate, whether its state is held or not. */
  get certified(): CheckpointCertificate {
    return this.#checkpointing.certified;
  }

  /** The last executed number, as `status` says. */
  get executed(): SequenceNumber {
    return this.#deliveries.executed;
  }

  /** What it has put out last, by number: for an audit. Copies: not for each step. */
  get recentOutputs(): readonly { readonly seq: SequenceNumber; readonly digest: Digest }[] {
    return this.#audit.recentOutputs(OUTPUTS_TOLD).map(([seq, digest]) => ({ seq, digest }));
  }

  /** The view this replica is in, as `status` says. */
  get view(): ViewNumber {
    return this.#ordering.view;
  }

  /** Whether and how far from voting it is mute, as `status` says; the same object until something changes. */
  get mute(): MuteStatus | undefined {
    return this.#muteness.status;
  }

  /** As `status` says. */
  get observer(): ObserverStatus | undefined {
    return this.#observing?.status;
  }

  /** The view it moves to, as `status` says. */
  get target(): ViewNumber {
    return this.#viewChanging.target;
  }

  /** Why it gave up a view, when `target` moved last; `followed`: a later view had begun without it. */
  get leaveCause(): LeaveCause | "followed" {
    return this.#supervision.leaveCause;
  }

  /**
   * One event in, an ordered list of effects out.
   *
   * @param atMs wall-clock milliseconds that the runner keeps from going back; the replica has no other clock.
   * @throws InvariantViolation when this replica's own code or state is wrong; the process must stop.
   */
  step(event: ReplicaEvent, atMs: number): readonly Effect[] {
    const out: Effect[] = [];
    if (this.#selfQuarantine.isSilent || this.#epochEnd.isOver) return out;
    this.#dispatch(event, atMs, out);
    this.#views.takeTurns(atMs, out);
    this.#fillNumbers(atMs, out);
    this.#tryToSpeak(atMs, out);
    this.#gapFiller.onExecuted(this.#deliveries.executed);
    this.#gapFiller.onCertified(this.#checkpointing.certified);
    this.#gapFiller.onDelivered(this.#ordering.lastDelivered, out);
    this.#leftBehind.onStep(this.#deliveries.executed, out);
    this.#supervision.onStep(atMs, out);
    this.#checkInvariants();
    const said = this.#selfQuarantine.onStep(out, this.#deliveries.executed);
    // Without its state a replica has not come to the activation.
    if (!this.#selfQuarantine.isSilent) this.#epochEnd.onStep(out);
    return said;
  }

  #dispatch(event: ReplicaEvent, atMs: number, out: Effect[]): void {
    if (this.#observing !== undefined && !isForObservers(event))
      return refuse(event.type === "message" ? event.envelope.from : undefined, out);
    switch (event.type) {
      case "start":
        return this.#onStart(atMs, out);
      case "request":
        return this.#onRequest(event, atMs, out);
      case "message":
        return this.#onMessage(event, atMs, out);
      case "batch-body":
        return this.#intake.onBatchBody(event, atMs, out);
      case "committed":
        return this.#intake.onCommitted(event, out);
      case "certificate":
        if (event.isBelowHistory) this.#gapFiller.onBelowHistory(event.from, this.#ordering.lastDelivered, out);
        return this.#afterCheckpoint(this.#checkpointing.onCertificate(event.certificate), atMs, out);
      case "view-change":
        return this.#views.follow(this.#viewChanging.onViewChange(event.viewChange, out), atMs, out);
      case "new-view":
        return this.#views.follow(this.#viewChanging.onNewView(event.newView, out), atMs, out);
      case "query-stable":
        return this.#lostDisks.onQuery(event.from, event.envelope, atMs, out);
      case "reply-stable":
        return this.#lostDisks.onReply(event.reply, out);
      case "hand-over-asked":
        return this.#views.handOver(atMs, out);
      case "timeout":
        return this.#onTimeout(event, atMs, out);
      case "executed":
        return this.#onExecuted(event, atMs, out);
      case "state-durable":
        this.#audit.onOwn("state", event.seq, event.stateRoot);
        return this.#afterCheckpoint(this.#checkpointing.onStateDurable(event.seq, event.stateRoot, out), atMs, out);
      default:
        return assertNever(event);
    }
  }

  /** After a restart the own votes go out again with the answers to the others' status: ask for them right away. */
  #onStart(atMs: number, out: Effect[]): void {
    for (const entry of this.#recovered) this.#deliveries.deliver(this.#ordering.onCommitted(entry, out), out);
    if (!this.#viewChanging.isSettled) this.#ordering.leaveView(out);
    this.#deliveries.deliver(this.#ordering.resume(this.#viewChanging.standing.newView, atMs, out), out);
    this.#lostDisks.ask(out);
    this.#statusExchange.start(this.#deliveries.executed, out);
  }

  #onRequest(event: Extract<ReplicaEvent, { type: "request" }>, atMs: number, out: Effect[]): void {
    const { request, standing } = event;
    const outcome = this.#ordering.onRequest(request, standing, atMs, out);
    if (outcome === "full") {
      out.push({ type: "rejected", rejection: { code: "request.queue-full", from: undefined } });
      out.push({ type: "refuse", client: request.request.client, requestDigest: request.digest, code: "overloaded" });
      return;
    }
    if (standing.type !== "answered") this.#relay.passOn(request.request, out);
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
        return this.#intake.onThreePhase(narrow(envelope, message), event.batch, atMs, out);
      case "checkpoint": {
        this.#audit.onClaim("state", from, message.seq, message.stateRoot);
        const stable = this.#checkpointing.onCheckpoint(narrow(envelope, message), out);
        return this.#afterCheckpoint(stable, atMs, out);
      }
      case "status":
        if (message.executionDigest !== undefined)
          this.#audit.onClaim("outputs", from, message.executed, message.executionDigest);
        this.#lostDisks.onStatus(from, message.target, out);
        return this.#statusExchange.onStatus(from, message, this.#deliveries.executed, atMs, out);
      case "fetch-batch":
        return this.#statusExchange.onFetchBatch(from, message, atMs, out);
      case "fetch-committed":
        return this.#statusExchange.onFetchCommitted(from, message, atMs, out);
      case "hand-over":
        return this.#views.follow(this.#viewChanging.onHandOver(narrow(envelope, message), out), atMs, out);
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

  #onExecuted(event: Extract<ReplicaEvent, { type: "executed" }>, atMs: number, out: Effect[]): void {
    const { seq, progress, executionDigest, activation } = event;
    if (executionDigest !== undefined) this.#audit.onOwn("outputs", seq, executionDigest);
    const decision = this.#deliveries.onExecuted(seq);
    const { requests } = decision.batch;
    this.#epochEnd.onExecuted(seq, activation);
    const waits = this.#ordering.onExecuted(seq, requests, progress, atMs, out);
    // Null batches say nothing about what a view can do.
    if (requests.length === 0 || decision.certificate.view !== this.#ordering.view) return;
    this.#viewChanging.onProgress(waits.waitedMs);
    if (waits.isOrderedHere) this.#views.follow(this.#supervision.onExecuted(decision, waits.served, atMs), atMs, out);
  }

  #onTimeout(event: Extract<ReplicaEvent, { type: "timeout" }>, atMs: number, out: Effect[]): void {
    switch (event.timer) {
      case "status":
        if (this.#statusExchange.isDue(event.token)) this.#onStatusTick(atMs, out);
        return;
      case "clock-wait":
        return this.#deliveries.deliver(this.#ordering.onClockWait(atMs, out), out);
      case "null-batch":
        return this.#ordering.onNullBatchDue(atMs, out);
      case "fetch":
        return this.#gapFiller.onTimeout(event.token, this.#ordering.lastDelivered, out);
      case "progress":
        return this.#views.follow(this.#supervision.onTimeout(event.token, atMs), atMs, out);
      case "view-change":
        return this.#views.follow(this.#viewChanging.onTimeout(event.token), atMs, out);
      default:
        return assertNever(event.timer);
    }
  }

  #onStatusTick(atMs: number, out: Effect[]): void {
    this.#statusExchange.onTick(this.#deliveries.executed, out);
    this.#lostDisks.onTick(out);
    this.#relay.passOnAgain(atMs - this.#options.statusIntervalMs, out);
    this.#views.follow(this.#loneLeavers.onTick(out), atMs, out);
  }

  /** h moved: the log below it goes, the window opens, and what waited for it is looked at again. */
  #afterCheckpoint(stable: CheckpointCertificate | undefined, atMs: number, out: Effect[]): void {
    if (stable === undefined) return;
    this.#audit.onStable(stable.seq);
    if (this.#observing === undefined)
      out.push({ type: "tell-observers", frame: { type: "stable-checkpoint", checkpoint: stable } });
    cutLog(stable, this.#viewChanging.standing, this.#muteness.recordAt(stable.seq), out);
    this.#ordering.collectGarbage(stable.seq, atMs, out);
    this.#intake.releaseBacklog(atMs, out);
    this.#views.follow(this.#viewChanging.onStable(stable.seq, out), atMs, out);
  }

  /**
   * A change waits for its activation (protocol rule 11.2). Members that lost their disks wait for numbers, too, and for views
   * (protocol rule 8.5). The numbers are null batches when nobody else wants them.
   */
  #fillNumbers(atMs: number, out: Effect[]): void {
    const upTo = this.#epochEnd.nullBatches(this.#lostDisks.nullBatches);
    if (upTo === undefined) return;
    this.#deliveries.deliver(this.#ordering.onNullBatches(upTo, atMs, out), out);
    const { handOver } = this.#lostDisks;
    if (handOver === undefined) return;
    this.#views.follow(this.#viewChanging.handOver(handOver, out), atMs, out);
  }

  /** Votes may be due that were not before: of a mute replica, and of one that has been (protocol rule 8.5). */
  #tryToSpeak(atMs: number, out: Effect[]): void {
    this.#views.tryToSpeak(atMs, out);
    if (this.#checkpointing.isMute && !this.#muteness.isMute && !this.#awaitsState)
      this.#afterCheckpoint(this.#checkpointing.unmute(out), atMs, out);
  }

  #checkInvariants(): void {
    this.#ordering.checkInvariants();
    this.#viewChanging.checkInvariants();
    invariant(this.#viewChanging.view === this.#ordering.view, "replica.two-views", { view: this.#ordering.view });
    this.#checkpointing.checkInvariants();
    const { lastDelivered, lowWatermark } = this.#ordering;
    invariant(lowWatermark === this.#checkpointing.stable.seq, "replica.two-low-watermarks", { h: lowWatermark });
    this.#deliveries.checkInvariants(lowWatermark, lastDelivered);
  }
}

function reject(rejection: Rejection, out: Effect[]): void {
  out.push({ type: "rejected", rejection });
}

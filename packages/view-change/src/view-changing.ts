import {
  type Base,
  type Envelope,
  type Fill,
  type HandOver,
  invariant,
  isSameNewView,
  isSameViewChange,
  type Membership,
  type NewView,
  newViewFault,
  type Outbox,
  primaryOf,
  quorumSize,
  type ReplicaFrame,
  type ReplicaId,
  type SequenceNumber,
  type Status,
  type VerifiedEnvelope,
  type VerifiedNewView,
  type VerifiedViewChange,
  type ViewChange,
  type ViewNumber,
  viewChangeFault,
  viewNumber,
} from "@quorate/protocol";
import { composeNewView } from "./compose-new-view.ts";
import { composeViewChange } from "./compose-view-change.ts";
import { Convictions } from "./convictions.ts";
import { HeldNewViews } from "./held-new-views.ts";
import type { LeaveCause, Verdict } from "./leave-cause.ts";
import { NewViewTimer } from "./new-view-timer.ts";
import { TimeOut } from "./time-out.ts";
import { ViewChangeSet } from "./view-change-set.ts";
import type { LeaveStep, ViewChangeStep } from "./view-change-step.ts";
import type { Promises, RestoredViews, ViewChangingOptions } from "./view-changing-options.ts";
import { ViewsLeft } from "./views-left.ts";

/**
 * The view that a replica is in, and its way to the next one (OSDI'99 §4.4). It never orders: it says when to stop and
 * with what to begin again.
 */
export class ViewChanging {
  readonly #options: ViewChangingOptions;
  readonly #membership: Membership;
  readonly #timeOut: TimeOut;
  /** The view entered last. */
  #view: ViewNumber;
  /** The view moved to; equal to `#view` while it orders. */
  #target: ViewNumber;
  readonly #viewChanges: ViewChangeSet;
  #own: VerifiedViewChange | undefined;
  readonly #newViews: HeldNewViews;
  /** The last view that its own primary asked to be relieved of. */
  #relieved: ViewNumber | undefined;
  readonly #convictions = new Convictions();
  /** h: no view is entered that starts above it. */
  #stable: SequenceNumber;
  readonly #timer = new NewViewTimer();
  #isMute: boolean;
  /** The own request to be relieved of a view, for those who missed it. */
  #handOver: VerifiedEnvelope<HandOver> | undefined;
  /** Left because others had, as a failure that lengthened the time-out or not: it may turn out that it was none. */
  #joinedFrom: { readonly view: ViewNumber; readonly wasCounted: boolean } | undefined;
  #excused: ViewNumber | undefined;
  readonly #left = new ViewsLeft();

  constructor(options: ViewChangingOptions, base: Base, restored?: RestoredViews) {
    this.#options = options;
    this.#membership = base.membership;
    this.#viewChanges = new ViewChangeSet(base.membership);
    this.#stable = base.stable.seq;
    this.#timeOut = new TimeOut(options);
    this.#isMute = options.isMute === true;
    this.#newViews = new HeldNewViews(restored?.newView);
    this.#view = restored?.newView?.newView.envelope.message.view ?? viewNumber(0);
    invariant(this.#view === base.view, "view-change.base-of-another-view", { view: this.#view, base: base.view });
    this.#target = this.#view;
    this.#own = restored?.viewChange;
    if (this.#own === undefined) return;
    const { from, message } = this.#own.viewChange.envelope;
    invariant(from === options.composer.self, "view-change.restored-foreign", { from });
    if (message.view <= this.#view) return;
    this.#target = message.view;
    this.#viewChanges.add(this.#own);
  }

  /** The view entered last. */
  get view(): ViewNumber {
    return this.#view;
  }
  /** The view moved to; equal to `view` while it orders. */
  get target(): ViewNumber {
    return this.#target;
  }
  get isSettled(): boolean {
    return this.#target === this.#view;
  }
  /**
   * The view of which this replica is primary, while some have left it for the next one, too few for a view change, and
   * have not been told to go on: only its primary can bring all together again (protocol rule 7.5). With the help of f
   * faulty ones it may be among those that left.
   *
   * Who says to be further away than the next view lies, or others are with it, whose word is on its way.
   */
  get ownViewLeftByFew(): ViewNumber | undefined {
    const view = viewNumber(this.isSettled ? this.#view : this.#target - 1);
    const isOwn = !this.#isMute && primaryOf(this.#membership, view) === this.#options.composer.self;
    if (!isOwn || this.#handOver?.message.view === view) return undefined;
    const next = viewNumber(view + 1);
    const isChanging = this.#viewChanges.countAtOrBeyond(next) >= quorumSize(this.#membership);
    return this.#viewChanges.hasFor(next) && !isChanging ? view : undefined;
  }
  /** How long a request may wait in this view. */
  get timeOutMs(): number {
    return this.#timeOut.currentMs;
  }
  /** The last view that was left because others had, and is known now not to have failed. */
  get excused(): ViewNumber | undefined {
    return this.#excused;
  }
  /** How many views were left since the start, and why. */
  get viewsLeft(): Readonly<Record<LeaveCause, number>> {
    return this.#left.counts;
  }
  get fills(): readonly Fill[] {
    return [this.#viewChanges.fill, this.#convictions.fill(this.#membership.members.length)];
  }
  /** Whose VIEW-CHANGE for the target is held, ascending; empty while it orders. */
  get viewChangesOf(): ReplicaId[] {
    if (this.isSettled) return [];
    return this.#viewChanges.of(this.#target).map(({ viewChange }) => viewChange.envelope.from);
  }
  /** What must be in the log for as long as it stands: the own VIEW-CHANGE while it moves, and the entered NEW-VIEW. */
  get standing(): {
    readonly viewChange: VerifiedViewChange | undefined;
    readonly newView: VerifiedNewView | undefined;
  } {
    return { viewChange: this.isSettled ? undefined : this.#own, newView: this.#newViews.entered };
  }

  /** Whether verifying this VIEW-CHANGE would be wasted (protocol rule 13.1). One that contradicts another is evidence. */
  isViewChangeRedundant(envelope: Envelope<ViewChange>): boolean {
    const { from, message } = envelope;
    if (message.view <= this.#view) return true;
    const newest = this.#viewChanges.newestOf(from)?.viewChange.envelope.message;
    if (newest === undefined || message.view > newest.view) return false;
    if (message.view < newest.view) return true;
    return isSameViewChange(newest, message) || this.#convictions.has(envelope);
  }

  /** As `isViewChangeRedundant`, for a NEW-VIEW. */
  isNewViewRedundant(envelope: Envelope<NewView>): boolean {
    const { from, message } = envelope;
    if (message.view < this.#target || message.view < this.#view) return true;
    if (from !== primaryOf(this.#membership, message.view)) return true;
    const held = this.#newViews.of(message.view);
    if (held !== undefined && isSameNewView(held.newView.envelope.message, message)) return true;
    if (held === undefined && message.view === this.#view) return true;
    return this.#convictions.has(envelope);
  }

  /** As `isViewChangeRedundant`, for a HAND-OVER: of a view that is left or not reached, or not of its primary. */
  isHandOverRedundant(from: ReplicaId, { view }: HandOver): boolean {
    const isOfUse = (view === this.#target && view !== this.#relieved) || view === this.#joinedFrom?.view;
    return !isOfUse || from !== primaryOf(this.#membership, view);
  }

  /** The own view failed: its time-out passed. */
  onFailed(): ViewChangeStep {
    this.#countFailure();
    return this.#toNext("failed");
  }

  /** The view's primary was judged. That says nothing against the time-out: it stays what it is. */
  onJudged(verdict: Verdict): ViewChangeStep {
    return this.#toNext(verdict);
  }

  /**
   * This replica, primary of the view that it is in, asks to be relieved, and goes first (protocol rule 7.6).
   *
   * @param asked signed by it, for that view.
   */
  handOver(asked: VerifiedEnvelope<HandOver>, out: Outbox): ViewChangeStep {
    const { from, message } = asked;
    invariant(this.isSettled && message.view === this.#view, "view-change.hands-over-another-view", { at: this.#view });
    const primary = primaryOf(this.#membership, this.#view);
    invariant(from === this.#options.composer.self && from === primary, "view-change.hands-over-as-backup", {
      primary,
    });
    this.#sayHandOver(asked, out);
    return this.#toNext("handed-over");
  }

  /**
   * Asks to be relieved of `ownViewLeftByFew`. If this replica has left it itself, it only tells those who are still there.
   *
   * @param asked signed by it, for that view.
   */
  handOverToLeavers(asked: VerifiedEnvelope<HandOver>, out: Outbox): ViewChangeStep | undefined {
    if (this.isSettled) return this.handOver(asked, out);
    invariant(asked.message.view === this.ownViewLeftByFew, "view-change.hands-over-another-view", {
      at: this.#target,
    });
    this.#sayHandOver(asked, out);
    return undefined;
  }

  /** The last number of the view is executed: its primary has had its turn (protocol rule 7.6). */
  onTurnOver(): ViewChangeStep | undefined {
    if (this.isSettled) return this.#toNext("rotated");
    this.#excuse(this.#view);
    return undefined;
  }

  /**
   * The primary of the view that this replica is in, or moves to, asks to be relieved: nobody needs to wait for it, and
   * nothing failed (protocol rule 7.6). Nothing is gained by lying: it could as well have said nothing.
   */
  onHandOver({ from, message }: VerifiedEnvelope<HandOver>, out: Outbox): ViewChangeStep | undefined {
    const { view } = message;
    if (from !== primaryOf(this.#membership, view)) {
      out.push({ type: "rejected", rejection: { code: "hand-over.not-from-primary", from, view } });
      return undefined;
    }
    if (view === this.#target) {
      this.#relieved = view;
      // A view that is moved to can only be given up like one that failed: when a quorum has moved to it. Whoever lost its
      // disk concludes from where others stand how far it can have gone (protocol rule 8.5).
      return this.isSettled ? this.#toNext("handed-over") : this.#afterViewChanges(out);
    }
    if (!this.#excuse(view)) out.push({ type: "rejected", rejection: { code: "hand-over.other-view", from, view } });
    return undefined;
  }

  /** From now on this replica votes, and leaves views: the one that it is in, if others have or its primary is relieved. */
  unmute(): ViewChangeStep | undefined {
    this.#isMute = false;
    return this.#join() ?? (this.isSettled && this.#relieved === this.#view ? this.#toNext("handed-over") : undefined);
  }

  /** Requests that had waited for `waitedMs` were executed in this view. */
  onProgress(waitedMs: number): void {
    if (this.isSettled) this.#timeOut.onProgress(waitedMs);
  }

  /** Says to all what was promised, durably first; from now on nothing below `target` is voted for (rule 7.1). */
  leave({ target, cause }: LeaveStep, promises: Promises, out: Outbox): ViewChangeStep | undefined {
    invariant(target > this.#target, "view-change.moves-back", { target, at: this.#target });
    const { composer, windowSize } = this.#options;
    const { epoch } = this.#membership;
    const own = composeViewChange({ epoch, view: target, windowSize }, promises, composer);
    const { viewChange } = own;
    this.#left.count(cause);
    if (cause !== "joined") this.#joinedFrom = undefined;
    this.#target = target;
    this.#own = own;
    this.#timer.stop(out);
    this.#newViews.leaveFor(target);
    out.push({ type: "persist", record: { type: "view-change", at: promises.stable.seq, viewChange } });
    out.push({ type: "broadcast", frame: { type: "view-change", viewChange } });
    this.#viewChanges.add(own);
    return this.#afterViewChanges(out);
  }

  onViewChange(verified: VerifiedViewChange, out: Outbox): ViewChangeStep | undefined {
    const { envelope } = verified.viewChange;
    const { from, message } = envelope;
    if (message.view <= this.#view) {
      out.push({ type: "rejected", rejection: { code: "view-change.past", from, view: message.view } });
      return undefined;
    }
    const fault = viewChangeFault(message, this.#options.windowSize);
    if (fault !== undefined) {
      out.push({ type: "rejected", rejection: { code: "view-change.malformed", from, view: message.view, fault } });
      return undefined;
    }
    const first = this.#viewChanges.newestOf(from)?.viewChange.envelope;
    if (first !== undefined && message.view <= first.message.view) {
      if (message.view === first.message.view && !isSameViewChange(first.message, message))
        this.#convictions.onContradiction(first, envelope, out);
      return undefined;
    }
    this.#viewChanges.add(verified);
    return this.#join() ?? this.#afterViewChanges(out);
  }

  onNewView(verified: VerifiedNewView, out: Outbox): ViewChangeStep | undefined {
    const { newView } = verified;
    const { envelope } = newView;
    const { from, message } = envelope;
    const held = this.#newViews.of(message.view);
    if (held !== undefined) {
      const first = held.newView.envelope;
      if (!isSameNewView(first.message, message)) this.#convictions.onContradiction(first, envelope, out);
      return undefined;
    }
    if (message.view <= this.#view || message.view < this.#target) {
      out.push({ type: "rejected", rejection: { code: "new-view.past", from, view: message.view } });
      return undefined;
    }
    const fault = newViewFault(newView, this.#membership, this.#options.windowSize, this.#options.nullDigest);
    if (fault !== undefined) {
      out.push({ type: "rejected", rejection: { code: "new-view.malformed", from, view: message.view, fault } });
      if (fault !== "unjustified") return undefined;
      this.#convictions.onUnjustified(envelope, newView.viewChanges, out);
      // Its primary lies: nobody needs to wait for this view.
      return message.view === this.#target ? this.onFailed() : undefined;
    }
    return this.#enter(verified, out);
  }

  /** h moved: a NEW-VIEW that waited for it is entered. */
  onStable(stable: SequenceNumber, out: Outbox): ViewChangeStep | undefined {
    this.#stable = stable;
    const { waiting } = this.#newViews;
    return waiting === undefined ? undefined : this.#enter(waiting, out);
  }

  /** The view moved to did not come in time. */
  onTimeout(token: number): ViewChangeStep | undefined {
    return this.#timer.onTimeout(token) ? this.onFailed() : undefined;
  }

  /** What a peer that says this of itself has missed (protocol rule 4.8). */
  framesFor(from: ReplicaId, { view, target, viewChangesOf }: Status): ReplicaFrame[] {
    const frames: ReplicaFrame[] = [];
    const { entered } = this.#newViews;
    if (entered !== undefined && view < this.#view && target <= this.#view)
      frames.push({ type: "new-view", newView: entered.newView });
    // It has not heard that it need not wait for this one's primary.
    if (target === this.#handOver?.message.view) frames.push({ type: "signed", envelope: this.#handOver });
    if (target < this.#target || this.isSettled) {
      // Behind, or alone on its way to a view that nobody else goes to: it needs to hear where the others go.
      if (this.#own !== undefined && !this.isSettled) frames.push(frameOf(this.#own));
      return frames;
    }
    if (target > this.#target) return frames;
    for (const held of this.#viewChanges.of(this.#target)) {
      const { from: sender } = held.viewChange.envelope;
      if (sender !== from && !viewChangesOf.includes(sender)) frames.push(frameOf(held));
    }
    return frames;
  }

  checkInvariants(): void {
    invariant(this.#target >= this.#view, "view-change.target-below-view", { view: this.#view, target: this.#target });
    this.#viewChanges.checkInvariants();
  }

  /** @returns whether it made a difference. */
  #countFailure(): boolean {
    return !this.#isMute && this.#timeOut.onFailed();
  }

  #toNext(cause: LeaveCause): ViewChangeStep {
    return { type: "leave", target: viewNumber(this.#target + 1), cause };
  }

  #sayHandOver(asked: VerifiedEnvelope<HandOver>, out: Outbox): void {
    this.#handOver = asked;
    out.push({ type: "broadcast", frame: { type: "signed", envelope: asked } });
  }

  /** It was left because others had, and is known now not to have failed. */
  #excuse(view: ViewNumber): boolean {
    if (view !== this.#joinedFrom?.view) return false;
    if (this.#joinedFrom.wasCounted) this.#timeOut.onExcused();
    this.#joinedFrom = undefined;
    this.#excused = view;
    return true;
  }

  #join(): ViewChangeStep | undefined {
    const target = this.#viewChanges.joinableBeyond(this.#target);
    if (target === undefined) return undefined;
    this.#joinedFrom = { view: this.#target, wasCounted: this.#countFailure() };
    return { type: "leave", target, cause: "joined" };
  }

  /**
   * With a quorum on its way to the target or beyond, the clock of the new view runs; with a quorum for the target its
   * primary speaks. Who has gone beyond was at the target, but says so no more: if its word was lost, those at the target
   * would wait for it for ever (OSDI'99 §4.5.2 assumes that it arrives).
   */
  #afterViewChanges(out: Outbox): ViewChangeStep | undefined {
    if (this.isSettled) return undefined;
    const quorum = quorumSize(this.#membership);
    const mayFail = this.#viewChanges.countAtOrBeyond(this.#target) >= quorum;
    if (mayFail && this.#relieved === this.#target) return this.#toNext("handed-over");
    if (mayFail) this.#timer.start(this.#timeOut.currentMs, out);
    const held = this.#viewChanges.of(this.#target);
    if (held.length < quorum) return undefined;
    const { composer, nullDigest } = this.#options;
    if (primaryOf(this.#membership, this.#target) !== composer.self) return undefined;
    if (this.#newViews.of(this.#target) !== undefined) return undefined;
    return this.#enter(composeNewView(held.slice(0, quorum), composer, nullDigest), out);
  }

  /** Enters the view, durably first; waits when it starts above what is stable here (protocol rule 7.2). */
  #enter(verified: VerifiedNewView, out: Outbox): ViewChangeStep | undefined {
    const { newView } = verified;
    const { from, message } = newView.envelope;
    const { view } = message;
    if (message.start > this.#stable) {
      this.#newViews.wait(verified);
      return undefined;
    }
    this.#view = view;
    this.#target = view;
    this.#handOver = undefined;
    this.#joinedFrom = undefined;
    this.#newViews.enter(verified);
    this.#timer.stop(out);
    this.#viewChanges.forget(view);
    out.push({ type: "persist", record: { type: "new-view", at: this.#stable, newView } });
    if (from === this.#options.composer.self) out.push({ type: "broadcast", frame: { type: "new-view", newView } });
    return { type: "enter", newView: verified };
  }
}

function frameOf({ viewChange }: VerifiedViewChange): ReplicaFrame {
  return { type: "view-change", viewChange };
}

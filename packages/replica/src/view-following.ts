import type { Effect, Signer, VerifiedNewView } from "@quorate/protocol";
import type { LeaveStep, ViewChangeStep } from "@quorate/view-change";
import type { BatchIntake } from "./batch-intake.ts";
import type { Deliveries } from "./deliveries.ts";
import type { LostDisks } from "./lost-disks.ts";
import type { Muteness } from "./muteness.ts";
import type { PrimarySupervision } from "./primary-supervision.ts";
import type { RequestRelay } from "./request-relay.ts";
import type { StatusExchange } from "./status-exchange.ts";
import type { SubProtocols } from "./sub-protocols.ts";

/** Everything that has to do something when a view is left or entered. */
export interface ViewFollowingOptions {
  readonly signer: Signer;
  /** See `RecoveredDisk`. */
  readonly awaitsState: boolean;
  readonly parts: Pick<SubProtocols, "membership" | "ordering" | "checkpointing" | "viewChanging">;
  readonly deliveries: Pick<Deliveries, "deliver" | "executed">;
  readonly muteness: Pick<Muteness, "isMute" | "isSafe" | "release">;
  readonly supervision: Pick<PrimarySupervision, "onLeft" | "onEntered">;
  readonly statusExchange: Pick<StatusExchange, "onNewView">;
  readonly lostDisks: Pick<LostDisks, "onNewView">;
  readonly relay: Pick<RequestRelay, "passOnAll">;
  readonly intake: Pick<BatchIntake, "releaseBacklog">;
}

/** Takes a replica out of one view and into the next, as the view change asks for it (protocol rule 7). */
export class ViewFollowing {
  readonly #o: ViewFollowingOptions;

  constructor(options: ViewFollowingOptions) {
    this.#o = options;
  }

  /** Does what the view change asks for, step by step. */
  follow(first: ViewChangeStep | undefined, atMs: number, out: Effect[]): void {
    const { muteness, supervision } = this.#o;
    const { ordering, checkpointing, viewChanging } = this.#o.parts;
    for (let step = first; step !== undefined; ) {
      if (step.type === "enter") return this.#enterView(step.newView, atMs, out);
      // A VIEW-CHANGE is a vote like any other.
      const { isMute } = muteness;
      if (isMute && !muteness.isSafe(checkpointing.stable.seq, step.target)) return;
      ordering.leaveView(out);
      if (isMute) step = later(step, this.#speak(atMs, out));
      supervision.onLeft(step.target, step.cause, out);
      const prepared = ordering.preparedCertificates;
      step = viewChanging.leave(step, { stable: checkpointing.stable, prepared }, out);
    }
  }

  #enterView(newView: VerifiedNewView, atMs: number, out: Effect[]): void {
    const { supervision, statusExchange, lostDisks, deliveries, relay, intake, parts } = this.#o;
    supervision.onEntered(atMs, out);
    statusExchange.onNewView();
    lostDisks.onNewView(out);
    deliveries.deliver(parts.ordering.enterView(newView, atMs, out), out);
    relay.passOnAll(out);
    intake.releaseBacklog(atMs, out);
  }

  /** A primary asks the others to relieve it. */
  handOver(atMs: number, out: Effect[]): void {
    const { signer, parts } = this.#o;
    const { ordering, viewChanging, membership } = parts;
    const { view, isPrimary } = ordering;
    // Before the start ordering does not know yet that the view was left.
    if (!isPrimary || !viewChanging.isSettled) {
      out.push({ type: "rejected", rejection: { code: "hand-over.not-primary", from: undefined, view } });
      return;
    }
    const asked = signer.sign({ type: "hand-over", epoch: membership.epoch, view });
    this.follow(viewChanging.handOver(asked, out), atMs, out);
  }

  /**
   * The view's last number is executed: on to the next primary. A level, not an edge, so that it holds after a restart
   * and for whoever learnt from later views that this one is over (protocol rule 7.6). Without its state a primary cannot
   * tell what is worth ordering, and hands over at once.
   */
  takeTurns(atMs: number, out: Effect[]): void {
    const { awaitsState, deliveries } = this.#o;
    const { ordering, viewChanging } = this.#o.parts;
    if (awaitsState && ordering.isPrimary && viewChanging.isSettled) this.handOver(atMs, out);
    const { executed } = deliveries;
    // No primary has anything to do behind the last number of the epoch.
    if (executed >= ordering.lastOfView && executed !== ordering.activation)
      this.follow(viewChanging.onTurnOver(), atMs, out);
  }

  /** Mute, this replica votes again as soon as it can contradict nothing that it promised before (protocol rule 8.5). */
  tryToSpeak(atMs: number, out: Effect[]): void {
    const { muteness } = this.#o;
    const { ordering, checkpointing } = this.#o.parts;
    if (muteness.isMute && muteness.isSafe(checkpointing.stable.seq, ordering.view))
      this.follow(this.#speak(atMs, out), atMs, out);
  }

  /** @returns what others did meanwhile that this replica now does, too. */
  #speak(atMs: number, out: Effect[]): ViewChangeStep | undefined {
    const { muteness, deliveries, parts } = this.#o;
    muteness.release(parts.checkpointing.stable.seq, out);
    deliveries.deliver(parts.ordering.unmute(atMs, out), out);
    return parts.viewChanging.unmute();
  }
}

function later(first: LeaveStep, second: ViewChangeStep | undefined): LeaveStep {
  return second?.type === "leave" && second.target > first.target ? second : first;
}

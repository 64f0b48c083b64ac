import type { RejectionCode, ReplicaId, ThreePhaseMessage } from "@quorate/protocol";
import type { CurrentView } from "./current-view.ts";
import type { Window } from "./window.ts";

/** Where messages of the three phases stand: in or out of their time, their sender's turn and their use. */
export class VoteStanding {
  readonly #self: ReplicaId;
  readonly #view: CurrentView;
  readonly #window: Window;

  constructor(self: ReplicaId, view: CurrentView, window: Window) {
    this.#self = self;
    this.#view = view;
    this.#window = window;
  }

  /**
   * Where a three-phase message stands relative to the view and the window; "future" ones, of views or numbers that are
   * not reached, may wait in the backlog.
   */
  classify({ view, seq }: ThreePhaseMessage): "current" | "future" | RejectionCode {
    if (view < this.#view.number) return "view.past";
    if (seq <= this.#window.low) return "window.below";
    // No view of this epoch, and no checkpoint, will make room for it: it does not wait.
    if (seq > (this.#window.end ?? seq)) return "epoch.over";
    if (view > this.#view.number) return "future";
    if (!this.#view.isActive) return "view.past";
    if (seq > this.#view.last) return "view.over";
    return seq > this.#window.high ? "future" : "current";
  }

  /**
   * Whether a vote can change nothing any more, so that verifying it would be wasted (protocol rule 13.1). A vote for
   * another digest than the decided one is never redundant: verified, it is evidence.
   */
  isRedundant(from: ReplicaId, message: ThreePhaseMessage): boolean {
    const standing = this.classify(message);
    const isDelivered = message.seq <= this.#window.lastDelivered;
    if (this.isOutOfTurn(from, message)) return true;
    if (standing === "future") return isDelivered;
    if (standing !== "current") return true;
    const decided = this.#window.decisionAt(message.seq);
    const slot = this.#window.find(message.seq);
    if (slot === undefined) return isDelivered || decided?.batch.digest === message.digest;
    return slot.isRedundant(from, message, isDelivered ? slot.digest : decided?.batch.digest);
  }

  /** Only the primary pre-prepares, to others, and only backups prepare (OSDI'99 §4.2). */
  isOutOfTurn(from: ReplicaId, { type, view }: ThreePhaseMessage): boolean {
    // What is of a later view waits for it: its own primary counts.
    const primary = this.#view.primaryIn(view);
    if (type === "pre-prepare") return from !== primary || primary === this.#self;
    return type === "prepare" && from === primary;
  }
}

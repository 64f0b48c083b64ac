import type { Digest, Outbox, PrePrepare, SequenceNumber, VerifiedBatch, VerifiedEnvelope } from "@quorate/protocol";
import type { CurrentView } from "./current-view.ts";
import type { Decision } from "./decision.ts";
import { isCounted, type ThreePhases } from "./three-phases.ts";
import type { Window } from "./window.ts";

/** What a NEW-VIEW proposes again is ordered in its view (OSDI'99 §4.4), with the bodies that are here already. */
export class Reproposals {
  readonly #nullBatch: VerifiedBatch;
  readonly #view: CurrentView;
  readonly #window: Window;
  readonly #phases: ThreePhases;

  constructor(nullBatch: VerifiedBatch, view: CurrentView, window: Window, phases: ThreePhases) {
    this.#nullBatch = nullBatch;
    this.#view = view;
    this.#window = window;
    this.#phases = phases;
  }

  /** The bodies of this view's accepted proposals that are not delivered. */
  acceptedBodies(): Map<Digest, VerifiedBatch> {
    const bodies = new Map<Digest, VerifiedBatch>();
    for (const { batch } of this.#window.undelivered()) if (batch !== undefined) bodies.set(batch.digest, batch);
    return bodies;
  }

  /** Numbers that are decided here need no second vote: their certificate convinces whoever lacks them. */
  orderAgain(
    prePrepares: readonly VerifiedEnvelope<PrePrepare>[],
    bodies: ReadonlyMap<Digest, VerifiedBatch>,
    atMs: number,
    out: Outbox,
  ): Decision[] {
    const decisions: Decision[] = [];
    for (const prePrepare of prePrepares) {
      const { seq, digest } = prePrepare.message;
      if (seq <= this.#window.low || this.#window.isDecided(seq)) continue;
      // Where the epoch may end this replica adds no vote; the others do.
      if (this.#window.activation === undefined && seq > this.#window.high) continue;
      const slot = this.#window.slotAt(this.#view.number, seq);
      if (slot.isAccepted) continue;
      isCounted(slot.addPrePrepare(prePrepare), out);
      slot.isReproposed = true;
      slot.batch = this.#bodyFor(seq, digest, bodies);
      if (slot.batch === undefined) decisions.push(...this.#phases.fetchBody(slot, out));
      else decisions.push(...this.#phases.accept(slot, atMs, out), ...this.#phases.decide(slot, out));
    }
    return decisions;
  }

  #bodyFor(seq: SequenceNumber, digest: Digest, bodies: ReadonlyMap<Digest, VerifiedBatch>): VerifiedBatch | undefined {
    return digest === this.#nullBatch.digest
      ? this.#nullBatch
      : (bodies.get(digest) ?? this.#phases.votedBody(seq, digest));
  }
}

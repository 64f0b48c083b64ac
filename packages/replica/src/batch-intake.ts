import {
  assertNever,
  type Effect,
  invariant,
  type Rejection,
  type ReplicaId,
  type ThreePhaseMessage,
  type VerifiedBatch,
  type VerifiedCommittedEntry,
  type VerifiedEnvelope,
} from "@quorate/protocol";
import type { Deliveries } from "./deliveries.ts";
import type { ReplicaEvent } from "./events.ts";
import type { Muteness } from "./muteness.ts";
import { narrow } from "./narrow.ts";
import type { Relevance } from "./relevance.ts";
import type { ReplicaOptions } from "./replica-options.ts";
import type { SubProtocols } from "./sub-protocols.ts";

type IntakeOptions = Pick<ReplicaOptions, "signer" | "windowSize">;
type IntakeParts = Pick<SubProtocols, "ordering" | "backlog">;

/**
 * What members say of batches: votes of the three phases, now or from the backlog; bodies; and decisions with their
 * certificates. What is neither current nor early nor asked for is rejected; what that decides is delivered.
 */
export class BatchIntake {
  readonly #options: IntakeOptions;
  readonly #parts: IntakeParts;
  readonly #muteness: Pick<Muteness, "isMute">;
  readonly #relevance: Pick<Relevance, "isEntryAwaited">;
  readonly #deliveries: Pick<Deliveries, "deliver">;

  constructor(
    options: IntakeOptions,
    parts: IntakeParts,
    muteness: Pick<Muteness, "isMute">,
    relevance: Pick<Relevance, "isEntryAwaited">,
    deliveries: Pick<Deliveries, "deliver">,
  ) {
    this.#options = options;
    this.#parts = parts;
    this.#muteness = muteness;
    this.#relevance = relevance;
    this.#deliveries = deliveries;
  }

  onThreePhase(
    envelope: VerifiedEnvelope<ThreePhaseMessage>,
    batch: VerifiedBatch | undefined,
    atMs: number,
    out: Effect[],
  ): void {
    const { ordering, backlog } = this.#parts;
    const { from, message } = envelope;
    const standing = ordering.classify(message);
    if (standing === "future") {
      if (message.seq > ordering.highWatermark + this.#options.windowSize)
        return reject({ code: "window.above", from, seq: message.seq }, out);
      if (!backlog.add({ envelope, batch })) reject({ code: "backlog.full", from }, out);
      return;
    }
    if (standing !== "current") return reject(rejectionOf(standing, from, message), out);
    switch (message.type) {
      case "pre-prepare":
        return this.#deliveries.deliver(ordering.onPrePrepare(narrow(envelope, message), batch, atMs, out), out);
      case "prepare":
        return this.#deliveries.deliver(ordering.onPrepare(narrow(envelope, message), atMs, out), out);
      case "commit":
        return this.#deliveries.deliver(ordering.onCommit(narrow(envelope, message), out), out);
      default:
        return assertNever(message);
    }
  }

  /** The view or the window moved: what came early is looked at again. */
  releaseBacklog(atMs: number, out: Effect[]): void {
    const { ordering, backlog } = this.#parts;
    for (const early of backlog.release(ordering.view, ordering.highWatermark))
      this.onThreePhase(early.envelope, early.batch, atMs, out);
  }

  onBatchBody(event: Extract<ReplicaEvent, { type: "batch-body" }>, atMs: number, out: Effect[]): void {
    const decisions = this.#parts.ordering.onBatchBody(event.batch, atMs, out);
    if (decisions !== undefined) return this.#deliveries.deliver(decisions, out);
    reject({ code: "body.not-asked-for", from: event.from, digest: event.batch.digest }, out);
  }

  onCommitted(event: Extract<ReplicaEvent, { type: "committed" }>, out: Effect[]): void {
    const { ordering } = this.#parts;
    const { seq } = event.entry.certificate;
    if (!this.#relevance.isEntryAwaited(seq))
      return reject({ code: "committed.not-asked-for", from: event.from, seq }, out);
    // It cannot be, see `Window.endAt`, unless the own state is wrong: that is for the next checkpoint to show.
    if (seq > (ordering.activation ?? seq)) return reject({ code: "epoch.over", from: event.from, seq }, out);
    this.#checkMemory(event.entry);
    this.#deliveries.deliver(ordering.onCommitted(event.entry, out), out);
  }

  /**
   * What this replica committed to above h is in its log. If not, the disk is not the one that it spoke from: it was lost or
   * rolled back, and nobody said so. Certificates tell late, but better than never (protocol rule 8.4).
   */
  #checkMemory({ certificate: { seq, signatures } }: VerifiedCommittedEntry): void {
    if (this.#muteness.isMute || !signatures.some(({ from }) => from === this.#options.signer.self)) return;
    const advice = "its disk was lost or rolled back: stop, and run `quorate init --lost-disk`";
    invariant(this.#parts.ordering.hasPrepared(seq), "replica.own-commit-forgotten", { seq, advice });
  }
}

function reject(rejection: Rejection, out: Effect[]): void {
  out.push({ type: "rejected", rejection });
}

function rejectionOf(code: string, from: ReplicaId, message: ThreePhaseMessage): Rejection {
  switch (code) {
    case "view.past":
      return { code, from, view: message.view };
    case "view.over":
    case "epoch.over":
      return { code, from, seq: message.seq };
    default:
      return { code: "window.below", from, seq: message.seq };
  }
}

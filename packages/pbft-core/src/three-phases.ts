import {
  type Digest,
  type Outbox,
  type PreparedCertificate,
  quorumSize,
  type SequenceNumber,
  type Signer,
  sequenceNumber,
  type VerifiedBatch,
  weakQuorumSize,
} from "@quorate/protocol";
import { ClockWait } from "./clock-wait.ts";
import type { CurrentView } from "./current-view.ts";
import { type Decision, NO_DECISIONS } from "./decision.ts";
import type { OrderingOptions } from "./ordering-options.ts";
import { PreparedSet } from "./prepared-set.ts";
import type { RequestQueue } from "./request-queue.ts";
import type { Slot, VoteOutcome } from "./slot.ts";
import { VotedBodies } from "./voted-bodies.ts";
import { Waits } from "./waits.ts";
import type { Window } from "./window.ts";

/** What others answer of one member at once. */
const BODIES_ASKED_AGAIN_MAX = 8;

/**
 * What a slot goes through once its messages are counted: pre-prepared, prepared, committed-local (OSDI'99 §4.2). Each
 * step is written before it is spoken (protocol rule 8.1).
 */
export class ThreePhases {
  readonly #signer: Signer;
  readonly #nullDigest: Digest;
  readonly #view: CurrentView;
  readonly #window: Window;
  readonly #queue: RequestQueue;
  readonly #quorum: number;
  readonly #weakQuorum: number;
  #highestAccepted: SequenceNumber;
  /** Null batches are accepted up to here: somebody waits for the numbers, see `Ordering.onNullBatches`. */
  nullBatchesUntil: SequenceNumber = sequenceNumber(0);
  readonly clockWait: ClockWait;
  readonly preparedSet: PreparedSet = new PreparedSet();
  readonly votedBodies: VotedBodies;
  /** Numbers that prepared here in this view and are not executed (protocol rule 7.4). */
  readonly unexecuted: Waits<SequenceNumber> = new Waits();

  constructor(
    { signer, clockToleranceMs, nullBatch, windowSize, limits }: OrderingOptions,
    view: CurrentView,
    window: Window,
    queue: RequestQueue,
    executed: SequenceNumber,
  ) {
    this.#signer = signer;
    this.#nullDigest = nullBatch.digest;
    this.#view = view;
    this.#window = window;
    this.#queue = queue;
    this.#quorum = quorumSize(view.membership);
    this.#weakQuorum = weakQuorumSize(view.membership);
    this.#highestAccepted = executed;
    this.clockWait = new ClockWait(clockToleranceMs);
    this.votedBodies = new VotedBodies(windowSize, limits.batchBytesMax);
  }

  /** The highest number for which a pre-prepare was accepted or sent in this view. */
  get highestAccepted(): SequenceNumber {
    return this.#highestAccepted;
  }

  /** Pre-prepares the slot: write first, then vote. Waits while the proposal's time is ahead (protocol rule 4.7). */
  accept(slot: Slot, atMs: number, out: Outbox): readonly Decision[] {
    const { prePrepare, batch } = slot;
    // A body or the end of a wait may come when the view is left: the VIEW-CHANGE has said what prepared in it.
    if (!this.#view.mayVote) return NO_DECISIONS;
    if (slot.isAccepted || prePrepare === undefined || batch === undefined) return NO_DECISIONS;
    if (batch.digest !== prePrepare.message.digest) return NO_DECISIONS;
    const { epoch, view, seq, digest } = prePrepare.message;
    if (batch.requests.length === 0 && !slot.isReproposed && !this.#isAllowedNull(seq, digest)) {
      out.push({ type: "rejected", rejection: { code: "pre-prepare.empty-batch", from: prePrepare.from, seq } });
      return NO_DECISIONS;
    }
    // f+1 PREPAREs hold one of a correct replica, whose clock did not find the proposal too far ahead.
    const isVouchedFor = slot.isReproposed || slot.prepareCount(digest) >= this.#weakQuorum;
    if (!isVouchedFor && this.clockWait.mustWait(batch.timestampMs, atMs, out)) return NO_DECISIONS;
    this.#queue.markProposed(seq, batch.requests);
    this.markAccepted(slot);
    out.push({ type: "persist", record: { type: "pre-prepared", envelope: prePrepare, batch: batch.batch } });
    // The primary's PRE-PREPARE is its vote, and has left with the NEW-VIEW.
    if (!this.#view.isPrimary) {
      const prepare = this.#signer.sign({ type: "prepare", epoch, view, seq, digest });
      slot.addPrepare(prepare);
      out.push({ type: "broadcast", frame: { type: "signed", envelope: prepare } });
    }
    return this.prepare(slot, atMs, out);
  }

  /** The slot is pre-prepared here: the log has it, or will before anything is said. */
  markAccepted(slot: Slot): void {
    slot.isAccepted = true;
    this.#highestAccepted = sequenceNumber(Math.max(this.#highestAccepted, slot.seq));
  }

  /** When prepared(d, v, n) became true: write the certificate, then COMMIT. */
  prepare(slot: Slot, atMs: number, out: Outbox): readonly Decision[] {
    if (slot.isPrepared || !slot.hasPrepareQuorum(this.#quorum)) return NO_DECISIONS;
    slot.isPrepared = true;
    const certificate: PreparedCertificate = slot.preparedCertificate(this.#quorum);
    const { epoch, view, seq, digest } = certificate.prePrepare.message;
    this.preparedSet.add(certificate, slot.batch);
    this.unexecuted.begin(seq, atMs);
    out.push({ type: "persist", record: { type: "prepared", certificate } });
    const commit = this.#signer.sign({ type: "commit", epoch, view, seq, digest });
    slot.addCommit(commit);
    out.push({ type: "broadcast", frame: { type: "signed", envelope: commit } });
    return this.decide(slot, out);
  }

  /** committed-local: q COMMITs of one digest whose batch is held. */
  decide(slot: Slot, out: Outbox): readonly Decision[] {
    if (this.#window.isDecided(slot.seq)) return NO_DECISIONS;
    const digest = slot.commitQuorumDigest(this.#quorum);
    if (digest === undefined) return NO_DECISIONS;
    if (slot.batch?.digest !== digest) {
      // Decided elsewhere on a batch that we do not hold: its entry comes with the next status exchange or by digest.
      return slot.digest === digest ? this.fetchBody(slot, out) : NO_DECISIONS;
    }
    const certificate = slot.commitCertificate(digest, this.#quorum);
    return this.addDecision({ seq: slot.seq, batch: slot.batch, certificate }, out);
  }

  addDecision(decision: Decision, out: Outbox): readonly Decision[] {
    out.push({
      type: "archive",
      seq: decision.seq,
      entry: { batch: decision.batch.batch, certificate: decision.certificate },
    });
    const delivered = this.#window.decide(decision);
    for (const { seq } of delivered) {
      this.preparedSet.onDelivered(seq);
      this.votedBodies.onDelivered(seq);
    }
    return delivered;
  }

  fetchBody(slot: Slot, out: Outbox): readonly Decision[] {
    // Once: a primary that repeats its proposal without a body must not make us repeat the question to everyone.
    if (!slot.isBodyAskedFor) this.#askForBody(slot, out);
    return NO_DECISIONS;
  }

  /**
   * At a status tick, for the numbers up to `upTo`, which had time enough: asks once more for bodies that did not come, the
   * lowest first. Of those who hold one some answer this question only, because they are not in this view.
   */
  askForBodiesAgain(upTo: SequenceNumber, out: Outbox): void {
    const lost = [...this.#window.undelivered()].filter((slot) => slot.seq <= upTo && slot.isBodyAskedFor);
    lost.sort((a, b) => a.seq - b.seq);
    for (const slot of lost.slice(0, BODIES_ASKED_AGAIN_MAX)) this.#askForBody(slot, out);
  }

  #askForBody(slot: Slot, out: Outbox): void {
    const digest = slot.digest;
    if (slot.batch !== undefined || digest === undefined) return;
    slot.isBodyAskedFor = true;
    const fetch = this.#signer.sign({
      type: "fetch-batch",
      epoch: this.#view.membership.epoch,
      seq: slot.seq,
      digest,
    });
    out.push({ type: "broadcast", frame: { type: "signed", envelope: fetch } });
  }

  /** A batch that this replica voted for at `seq`, in whatever view, until the number is delivered (protocol rule 4.4). */
  votedBody(seq: SequenceNumber, digest: Digest): VerifiedBatch | undefined {
    return this.preparedSet.bodyOf(seq, digest) ?? this.votedBodies.bodyOf(seq, digest);
  }

  /** Whose body is missing: of a proposal, or of what a quorum committed to. */
  slotWaitingFor(digest: Digest): Slot | undefined {
    for (const slot of this.#window.undelivered()) {
      if (slot.batch !== undefined) continue;
      if (slot.digest === digest || slot.commitQuorumDigest(this.#quorum) === digest) return slot;
    }
    return undefined;
  }

  /** One that has a time of its own would move the agreed time on for nothing. */
  #isAllowedNull(seq: SequenceNumber, digest: Digest): boolean {
    return digest === this.#nullDigest && seq <= this.nullBatchesUntil;
  }

  /** The view ends here. What is voted for in it may be claimed in any later one, by whoever can prove that it prepared. */
  keepVoted(): void {
    for (const { isAccepted, batch, view, seq } of this.#window.undelivered())
      if (isAccepted && batch !== undefined && batch.digest !== this.#nullDigest)
        this.votedBodies.keep(view, seq, batch);
  }

  /** Another view: what waited in the former one does so no more. */
  onNewView(): void {
    this.unexecuted.clear();
    this.#highestAccepted = this.#window.lastDelivered;
  }
}

/** Whether the vote is a new one; a second one of its sender that conflicts is put on record. */
export function isCounted(outcome: VoteOutcome, out: Outbox): boolean {
  if (outcome.type === "conflicting") {
    const { first, second } = outcome;
    const { from, message } = second;
    out.push({ type: "evidence", evidence: { type: "equivocation", first, second } });
    out.push({ type: "rejected", rejection: { code: "vote.conflicting", from, seq: message.seq } });
  }
  return outcome.type === "counted";
}

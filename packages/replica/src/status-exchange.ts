import {
  type Effect,
  type FetchBatch,
  type FetchCommitted,
  type Lack,
  type Rejection,
  type ReplicaFrame,
  type ReplicaId,
  type SequenceNumber,
  type Signer,
  type Status,
  sequenceNumber,
} from "@quorate/protocol";
import { ServingBudget } from "@quorate/state-transfer";
import { type OrderingStand, StatusRounds } from "./status-rounds.ts";
import type { SubProtocols } from "./sub-protocols.ts";

/** Asks `framesFor` for a decision only, not for votes. */
const NOTHING_LACKS: Omit<Lack, "seq"> = { prePrepare: false, prepares: false, commits: false };

/**
 * Says where this replica stands, and gives others what they lack, each within its share, so that nothing depends on a
 * message arriving (TOCS'02 §5.2, protocol rule 4.8).
 */
export class StatusExchange {
  readonly #signer: Signer;
  readonly #parts: SubProtocols;
  readonly #rounds: StatusRounds;
  readonly #statusBudget: ServingBudget;
  readonly #fetchBudget: ServingBudget;
  /** What observers were told last. */
  #told: SequenceNumber;

  constructor(signer: Signer, parts: SubProtocols, statusIntervalMs: number, executed: SequenceNumber) {
    this.#signer = signer;
    this.#parts = parts;
    this.#rounds = new StatusRounds(statusIntervalMs, executed);
    this.#told = executed;
    this.#statusBudget = new ServingBudget({ burst: 4, refillMs: statusIntervalMs / 2 });
    this.#fetchBudget = new ServingBudget({ burst: 8, refillMs: statusIntervalMs / 40 });
  }

  /** Begins: says where the replica stands, and goes on doing so. */
  start(executed: SequenceNumber, out: Effect[]): void {
    this.#broadcast(executed, out);
    this.#rounds.startTimer(out);
  }

  /** Whether this timer is the current one. */
  isDue(token: number): boolean {
    return this.#rounds.isDue(token);
  }

  onTick(executed: SequenceNumber, out: Effect[]): void {
    const { ordering, viewChanging, gapFiller } = this.#parts;
    const { lastDelivered, highestHeard, highWatermark, pendingCount } = ordering;
    // What an activation waits for may have been lost like everything else, the votes for its checkpoint, too.
    const isBusy = pendingCount > 0 || !viewChanging.isSettled || ordering.activation !== undefined;
    const stand: OrderingStand = { lastDelivered, highestHeard, highWatermark, isBusy };
    if (this.#rounds.onTick(stand)) this.#broadcast(executed, out);
    // Members hear of what is executed by voting for it; who only follows would else be ten intervals behind.
    else if (executed > this.#told) this.#tellObservers(executed, this.#signed(executed), out);
    gapFiller.onTick(lastDelivered, out);
    ordering.askForBodiesAgain(this.#rounds.knownAtTick, out);
    this.#rounds.afterTick(stand);
    this.#rounds.startTimer(out);
  }

  /** What was proposed in another view need not exist in this one. */
  onNewView(): void {
    this.#rounds.onNewView(this.#parts.ordering.lastDelivered);
  }

  /** A peer says where it stands: what it lacks and we have goes to it. */
  onStatus(from: ReplicaId, status: Status, executed: SequenceNumber, atMs: number, out: Effect[]): void {
    const { ordering, viewChanging, gapFiller, checkpointing } = this.#parts;
    if (!this.#statusBudget.take(from, atMs)) return reject({ code: "status.over-budget", from }, out);
    if (status.view === ordering.view) this.#rounds.onStatus(from, status.accepted);
    gapFiller.onStatus(from, status.executed, ordering.lastDelivered, out);
    for (const frame of viewChanging.framesFor(from, status)) out.push({ type: "send", to: from, frame });
    // It is in a view that we have not heard of, or on its way to one: saying where we stand asks for what we missed.
    if (status.view > ordering.view || status.target > viewChanging.target) {
      out.push({ type: "send", to: from, frame: this.#signed(executed) });
    }
    for (const frame of checkpointing.framesFor(status.stable)) out.push({ type: "send", to: from, frame });
    for (const lack of status.lacks) {
      if (lack.seq <= ordering.lastDelivered) this.#sendHistory(from, lack.seq, lack.seq, out);
      else for (const frame of ordering.framesFor(lack)) out.push({ type: "send", to: from, frame });
    }
  }

  onFetchBatch(from: ReplicaId, { seq, digest }: FetchBatch, atMs: number, out: Effect[]): void {
    const { ordering } = this.#parts;
    if (!this.#fetchBudget.take(from, atMs)) return reject({ code: "fetch.over-budget", from }, out);
    const batch = ordering.batchAt(seq, digest);
    if (batch !== undefined) out.push({ type: "send", to: from, frame: { type: "batch-body", batch } });
    else if (seq <= ordering.lastDelivered) this.#answerFetch(from, seq, seq, out);
    else {
      const frames = ordering.framesFor({ seq, ...NOTHING_LACKS });
      for (const frame of frames) out.push({ type: "send", to: from, frame });
      if (frames.length === 0) reject({ code: "fetch.not-here", from }, out);
    }
  }

  onFetchCommitted(from: ReplicaId, { first, last }: FetchCommitted, atMs: number, out: Effect[]): void {
    if (!this.#fetchBudget.take(from, atMs)) return reject({ code: "fetch.over-budget", from }, out);
    this.#answerFetch(from, first, last, out);
  }

  #answerFetch(to: ReplicaId, first: SequenceNumber, last: SequenceNumber, out: Effect[]): void {
    if (!this.#sendHistory(to, first, last, out)) reject({ code: "fetch.not-here", from: to }, out);
  }

  /** @returns whether there is any such. */
  #sendHistory(to: ReplicaId, first: SequenceNumber, last: SequenceNumber, out: Effect[]): boolean {
    const { ordering, checkpointing } = this.#parts;
    const end = Math.min(last, ordering.lastDelivered);
    if (first > end || first === 0) return false;
    out.push({ type: "send-history", to, first, last: sequenceNumber(end), stable: checkpointing.stable });
    return true;
  }

  #broadcast(executed: SequenceNumber, out: Effect[]): void {
    const frame = this.#signed(executed);
    out.push({ type: "broadcast", frame });
    this.#tellObservers(executed, frame, out);
  }

  /** With the certificate, for what they were told of the last one may have been lost. */
  #tellObservers(executed: SequenceNumber, frame: ReplicaFrame, out: Effect[]): void {
    this.#told = executed;
    const { certified } = this.#parts.checkpointing;
    out.push({ type: "tell-observers", frame });
    if (certified.signatures.length > 0)
      out.push({ type: "tell-observers", frame: { type: "stable-checkpoint", checkpoint: certified } });
  }

  #signed(executed: SequenceNumber): ReplicaFrame {
    return { type: "signed", envelope: this.#signer.sign(this.#status(executed)) };
  }

  #status(executed: SequenceNumber): Status {
    const { membership, ordering, checkpointing, viewChanging, audit } = this.#parts;
    // What was executed above the window a crash may take, and nothing would say that it was claimed (protocol rule 9.5).
    const isKnown = executed <= ordering.highWatermark;
    return {
      type: "status",
      epoch: membership.epoch,
      view: ordering.view,
      executed,
      stable: checkpointing.stable.seq,
      accepted: ordering.highestAccepted,
      lacks: ordering.lacks(this.#rounds.knownAtTick),
      target: viewChanging.target,
      viewChangesOf: viewChanging.viewChangesOf,
      executionDigest: isKnown ? audit.claimAt(executed) : undefined,
    };
  }
}

function reject(rejection: Rejection, out: Effect[]): void {
  out.push({ type: "rejected", rejection });
}

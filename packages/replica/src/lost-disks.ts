import {
  type Effect,
  type HandOver,
  primaryOf,
  type QueryStable,
  type ReplicaId,
  type SequenceNumber,
  type Signer,
  sequenceNumber,
  type VerifiedEnvelope,
  type VerifiedReplyStable,
  type ViewNumber,
  weakQuorumSize,
} from "@quorate/protocol";
import { ServingBudget } from "@quorate/state-transfer";
import { MuteMembers } from "./mute-members.ts";
import type { Muteness } from "./muteness.ts";
import type { SubProtocols } from "./sub-protocols.ts";
import type { WindowSizes } from "./window-sizes.ts";

/** A mute replica that has its answers repeats what it waits for at every so many status ticks. */
const REPEAT_TICKS = 5;

/** Numbers that null batches may fill: up to one they are accepted, up to one a primary proposes them. */
export interface NullBatches {
  readonly accepts: SequenceNumber;
  readonly proposes: SequenceNumber;
}

/** Both sides of a lost disk (protocol rule 8.5): what the mute one asks, and what others answer and do for it. */
export class LostDisks {
  readonly #signer: Signer;
  readonly #parts: SubProtocols;
  readonly #muteness: Muteness;
  readonly #members: MuteMembers;
  readonly #budget: ServingBudget;
  /** Where each member last said that it moves to; kept while this replica is mute. Bounded by n. */
  readonly #targets = new Map<ReplicaId, ViewNumber>();
  /** h when the view was entered: views are handed over once a checkpoint. */
  #stableAtEntry: SequenceNumber;
  /** Since when nothing was done for those that wait; undefined while nobody does. */
  #waitsSinceMs: number | undefined;
  #deliveredThen: SequenceNumber | undefined;
  /** Views that were entered since then. */
  #viewsInVain = 0;
  #deliveredAtTick: SequenceNumber | undefined;
  #ticks = 0;

  constructor(signer: Signer, parts: SubProtocols, muteness: Muteness, sizes: WindowSizes, statusIntervalMs: number) {
    this.#signer = signer;
    this.#parts = parts;
    this.#muteness = muteness;
    this.#members = new MuteMembers(sizes, parts.membership);
    this.#stableAtEntry = parts.checkpointing.stable.seq;
    this.#budget = new ServingBudget({ burst: 4, refillMs: statusIntervalMs });
  }

  /** Whether a look at the signature would be wasted; `peer` is who sent it. */
  isQueryRedundant(
    peer: ReplicaId,
    { from, message }: Pick<VerifiedEnvelope<QueryStable>, "from" | "message">,
  ): boolean {
    if (this.#muteness.isMute || from === this.#signer.self) return true;
    return peer !== from && (message.until === 0 || this.#members.isKnown(peer, from, message));
  }

  /** Says, if this replica is mute, what it waits for. */
  ask(out: Effect[]): void {
    const { query } = this.#muteness;
    if (query === undefined) return;
    out.push({ type: "broadcast", frame: { type: "query-stable", envelope: this.#signer.sign(query) } });
  }

  onTick(out: Effect[]): void {
    const { status } = this.#muteness;
    if (status === undefined) return this.#passOn(out);
    this.#ticks += 1;
    const handOver = this.#ownTurn();
    if (handOver !== undefined) out.push({ type: "broadcast", frame: { type: "signed", envelope: handOver } });
    if (status.replies < status.repliesNeeded || this.#ticks % REPEAT_TICKS === 0) this.ask(out);
  }

  /** A mute member asks where this replica stands, and says what it waits for. One that is mute itself does not know. */
  onQuery(peer: ReplicaId, query: VerifiedEnvelope<QueryStable>, atMs: number, out: Effect[]): void {
    const { from, message } = query;
    if (this.#muteness.isMute || from === this.#signer.self) {
      out.push({ type: "rejected", rejection: { code: "query-stable.not-for-this-one", from } });
      return;
    }
    const { checkpointing, ordering, viewChanging } = this.#parts;
    const isDirect = peer === from;
    if (isDirect && !this.#budget.take(from, atMs)) {
      out.push({ type: "rejected", rejection: { code: "query-stable.over-budget", from } });
      return;
    }
    const ground = {
      certified: checkpointing.certified.seq,
      delivered: ordering.lastDelivered,
      target: viewChanging.target,
    };
    const before = this.#members.granted;
    if (!this.#members.onQuery(peer, query, ground)) {
      const { until, view } = message;
      out.push({ type: "rejected", rejection: { code: "query-stable.too-much", from, until, view } });
    }
    if (isDirect) this.#answer(query, out);
    // Whoever is to accept null batches for its sake, or to propose them, must have heard of it.
    for (const envelope of this.#members.granted)
      if (!before.includes(envelope)) out.push({ type: "broadcast", frame: { type: "query-stable", envelope } });
  }

  onReply(reply: VerifiedReplyStable, out: Effect[]): void {
    if (!this.#muteness.onReply(reply, this.#parts.checkpointing.stable.seq, out)) {
      out.push({ type: "rejected", rejection: { code: "reply-stable.not-asked-for", from: reply.envelope.from } });
      return;
    }
    // With the last of a quorum it knows what it waits for.
    if (this.#muteness.status?.checkpoint !== undefined) this.ask(out);
  }

  /** A member says which view it moves to: if that is this replica's turn, and it is mute, it says so. */
  onStatus(from: ReplicaId, target: ViewNumber, out: Effect[]): void {
    if (!this.#muteness.isMute) return;
    this.#targets.set(from, target);
    const handOver = this.#ownTurn();
    if (handOver?.message.view === target)
      out.push({ type: "send", to: from, frame: { type: "signed", envelope: handOver } });
  }

  /** A view was entered: its primary has all of the time. */
  onNewView(out: Effect[]): void {
    this.#sayGranted(out);
    if (this.#waitsSinceMs !== undefined) this.#viewsInVain += 1;
    this.#waitsSinceMs = undefined;
    this.#stableAtEntry = this.#parts.checkpointing.stable.seq;
  }

  /**
   * As primary, hands the view over when a mute member waits for a later one, once a checkpoint; at once when it has all
   * the numbers that it waits for.
   */
  get handOver(): VerifiedEnvelope<HandOver> | undefined {
    const { membership, checkpointing, ordering } = this.#parts;
    if (this.#members.isEmpty || !ordering.isPrimary) return undefined;
    const { view, until } = this.#members.wanted;
    const isBusy = checkpointing.stable.seq <= this.#stableAtEntry && ordering.lastDelivered < this.#withinEpoch(until);
    if (view <= ordering.view || isBusy) return undefined;
    return this.#signer.sign({ type: "hand-over", epoch: membership.epoch, view: ordering.view });
  }

  /** How far null batches go; undefined when nobody ever asked for any within reach. */
  get nullBatches(): NullBatches | undefined {
    if (this.#members.isEmpty) return undefined;
    return { accepts: this.#members.acceptsUntil, proposes: this.#members.wanted.until };
  }

  /**
   * Since when the primary has done nothing for those that wait, as far as `atMs`; to be asked after each step. They are
   * waiting work like requests: the primary is held to it (protocol rule 7.4).
   */
  waitsSinceMs(atMs: number): number | undefined {
    if (this.#members.isEmpty) return undefined;
    const { membership, ordering } = this.#parts;
    const { until, view } = this.#members.held;
    const waitsForNumbers = ordering.lastDelivered < this.#withinEpoch(until);
    if (this.#deliveredThen !== ordering.lastDelivered) this.#viewsInVain = 0;
    // Everyone has had a turn: others have not granted what was granted here, and no view will change that.
    if (this.#viewsInVain > membership.members.length) return undefined;
    if (!waitsForNumbers && ordering.view >= view) this.#waitsSinceMs = undefined;
    else if (this.#waitsSinceMs === undefined || (waitsForNumbers && this.#deliveredThen !== ordering.lastDelivered))
      this.#waitsSinceMs = atMs;
    this.#deliveredThen = ordering.lastDelivered;
    return this.#waitsSinceMs;
  }

  /** Numbers above the last one of the epoch are not this one's to order, whoever waits for them. */
  #withinEpoch(until: SequenceNumber): SequenceNumber {
    return sequenceNumber(Math.min(until, this.#parts.ordering.activation ?? until));
  }

  /**
   * Mute, it orders nothing in its turn as primary. With f+1 others on their way to that view or in it, one of them
   * correct, it asks to be relieved.
   */
  #ownTurn(): VerifiedEnvelope<HandOver> | undefined {
    const { membership } = this.#parts;
    const targets = [...this.#targets.values()].sort((a, b) => b - a);
    const view = targets[weakQuorumSize(membership) - 1];
    if (view === undefined || primaryOf(membership, view) !== this.#signer.self) return undefined;
    return this.#signer.sign({ type: "hand-over", epoch: membership.epoch, view });
  }

  /** What others hold the primary to, and accept of it, all have heard of. */
  #passOn(out: Effect[]): void {
    const { lastDelivered } = this.#parts.ordering;
    if (lastDelivered === this.#deliveredAtTick) this.#sayGranted(out);
    this.#deliveredAtTick = lastDelivered;
  }

  #sayGranted(out: Effect[]): void {
    if (this.#muteness.isMute) return;
    const { ordering } = this.#parts;
    const { until, view } = this.#members.wanted;
    if (ordering.lastDelivered >= this.#withinEpoch(until) && ordering.view >= view) return;
    for (const envelope of this.#members.granted)
      out.push({ type: "broadcast", frame: { type: "query-stable", envelope } });
  }

  #answer({ from, message: { nonce } }: VerifiedEnvelope<QueryStable>, out: Effect[]): void {
    const { membership, checkpointing, viewChanging } = this.#parts;
    const { certified: checkpoint } = checkpointing;
    const { seq, stateRoot } = checkpoint;
    const { epoch } = membership;
    const view = viewChanging.target;
    const envelope = this.#signer.sign({ type: "reply-stable", epoch, nonce, stable: { seq, stateRoot }, view });
    out.push({ type: "send", to: from, frame: { type: "reply-stable", reply: { envelope, checkpoint } } });
  }
}

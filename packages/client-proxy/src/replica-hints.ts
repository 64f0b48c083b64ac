import {
  type Membership,
  memberOf,
  primaryOf,
  type ReplicaId,
  type SequenceNumber,
  sequenceNumber,
  type ViewNumber,
  viewNumber,
  weakQuorumSize,
} from "@quorate/protocol";
import type { TurnedAwayReason } from "./events.ts";

/**
 * What single replicas say about themselves, and what may be made of it. Nothing here is proven; it decides only where
 * a request goes first and until when a registration is valid. The (f+1)-th highest report is never above the highest
 * of a correct member, so f liars cannot push it up.
 */
export class ReplicaHints {
  readonly #membership: Membership;
  readonly #links = new Set<ReplicaId>();
  readonly #turnedAway = new Map<ReplicaId, TurnedAwayReason>();
  readonly #views = new Map<ReplicaId, ViewNumber>();
  readonly #executed = new Map<ReplicaId, SequenceNumber>();
  /** Looked at in every step, so made when it changes. */
  #linked: readonly ReplicaId[] = [];
  #view: ViewNumber = viewNumber(0);

  constructor(membership: Membership) {
    this.#membership = membership;
  }

  /** Whether f+1 members have reported, so that one of them is correct. */
  get isReady(): boolean {
    return this.#executed.size >= weakQuorumSize(this.#membership);
  }

  /** Members that can be reached, ascending. */
  get linked(): readonly ReplicaId[] {
    return this.#linked;
  }

  /** The view that a correct member has reached, as far as f+1 reports tell; 0 before. */
  get view(): ViewNumber {
    return this.#view;
  }

  /** Who is believed to be the primary. */
  get primary(): ReplicaId {
    return primaryOf(this.#membership, this.view);
  }

  /** A sequence number that a correct member has executed, as far as f+1 reports tell; 0 before. */
  get executed(): SequenceNumber {
    return sequenceNumber(this.#weakQuorumth(this.#executed));
  }

  /** The highest number that any member says it has executed; a liar's, perhaps. */
  get executedMax(): number {
    return Math.max(0, ...this.#executed.values());
  }

  isMember(replica: ReplicaId): boolean {
    return memberOf(this.#membership, replica) !== undefined;
  }

  /** @returns whether it was down. */
  onLinkUp(replica: ReplicaId): boolean {
    if (!this.isMember(replica) || this.#links.has(replica)) return false;
    this.#links.add(replica);
    this.#turnedAway.delete(replica);
    this.#listLinked();
    return true;
  }

  onLinkDown(replica: ReplicaId): void {
    this.#links.delete(replica);
    this.#listLinked();
  }

  onTurnedAway(replica: ReplicaId, reason: TurnedAwayReason): void {
    if (this.isMember(replica)) this.#turnedAway.set(replica, reason);
  }

  /** Why f+1 members, hence a correct one, refuse this client, unless as many serve it all the same. */
  get turnedAway(): TurnedAwayReason | undefined {
    const needed = weakQuorumSize(this.#membership);
    if (this.#turnedAway.size < needed || this.#linked.length >= needed) return undefined;
    const reasons = [...this.#turnedAway.values()];
    return reasons.find((reason) => reasons.filter((other) => other === reason).length >= needed);
  }

  /** A welcome: the newest of a member replaces what it said before. */
  onWelcome(from: ReplicaId, view: ViewNumber, executed: SequenceNumber): void {
    this.#onView(from, view);
    this.#executed.set(from, executed);
  }

  /** A reply tells the member's view and, by its statement, a number that it has executed. */
  onReply(from: ReplicaId, view: ViewNumber, seq: SequenceNumber): void {
    this.#onView(from, view);
    if (seq > (this.#executed.get(from) ?? -1)) this.#executed.set(from, seq);
  }

  #onView(from: ReplicaId, view: ViewNumber): void {
    if (this.#views.get(from) === view) return;
    this.#views.set(from, view);
    this.#view = viewNumber(this.#weakQuorumth(this.#views));
  }

  #listLinked(): void {
    this.#linked = this.#membership.members.map((member) => member.id).filter((id) => this.#links.has(id));
  }

  #weakQuorumth(reports: ReadonlyMap<ReplicaId, number>): number {
    const descending = [...reports.values()].sort((a, b) => b - a);
    return descending[weakQuorumSize(this.#membership) - 1] ?? 0;
  }
}

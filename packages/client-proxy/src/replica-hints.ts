import {
  type Epoch,
  type Member,
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

/** What a replica said last about itself. */
interface Report {
  readonly epoch: Epoch;
  /** In that epoch. */
  readonly view: ViewNumber;
  readonly executed: SequenceNumber;
}

/**
 * What single replicas say about themselves, and what may be made of it. Nothing here is proven; it decides only where
 * a request goes first and until when a registration is valid. The (f+1)-th highest report is never above the highest
 * of a correct member, so f liars cannot push it up. Sequence numbers go on from epoch to epoch, views begin anew: those of
 * another epoch than the current one do not count.
 */
export class ReplicaHints {
  #membership: Membership;
  readonly #links = new Set<ReplicaId>();
  readonly #turnedAway = new Map<ReplicaId, TurnedAwayReason>();
  readonly #reports = new Map<ReplicaId, Report>();
  /** Looked at in every step, so made when they change. */
  #linked: readonly ReplicaId[] = [];
  #view: ViewNumber = viewNumber(0);

  constructor(membership: Membership) {
    this.#membership = membership;
  }

  /** Whether f+1 members have reported, so that one of them is correct. */
  get isReady(): boolean {
    return this.#reports.size >= weakQuorumSize(this.#membership);
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
    return sequenceNumber(this.#weakQuorumth([...this.#reports.values()].map(({ executed }) => executed)));
  }

  /** The highest number that any member says it has executed; a liar's, perhaps. */
  get executedMax(): number {
    return Math.max(0, ...[...this.#reports.values()].map(({ executed }) => executed));
  }

  isMember(replica: ReplicaId): boolean {
    return memberOf(this.#membership, replica) !== undefined;
  }

  /**
   * Other members: what is known of those that stay as they were stays.
   *
   * @returns whose links are gone.
   */
  onEpoch(membership: Membership): readonly ReplicaId[] {
    const before = this.#membership;
    this.#membership = membership;
    const gone = before.members.filter((member) => !isSameMember(member, memberOf(membership, member.id)));
    for (const { id } of gone) {
      this.#links.delete(id);
      this.#turnedAway.delete(id);
      this.#reports.delete(id);
    }
    this.#listLinked();
    this.#summarize();
    return gone.map(({ id }) => id);
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
  onWelcome(from: ReplicaId, report: Report): void {
    this.#onReport(from, report);
  }

  /** A reply of the current epoch tells the member's view and, by its statement, a number that it has executed. */
  onReply(from: ReplicaId, view: ViewNumber, seq: SequenceNumber): void {
    const { epoch } = this.#membership;
    const before = this.#reports.get(from);
    // What it has said of a later epoch stands.
    if (
      before !== undefined &&
      (before.epoch > epoch || (before.epoch === epoch && before.view === view && before.executed >= seq))
    )
      return;
    this.#onReport(from, { epoch, view, executed: sequenceNumber(Math.max(before?.executed ?? 0, seq)) });
  }

  #onReport(from: ReplicaId, report: Report): void {
    const before = this.#reports.get(from);
    this.#reports.set(from, report);
    if (before?.epoch !== report.epoch || before.view !== report.view) this.#summarize();
  }

  #listLinked(): void {
    this.#linked = this.#membership.members.map((member) => member.id).filter((id) => this.#links.has(id));
  }

  #summarize(): void {
    const current = [...this.#reports.values()].filter(({ epoch }) => epoch === this.#membership.epoch);
    this.#view = viewNumber(this.#weakQuorumth(current.map(({ view }) => view)));
  }

  #weakQuorumth(numbers: readonly number[]): number {
    const descending = [...numbers].sort((a, b) => b - a);
    return descending[weakQuorumSize(this.#membership) - 1] ?? 0;
  }
}

function isSameMember(a: Member, b: Member | undefined): boolean {
  return a.publicKey === b?.publicKey && a.address === b.address;
}

import {
  type Digest,
  type Envelope,
  memberOf,
  type NewView,
  type PrePrepare,
  primaryOf,
  type QueryStable,
  type ReplicaId,
  type ReplicaMessage,
  type ReplyStable,
  type SequenceNumber,
  type ThreePhaseMessage,
  type ViewChange,
} from "@quorate/protocol";
import type { LostDisks } from "./lost-disks.ts";
import type { Muteness } from "./muteness.ts";
import type { SubProtocols } from "./sub-protocols.ts";

/** What is not worth a look at its signature, for it could change nothing (protocol rule 13.1). Asks, and changes nothing. */
export class Relevance {
  readonly #parts: SubProtocols;
  readonly #windowSize: number;
  readonly #lostDisks: Pick<LostDisks, "isQueryRedundant">;
  readonly #muteness: Pick<Muteness, "isReplyAwaited" | "isObserver">;

  constructor(
    parts: SubProtocols,
    windowSize: number,
    lostDisks: Pick<LostDisks, "isQueryRedundant">,
    muteness: Pick<Muteness, "isReplyAwaited" | "isObserver">,
  ) {
    this.#parts = parts;
    this.#windowSize = windowSize;
    this.#lostDisks = lostDisks;
    this.#muteness = muteness;
  }

  /** Whether verifying this message would be wasted. */
  isRedundant(from: ReplicaId, message: ReplicaMessage): boolean {
    if (this.#isForeign(from, message)) return true;
    if (this.#muteness.isObserver && message.type !== "status" && message.type !== "checkpoint") return true;
    switch (message.type) {
      case "pre-prepare":
      case "prepare":
      case "commit":
        return this.#parts.ordering.isRedundant(from, message) || this.#isTooEarly(from, message);
      case "checkpoint":
        return (
          this.#parts.checkpointing.isRedundant(from, message) &&
          !this.#parts.audit.isNews(from, message.seq, message.stateRoot)
        );
      case "hand-over":
        return this.#parts.viewChanging.isHandOverRedundant(from, message);
      default:
        return false;
    }
  }

  /** Whether this very proposal is here already, and only its body may be of use. */
  isProposalHeld(message: PrePrepare): boolean {
    return (
      this.#parts.ordering.isProposalHeld(message) ||
      this.#parts.backlog.holds(primaryOf(this.#parts.membership, message.view), message)
    );
  }

  /** As `isRedundant`, for a VIEW-CHANGE, whoever passes it on. */
  isViewChangeRedundant(envelope: Envelope<ViewChange>): boolean {
    if (this.#muteness.isObserver || this.#isForeign(envelope.from, envelope.message)) return true;
    return this.#parts.viewChanging.isViewChangeRedundant(envelope);
  }

  /** As `isRedundant`, for a NEW-VIEW, whoever passes it on. */
  isNewViewRedundant(envelope: Envelope<NewView>): boolean {
    if (this.#muteness.isObserver || this.#isForeign(envelope.from, envelope.message)) return true;
    return this.#parts.viewChanging.isNewViewRedundant(envelope);
  }

  /** As `isRedundant`, for a committed entry. */
  isEntryAwaited(seq: SequenceNumber): boolean {
    const isNear = seq <= this.#parts.ordering.highWatermark || this.#parts.gapFiller.isAwaited(seq);
    return seq > this.#parts.ordering.lastDelivered && isNear;
  }

  /** As `isRedundant`, for the body of a batch with this digest. */
  isBodyAwaited(digest: Digest): boolean {
    return this.#parts.ordering.isBodyAwaited(digest);
  }

  /** Whether this member may answer that its history does not reach down to what it was asked for. */
  isDonor(id: ReplicaId): boolean {
    return this.#parts.gapFiller.isDonor(id);
  }

  /** As `isRedundant`, for a certificate of a checkpoint. */
  isCertificateAwaited(seq: SequenceNumber): boolean {
    return seq > this.#parts.checkpointing.certified.seq;
  }

  /** As `isRedundant`, for a QUERY-STABLE that `peer` sends or passes on. */
  isQueryRedundant(peer: ReplicaId, envelope: Envelope<QueryStable>): boolean {
    return this.#isForeign(envelope.from, envelope.message) || this.#lostDisks.isQueryRedundant(peer, envelope);
  }

  /** As `isRedundant`, for a REPLY-STABLE. */
  isReplyAwaited({ from, message }: Envelope<ReplyStable>): boolean {
    return !this.#isForeign(from, message) && this.#muteness.isReplyAwaited(from, message);
  }

  /** Whether there is no place for it beyond the window, or it waits there already. */
  #isTooEarly(from: ReplicaId, message: ThreePhaseMessage): boolean {
    if (this.#parts.ordering.classify(message) !== "future") return false;
    const isAbove = message.seq > this.#parts.ordering.highWatermark + this.#windowSize;
    return isAbove || !this.#parts.backlog.hasRoomFor(from, message);
  }

  /** Of another epoch, or of nobody. */
  #isForeign(from: ReplicaId, message: ReplicaMessage): boolean {
    return message.epoch !== this.#parts.membership.epoch || memberOf(this.#parts.membership, from) === undefined;
  }
}

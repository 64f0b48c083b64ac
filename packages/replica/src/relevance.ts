import {
  type Digest,
  type Envelope,
  memberOf,
  type NewView,
  type PrePrepare,
  primaryOf,
  type ReplicaId,
  type ReplicaMessage,
  type SequenceNumber,
  type ThreePhaseMessage,
  type ViewChange,
} from "@quorate/protocol";
import type { SubProtocols } from "./sub-protocols.ts";

/** What is not worth a look at its signature, for it could change nothing (protocol rule 13.1). Asks, and changes nothing. */
export class Relevance {
  readonly #parts: SubProtocols;
  readonly #windowSize: number;

  constructor(parts: SubProtocols, windowSize: number) {
    this.#parts = parts;
    this.#windowSize = windowSize;
  }

  /** Whether verifying this message would be wasted. */
  isRedundant(from: ReplicaId, message: ReplicaMessage): boolean {
    if (this.#isForeign(from, message)) return true;
    switch (message.type) {
      case "pre-prepare":
      case "prepare":
      case "commit":
        return this.#parts.ordering.isRedundant(from, message) || this.#isTooEarly(from, message);
      case "checkpoint":
        return this.#parts.checkpointing.isRedundant(from, message);
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
    return this.#isForeign(envelope.from, envelope.message) || this.#parts.viewChanging.isViewChangeRedundant(envelope);
  }

  /** As `isRedundant`, for a NEW-VIEW, whoever passes it on. */
  isNewViewRedundant(envelope: Envelope<NewView>): boolean {
    return this.#isForeign(envelope.from, envelope.message) || this.#parts.viewChanging.isNewViewRedundant(envelope);
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

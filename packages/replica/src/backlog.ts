import type {
  Fill,
  ReplicaId,
  SequenceNumber,
  ThreePhaseMessage,
  VerifiedBatch,
  VerifiedEnvelope,
  ViewNumber,
} from "@quorate/protocol";

/** A three-phase message with the batch that came beside it, if one did. */
export interface EarlyMessage {
  readonly envelope: VerifiedEnvelope<ThreePhaseMessage>;
  readonly batch: VerifiedBatch | undefined;
}

/** The most early messages kept of one sender; a burst of a few window steps. */
export const BACKLOG_PER_SENDER_MAX = 256;
/** The most of them that may carry a batch: these are the large ones. */
export const BACKLOG_BATCHES_PER_SENDER_MAX = 16;

/**
 * Verified messages for numbers just above the window, or of views that are not entered yet (protocol rule 4.3). A replica that is a little behind would
 * otherwise lose votes for good. Bounded per sender, so that none can fill another's share.
 */
export class Backlog {
  readonly #bySender = new Map<ReplicaId, EarlyMessage[]>();

  get fills(): readonly Fill[] {
    const shares = [...this.#bySender.values()];
    const messages = Math.max(0, ...shares.map((share) => share.length));
    const batches = Math.max(0, ...shares.map((share) => share.filter(({ batch }) => batch !== undefined).length));
    return [
      { of: "backlog of a sender", size: messages, max: BACKLOG_PER_SENDER_MAX },
      { of: "batches in the backlog of a sender", size: batches, max: BACKLOG_BATCHES_PER_SENDER_MAX },
    ];
  }

  /** False when the sender's share is full; the message is dropped. One that waits already is kept once. */
  add(message: EarlyMessage): boolean {
    const { from } = message.envelope;
    const messages = this.#bySender.get(from) ?? [];
    // Anyone may pass a pre-prepare on: its repetitions must not use up the share of the one who signed it.
    const at = messages.findIndex((waiting) => isSame(waiting.envelope.message, message.envelope.message));
    if (at !== -1 && (messages[at]?.batch !== undefined || message.batch === undefined)) return true;
    const batches = messages.filter(({ batch }) => batch !== undefined).length;
    if (message.batch !== undefined && batches >= BACKLOG_BATCHES_PER_SENDER_MAX) return false;
    if (at !== -1) messages.splice(at, 1);
    else if (messages.length >= BACKLOG_PER_SENDER_MAX) return false;
    messages.push(message);
    this.#bySender.set(from, messages);
    return true;
  }

  /** Whether `add` could take a message of this sender: asked before its signature is looked at. */
  hasRoomFor(from: ReplicaId, message: ThreePhaseMessage): boolean {
    const messages = this.#bySender.get(from) ?? [];
    const waiting = messages.find(({ envelope }) => isSame(envelope.message, message));
    // A proposal without its body waits for it.
    if (waiting !== undefined) return message.type === "pre-prepare" && waiting.batch === undefined;
    return messages.length < BACKLOG_PER_SENDER_MAX;
  }

  /** Whether this very message of the sender waits here. */
  holds(from: ReplicaId, message: ThreePhaseMessage): boolean {
    return this.#bySender.get(from)?.some(({ envelope }) => isSame(envelope.message, message)) ?? false;
  }

  /** Takes out what is of `view` and at or below `highWatermark`, in order of sequence number, then of sender. */
  release(view: ViewNumber, highWatermark: SequenceNumber): EarlyMessage[] {
    const released: EarlyMessage[] = [];
    const isReached = ({ envelope: { message } }: EarlyMessage): boolean =>
      message.view < view || (message.view === view && message.seq <= highWatermark);
    for (const [from, messages] of this.#bySender) {
      const kept = messages.filter((message) => !isReached(message));
      // What is of a view below has come to nothing.
      released.push(...messages.filter((message) => isReached(message) && message.envelope.message.view === view));
      if (kept.length > 0) this.#bySender.set(from, kept);
      else this.#bySender.delete(from);
    }
    return released.sort(
      (a, b) => a.envelope.message.seq - b.envelope.message.seq || a.envelope.from - b.envelope.from,
    );
  }
}

function isSame(first: ThreePhaseMessage, second: ThreePhaseMessage): boolean {
  return (
    first.type === second.type &&
    first.seq === second.seq &&
    first.view === second.view &&
    first.digest === second.digest
  );
}

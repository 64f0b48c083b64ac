import {
  type Digest,
  type Effect,
  type LogRecord,
  type Membership,
  memberOf,
  type QueryStable,
  quorumSize,
  type ReplicaId,
  type ReplyStable,
  type SequenceNumber,
  sequenceNumber,
  type VerifiedReplyStable,
  type ViewNumber,
  viewNumber,
} from "@quorate/protocol";
import { type ReleaseBounds, releaseBounds } from "./release-bounds.ts";
import { regularCheckpointFrom, type WindowSizes } from "./window-sizes.ts";

/** What the store and the log say of a lost disk. */
export interface RestoredMuteness {
  /** Drawn and stored after the loss. */
  readonly nonce: Digest;
  readonly isReleased: boolean;
  /** Answers that name the nonce. */
  readonly replies: readonly VerifiedReplyStable[];
}

/** How far a mute replica is from voting again. */
export interface MuteStatus {
  /** The nonce that was drawn after the loss: a REJOIN names it (protocol rule 11.1). */
  readonly loss: Digest | undefined;
  /** Others that have answered, and how many must. */
  readonly replies: number;
  readonly repliesNeeded: number;
  /** The checkpoint that must be stable here; undefined while too few have answered. */
  readonly checkpoint: SequenceNumber | undefined;
  /** The first view to vote in; as above. */
  readonly view: ViewNumber | undefined;
}

/**
 * Whether this replica may vote. One that is no member of its epoch never may (decision 0044). One which may have lost its disk, and
 * with it what it promised, draws a nonce, stores it, asks all, and votes again where it cannot have promised anything (protocol rule
 * 8.5): see `releaseBounds`.
 */
export class Muteness {
  /** It is no member. */
  readonly isObserver: boolean;
  readonly #self: ReplicaId;
  readonly #membership: Membership;
  readonly #sizes: WindowSizes;
  readonly #nonce: Digest | undefined;
  readonly #awaitsState: boolean;
  /** Of each member the first. */
  readonly #replies = new Map<ReplicaId, VerifiedReplyStable>();
  #isReleased: boolean;
  #bounds: ReleaseBounds | undefined;
  #status: MuteStatus | undefined;

  /**
   * @param restored undefined for a replica whose disk was never lost.
   * @param awaitsState a mute replica stays mute until its state is here (protocol rule 10.2).
   */
  constructor(
    self: ReplicaId,
    membership: Membership,
    sizes: WindowSizes,
    restored: RestoredMuteness | undefined,
    awaitsState = false,
  ) {
    this.#self = self;
    this.isObserver = memberOf(membership, self) === undefined;
    this.#awaitsState = awaitsState;
    this.#membership = membership;
    this.#sizes = sizes;
    this.#nonce = restored?.nonce;
    this.#isReleased = restored?.isReleased ?? true;
    for (const reply of restored?.replies ?? [])
      if (this.isReplyAwaited(reply.envelope.from, reply.envelope.message)) this.#add(reply);
    this.#describe();
  }

  get isMute(): boolean {
    return this.isObserver || !this.#isReleased;
  }
  /** Undefined where nothing is waited for: it votes, or is no member. The same object until something changes. */
  get status(): MuteStatus | undefined {
    return this.#status;
  }
  /** What it asks of all; undefined unless it is mute. */
  get query(): QueryStable | undefined {
    if (this.#nonce === undefined || this.#isReleased || this.isObserver) return undefined;
    const { checkpoint = sequenceNumber(0), view = viewNumber(0) } = this.#bounds ?? {};
    // H may be a checkpoint that was ordered: then there need be none at H+2L, and nothing but null batches may come.
    const until = regularCheckpointFrom(checkpoint, this.#sizes);
    return { type: "query-stable", epoch: this.#membership.epoch, nonce: this.#nonce, until, view };
  }

  /** Whether this is an answer to the own question, and the first of its sender. */
  isReplyAwaited(from: ReplicaId, { nonce, epoch }: ReplyStable): boolean {
    if (this.isObserver || this.#isReleased || nonce !== this.#nonce || epoch !== this.#membership.epoch) return false;
    return from !== this.#self && !this.#replies.has(from);
  }

  /** @returns false for one that was not asked for. */
  onReply(reply: VerifiedReplyStable, stable: SequenceNumber, out: Effect[]): boolean {
    const { from, message } = reply.envelope;
    if (!this.isReplyAwaited(from, message)) return false;
    this.#add(reply);
    out.push({ type: "persist", record: this.#muteRecord(stable) });
    return true;
  }

  /** Whether a vote in this view, above this stable checkpoint, can contradict nothing that was promised before the loss. */
  isSafe(stable: SequenceNumber, view: ViewNumber): boolean {
    if (this.isObserver) return false;
    if (this.#isReleased) return true;
    if (this.#awaitsState) return false;
    return this.#bounds !== undefined && stable >= this.#bounds.checkpoint && view >= this.#bounds.view;
  }

  /** From now on it votes, durably first: what is sent after this waits for the record. */
  release(stable: SequenceNumber, out: Effect[]): void {
    if (this.#nonce === undefined) return;
    this.#isReleased = true;
    this.#replies.clear();
    this.#describe();
    out.push({ type: "persist", record: this.#releasedRecord(stable, this.#nonce) });
  }

  /** What must stay in the log when h moves up to `at`. */
  recordAt(at: SequenceNumber): LogRecord | undefined {
    if (this.#nonce === undefined) return undefined;
    return this.#isReleased ? this.#releasedRecord(at, this.#nonce) : this.#muteRecord(at);
  }

  #releasedRecord(at: SequenceNumber, nonce: Digest): LogRecord {
    return { type: "released", epoch: this.#membership.epoch, at, nonce };
  }

  #muteRecord(at: SequenceNumber): LogRecord {
    const replies = [...this.#replies.values()].sort((a, b) => a.envelope.from - b.envelope.from);
    return { type: "mute", at, replies };
  }

  #add(reply: VerifiedReplyStable): void {
    this.#replies.set(reply.envelope.from, reply);
    const standings = [...this.#replies.values()].map(({ envelope: { message } }) => ({
      stable: message.stable.seq,
      view: message.view,
    }));
    this.#bounds = releaseBounds(standings, quorumSize(this.#membership), this.#sizes.windowSize);
    this.#describe();
  }

  #describe(): void {
    const { checkpoint, view } = this.#bounds ?? {};
    const repliesNeeded = quorumSize(this.#membership);
    const waits = !this.#isReleased && !this.isObserver;
    const status = { loss: this.#nonce, replies: this.#replies.size, repliesNeeded, checkpoint, view };
    this.#status = waits ? status : undefined;
  }
}

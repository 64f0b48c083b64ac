import {
  type QueryStable,
  type ReplicaId,
  type SequenceNumber,
  sequenceNumber,
  type VerifiedEnvelope,
  type ViewNumber,
  viewNumber,
} from "@quorate/protocol";

/** Where this replica stands when it judges what a mute one asks for. */
export interface Ground {
  /** The highest checkpoint known to be certified. */
  readonly certified: SequenceNumber;
  readonly delivered: SequenceNumber;
  /** The view it moves to. */
  readonly target: ViewNumber;
}

/** What mute members wait for. */
interface Wanted {
  readonly until: SequenceNumber;
  readonly view: ViewNumber;
}

interface Grant {
  /** What the member waits for. */
  query: VerifiedEnvelope<QueryStable>;
  /** The highest number that was ever granted: who accepted a null batch must not refuse the next. */
  acceptsUntil: SequenceNumber;
}

/** A mute member waits for numbers up to 2L above a checkpoint of others, which may be a window ahead of ours. */
const NULL_WINDOWS_MAX = 3;
/** And for two views above one that others move to, which may be ahead of ours. */
const VIEWS_AHEAD_MAX = 4;
/** So many windows are ordered between what is done for one loss of a member and what is done for its next. */
const WINDOWS_BETWEEN_LOSSES = 16;

/**
 * What is done for members that lost their disks and are mute (protocol rule 8.5): numbers are filled with null batches,
 * and views handed over. A member that only says so gains at most `NULL_WINDOWS_MAX` windows of null batches and
 * `VIEWS_AHEAD_MAX` views for every `WINDOWS_BETWEEN_LOSSES` windows that are ordered: in an idle cluster it ends there.
 */
export class MuteMembers {
  readonly #windowSize: number;
  /** Bounded by n. */
  readonly #grants = new Map<ReplicaId, Grant>();
  // Both are asked for after each step.
  #acceptsUntil: SequenceNumber = sequenceNumber(0);
  #wanted: Wanted = { until: sequenceNumber(0), view: viewNumber(0) };

  constructor(windowSize: number) {
    this.#windowSize = windowSize;
  }

  get isEmpty(): boolean {
    return this.#grants.size === 0;
  }
  /** Null batches are accepted up to here. */
  get acceptsUntil(): SequenceNumber {
    return this.#acceptsUntil;
  }
  /** The number and the view that members wait for, the highest of each. */
  get wanted(): Wanted {
    return this.#wanted;
  }
  /** What was granted, as the members signed it. */
  get granted(): VerifiedEnvelope<QueryStable>[] {
    return [...this.#grants.values()].map(({ query }) => query);
  }

  /** Whether this is what its sender has been granted already. */
  isGranted(from: ReplicaId, { nonce, until, view }: QueryStable): boolean {
    const granted = this.#grants.get(from)?.query.message;
    return granted?.nonce === nonce && granted.until === until && granted.view === view;
  }

  /**
   * A mute member says what it waits for, perhaps through another: what it once asked for is done once, however often it is
   * repeated.
   *
   * @returns false when it asks for too much, and is granted nothing new.
   */
  onQuery(query: VerifiedEnvelope<QueryStable>, ground: Ground): boolean {
    const { from, message } = query;
    // It does not know yet what it waits for.
    if (message.until === 0 || this.isGranted(from, message)) return true;
    const before = this.#grants.get(from);
    if (!this.#isWithinBounds(message, before?.query.message, ground)) return false;
    const acceptsUntil = sequenceNumber(Math.max(before?.acceptsUntil ?? 0, message.until));
    this.#grants.set(from, { query, acceptsUntil });
    this.#acceptsUntil = sequenceNumber(Math.max(this.#acceptsUntil, acceptsUntil));
    const wanted = this.granted.map((grant) => grant.message);
    this.#wanted = {
      until: sequenceNumber(Math.max(...wanted.map((each) => each.until))),
      view: viewNumber(Math.max(...wanted.map((each) => each.view))),
    };
    return true;
  }

  #isWithinBounds(asked: QueryStable, before: QueryStable | undefined, ground: Ground): boolean {
    // More answers lower the bounds.
    if (before?.nonce === asked.nonce) return asked.until <= before.until && asked.view <= before.view;
    if (before !== undefined && ground.delivered < before.until + WINDOWS_BETWEEN_LOSSES * this.#windowSize)
      return false;
    return (
      asked.until <= ground.certified + NULL_WINDOWS_MAX * this.#windowSize &&
      asked.view <= ground.target + VIEWS_AHEAD_MAX
    );
  }
}

import {
  type Membership,
  type QueryStable,
  type ReplicaId,
  type SequenceNumber,
  sequenceNumber,
  type VerifiedEnvelope,
  type ViewNumber,
  viewNumber,
  weakQuorumSize,
} from "@quorate/protocol";
import { regularCheckpointFrom, type WindowSizes } from "./window-sizes.ts";

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

/** The highest of each that was asked for, as the member signed it. */
interface Best {
  readonly until: VerifiedEnvelope<QueryStable>;
  readonly view: VerifiedEnvelope<QueryStable>;
}

/** What one member asked for. */
interface Asked {
  /** The highest number that was granted to it: what was refused is judged anew when it is asked again (seed 986). */
  grantedUntil: number;
  /** What is done for it here. */
  own: Best | undefined;
  /** What others do for it: they pass on what they grant. Bounded by n. */
  readonly claims: Map<ReplicaId, Best>;
}

/**
 * A mute member waits for numbers up to 2L above a checkpoint of others, which may be a window ahead of ours, and from there
 * to the next multiple of K.
 */
const NULL_WINDOWS_MAX = 3;
/** Null batches of one who is a window ahead are accepted. */
const ACCEPTED_WINDOWS_MAX = NULL_WINDOWS_MAX + 1;
/** And for two views above one that others move to, which may be ahead of ours. */
const VIEWS_AHEAD_MAX = 4;
/** So many windows at least are ordered between what is done for one loss of a member and what is done for its next. */
const WINDOWS_BETWEEN_LOSSES_MIN = 16;
const NOTHING: Wanted = { until: sequenceNumber(0), view: viewNumber(0) };

/**
 * What is done for members that lost their disks and are mute (protocol rule 8.5): numbers are filled with null batches,
 * and views handed over. A member that only says so gains at most `NULL_WINDOWS_MAX` windows of null batches and
 * `VIEWS_AHEAD_MAX` views, and then nothing until many more windows are ordered: in an idle cluster it ends there.
 *
 * A liar can tell each something else. So null batches are accepted without regard to what was granted before, and a
 * primary is held only to what so many others grant that it grants it, too.
 */
export class MuteMembers {
  readonly #sizes: WindowSizes;
  readonly #weakQuorum: number;
  readonly #numbersBetweenLosses: number;
  /** Bounded by n. */
  readonly #asked = new Map<ReplicaId, Asked>();
  // All three are asked for after each step.
  #acceptsUntil: SequenceNumber = sequenceNumber(0);
  #wanted = NOTHING;
  #held = NOTHING;

  constructor(sizes: WindowSizes, membership: Membership) {
    this.#sizes = sizes;
    this.#weakQuorum = weakQuorumSize(membership);
    // f liars must not do with 3L each what lets the first of them ask again.
    const liars = this.#weakQuorum - 1;
    this.#numbersBetweenLosses = sizes.windowSize * Math.max(WINDOWS_BETWEEN_LOSSES_MIN, NULL_WINDOWS_MAX * liars + 1);
  }

  get isEmpty(): boolean {
    return this.#acceptsUntil === 0;
  }
  /** Null batches are accepted up to here. */
  get acceptsUntil(): SequenceNumber {
    return this.#acceptsUntil;
  }
  /** The number and the view that this replica works for as primary, the highest of each. */
  get wanted(): Wanted {
    return this.#wanted;
  }
  /** What any correct primary works for that has heard what the others grant. */
  get held(): Wanted {
    return this.#held;
  }
  /** What is granted here, as the members signed it. */
  get granted(): VerifiedEnvelope<QueryStable>[] {
    const all = [...this.#asked.values()].flatMap(({ own }) => (own === undefined ? [] : [own.until, own.view]));
    return [...new Set(all)];
  }

  /** Whether nothing more is done for this than is done for its sender already. */
  isGranted(from: ReplicaId, message: QueryStable): boolean {
    return covers(this.#asked.get(from)?.own, message);
  }

  /** Whether `peer` has passed on this or more, and nothing can follow from it any more. */
  isKnown(peer: ReplicaId, from: ReplicaId, message: QueryStable): boolean {
    return message.until <= this.#acceptsUntil && covers(this.#asked.get(from)?.claims.get(peer), message);
  }

  /**
   * A mute member says what it waits for, or `peer` passes on what it grants. What was once asked for is done once, however
   * often it is repeated.
   *
   * @returns false when it asks for too much, and is granted nothing new.
   */
  onQuery(peer: ReplicaId, query: VerifiedEnvelope<QueryStable>, ground: Ground): boolean {
    const { from, message } = query;
    // It does not know yet what it waits for.
    if (message.until === 0) return true;
    const asked = this.#asked.get(from) ?? { grantedUntil: 0, own: undefined, claims: new Map<ReplicaId, Best>() };
    this.#asked.set(from, asked);
    if (this.#isWithinBounds(message, asked.grantedUntil, ground)) {
      asked.own = highest(asked.own, query, query);
      asked.grantedUntil = Math.max(asked.grantedUntil, message.until);
    }
    if (message.until <= this.#above(ground.certified, ACCEPTED_WINDOWS_MAX)) this.#accept(message.until);
    if (peer !== from) {
      asked.claims.set(peer, highest(asked.claims.get(peer), query, query));
      this.#adopt(asked);
    }
    this.#sumUp();
    return covers(asked.own, message);
  }

  #isWithinBounds(message: QueryStable, grantedUntil: number, ground: Ground): boolean {
    if (grantedUntil > 0 && ground.delivered < grantedUntil + this.#numbersBetweenLosses) return false;
    return (
      message.until <= this.#above(ground.certified, NULL_WINDOWS_MAX) &&
      message.view <= ground.target + VIEWS_AHEAD_MAX
    );
  }

  #above(certified: SequenceNumber, windows: number): SequenceNumber {
    return regularCheckpointFrom(certified + windows * this.#sizes.windowSize, this.#sizes);
  }

  /** What f+1 others grant a correct one has granted within its bounds. */
  #adopt(asked: Asked): void {
    const { until, view } = ranked([...asked.claims.values()], this.#weakQuorum) ?? {};
    if (until === undefined || view === undefined) return;
    asked.own = highest(asked.own, until, view);
    asked.grantedUntil = Math.max(asked.grantedUntil, until.message.until);
    this.#accept(until.message.until);
  }

  #accept(until: SequenceNumber): void {
    this.#acceptsUntil = sequenceNumber(Math.max(this.#acceptsUntil, until));
  }

  #sumUp(): void {
    // The member itself is one of the f: of 2f others f+1 are correct, and bring all others to grant it.
    const enough = Math.max(1, 2 * (this.#weakQuorum - 1));
    const own: Best[] = [];
    const held: Best[] = [];
    for (const asked of this.#asked.values()) {
      if (asked.own === undefined) continue;
      own.push(asked.own);
      const agreed = ranked([asked.own, ...asked.claims.values()], enough);
      if (agreed !== undefined) held.push(agreed);
    }
    this.#wanted = maximum(own);
    this.#held = maximum(held);
  }
}

function covers(best: Best | undefined, { until, view }: QueryStable): boolean {
  return best !== undefined && best.until.message.until >= until && best.view.message.view >= view;
}

function highest(
  before: Best | undefined,
  until: VerifiedEnvelope<QueryStable>,
  view: VerifiedEnvelope<QueryStable>,
): Best {
  if (before === undefined) return { until, view };
  return {
    until: until.message.until > before.until.message.until ? until : before.until,
    view: view.message.view > before.view.message.view ? view : before.view,
  };
}

/** Of each the one that `rank` of them reach. */
function ranked(all: readonly Best[], rank: number): Best | undefined {
  const until = all.map((each) => each.until).sort((a, b) => b.message.until - a.message.until)[rank - 1];
  const view = all.map((each) => each.view).sort((a, b) => b.message.view - a.message.view)[rank - 1];
  return until === undefined || view === undefined ? undefined : { until, view };
}

function maximum(all: readonly Best[]): Wanted {
  return {
    until: sequenceNumber(Math.max(0, ...all.map(({ until }) => until.message.until))),
    view: viewNumber(Math.max(0, ...all.map(({ view }) => view.message.view))),
  };
}

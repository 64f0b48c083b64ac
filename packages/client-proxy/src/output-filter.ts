import {
  equalBytes,
  type Membership,
  type OperationResult,
  type Receipt,
  type ReplicaId,
  type Reply,
  type Statement,
  type VerifiedReply,
  weakQuorumSize,
} from "@quorate/protocol";

/** Statements of one member that are kept for one request, and replies of it that are looked at between two sends. */
export const REPLIES_PER_MEMBER_MAX = 4;

/** An output that f+1 distinct members signed for. */
export interface AcceptedOutput {
  /** One of the matching replies: session, number, request digest and results are what all of them say. */
  readonly reply: VerifiedReply;
  /** Undefined when f+1 members share the leaf but no statement (protocol rule 3.6). */
  readonly receipt: Receipt | undefined;
}

/** What one member said about the request. */
interface Testimony {
  /** One for each sequence number, the first that came; the oldest makes room. */
  readonly replies: VerifiedReply[];
  /** Replies looked at since the request was last sent. */
  heard: number;
}

/**
 * The output filter of one request in one epoch (protocol rule 5.2): it believes what f+1 distinct members say, for one of them is
 * correct. Replies match by leaf, so that a retry that was executed again under a later statement counts with the
 * first. A member's first reply for a sequence number stands: a second that contradicts it changes nothing, and a
 * member with several statements for one leaf is still one member.
 */
export class OutputFilter {
  readonly #membership: Membership;
  readonly #testimonies = new Map<ReplicaId, Testimony>();

  constructor(membership: Membership) {
    this.#membership = membership;
  }

  /** Whether a reply of this member is still worth verifying; at most `REPLIES_PER_MEMBER_MAX` between two sends. */
  wants(from: ReplicaId): boolean {
    return (this.#testimonies.get(from)?.heard ?? 0) < REPLIES_PER_MEMBER_MAX;
  }

  /** Counts a reply of a member to this filter's request; the accepted output if it is the one that was missing. */
  offer(reply: VerifiedReply): AcceptedOutput | undefined {
    if (!this.wants(reply.from)) return undefined;
    let testimony = this.#testimonies.get(reply.from);
    if (testimony === undefined) {
      testimony = { replies: [], heard: 0 };
      this.#testimonies.set(reply.from, testimony);
    }
    testimony.heard++;
    if (testimony.replies.some((earlier) => earlier.statement.seq === reply.statement.seq)) return undefined;
    testimony.replies.push(reply);
    if (testimony.replies.length > REPLIES_PER_MEMBER_MAX) testimony.replies.shift();
    return this.#judge(reply);
  }

  /** The request was sent to this member again: it may answer again. */
  renew(member: ReplicaId): void {
    const testimony = this.#testimonies.get(member);
    if (testimony !== undefined) testimony.heard = 0;
  }

  /** Whether no f+1 members can agree any more, even if all that are silent joined the largest group. */
  isDivergent(): boolean {
    const silent = this.#membership.members.length - this.#testimonies.size;
    const needed = weakQuorumSize(this.#membership) - silent;
    return needed > 0 && !this.replies().some((reply) => this.#supporters(reply, isSameLeaf).length >= needed);
  }

  /** All signed replies that are held, for people and for evidence. */
  replies(): readonly VerifiedReply[] {
    return [...this.#testimonies.values()].flatMap((testimony) => testimony.replies);
  }

  /** How many replies are held; at most `heldMax`. */
  get held(): number {
    let held = 0;
    for (const testimony of this.#testimonies.values()) held += testimony.replies.length;
    return held;
  }
  get heldMax(): number {
    return this.#membership.members.length * REPLIES_PER_MEMBER_MAX;
  }

  #judge(reply: VerifiedReply): AcceptedOutput | undefined {
    const needed = weakQuorumSize(this.#membership);
    if (this.#supporters(reply, isSameLeaf).length < needed) return undefined;
    // Before this reply fewer than f+1 agreed, so a statement that f+1 share can only be this one's.
    const signers = this.#supporters(reply, isSameOutput);
    return { reply, receipt: signers.length < needed ? undefined : receiptFrom(reply, signers, needed) };
  }

  /** For each member that agrees with `reply` in the sense of `agrees`, the first of its replies that does. */
  #supporters(reply: VerifiedReply, agrees: (a: Reply, b: Reply) => boolean): readonly VerifiedReply[] {
    const supporters: VerifiedReply[] = [];
    for (const { replies } of this.#testimonies.values()) {
      const supporting = replies.find((candidate) => agrees(candidate, reply));
      if (supporting !== undefined) supporters.push(supporting);
    }
    return supporters;
  }
}

function receiptFrom(reply: VerifiedReply, signers: readonly VerifiedReply[], needed: number): Receipt {
  const { statement, session, number, requestDigest, results, path } = reply;
  const signatures = signers
    .slice(0, needed)
    .map(({ from, signature }) => ({ from, signature }))
    .sort((a, b) => a.from - b.from);
  return { statement, signatures, session, number, requestDigest, results, path };
}

/** The request digest is the filter's own, so a leaf is its session, number and results. */
function isSameLeaf(a: Reply, b: Reply): boolean {
  return a === b || (a.session === b.session && a.number === b.number && areSameResults(a.results, b.results));
}

function isSameOutput(a: Reply, b: Reply): boolean {
  return isSameStatement(a.statement, b.statement) && isSameLeaf(a, b);
}

function isSameStatement(a: Statement, b: Statement): boolean {
  return (
    a.epoch === b.epoch && a.seq === b.seq && a.historyDigest === b.historyDigest && a.outputsRoot === b.outputsRoot
  );
}

function areSameResults(a: readonly OperationResult[], b: readonly OperationResult[]): boolean {
  return a.length === b.length && a.every((result, i) => isSameResult(result, b[i]));
}

function isSameResult(a: OperationResult, b: OperationResult | undefined): boolean {
  return b !== undefined && a.status === b.status && equalBytes(a.value, b.value);
}

import { type Digest, type Membership, type ReplicaFrame, type ReplicaId, timestampMs } from "@quorate/protocol";
import {
  type ByzantineActor,
  type ByzantineTools,
  HONEST,
  otherDigest,
  ownProposal,
  type ProposalFrame,
  propose,
  signed,
} from "./actor.ts";
import { bare } from "./view-changes.ts";

/** The most numbers for which colluding members remember what they said to whom. */
const VARIANTS_MAX = 1024;

/** What the colluding members of one cluster agree on behind everyone's back. */
class Ring {
  static readonly #rings = new WeakMap<Membership, Ring>();
  readonly #members = new Set<ReplicaId>();
  readonly #variants = new Map<string, Digest>();
  readonly #seed: number;

  private constructor(seed: number) {
    this.#seed = seed;
  }

  static join({ membership, self, prng }: ByzantineTools): Ring {
    const ring = Ring.#rings.get(membership) ?? new Ring(prng.integer(0, 0xff));
    Ring.#rings.set(membership, ring);
    ring.#members.add(self);
    return ring;
  }

  get size(): number {
    return this.#members.size;
  }

  /** Which of two groups of correct replicas this one falls to. */
  groupOf(to: ReplicaId): number {
    return (this.#seed >> (to % 8)) & 1;
  }

  learn(place: string, digest: Digest): void {
    if (this.#variants.size >= VARIANTS_MAX) this.#variants.clear();
    this.#variants.set(place, digest);
  }

  /** What this group was proposed. */
  variant(place: string): Digest | undefined {
    return this.#variants.get(place);
  }
}

/**
 * All faulty members together, up to f: a primary among them proposes one batch to one group and another one to the rest;
 * each of them prepares and commits, at once, to each group what that group got, and claims nothing when the view changes.
 */
export function colludes(tools: ByzantineTools): ByzantineActor {
  const { prng, mark } = tools;
  const ring = Ring.join(tools);
  const concealing = prng.chance(0.5);
  const vary = (proposal: ProposalFrame, group: number): readonly ReplicaFrame[] => {
    const { message } = proposal.envelope;
    const batch = { ...proposal.batch, timestampMs: timestampMs(proposal.batch.timestampMs + group) };
    const varied = group === 0 ? proposal : propose(message, batch, tools);
    const { digest } = varied.envelope.message;
    ring.learn(`v${message.view} n${message.seq} ${group}`, digest);
    return [varied, signed({ ...message, type: "commit", digest }, tools)];
  };
  const vote = (frame: ReplicaFrame, group: number): readonly ReplicaFrame[] => {
    if (frame.type !== "signed") return [frame];
    const { message } = frame.envelope;
    if (message.type !== "prepare" && message.type !== "commit") return [frame];
    const digest = ring.variant(`v${message.view} n${message.seq} ${group}`);
    if (digest === undefined) return [frame];
    if (ring.size > 1) mark("colludes with another");
    const commit = signed({ ...message, type: "commit", digest }, tools);
    return message.type === "commit" ? [commit] : [signed({ ...message, digest }, tools), commit];
  };
  return {
    ...HONEST,
    toReplica: (to, frame) => {
      const group = ring.groupOf(to);
      const proposal = ownProposal(frame, tools);
      if (proposal !== undefined) return vary(proposal, group);
      if (frame.type !== "view-change" || frame.viewChange.envelope.from !== tools.self) return vote(frame, group);
      return concealing ? [{ type: "view-change", viewChange: bare(frame.viewChange, tools) }] : [frame];
    },
  };
}

/**
 * Commits each number to one replica only, another one each time: that one alone executes, and the others have to come to
 * the same without knowing it. Fetches are not answered.
 */
export function hidesDecisions(tools: ByzantineTools): ByzantineActor {
  const n = tools.membership.members.length;
  return {
    ...HONEST,
    toReplica: (to, frame) => {
      if (frame.type === "committed") return [];
      if (frame.type !== "signed" || frame.envelope.message.type !== "commit") return [frame];
      const { message } = frame.envelope;
      const chosen = (tools.self + 1 + (message.seq % (n - 1))) % n;
      if (to === chosen) return [frame];
      tools.mark("hides a decision");
      // A vote for something else convinces nobody, and keeps the place of the right one.
      return tools.prng.chance(0.2) ? [signed({ ...message, digest: otherDigest(message.digest) }, tools)] : [];
    },
  };
}

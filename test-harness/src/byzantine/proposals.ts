import {
  type Digest,
  quorumSize,
  type ReplicaFrame,
  type ReplicaId,
  sequenceNumber,
  timestampMs,
  viewNumber,
} from "@quorate/protocol";
import {
  type ByzantineActor,
  type ByzantineTools,
  HONEST,
  ownProposal,
  type ProposalFrame,
  placeOf,
  propose,
  signed,
  statusIn,
} from "./actor.ts";

/** The most proposals whose variants an equivocating primary remembers. */
const VARIANTS_MAX = 512;

type Split = "in halves" | "to one" | "three ways";
/** How an equivocating primary splits the others. */
export const SPLITS: readonly Split[] = ["in halves", "to one", "three ways"];
/** Numbers in a row that are split in the same way. */
const SPLIT_FOR = 3;

/**
 * Proposes different batches for one number to different replicas: to halves, another one to one of them, or three; and
 * commits to each group what that group got, as soon as it proposes.
 */
export function equivocates(tools: ByzantineTools): ByzantineActor {
  const { membership, prng, mark } = tools;
  const first = prng.integer(0, SPLITS.length - 1);
  const splitAt = (seq: number): Split => SPLITS[(first + Math.floor(seq / SPLIT_FOR)) % SPLITS.length] ?? "in halves";
  const variants = new Map<string, Digest>();
  const groupOf = (to: ReplicaId, seq: number): number => {
    const place = placeOf(to, tools);
    const split = splitAt(seq);
    if (split === "three ways") return place % 3;
    return place < (split === "to one" ? 1 : Math.floor(membership.members.length / 2)) ? 1 : 0;
  };
  const vary = (proposal: ProposalFrame, group: number): readonly ReplicaFrame[] => {
    const { message } = proposal.envelope;
    const other = { ...proposal.batch, timestampMs: timestampMs(proposal.batch.timestampMs + group) };
    const varied = propose(message, other, tools);
    const { digest } = varied.envelope.message;
    if (variants.size >= VARIANTS_MAX) variants.clear();
    variants.set(`${message.digest} ${group}`, digest);
    mark(`equivocates ${splitAt(message.seq)}`);
    return [varied, signed({ ...message, type: "commit", digest }, tools)];
  };
  return {
    ...HONEST,
    toReplica: (to, frame) => {
      const proposal = ownProposal(frame, tools);
      if (proposal !== undefined) {
        const group = groupOf(to, proposal.envelope.message.seq);
        return group === 0 ? [frame] : vary(proposal, group);
      }
      if (frame.type !== "signed" || frame.envelope.message.type !== "commit") return [frame];
      const { message } = frame.envelope;
      const group = groupOf(to, message.seq);
      const digest = variants.get(`${message.digest} ${group}`);
      return digest === undefined ? [frame] : [signed({ ...message, digest }, tools)];
    },
  };
}

/** Keeps each proposal back for nearly as long as backups wait, for ever. */
export function delaysProposals(tools: ByzantineTools): ByzantineActor {
  const delayMs = tools.viewChangeMs * tools.prng.between(0.6, 0.95);
  return { ...HONEST, delayMs: (frame) => (ownProposal(frame, tools) === undefined ? 0 : delayMs) };
}

/** Never sends the proposals of every third number. */
export function leavesGaps(tools: ByzantineTools): ByzantineActor {
  const left = tools.prng.integer(0, 2);
  return {
    ...HONEST,
    toReplica: (_to, frame) => ((ownProposal(frame, tools)?.envelope.message.seq ?? -1) % 3 === left ? [] : [frame]),
  };
}

/** Sends each proposal to some only: to just a quorum, or to k of n-1 as if it crashed while sending. */
export function proposesToSome(tools: ByzantineTools): ByzantineActor {
  const { membership, prng, mark } = tools;
  const isQuorumOnly = prng.chance(0.5);
  const n = membership.members.length;
  return {
    ...HONEST,
    toReplica: (to, frame) => {
      const proposal = ownProposal(frame, tools);
      if (proposal === undefined) return [frame];
      const reach = isQuorumOnly ? quorumSize(membership) - 1 : proposal.envelope.message.seq % n;
      if (placeOf(to, tools) < reach) return [frame];
      mark(isQuorumOnly ? "proposes to a quorum only" : "proposes to k of n-1");
      return [];
    },
  };
}

/** Beside each proposal one where it has no right to: outside the window, in other views, far ahead, long ago. */
export function proposesAstray(tools: ByzantineTools): ByzantineActor {
  const { membership, windowSize, prng, mark } = tools;
  const astray = ({ envelope: { message }, batch }: ProposalFrame): ProposalFrame => {
    const { seq, view } = message;
    const n = membership.members.length;
    const [name, changed] = prng.pick([
      ["above the window", { seq: sequenceNumber(seq + 2 * windowSize) }],
      ["in the backlog", { seq: sequenceNumber(seq + windowSize) }],
      ["far ahead", { seq: sequenceNumber(2 ** 40 + seq) }],
      ["below the window", { seq: sequenceNumber(Math.max(1, seq - windowSize)) }],
      ["number zero", { seq: sequenceNumber(0) }],
      ["in another's view", { view: viewNumber(view + 1) }],
      ["in an own later view", { view: viewNumber(view + n) }],
      ["in a view far ahead", { view: viewNumber(view + n * 2 ** 30) }],
    ]);
    mark(`proposes ${name}`);
    return propose({ ...message, ...changed }, batch, tools);
  };
  return {
    ...HONEST,
    toReplica: (_to, frame) => {
      const proposal = ownProposal(frame, tools);
      return proposal === undefined ? [frame] : [astray(proposal), frame];
    },
  };
}

/** Goes on proposing and committing in its view after that was left. */
export function keepsOrdering(tools: ByzantineTools): ByzantineActor {
  let last: ProposalFrame | undefined;
  const goOn = ({ envelope: { message }, batch }: ProposalFrame): ProposalFrame => {
    tools.mark("orders in a view that was left");
    return propose({ ...message, seq: sequenceNumber(message.seq + 1) }, batch, tools);
  };
  return {
    ...HONEST,
    toReplica: (_to, frame) => {
      const proposal = ownProposal(frame, tools);
      if (proposal !== undefined) last = proposal;
      const status = statusIn(frame);
      if (last === undefined || status === undefined || status.target <= last.envelope.message.view) return [frame];
      if (!tools.prng.chance(0.5)) return [frame];
      last = goOn(last);
      return [frame, last, signed({ ...last.envelope.message, type: "commit" }, tools)];
    },
  };
}

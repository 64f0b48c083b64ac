import {
  type CheckpointClaim,
  type Digest,
  type Epoch,
  type EpochLink,
  EXCERPT_GROUP_BYTES,
  EXCERPT_HEAD_BYTES,
  epochNumber,
  type ReplicaFrame,
  sequenceNumber,
  viewNumber,
} from "@quorate/protocol";
import { type ByzantineActor, type ByzantineTools, HONEST, otherDigest, type SignedFrame, signed } from "./actor.ts";

/** What a liar needs that is no member: the signer is of the member that it would be. */
export type ObserverTools = Pick<ByzantineTools, "signer" | "hasher" | "checkpointInterval" | "prng" | "mark"> & {
  /** In which it observes. */
  readonly epoch: Epoch;
};

/** What one that is no member lies with, each with the mark of it. */
export const OBSERVER_LIES = {
  votes: "observer votes before it may",
  early: "observer speaks in the next epoch",
  answers: "observer answers falsely",
  claims: "observer claims falsely where it stands",
} as const;

/**
 * One that is no member yet, or no more: it follows as it should, and beside that votes with its own key in the epoch that it
 * observes and in the next one, answers falsely what it is asked, and lets a false claim stand in what is ordered for it.
 */
export function liesAsObserver(tools: ObserverTools): ByzantineActor {
  const { epoch, prng, mark } = tools;
  /** The last number of which it heard, for votes that are not far off. */
  let heard = 0;
  let isAsked = false;
  let hasClaimed = false;
  const vote = (): ReplicaFrame => {
    const isEarly = prng.chance(0.5);
    mark(isEarly ? OBSERVER_LIES.early : OBSERVER_LIES.votes);
    return voteIn(isEarly ? epochNumber(epoch + 1) : epoch, heard, tools);
  };
  return {
    ...HONEST,
    fromReplica: (frame) => {
      if (frame.type === "committed") heard = frame.entry.certificate.seq;
      if (frame.type === "fetch-epochs") isAsked = true;
    },
    toReplica: (_to, frame) => {
      const said = falseAnswer(frame, tools);
      if (said !== frame) mark(OBSERVER_LIES.answers);
      const votes = prng.chance(0.5) ? [vote()] : [];
      if (!isAsked) return [said, ...votes];
      isAsked = false;
      mark(OBSERVER_LIES.answers);
      return [said, forgedLink(heard, tools), ...votes];
    },
    claim: (truth) => {
      // Falsely at first, and not always, for it is to become a member.
      if (hasClaimed && prng.chance(0.5)) return truth;
      hasClaimed = true;
      mark(OBSERVER_LIES.claims);
      return falseClaim(truth, tools);
    },
  };
}

/** Of any kind that counts for members. */
function voteIn(epoch: Epoch, heard: number, tools: ObserverTools): SignedFrame {
  const { prng, checkpointInterval } = tools;
  const view = viewNumber(0);
  const seq = sequenceNumber(heard + prng.integer(1, checkpointInterval));
  const digest = anyDigest(tools);
  const stateRoot = anyDigest(tools);
  const boundary = sequenceNumber(Math.ceil(seq / checkpointInterval) * checkpointInterval);
  return signed(
    prng.pick<SignedFrame["envelope"]["message"]>([
      { type: "prepare", epoch, view, seq, digest },
      { type: "commit", epoch, view, seq, digest },
      { type: "checkpoint", epoch, seq: boundary, stateRoot },
    ]),
    tools,
  );
}

/** What it has not come to, or of another state. */
function falseClaim({ seq, stateRoot }: CheckpointClaim, { prng, checkpointInterval }: ObserverTools): CheckpointClaim {
  if (prng.chance(0.5)) return { seq: sequenceNumber(seq + checkpointInterval), stateRoot };
  return { seq, stateRoot: otherDigest(stateRoot) };
}

/** The frame itself unless it is an answer. */
function falseAnswer(frame: ReplicaFrame, { prng }: ObserverTools): ReplicaFrame {
  if (prng.chance(0.3)) return frame;
  switch (frame.type) {
    case "epoch-links":
      return { ...frame, links: frame.links.map((link) => ({ ...link, record: new Uint8Array(link.record).fill(1) })) };
    case "committed": {
      const { certificate } = frame.entry;
      const other = { ...certificate, seq: sequenceNumber(certificate.seq + 1) };
      return { ...frame, entry: { ...frame.entry, certificate: other } };
    }
    case "stable-checkpoint":
    case "below-history": {
      const { checkpoint } = frame;
      return { ...frame, checkpoint: { ...checkpoint, stateRoot: otherDigest(checkpoint.stateRoot) } };
    }
    default:
      return frame;
  }
}

/** An epoch that nobody has ordered, certified by itself alone. */
function forgedLink(heard: number, tools: ObserverTools): ReplicaFrame {
  const { signer, epoch, prng } = tools;
  const seq = sequenceNumber(heard + 1);
  const stateRoot = anyDigest(tools);
  const { signature } = signer.sign({ type: "checkpoint", epoch, seq, stateRoot });
  const link: EpochLink = {
    certificate: { epoch, seq, stateRoot, signatures: [{ from: signer.self, signature }] },
    record: prng.bytes(40),
    proof: {
      excerpts: [{ head: prng.bytes(EXCERPT_HEAD_BYTES), group: prng.bytes(EXCERPT_GROUP_BYTES) }],
      slots: undefined,
    },
  };
  return { type: "epoch-links", links: [link] };
}

function anyDigest({ hasher, prng }: ObserverTools): Digest {
  return hasher.digest(prng.bytes(8));
}

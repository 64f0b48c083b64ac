import { outputLeafOf, outputsRootOf } from "@quorate/crypto";
import {
  type Batch,
  type Digest,
  digest,
  type Hasher,
  type ReplicaFrame,
  type ReplicaId,
  type Reply,
  type ServerFrame,
  type Signer,
  timestampMs,
} from "@quorate/protocol";
import type { Prng } from "./prng.ts";

/** What a Byzantine replica does to others; inside it is an ordinary one. */
export type ByzantineBehaviour = (typeof BYZANTINE_BEHAVIOURS)[number];
export const BYZANTINE_BEHAVIOURS = [
  /** Says nothing to anyone. */
  "silent",
  /** Answers clients with wrong results, validly signed. */
  "wrong-replies",
  /** Votes for digests of its own, to some: an equivocation. */
  "wrong-votes",
  /** Passes on batches that are not what their digests and certificates say. */
  "corrupt-bodies",
  /** Votes for wrong state roots, and lies about where it stands. */
  "wrong-checkpoints",
  /** Repeats what it said and heard before, also in the name of others. */
  "replays",
] as const;

/** Rewrites what a replica sends. */
export interface ByzantineActor {
  /** What it was sent. */
  fromReplica(frame: ReplicaFrame): void;
  toReplica(to: ReplicaId, frame: ReplicaFrame): readonly ReplicaFrame[];
  toClient(frame: ServerFrame): readonly ServerFrame[];
}

/** What an actor needs: its own key and nobody else's. */
export interface ByzantineTools {
  readonly signer: Signer;
  readonly hasher: Hasher;
  readonly prng: Prng;
}

export function createByzantineActor(behaviour: ByzantineBehaviour, tools: ByzantineTools): ByzantineActor {
  const honest: ByzantineActor = {
    fromReplica: () => undefined,
    toReplica: (_to, frame) => [frame],
    toClient: (frame) => [frame],
  };
  switch (behaviour) {
    case "silent":
      return { ...honest, toReplica: () => [], toClient: () => [] };
    case "wrong-replies":
      return { ...honest, toClient: (frame) => [wrongReply(frame, tools)] };
    case "wrong-votes":
      return { ...honest, toReplica: (_to, frame) => wrongVotes(frame, tools) };
    case "corrupt-bodies":
      return corruptBodies(honest, tools);
    case "wrong-checkpoints":
      return { ...honest, toReplica: (_to, frame) => [wrongCheckpoint(frame, tools)] };
    case "replays":
      return replays(honest, tools);
  }
}

/** A reply with other results under a statement that really leads to them, signed with the own key. */
function wrongReply(frame: ServerFrame, { signer, hasher }: ByzantineTools): ServerFrame {
  if (frame.type !== "reply") return frame;
  const { reply } = frame;
  const results = reply.results.map((result) => ({ ...result, value: Uint8Array.of(...result.value, 1) }));
  const leaf = outputLeafOf(hasher, { ...reply, results });
  const statement = { ...reply.statement, outputsRoot: outputsRootOf(hasher, [leaf]) };
  const signature = signer.signStatement(statement);
  const wrong: Reply = { ...reply, statement, signature, results, path: { index: 0, size: 1, siblings: [] } };
  return { type: "reply", reply: wrong };
}

function wrongVotes(frame: ReplicaFrame, { signer, prng }: ByzantineTools): readonly ReplicaFrame[] {
  if (frame.type !== "signed") return [frame];
  const { message } = frame.envelope;
  if ((message.type !== "prepare" && message.type !== "commit") || prng.chance(0.3)) return [frame];
  const wrong: ReplicaFrame = {
    type: "signed",
    envelope: signer.sign({ ...message, digest: otherDigest(message.digest) }),
  };
  // Sometimes both: whoever gets the two has evidence.
  return prng.chance(0.3) ? [wrong, frame] : [wrong];
}

/** Corrupts the batches that it passes on, and passes on each proposal, as if it had been asked. */
function corruptBodies(honest: ByzantineActor, tools: ByzantineTools): ByzantineActor {
  let proposal: ReplicaFrame | undefined;
  return {
    ...honest,
    fromReplica: (frame) => {
      if (frame.type === "pre-prepare") proposal = frame;
    },
    toReplica: (_to, frame) => {
      const isVote = frame.type === "signed" && frame.envelope.message.type === "prepare";
      if (!isVote || proposal === undefined) return [corruptBody(frame, tools)];
      return [corruptBody(proposal, tools), frame];
    },
  };
}

/** The most frames that a replaying actor remembers. */
const REMEMBERED_MAX = 200;

function replays(honest: ByzantineActor, { prng }: ByzantineTools): ByzantineActor {
  const remembered: ReplicaFrame[] = [];
  const remember = (frame: ReplicaFrame): void => {
    if (remembered.length < REMEMBERED_MAX) remembered.push(frame);
    else remembered[prng.integer(0, REMEMBERED_MAX - 1)] = frame;
  };
  return {
    ...honest,
    fromReplica: remember,
    toReplica: (_to, frame) => {
      remember(frame);
      const old = remembered[prng.integer(0, remembered.length - 1)];
      return old === undefined || prng.chance(0.5) ? [frame] : [frame, old];
    },
  };
}

function corruptBody(frame: ReplicaFrame, { prng }: ByzantineTools): ReplicaFrame {
  switch (frame.type) {
    case "pre-prepare":
    case "batch-body":
      return { ...frame, batch: corruptBatch(frame.batch, prng) };
    case "committed":
      return { ...frame, entry: { ...frame.entry, batch: corruptBatch(frame.entry.batch, prng) } };
    default:
      return frame;
  }
}

/** Another time under the right signatures, or a signature that is none. */
function corruptBatch(batch: Batch, prng: Prng): Batch {
  // The null batch has one encoding: a changed one would not even be read.
  if (batch.requests.length === 0) return batch;
  if (prng.chance(0.5)) return { ...batch, timestampMs: timestampMs(batch.timestampMs + 1) };
  const requests = batch.requests.map((request) => ({ ...request, signature: request.signature.map((byte) => ~byte) }));
  return { ...batch, requests };
}

function wrongCheckpoint(frame: ReplicaFrame, { signer, prng }: ByzantineTools): ReplicaFrame {
  if (frame.type === "stable-checkpoint")
    return { ...frame, checkpoint: { ...frame.checkpoint, stateRoot: otherDigest(frame.checkpoint.stateRoot) } };
  if (frame.type !== "signed") return frame;
  const { message } = frame.envelope;
  if (message.type === "checkpoint") {
    const stateRoot = otherDigest(message.stateRoot);
    return { type: "signed", envelope: signer.sign({ ...message, stateRoot }) };
  }
  if (message.type !== "status" || prng.chance(0.5)) return frame;
  const far = (message.executed + 1000) as typeof message.executed;
  return { type: "signed", envelope: signer.sign({ ...message, executed: far, accepted: far }) };
}

/** Not this one. */
function otherDigest(of: Digest): Digest {
  return digest(of.slice(1) + (of[0] === "0" ? "1" : "0"));
}

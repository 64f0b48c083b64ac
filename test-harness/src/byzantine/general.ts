import { outputLeafOf, outputsRootOf, requestDigest } from "@quorate/crypto";
import {
  type Batch,
  type Digest,
  type ReplicaFrame,
  type Reply,
  type ServerFrame,
  timestampMs,
} from "@quorate/protocol";
import type { Prng } from "../prng.ts";
import { type ByzantineActor, type ByzantineTools, flipped, HONEST } from "./actor.ts";

/** Says nothing to anyone. */
export function silent(): ByzantineActor {
  return { ...HONEST, toReplica: () => [], toClient: () => [] };
}

/** Says nothing to one other replica, whatever it is: proposals reach a quorum, and never that one. */
export function silentToOneReplica({ membership, self, prng }: ByzantineTools): ByzantineActor {
  const n = membership.members.length;
  const victim = (self + prng.integer(1, n - 1)) % n;
  return { ...HONEST, toReplica: (to, frame) => (to === victim ? [] : [frame]) };
}

/** Hears one client only when it has no choice: its requests are dropped, whoever brings them, and never answered. */
export function starvesOneClient({ mark }: ByzantineTools): ByzantineActor {
  let victim: string | undefined;
  return {
    ...HONEST,
    hears: (frame) => {
      if (frame.type !== "request") return true;
      victim ??= frame.request.client;
      if (frame.request.client !== victim) return true;
      mark("request dropped");
      return false;
    },
  };
}

/** The most requests whose arrival one that delays them remembers. */
const DELAYED_MAX = 1024;

/** Hears each request of one client only when backups have waited for it for nearly as long as they wait, for ever. */
export function delaysOneClient({ viewChangeMs, prng, hasher, cluster, nowMs, mark }: ByzantineTools): ByzantineActor {
  const delayMs = viewChangeMs * prng.between(0.6, 0.95);
  const heardAtMs = new Map<Digest, number>();
  let victim: string | undefined;
  return {
    ...HONEST,
    hears: (frame) => {
      if (frame.type !== "request") return true;
      victim ??= frame.request.client;
      if (frame.request.client !== victim) return true;
      const digest = requestDigest(hasher, cluster, frame.request);
      const firstMs = heardAtMs.get(digest) ?? nowMs();
      if (heardAtMs.size >= DELAYED_MAX) heardAtMs.clear();
      heardAtMs.set(digest, firstMs);
      if (nowMs() - firstMs >= delayMs) return true;
      mark("request kept back");
      return false;
    },
  };
}

/** Answers clients with wrong results, validly signed. */
export function wrongReplies(tools: ByzantineTools): ByzantineActor {
  return { ...HONEST, toClient: (frame) => [wrongReply(frame, tools)] };
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

/** Corrupts the batches that it passes on, and passes on each proposal, as if it had been asked. */
export function corruptBodies({ prng }: ByzantineTools): ByzantineActor {
  let proposal: ReplicaFrame | undefined;
  return {
    ...HONEST,
    fromReplica: (frame) => {
      if (frame.type === "pre-prepare") proposal = frame;
    },
    toReplica: (_to, frame) => {
      const isVote = frame.type === "signed" && frame.envelope.message.type === "prepare";
      if (!isVote || proposal === undefined) return [corruptBody(frame, prng)];
      return [corruptBody(proposal, prng), frame];
    },
  };
}

function corruptBody(frame: ReplicaFrame, prng: Prng): ReplicaFrame {
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
  if (prng.chance(0.5)) return { ...batch, timestampMs: timestampMs(batch.timestampMs + 1) };
  return {
    ...batch,
    requests: batch.requests.map((request) => ({ ...request, signature: flipped(request.signature) })),
  };
}

/** The most frames that a replaying actor remembers. */
const REMEMBERED_MAX = 200;

/** Repeats what it said and heard before, also in the name of others. */
export function replays({ prng }: ByzantineTools): ByzantineActor {
  const remembered: ReplicaFrame[] = [];
  const remember = (frame: ReplicaFrame): void => {
    if (remembered.length < REMEMBERED_MAX) remembered.push(frame);
    else remembered[prng.integer(0, REMEMBERED_MAX - 1)] = frame;
  };
  return {
    ...HONEST,
    fromReplica: remember,
    toReplica: (_to, frame) => {
      remember(frame);
      const old = remembered[prng.integer(0, remembered.length - 1)];
      return old === undefined || prng.chance(0.5) ? [frame] : [frame, old];
    },
  };
}

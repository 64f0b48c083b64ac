import type { ReplicaFrame, ReplicaId } from "@quorate/protocol";
import { type ByzantineActor, type ByzantineTools, HONEST, ownProposal, statusIn } from "./actor.ts";

/** Each answer comes so much later than the one before it. */
const DRIP_MS = 150;
const DRIP_MAX_MS = 3_000;
/** Answers that are remembered, to go on without end. */
const REMEMBERED_MAX = 8;

/** Answers fetches drop by drop, each answer later than the one before; and never stops answering. */
export function dripsAnswers(tools: ByzantineTools): ByzantineActor {
  const answered: ReplicaFrame[] = [];
  let waitingMs = 0;
  return {
    ...HONEST,
    toReplica: (_to, frame) => {
      if (isAnswer(frame)) {
        if (answered.length < REMEMBERED_MAX) answered.push(frame);
        return [frame];
      }
      if (statusIn(frame) === undefined) return [frame];
      waitingMs = Math.max(0, waitingMs - DRIP_MS);
      const again = answered[tools.prng.integer(0, answered.length - 1)];
      if (again === undefined || tools.prng.chance(0.5)) return [frame];
      tools.mark("answers without end");
      return [frame, again];
    },
    delayMs: (frame) => {
      if (!isAnswer(frame)) return 0;
      waitingMs = Math.min(DRIP_MAX_MS, waitingMs + DRIP_MS);
      return waitingMs;
    },
  };
}

function isAnswer({ type }: ReplicaFrame): boolean {
  return type === "committed" || type === "batch-body" || type === "stable-checkpoint";
}

/** Frames after which one that fell silent speaks again, at most. */
const SILENCE_MAX = 120;

/** Falls silent in the middle of sending a proposal, after k of n-1, as one that crashes; and comes back some time later. */
export function diesWhileSending(tools: ByzantineTools): ByzantineActor {
  const { prng, membership, mark } = tools;
  const others = membership.members.length - 1;
  let [current, reach, silence]: [ReplicaFrame | undefined, number, number] = [undefined, others, 0];
  const goes = (to: ReplicaId, frame: ReplicaFrame): boolean => {
    if (silence > 0) {
      silence -= 1;
      return false;
    }
    if (ownProposal(frame, tools) === undefined) return true;
    if (frame !== current) [current, reach] = [frame, prng.chance(0.15) ? prng.integer(0, others - 1) : others];
    if (reach === others || (to - tools.self + others) % (others + 1) < reach) return true;
    mark(`dies after ${reach === 0 ? "none" : "some"} of n-1`);
    silence = prng.integer(10, SILENCE_MAX);
    return false;
  };
  return {
    ...HONEST,
    toReplica: (to, frame) => (goes(to, frame) ? [frame] : []),
    toClient: (frame) => (silence > 0 ? [] : [frame]),
  };
}

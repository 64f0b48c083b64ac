import type { ReplicaFrame, ServerFrame } from "@quorate/protocol";
import { envelopeIn } from "../checkers/promises.ts";
import { MUTATED, REPLAYED } from "../mutations/coverage.ts";
import { FRAME_MUTATIONS, SERVER_FRAME_MUTATIONS } from "../mutations/frames.ts";
import { typeOf } from "../mutations/mutation.ts";
import { Mutator } from "../mutations/mutator.ts";
import type { Prng } from "../prng.ts";
import { type ByzantineActor, type ByzantineTools, HONEST, propose, statusIn } from "./actor.ts";

/** Frames of one kind that are remembered, to be sent again. */
const REMEMBERED_MAX = 12;

/** Some frames of each kind. */
class Memory<F> {
  readonly #prng: Prng;
  readonly #kindOf: (frame: F) => string;
  readonly #frames = new Map<string, F[]>();

  constructor(prng: Prng, kindOf: (frame: F) => string) {
    this.#prng = prng;
    this.#kindOf = kindOf;
  }

  keep(frame: F): void {
    const frames = this.#frames.get(this.#kindOf(frame)) ?? [];
    if (frames.length < REMEMBERED_MAX) frames.push(frame);
    else frames[this.#prng.integer(0, REMEMBERED_MAX - 1)] = frame;
    this.#frames.set(this.#kindOf(frame), frames);
  }

  /** Another one of the same kind. */
  like(frame: F): F | undefined {
    const old = this.#draw(this.#kindOf(frame));
    return old === frame ? undefined : old;
  }

  /** Any, of each kind as likely. */
  any(): F | undefined {
    const kinds = [...this.#frames.keys()];
    return this.#draw(kinds[this.#prng.integer(0, kinds.length - 1)] ?? "");
  }

  #draw(kind: string): F | undefined {
    const frames = this.#frames.get(kind) ?? [];
    return frames[this.#prng.integer(0, frames.length - 1)];
  }
}

/**
 * Takes whatever the replica inside sends and makes one thing of it wrong, whatever that may be, under its own signature
 * where it has one; to some and not to others, instead of the right one or beside it; and sends again what is old.
 */
export function mutates(tools: ByzantineTools): ByzantineActor {
  const { prng } = tools;
  const [frames, replies] = [new Memory(prng, kindOf), new Memory<ServerFrame>(prng, ({ type }) => type)];
  const worsen = worsening(tools);
  const worsenReply = worseningReplies(tools);
  const rate = prng.pick([0.1, 0.3, 0.6]);
  return {
    ...HONEST,
    fromReplica: (frame) => frames.keep(frame),
    toReplica: (_to, frame) => {
      frames.keep(frame);
      // Of its own accord: also what it seldom has a reason to say, and what others have said.
      const unasked = statusIn(frame) !== undefined && prng.chance(0.5) ? frames.any() : undefined;
      if (unasked !== undefined) return [frame, ...worsen(unasked)];
      // It says few of these, and there is much in them.
      if (frame.type === "new-view" || hasWholePage(frame))
        return Array.from({ length: RARE_AT_ONCE }, () => worsen(frame)).flat();
      if (prng.chance(rate)) return worsen(frame);
      return prng.chance(REPLAY_RATE) ? replayed(frame, frames.like(frame), kindOf(frame), tools) : [frame];
    },
    toClient: (frame) => {
      replies.keep(frame);
      if (prng.chance(rate)) return worsenReply(frame);
      return prng.chance(REPLAY_RATE) ? replayed(frame, replies.like(frame), frame.type, tools) : [frame];
    },
  };
}

const REPLAY_RATE = 0.05;
const RARE_AT_ONCE = 3;

function hasWholePage(frame: ReplicaFrame): boolean {
  return frame.type === "state-chunk" && frame.chunk.items.some(({ type }) => type === "whole");
}

function replayed<F>(frame: F, old: F | undefined, kind: string, { prng, mark }: ByzantineTools): readonly F[] {
  if (old === undefined) return [frame];
  mark(REPLAYED + kind);
  return prng.pick([[old], [old, frame]]);
}

function worsening(tools: ByzantineTools): (frame: ReplicaFrame) => readonly ReplicaFrame[] {
  const mutator = new Mutator(FRAME_MUTATIONS, tools.prng);
  return (frame) => {
    const given = asAnother(frame, tools);
    const mutated = mutator.mutate(given.type, given);
    if (mutated === undefined) return [frame];
    markMutation(mutated.path, tools);
    const wrong = resigned(given, mutated.value, mutated.path, tools);
    return tools.prng.pick([[wrong], [wrong, frame], [frame, wrong]]);
  };
}

function worseningReplies(tools: ByzantineTools): (frame: ServerFrame) => readonly ServerFrame[] {
  const mutator = new Mutator(SERVER_FRAME_MUTATIONS, tools.prng);
  return (frame) => {
    const mutated = mutator.mutate(frame.type, frame);
    if (mutated === undefined) return [frame];
    markMutation(mutated.path, tools);
    return tools.prng.pick([[restated(mutated.value, mutated.path, tools)], [mutated.value, frame]]);
  };
}

function markMutation(path: string, { mark }: ByzantineTools): void {
  mark(MUTATED + path);
  mark(`${MUTATED}a ${typeOf(path)}`);
}

/** What tells one kind of frame from another: of those that travel alone, the message. */
function kindOf(frame: ReplicaFrame): string {
  return frame.type === "signed" ? frame.envelope.message.type : frame.type;
}

/** What it never has a reason to send, from what it has. */
function asAnother(frame: ReplicaFrame, { prng }: ByzantineTools): ReplicaFrame {
  if (frame.type === "stable-checkpoint" && prng.chance(0.5)) return { ...frame, type: "below-history" };
  return frame.type === "committed" && prng.chance(0.2) ? { type: "batch-body", batch: frame.entry.batch } : frame;
}

/** Signs what was changed, where the own signature was; a changed batch sometimes gets its true digest, too. */
function resigned(before: ReplicaFrame, frame: ReplicaFrame, path: string, tools: ByzantineTools): ReplicaFrame {
  const { signer, self, prng } = tools;
  const isMessage = path.includes("envelope.message");
  const isOwn = envelopeIn(before)?.from === self;
  if (!isOwn) return frame;
  switch (frame.type) {
    case "pre-prepare":
      if (isMessage) return { ...frame, envelope: signer.sign(frame.envelope.message) };
      return path.includes("batch") && prng.chance(0.5) ? propose(frame.envelope.message, frame.batch, tools) : frame;
    case "signed":
      return isMessage ? { ...frame, envelope: signer.sign(frame.envelope.message) } : frame;
    case "view-change": {
      const { viewChange } = frame;
      const envelope = signer.sign(viewChange.envelope.message);
      return isMessage ? { ...frame, viewChange: { ...viewChange, envelope } } : frame;
    }
    case "new-view": {
      const { newView } = frame;
      const envelope = signer.sign(newView.envelope.message);
      return path.startsWith("new-view.newView.envelope.message")
        ? { ...frame, newView: { ...newView, envelope } }
        : frame;
    }
    default:
      return frame;
  }
}

/** A reply whose statement is signed again, if it was changed. */
function restated(frame: ServerFrame, path: string, { signer }: ByzantineTools): ServerFrame {
  if (frame.type !== "reply" || !path.includes("statement")) return frame;
  const { reply } = frame;
  return { ...frame, reply: { ...reply, signature: signer.signStatement(reply.statement) } };
}

import type { ReplicaFrame, ServerFrame } from "@quorate/protocol";
import { envelopeIn } from "../checkers/promises.ts";
import { MUTATED, REPLAYED } from "../mutations/coverage.ts";
import { FRAME_MUTATIONS, SERVER_FRAME_MUTATIONS } from "../mutations/frames.ts";
import { typeOf } from "../mutations/mutation.ts";
import { Mutator } from "../mutations/mutator.ts";
import { type ByzantineActor, type ByzantineTools, HONEST, propose, statusIn } from "./actor.ts";

/** Frames of one kind that are remembered, to be sent again. */
const REMEMBERED_MAX = 12;

/**
 * Takes whatever the replica inside sends and makes one thing of it wrong, whatever that may be, under its own signature
 * where it has one; to some and not to others, instead of the right one or beside it; and sends again what is old.
 */
export function mutates(tools: ByzantineTools): ByzantineActor {
  const { prng, mark } = tools;
  const mutator = new Mutator(FRAME_MUTATIONS, prng);
  const toClients = new Mutator(SERVER_FRAME_MUTATIONS, prng);
  const remembered = new Map<string, ReplicaFrame[]>();
  const answered: ServerFrame[] = [];
  const rate = prng.pick([0.1, 0.3, 0.6]);
  const marked = (path: string): void => {
    mark(MUTATED + path);
    mark(`${MUTATED}a ${typeOf(path)}`);
  };
  const remember = (frame: ReplicaFrame): void => {
    const kind = kindOf(frame);
    const frames = remembered.get(kind) ?? [];
    if (frames.length < REMEMBERED_MAX) frames.push(frame);
    else frames[prng.integer(0, REMEMBERED_MAX - 1)] = frame;
    remembered.set(kind, frames);
  };
  const oldOne = (kind: string): ReplicaFrame | undefined => {
    const frames = remembered.get(kind) ?? [];
    return frames[prng.integer(0, frames.length - 1)];
  };
  const worsen = (frame: ReplicaFrame): readonly ReplicaFrame[] => {
    const given = asAnother(frame, tools);
    const mutated = mutator.mutate(given.type, given);
    if (mutated === undefined) return [frame];
    marked(mutated.path);
    const wrong = resigned(given, mutated.value, mutated.path, tools);
    return prng.pick([[wrong], [wrong, frame], [frame, wrong]]);
  };
  const repeat = (frame: ReplicaFrame): readonly ReplicaFrame[] => {
    const old = oldOne(kindOf(frame));
    if (old === undefined || old === frame) return [frame];
    mark(REPLAYED + kindOf(frame));
    return prng.pick([[old], [old, frame]]);
  };
  return {
    ...HONEST,
    fromReplica: remember,
    toReplica: (_to, frame) => {
      remember(frame);
      if (statusIn(frame) !== undefined && prng.chance(0.5)) {
        // Of its own accord: also what it seldom has a reason to say, and what others have said.
        const kinds = [...remembered.keys()];
        const old = oldOne(kinds[prng.integer(0, kinds.length - 1)] ?? "");
        if (old !== undefined) return [frame, ...worsen(old)];
      }
      if (prng.chance(rate)) return worsen(frame);
      return prng.chance(0.05) ? repeat(frame) : [frame];
    },
    toClient: (frame) => {
      const stale = answered[prng.integer(0, answered.length - 1)];
      if (answered.length < REMEMBERED_MAX) answered.push(frame);
      if (stale !== undefined && prng.chance(0.05)) {
        mark(`${REPLAYED}${stale.type}`);
        return [stale];
      }
      if (!prng.chance(rate)) return [frame];
      const mutated = toClients.mutate(frame.type, frame);
      if (mutated === undefined) return [frame];
      marked(mutated.path);
      return prng.pick([[restated(mutated.value, mutated.path, tools)], [mutated.value, frame]]);
    },
  };
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

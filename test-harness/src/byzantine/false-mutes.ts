import {
  type Digest,
  digest,
  type QueryStable,
  type ReplicaFrame,
  type ReplyStable,
  type Status,
  sequenceNumber,
  viewNumber,
} from "@quorate/protocol";
import { type ByzantineActor, type ByzantineTools, HONEST, statusIn } from "./actor.ts";

/**
 * Says that its disk was lost, to some, again and again, and asks for what it likes; and lies to those that have lost
 * theirs.
 */
export function falseMutes(tools: ByzantineTools): ByzantineActor {
  const { prng, signer, windowSize, mark } = tools;
  // Losses that it makes up: another one now and then.
  const nonces = [nonceOf(tools, "first"), nonceOf(tools, "second"), nonceOf(tools, "third")] as const;
  let until = sequenceNumber(0);

  const query = ({ epoch, stable, view }: Status): QueryStable => {
    if (until <= stable || prng.chance(0.05)) until = sequenceNumber(stable + prng.pick([1, 2, 3, 4, 50]) * windowSize);
    return {
      type: "query-stable",
      epoch,
      nonce: prng.pick(nonces),
      until,
      view: viewNumber(view + prng.pick([0, 2, 4, 1_000])),
    };
  };
  const answer = (message: ReplyStable): ReplyStable =>
    prng.chance(0.5)
      ? { ...message, view: viewNumber(message.view + prng.pick([1, 1_000])) }
      : { ...message, nonce: prng.pick(nonces) };

  return {
    ...HONEST,
    toReplica: (_to, frame): readonly ReplicaFrame[] => {
      if (frame.type === "reply-stable") {
        mark("false answer to a mute replica");
        const { envelope, checkpoint } = frame.reply;
        return [{ type: "reply-stable", reply: { envelope: signer.sign(answer(envelope.message)), checkpoint } }];
      }
      const status = statusIn(frame);
      if (status === undefined || prng.chance(0.5)) return [frame];
      mark("says it is mute");
      return [frame, { type: "query-stable", envelope: signer.sign(query(status)) }];
    },
  };
}

function nonceOf({ prng }: ByzantineTools, purpose: string): Digest {
  const words = prng.fork(purpose);
  return digest(Array.from({ length: 8 }, () => words.uint32().toString(16).padStart(8, "0")).join(""));
}

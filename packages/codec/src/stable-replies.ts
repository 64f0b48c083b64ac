/** Answers to a replica that lost its disk, with what proves them, on the wire. */
import { isCheckpointOf, type JustifiedReplyStable } from "@quorate/protocol";
import { readCheckpointCertificate, writeCheckpointCertificate } from "./certificates.ts";
import { readEnvelope, writeEnvelope } from "./messages.ts";
import type { Tuple } from "./tuple.ts";
import { expectAscending } from "./view-change-messages.ts";
import type { Writer } from "./writer.ts";

export function writeReplyStable(writer: Writer, reply: JustifiedReplyStable): void {
  writer.array(2);
  writeEnvelope(writer, reply.envelope);
  writeCheckpointCertificate(writer, reply.checkpoint);
}

export function readReplyStable(tuple: Tuple): JustifiedReplyStable {
  tuple.shape(2);
  const envelope = readEnvelope(tuple.tuple(0, "envelope"), ["reply-stable"]);
  const { stable } = envelope.message;
  const checkpoint = readCheckpointCertificate(tuple.tuple(1, "checkpoint"));
  if (!isCheckpointOf(stable, checkpoint))
    tuple.fault("inconsistent", "checkpoint", `a certificate of the checkpoint ${stable.seq}`, "another");
  return { envelope, checkpoint };
}

export function writeReplies(writer: Writer, replies: readonly JustifiedReplyStable[]): void {
  writer.array(replies.length);
  for (const reply of replies) writeReplyStable(writer, reply);
}

/** One of a member, ascending by sender. */
export function readReplies(tuple: Tuple, index: number): JustifiedReplyStable[] {
  const replies = tuple.list(index, "replies", tuple.decoding.limits.membersMax, readReplyStable);
  expectAscending(
    tuple,
    "replies",
    replies.map(({ envelope }) => envelope.from),
  );
  return replies;
}

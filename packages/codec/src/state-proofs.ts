/** Proofs of what the state has at a path, on the wire. */
import {
  EXCERPT_GROUP_BYTES,
  EXCERPT_HEAD_BYTES,
  type PageExcerpt,
  PROOF_SLOTS_BYTES_MAX,
  STATE_PROOF_EXCERPTS_MAX,
  type StateProof,
} from "@quorate/protocol";
import type { Tuple } from "./tuple.ts";
import type { Writer } from "./writer.ts";

export function writeStateProof(writer: Writer, { excerpts, slots }: StateProof): void {
  writer.array(2).array(excerpts.length);
  for (const { head, group } of excerpts) writer.array(2).bytes(head).bytes(group);
  writer.array(slots === undefined ? 0 : 1);
  if (slots !== undefined) writer.bytes(slots);
}

/** The root has a page, so there is one excerpt at least. */
export function readStateProof(tuple: Tuple): StateProof {
  tuple.shape(2).bounded(0, "excerpts", 1, STATE_PROOF_EXCERPTS_MAX);
  const slots = tuple.tuple(1, "slots");
  return {
    excerpts: tuple.list(0, "excerpts", STATE_PROOF_EXCERPTS_MAX, readExcerpt),
    slots: slots.length === 0 ? undefined : slots.shape(1).sized(0, 0, 1, PROOF_SLOTS_BYTES_MAX),
  };
}

function readExcerpt(tuple: Tuple): PageExcerpt {
  tuple.shape(2);
  return {
    head: tuple.sized(0, "head", EXCERPT_HEAD_BYTES, EXCERPT_HEAD_BYTES),
    group: tuple.sized(1, "group", EXCERPT_GROUP_BYTES, EXCERPT_GROUP_BYTES),
  };
}

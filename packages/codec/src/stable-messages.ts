/** QUERY-STABLE and REPLY-STABLE on the wire: what is signed of them. */
import { MESSAGE_TYPE_CODES, type QueryStable, type ReplyStable } from "@quorate/protocol";
import type { Tuple } from "./tuple.ts";
import type { Writer } from "./writer.ts";

export function writeQueryStableMessage(writer: Writer, message: QueryStable): void {
  writer.array(5).uint(MESSAGE_TYPE_CODES[message.type]).uint(message.epoch).hex32(message.nonce);
  writer.uint(message.until).uint(message.view);
}
export function readQueryStableMessage(tuple: Tuple): QueryStable {
  tuple.shape(5);
  return {
    type: "query-stable",
    epoch: tuple.counter(1, "epoch"),
    nonce: tuple.hex32(2, "nonce"),
    until: tuple.counter(3, "until"),
    view: tuple.counter(4, "view"),
  };
}

export function writeReplyStableMessage(writer: Writer, message: ReplyStable): void {
  writer.array(6).uint(MESSAGE_TYPE_CODES[message.type]).uint(message.epoch).hex32(message.nonce);
  writer.uint(message.stable.seq).hex32(message.stable.stateRoot).uint(message.view);
}
export function readReplyStableMessage(tuple: Tuple): ReplyStable {
  tuple.shape(6);
  return {
    type: "reply-stable",
    epoch: tuple.counter(1, "epoch"),
    nonce: tuple.hex32(2, "nonce"),
    stable: { seq: tuple.counter(3, "stable"), stateRoot: tuple.hex32(4, "stateRoot") },
    view: tuple.counter(5, "view"),
  };
}

/** VIEW-CHANGE and NEW-VIEW on the wire: what is signed of them. */
import {
  type Digest,
  isCounter,
  MESSAGE_TYPE_CODES,
  type NewView,
  type PreparedClaim,
  type ViewChange,
  type ViewChangeReference,
} from "@quorate/protocol";
import type { Tuple } from "./tuple.ts";
import type { Writer } from "./writer.ts";

export function writeViewChangeMessage(writer: Writer, message: ViewChange): void {
  writer.array(6).uint(MESSAGE_TYPE_CODES[message.type]).uint(message.epoch).uint(message.view);
  writer.uint(message.stable.seq).hex32(message.stable.stateRoot).array(message.prepared.length);
  for (const claim of message.prepared) writeClaim(writer, claim);
}
/** The claims ascend; whether they lie in a window and below the view is judged later, see `viewChangeFault`. */
export function readViewChangeMessage(tuple: Tuple): ViewChange {
  tuple.shape(6);
  const prepared = tuple.list(5, "prepared", tuple.decoding.limits.windowSizeMax, readClaim);
  expectAscending(
    tuple,
    "prepared",
    prepared.map(({ seq }) => seq),
  );
  return {
    type: "view-change",
    epoch: tuple.counter(1, "epoch"),
    view: tuple.counter(2, "view"),
    stable: { seq: tuple.counter(3, "stable"), stateRoot: tuple.hex32(4, "stateRoot") },
    prepared,
  };
}

function writeClaim(writer: Writer, { seq, view, digest }: PreparedClaim): void {
  writer.array(3).uint(seq).uint(view).hex32(digest);
}
function readClaim(tuple: Tuple): PreparedClaim {
  tuple.shape(3);
  return { seq: tuple.counter(0, "seq"), view: tuple.counter(1, "view"), digest: tuple.hex32(2, "digest") };
}

export function writeNewViewMessage(writer: Writer, message: NewView): void {
  writer.array(6).uint(MESSAGE_TYPE_CODES[message.type]).uint(message.epoch).uint(message.view);
  writer.array(message.viewChanges.length);
  for (const reference of message.viewChanges) writeReference(writer, reference);
  writer.uint(message.start).array(message.digests.length);
  for (const digest of message.digests) writer.hex32(digest);
}
export function readNewViewMessage(tuple: Tuple): NewView {
  tuple.shape(6);
  const { membersMax, windowSizeMax } = tuple.decoding.limits;
  const viewChanges = tuple.list(3, "viewChanges", membersMax, readReference);
  expectAscending(
    tuple,
    "viewChanges",
    viewChanges.map(({ from }) => from),
  );
  const list = tuple.bounded(5, "digests", 0, windowSizeMax);
  const digests: Digest[] = [];
  for (let i = 0; i < list.length && tuple.decoding.error === undefined; i++) digests.push(list.hex32(i, i));
  const message: NewView = {
    type: "new-view",
    epoch: tuple.counter(1, "epoch"),
    view: tuple.counter(2, "view"),
    viewChanges,
    start: tuple.counter(4, "start"),
    digests,
  };
  // Each digest stands for a sequence number: the last one has to be one.
  if (!isCounter(message.start + digests.length))
    tuple.fault("out-of-range", "start", `at most 2^53 - 1 less ${digests.length}`, `${message.start}`);
  return message;
}

function writeReference(writer: Writer, { from, digest }: ViewChangeReference): void {
  writer.array(2).uint(from).hex32(digest);
}
function readReference(tuple: Tuple): ViewChangeReference {
  tuple.shape(2);
  return { from: tuple.replica(0, "from"), digest: tuple.hex32(1, "digest") };
}

/** Notes the first number of a list that is not above the one before it. */
export function expectAscending(tuple: Tuple, field: string, numbers: readonly number[]): void {
  let previous = -1;
  for (const number of numbers) {
    if (number <= previous) tuple.fault("not-ascending", field, `a number above ${previous}`, `${number}`);
    previous = number;
  }
}

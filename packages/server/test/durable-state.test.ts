import type { SequenceNumber } from "@quorate/protocol";
import type { OwnCheckpoint } from "@quorate/state-machine";
import { createMemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import { DurableState } from "../dist/durable-state.js";
import { digestOf, seqOf } from "./builders.ts";

const K = 4;
const rootAt = (seq: number): OwnCheckpoint => ({ seq: seqOf(seq), stateRoot: digestOf(`root ${seq}`) });

/** A state whose last checkpoint is at this number; `flushed` is what was said to be durable. */
function stateAt(last: number) {
  const store = createMemoryStore();
  const collected: (readonly [stable: SequenceNumber, answeredTo: SequenceNumber, pinned: readonly number[]])[] = [];
  const executor = {
    lastCheckpoint: rootAt(last),
    collect: (stable: SequenceNumber, answeredTo: SequenceNumber, pinned: readonly SequenceNumber[] = []) =>
      collected.push([stable, answeredTo, pinned]),
  };
  const flushed: OwnCheckpoint[] = [];
  const onFlushed = (own: OwnCheckpoint): void => {
    flushed.push(own);
  };
  const state = new DurableState({ store, executor, checkpointInterval: K, pinned: () => [seqOf(2)], onFlushed });
  return { state, flushed, collected, disk: store.disk };
}

describe("DurableState (protocol rules 8.2 and 8.3)", () => {
  it("says what is durable, with its root, when the flush is done", () => {
    const { state, flushed, disk } = stateAt(4);
    state.makeDurable(rootAt(4));
    expect(flushed, "not before").to.deep.equal([]);
    while (disk.completeFlush());
    expect(flushed).to.deep.equal([rootAt(4)]);
  });

  it("after a restart the last checkpoint above h is to be voted for again, and nothing at or below it", () => {
    expect(stateAt(4).state.revoteLast(seqOf(0))).to.deep.equal(rootAt(4));
    expect(stateAt(4).state.revoteLast(seqOf(4))).to.equal(undefined);
    expect(stateAt(0).state.revoteLast(seqOf(0)), "that of genesis").to.equal(undefined);
  });

  it("a cut of the log keeps what is at the stable number, and statements for K numbers longer", () => {
    const { state, collected } = stateAt(8);
    expect([state.cut(seqOf(3)), state.cut(seqOf(5)), state.cut(seqOf(7))]).to.deep.equal([4, 6, 8]);
    expect(collected).to.deep.equal([
      [4, 0, [2]],
      [6, 2, [2]],
      [8, 4, [2]],
    ]);
  });
});

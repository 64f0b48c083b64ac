import type { SequenceNumber } from "@quorate/protocol";
import { createMemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import { type OwnCheckpoint, writeCheckpointMark } from "../dist/checkpoint-mark.js";
import { DurableState } from "../dist/durable-state.js";
import { digestOf, seqOf } from "./builders.ts";

const K = 4;
const rootAt = (seq: number): OwnCheckpoint => ({ seq: seqOf(seq), stateRoot: digestOf(`root ${seq}`) });

/** A state that has executed so far, beside the mark of a checkpoint; `flushed` is what was said to be durable. */
function stateAt(executed: number, marked?: number) {
  const store = createMemoryStore();
  if (marked !== undefined) writeCheckpointMark(store.local, rootAt(marked));
  const collected: SequenceNumber[] = [];
  const executor = {
    executed: seqOf(executed),
    stateRoot: () => rootAt(executed).stateRoot,
    collectBelow: (stable: SequenceNumber) => collected.push(stable),
  };
  const flushed: OwnCheckpoint[] = [];
  const onFlushed = (own: OwnCheckpoint): void => {
    flushed.push(own);
  };
  const state = new DurableState({ store, executor, checkpointInterval: K, onFlushed });
  return { state, flushed, collected, disk: store.disk };
}

describe("DurableState (protocol rules 8.2 and 8.3)", () => {
  it("says what is durable, with its root, when the flush is done", () => {
    const { state, flushed, disk } = stateAt(4);
    state.makeDurable(seqOf(4));
    expect(flushed, "not before").to.deep.equal([]);
    while (disk.completeFlush());
    expect(flushed).to.deep.equal([rootAt(4)]);
  });

  it("after a restart what was marked above h is to be voted for again, and nothing at or below it", () => {
    expect(stateAt(6, 4).state.revoteLast(seqOf(0))).to.deep.equal(rootAt(4));
    expect(stateAt(6, 4).state.revoteLast(seqOf(4))).to.equal(undefined);
    expect(stateAt(3).state.revoteLast(seqOf(0)), "nothing was marked").to.equal(undefined);
  });

  it("a checkpoint that the crash came before the mark of is made durable, then voted for", () => {
    for (const marked of [undefined, 4]) {
      const { state, flushed, disk } = stateAt(8, marked);
      expect(state.revoteLast(seqOf(0))).to.equal(undefined);
      while (disk.completeFlush());
      expect(flushed, `marked ${marked}`).to.deep.equal([rootAt(8)]);
    }
  });

  it("a cut of the log keeps what is at the stable number, and statements for one checkpoint longer", () => {
    const { state, collected } = stateAt(8, 8);
    expect([state.cut(seqOf(3)), state.cut(seqOf(7)), collected]).to.deep.equal([4, 8, [0, 4]]);
  });
});

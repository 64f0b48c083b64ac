import { type SequenceNumber, timestampMs } from "@quorate/protocol";
import type { OwnCheckpoint } from "@quorate/state-machine";
import { TRIM_ENTRIES_MAX } from "@quorate/storage";
import { createMemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import { DurableState } from "../dist/durable-state.js";
import { digestOf, seqOf } from "./builders.ts";

const K = 4;
const ENTRY = new Uint8Array(1);
const BATCH = { timestampMs: timestampMs(0), requests: [] };
const rootAt = (seq: number): OwnCheckpoint => ({ seq: seqOf(seq), stateRoot: digestOf(`root ${seq}`) });

/** A state whose last checkpoint is at this number; `flushed` is what was said to be durable. */
function stateAt(last: number, awaited?: { executed(): SequenceNumber | undefined }) {
  const store = createMemoryStore({ historyBytesMax: 0 });
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
  const state = new DurableState({
    store,
    executor,
    checkpointInterval: K,
    pinned: () => [seqOf(2)],
    onFlushed,
    awaited,
  });
  return { state, flushed, collected, disk: store.disk, history: store.history };
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

  it("trims a long history part by part, with each batch that is archived, and keeps what is above the stable number", () => {
    const { state, history } = stateAt(8);
    const stable = 2 * TRIM_ENTRIES_MAX + 3;
    for (let seq = 1; seq <= stable + 1; seq++) state.archive(seqOf(seq), ENTRY, BATCH);
    expect(history.first, "nothing is stable").to.equal(1);
    state.cut(seqOf(stable - 1));
    expect(history.first).to.equal(TRIM_ENTRIES_MAX + 1);
    state.archive(seqOf(stable + 2), ENTRY, BATCH);
    expect(history.first).to.equal(2 * TRIM_ENTRIES_MAX + 1);
    state.archive(seqOf(stable + 3), ENTRY, BATCH);
    state.archive(seqOf(stable + 4), ENTRY, BATCH);
    expect([history.first, history.last]).to.deep.equal([stable, stable + 4]);
  });

  it("of what was ordered while the state was brought here it trims what is executed, and nothing else", () => {
    let executed: SequenceNumber | undefined;
    const { state, history } = stateAt(8, { executed: () => executed });
    for (let seq = 1; seq <= 12; seq++) state.archive(seqOf(seq), ENTRY, BATCH);
    state.cut(seqOf(7));
    expect(history.first, "no state").to.equal(1);
    executed = seqOf(5);
    state.cut(seqOf(7));
    expect(history.first).to.equal(6);
    executed = seqOf(11);
    state.cut(seqOf(7));
    expect(history.first, "up to the stable number").to.equal(8);
  });
});

import { createMemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import { readCheckpointMark, writeCheckpointMark } from "../dist/checkpoint-mark.js";
import { digestOf, seqOf } from "./builders.ts";

describe("the mark of the last own checkpoint", () => {
  it("is none at first", () => {
    expect(readCheckpointMark(createMemoryStore().local)).to.equal(undefined);
  });

  for (const seq of [0, 8, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER])
    it(`is read as it was written, at ${seq}`, () => {
      const { local } = createMemoryStore();
      const mark = { seq: seqOf(seq), stateRoot: digestOf(`root ${seq}`) };
      writeCheckpointMark(local, mark);
      expect(readCheckpointMark(local)).to.deep.equal(mark);
    });

  it("is the last one written", () => {
    const { local } = createMemoryStore();
    for (const seq of [8, 16]) writeCheckpointMark(local, { seq: seqOf(seq), stateRoot: digestOf("root") });
    expect(readCheckpointMark(local)?.seq).to.equal(16);
  });
});

import type { Effect } from "@quorate/protocol";
import { expect } from "chai";
import { cutLog } from "../dist/cut-log.js";
import { genesisBase, seqOf } from "./builders.ts";

describe("cutLog (OSDI'99 §4.3)", () => {
  it("writes the stable checkpoint, then cuts what lies below its own record", () => {
    const out: Effect[] = [];
    const checkpoint = { ...genesisBase.stable, seq: seqOf(8) };
    cutLog(checkpoint, { viewChange: undefined, newView: undefined }, undefined, out);
    expect(out).to.deep.equal([
      { type: "persist", record: { type: "stable", checkpoint } },
      { type: "cut", upTo: 7 },
    ]);
  });
});

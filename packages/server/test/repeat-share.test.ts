import type { PublicKey } from "@quorate/protocol";
import { expect } from "chai";
import { REPEATED_BYTES_PER_SECOND_MAX, RepeatShare } from "../dist/repeat-share.js";
import { clientOf } from "./builders.ts";

const keyOf = (label: string): PublicKey => clientOf(label).publicKey;
const whole = [{ value: new Uint8Array(REPEATED_BYTES_PER_SECOND_MAX) }];

describe("RepeatShare (protocol rule 13.1)", () => {
  it("is used up by as many bytes as come in a second, and whole again a second later", () => {
    const share = new RepeatShare();
    share.spend(keyOf("a"), 0, whole);
    expect([0, 1, 1_000].map((atMs) => share.isLeft(keyOf("a"), atMs))).to.deep.equal([false, true, true]);
  });

  it("lets one answer exceed it, and waits the longer", () => {
    const share = new RepeatShare();
    share.spend(keyOf("a"), 0, [...whole, ...whole, ...whole]);
    expect([1_000, 2_000, 2_001].map((atMs) => share.isLeft(keyOf("a"), atMs))).to.deep.equal([false, false, true]);
  });

  it("of one client is not another's", () => {
    const share = new RepeatShare();
    share.spend(keyOf("a"), 0, whole);
    expect(share.isLeft(keyOf("b"), 0)).to.equal(true);
  });
});

import { expect } from "chai";
import { EntryJudge } from "../dist/entry-judge.js";
import { cluster, codec, hasher, newScript, newVerifier, seqOf } from "./builders.ts";
import { entryOf } from "./runner-scene.ts";

describe("EntryJudge (protocol rules 4.5 and 11.4)", () => {
  const script = newScript();
  script.idle(1);
  const end = script.links[0]!.certificate.seq;
  const problemAt = (seq: number, known: number): string | undefined =>
    new EntryJudge({ codec, verifier: newVerifier(), hasher, cluster, epochs: script.chainAt(known) }).judge(
      seqOf(seq),
      entryOf(seq),
    ).problem;

  it("says of an entry above the end of its epoch which epoch, where that ended, and which number", () => {
    expect(problemAt(end, 1)).to.equal(undefined);
    expect(problemAt(end + 1, 0), "where the end is not known").to.equal(undefined);
    expect(problemAt(end + 1, 1)).to.equal(
      `its certificate proves nothing: it is of number ${end + 1}, and of epoch 0, which has the numbers 1 to ${end}`,
    );
  });
});

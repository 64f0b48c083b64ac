import { type QueryStable, replicaId, type VerifiedEnvelope, viewNumber } from "@quorate/protocol";
import { MuteMembers } from "@quorate/replica";
import { expect } from "chai";
import { digestOf, epoch, L, seqOf, signerOf } from "./builders.ts";

const ground = { certified: seqOf(0), delivered: seqOf(0), target: viewNumber(0) };
function queryOf(until: number, view: number, nonce = "loss", from = 3): VerifiedEnvelope<QueryStable> {
  return signerOf(from).sign({
    type: "query-stable",
    epoch,
    nonce: digestOf(nonce),
    until: seqOf(until),
    view: viewNumber(view),
  });
}

describe("what is done for mute members (protocol rule 8.5)", () => {
  it("is nothing while they do not know what they wait for", () => {
    const members = new MuteMembers(L);
    expect(members.onQuery(queryOf(0, 0), ground)).to.equal(true);
    expect([members.isEmpty, members.acceptsUntil]).to.deep.equal([true, 0]);
  });

  it("goes as far as they wait", () => {
    const members = new MuteMembers(L);
    expect(members.onQuery(queryOf(2 * L, 2), ground)).to.equal(true);
    expect(members.acceptsUntil).to.equal(2 * L);
    expect(members.wanted).to.deep.equal({ until: 2 * L, view: 2 });
    expect(members.isGranted(replicaId(3), queryOf(2 * L, 2).message)).to.equal(true);
    expect(members.isGranted(replicaId(3), queryOf(2 * L, 3).message)).to.equal(false);
  });

  for (const [title, until, view, isGranted] of [
    ["three windows above what is certified here", 3 * L, 2, true],
    ["one number more", 3 * L + 1, 2, false],
    ["four views ahead", 2 * L, 4, true],
    ["five views ahead", 2 * L, 5, false],
  ] as const)
    it(`${isGranted ? "goes" : "does not go"} ${title}`, () => {
      const members = new MuteMembers(L);
      expect(members.onQuery(queryOf(until, view), ground)).to.equal(isGranted);
      expect(members.isEmpty).to.equal(!isGranted);
    });

  it("may become less for one loss, never more; and what was accepted once is accepted", () => {
    const members = new MuteMembers(L);
    members.onQuery(queryOf(2 * L, 3), ground);
    expect(members.onQuery(queryOf(2 * L + 1, 3), ground), "more").to.equal(false);
    expect(members.onQuery(queryOf(2 * L, 4), ground), "later").to.equal(false);
    expect(members.onQuery(queryOf(L, 2), ground), "less").to.equal(true);
    expect(members.wanted).to.deep.equal({ until: L, view: 2 });
    expect(members.acceptsUntil).to.equal(2 * L);
    expect(members.onQuery(queryOf(2 * L, 3), ground), "as before").to.equal(false);
  });

  it("is done for another loss of the same member after sixteen windows, for another member at once", () => {
    const members = new MuteMembers(L);
    members.onQuery(queryOf(2 * L, 2), ground);
    const at = (delivered: number): typeof ground => ({
      ...ground,
      certified: seqOf(delivered),
      delivered: seqOf(delivered),
    });

    expect(members.onQuery(queryOf(4 * L, 2, "again"), at(2 * L))).to.equal(false);
    expect(members.onQuery(queryOf(19 * L, 2, "again"), at(18 * L - 1))).to.equal(false);
    expect(members.onQuery(queryOf(4 * L, 2, "another's", 2), at(2 * L))).to.equal(true);
    expect(members.acceptsUntil).to.equal(4 * L);
    expect(members.onQuery(queryOf(20 * L, 2, "again"), at(18 * L))).to.equal(true);
    expect(members.acceptsUntil).to.equal(20 * L);
  });
});

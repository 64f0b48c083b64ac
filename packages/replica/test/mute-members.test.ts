import { type QueryStable, replicaId, type VerifiedEnvelope, viewNumber } from "@quorate/protocol";
import { MuteMembers } from "@quorate/replica";
import { expect } from "chai";
import { cast, digestOf, epoch, K, L, membership, seqOf, signerOf } from "./builders.ts";

const SIZES = { checkpointInterval: K, windowSize: L };
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

/** The member asks itself, unless another passes it on. */
function ask(
  members: MuteMembers,
  query: VerifiedEnvelope<QueryStable>,
  at = ground,
  peer: number = query.from,
): boolean {
  return members.onQuery(replicaId(peer), query, at);
}

describe("what is done for mute members (protocol rule 8.5)", () => {
  it("is nothing while they do not know what they wait for", () => {
    const members = new MuteMembers(SIZES, membership);
    expect(ask(members, queryOf(0, 0), ground)).to.equal(true);
    expect([members.isEmpty, members.acceptsUntil]).to.deep.equal([true, 0]);
  });

  it("goes as far as they wait", () => {
    const members = new MuteMembers(SIZES, membership);
    expect(ask(members, queryOf(2 * L, 2), ground)).to.equal(true);
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
      const members = new MuteMembers(SIZES, membership);
      expect(ask(members, queryOf(until, view), ground)).to.equal(isGranted);
      expect(members.wanted).to.deep.equal(isGranted ? { until, view } : { until: 0, view: 0 });
    });

  it("goes to the next multiple of K, where what is certified here was ordered between two of them", () => {
    const at = { ...ground, certified: seqOf(K + 1), delivered: seqOf(K + 1) };
    const reach = (windows: number): number => windows * L + 2 * K;
    const members = new MuteMembers(SIZES, membership);

    expect(ask(members, queryOf(reach(3) + 1, 2), at), "beyond").to.equal(false);
    expect(ask(members, queryOf(reach(3), 2), at)).to.equal(true);
    ask(members, queryOf(reach(4), 2), at);
    expect(members.acceptsUntil).to.equal(reach(4));
    ask(members, queryOf(reach(4) + 1, 2), at);
    expect(members.acceptsUntil).to.equal(reach(4));
  });

  it("is done when the ground has come nearer: what was out of bounds once does not count against it (seed 986)", () => {
    const members = new MuteMembers(SIZES, membership);
    expect(ask(members, queryOf(3 * L + 1, 2)), "too far").to.equal(false);
    expect(ask(members, queryOf(2 * L, 5)), "too late a view").to.equal(false);
    expect(ask(members, queryOf(2 * L, 2)), "more answers lower it").to.equal(true);
    expect(members.wanted).to.deep.equal({ until: 2 * L, view: 2 });
  });

  it("becomes neither more nor less for one loss", () => {
    const members = new MuteMembers(SIZES, membership);
    ask(members, queryOf(2 * L, 3));
    expect(ask(members, queryOf(2 * L + 1, 3)), "more").to.equal(false);
    expect(ask(members, queryOf(2 * L, 4)), "later").to.equal(false);
    expect(ask(members, queryOf(L, 2)), "less").to.equal(true);
    expect(members.wanted).to.deep.equal({ until: 2 * L, view: 3 });
  });

  it("is accepted four windows above what is certified, whatever was granted before", () => {
    const members = new MuteMembers(SIZES, membership);
    ask(members, queryOf(L, 0));
    expect(ask(members, queryOf(4 * L, 0, "again"))).to.equal(false);
    expect([members.acceptsUntil, members.wanted.until]).to.deep.equal([4 * L, L]);
    ask(members, queryOf(4 * L + 1, 0, "again"));
    expect(members.acceptsUntil).to.equal(4 * L);
  });

  it("is what f+1 others do for it, and the primary is held to what 2f do", () => {
    const members = new MuteMembers(SIZES, membership);
    ask(members, queryOf(L, 0));
    const other = queryOf(3 * L, 4, "told to others");
    expect(ask(members, other, ground, 1)).to.equal(false);
    expect([members.wanted, members.held]).to.deep.equal([
      { until: L, view: 0 },
      { until: L, view: 0 },
    ]);
    expect(ask(members, other, ground, 2)).to.equal(true);
    expect([members.wanted, members.held]).to.deep.equal([
      { until: 3 * L, view: 4 },
      { until: 3 * L, view: 4 },
    ]);
    expect(members.granted).to.include(other);
  });

  it("is granted beyond the own bounds when f+1 others do, and counts like what was granted within them", () => {
    const members = new MuteMembers(SIZES, membership);
    const far = queryOf(6 * L, 2);
    for (const peer of [1, 2]) ask(members, far, ground, peer);
    expect([members.wanted.until, members.acceptsUntil]).to.deep.equal([6 * L, 6 * L]);
    const at = { ...ground, certified: seqOf(20 * L), delivered: seqOf(22 * L - 1) };
    expect(ask(members, queryOf(22 * L, 2, "again"), at)).to.equal(false);
  });

  it("is looked at once from each that passes it on, and again while it is out of reach", () => {
    const members = new MuteMembers(SIZES, membership);
    const isKnown = (peer: number, { message }: VerifiedEnvelope<QueryStable>): boolean =>
      members.isKnown(replicaId(peer), replicaId(3), message);
    const near = queryOf(3 * L, 2);
    ask(members, near);
    expect(isKnown(1, near), "not yet passed on").to.equal(false);
    ask(members, near, ground, 1);
    expect([isKnown(1, near), isKnown(2, near)]).to.deep.equal([true, false]);
    const far = queryOf(5 * L, 2);
    ask(members, far, ground, 1);
    expect(isKnown(1, far)).to.equal(false);
  });

  it("is nothing that the primary is held to while others do less", () => {
    const members = new MuteMembers(SIZES, membership);
    ask(members, queryOf(3 * L, 4));
    expect(members.held).to.deep.equal({ until: 0, view: 0 });
    ask(members, queryOf(L, 2), ground, 2);
    expect(members.held).to.deep.equal({ until: L, view: 2 });
  });

  it("is done for another loss of the same member after sixteen windows, for another member at once", () => {
    const members = new MuteMembers(SIZES, membership);
    ask(members, queryOf(2 * L, 2), ground);
    const at = (delivered: number): typeof ground => ({
      ...ground,
      certified: seqOf(delivered),
      delivered: seqOf(delivered),
    });

    expect(ask(members, queryOf(4 * L, 2, "again"), at(2 * L))).to.equal(false);
    expect(ask(members, queryOf(17 * L, 2, "again"), at(18 * L - 1)), "too early").to.equal(false);
    expect(ask(members, queryOf(4 * L, 2, "another's", 2), at(2 * L))).to.equal(true);
    expect(members.wanted.until).to.equal(4 * L);
    expect(ask(members, queryOf(35 * L, 2, "again"), at(33 * L))).to.equal(true);
    expect(members.wanted.until).to.equal(35 * L);
  });

  for (const n of [4, 16, 22, 31])
    it(`comes to an end in an idle cluster of ${n} with as many liars as it tolerates`, () => {
      const members = new MuteMembers(SIZES, cast.membersOf(n));
      let delivered = 0;
      for (let round = 0; round < 100; round++)
        for (let liar = 0; liar < (n - 1) / 3; liar++) {
          const at = { ...ground, certified: seqOf(delivered), delivered: seqOf(delivered) };
          ask(members, queryOf(delivered + 3 * L, 0, `${round}`, liar), at);
          delivered = members.wanted.until;
        }
      expect(delivered).to.equal(L * (n - 1));
    });
});

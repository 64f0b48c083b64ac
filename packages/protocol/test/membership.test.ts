import {
  epochNumber,
  faultThreshold,
  InvariantViolation,
  MEMBERS_MAX,
  MEMBERS_MIN,
  memberOf,
  membershipOf,
  primaryOf,
  quorumSize,
  replicaId,
  sequenceNumber,
  viewNumber,
  weakQuorumSize,
} from "@quorate/protocol";
import { expect } from "chai";
import { digestOf, keyOf, membershipWith, membersOf, memberWith } from "./builders.ts";

/** n, f, q, f+1 written out by hand from protocol rule 1.1, not computed. */
const SIZES: readonly (readonly [n: number, f: number, quorum: number, weak: number])[] = [
  [4, 1, 3, 2],
  [5, 1, 4, 2],
  [6, 1, 4, 2],
  [7, 2, 5, 3],
  [8, 2, 6, 3],
  [9, 2, 6, 3],
  [10, 3, 7, 4],
  [11, 3, 8, 4],
  [12, 3, 8, 4],
  [13, 4, 9, 5],
  [14, 4, 10, 5],
  [15, 4, 10, 5],
  [16, 5, 11, 6],
  [17, 5, 12, 6],
  [18, 5, 12, 6],
  [19, 6, 13, 7],
  [20, 6, 14, 7],
  [21, 6, 14, 7],
  [22, 7, 15, 8],
  [23, 7, 16, 8],
  [24, 7, 16, 8],
  [25, 8, 17, 9],
  [26, 8, 18, 9],
  [27, 8, 18, 9],
  [28, 9, 19, 10],
  [29, 9, 20, 10],
  [30, 9, 20, 10],
  [31, 10, 21, 11],
];

describe("The sizes of a membership", () => {
  it("are tabled for every n from 4 to 31", () => {
    expect(SIZES.map(([n]) => n)).to.deep.equal(Array.from({ length: 28 }, (_, i) => i + 4));
  });

  for (const [n, f, quorum, weak] of SIZES)
    it(`are f = ${f}, q = ${quorum} and weak quorum ${weak} at n = ${n}`, () => {
      const membership = membershipWith(n);

      expect(faultThreshold(membership)).to.equal(f);
      expect(quorumSize(membership)).to.equal(quorum);
      expect(weakQuorumSize(membership)).to.equal(weak);
    });

  it("let correct members always form a quorum, and any two quorums share a correct member, at every n", () => {
    for (let n = MEMBERS_MIN; n <= MEMBERS_MAX; n++) {
      const membership = membershipWith(n);
      const f = faultThreshold(membership);
      const q = quorumSize(membership);

      expect(n, `n = ${n} holds 3f+1`).to.be.at.least(3 * f + 1);
      expect(q, `q ≤ n-f at n = ${n}`).to.be.at.most(n - f);
      expect(2 * q - n, `two quorums share f+1 at n = ${n}`).to.be.at.least(f + 1);
      expect(q - f, `q-f ≥ f+1 at n = ${n}`).to.be.at.least(f + 1);
      expect(2 * (q - 1) - n, `no smaller quorum would do at n = ${n}`).to.be.below(f + 1);
    }
  });
});

describe("A membership", () => {
  it("is in ascending order of id, whatever the order given", () => {
    const [a, b, c, d] = membersOf(4);

    const membership = membershipOf(epochNumber(0), [d!, b!, a!, c!]);

    expect(membership.members.map((m) => m.id)).to.deep.equal([0, 1, 2, 3]);
  });

  it("does not change the list it was made from", () => {
    const members = membersOf(4).reverse();

    membershipOf(epochNumber(0), members);

    expect(members.map((m) => m.id)).to.deep.equal([3, 2, 1, 0]);
  });

  it("is refused with too few or too many members", () => {
    for (const n of [0, 3, MEMBERS_MAX + 1])
      expect(() => membershipOf(epochNumber(0), membersOf(n)), `n = ${n}`)
        .to.throw(InvariantViolation)
        .with.property("code", "membership.size");
  });

  it("is refused with a duplicate id, key or address", () => {
    const twins = [
      { ...memberWith(9), id: replicaId(0) },
      { ...memberWith(9), publicKey: keyOf(0x1000) },
      { ...memberWith(9), address: "10.0.0.0:4000" },
    ];
    for (const twin of twins)
      expect(() => membershipOf(epochNumber(0), [...membersOf(4), twin]))
        .to.throw(InvariantViolation)
        .with.property("code", "membership.duplicate");
  });

  it("of a later epoch has the checkpoint that it begins with, and that of genesis has none", () => {
    const start = { seq: sequenceNumber(1_024), stateRoot: digestOf(1) };

    expect(membershipOf(epochNumber(1), membersOf(4), start).start).to.deep.equal(start);
    expect(membershipOf(epochNumber(0), membersOf(4)).start).to.equal(undefined);
    for (const made of [
      () => membershipOf(epochNumber(1), membersOf(4)),
      () => membershipOf(epochNumber(0), membersOf(4), start),
    ])
      expect(made).to.throw(InvariantViolation).with.property("code", "membership.start");
  });

  it("finds its members and no strangers", () => {
    const membership = membershipOf(epochNumber(0), [...membersOf(4), memberWith(17)]);

    expect(memberOf(membership, replicaId(17))).to.deep.equal(memberWith(17));
    expect(memberOf(membership, replicaId(4))).to.equal(undefined);
  });
});

describe("The primary", () => {
  it("passes to every member in turn as views go on", () => {
    const membership = membershipWith(4);

    const primaries = [0, 1, 2, 3, 4, 5].map((view) => primaryOf(membership, viewNumber(view)));

    expect(primaries).to.deep.equal([0, 1, 2, 3, 0, 1]);
  });

  it("starts each epoch with another member", () => {
    expect(primaryOf(membershipWith(4, 3), viewNumber(0))).to.equal(3);
    expect(primaryOf(membershipWith(4, 3), viewNumber(2))).to.equal(1);
  });

  it("is a place in the order of members, not an id", () => {
    const membership = membershipOf(epochNumber(0), [5, 8, 11, 2].map(memberWith));

    expect([0, 1, 2, 3].map((view) => primaryOf(membership, viewNumber(view)))).to.deep.equal([2, 5, 8, 11]);
  });

  it("exists for the greatest view there can be", () => {
    expect(primaryOf(membershipWith(4), viewNumber(Number.MAX_SAFE_INTEGER))).to.equal(3);
  });
});

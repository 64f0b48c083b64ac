import {
  type CheckpointCertificate,
  concludeNewView,
  type Digest,
  type Envelope,
  epochNumber,
  isConclusionOf,
  isProof,
  type NewView,
  type NewViewFault,
  newViewFault,
  type PreparedCertificate,
  type PreparedClaim,
  proposalsOf,
  replicaId,
  sequenceNumber,
  type ViewChange,
  viewChangeFault,
  viewNumber,
} from "@quorate/protocol";
import { expect } from "chai";
import fc from "fast-check";
import { digestOf, membershipWith, signatureOf } from "./builders.ts";

const L = 8;
const NULL = digestOf(99);
const VIEW = 5;
const MEMBERS = membershipWith(4);
/** `members[5 mod 4]`. */
const PRIMARY = 1;

type Triple = readonly [seq: number, view: number, digest: number];
const claimOf = ([seq, view, digest]: Triple): PreparedClaim => ({
  seq: sequenceNumber(seq),
  view: viewNumber(view),
  digest: digestOf(digest),
});
function saying(stable: number, prepared: readonly Triple[], change: Partial<ViewChange> = {}): ViewChange {
  return {
    type: "view-change",
    epoch: epochNumber(0),
    view: viewNumber(VIEW),
    stable: { seq: sequenceNumber(stable), stateRoot: digestOf(1000 + stable) },
    prepared: prepared.map(claimOf),
    ...change,
  };
}
const from = (id: number, message: ViewChange): Envelope<ViewChange> => ({
  from: replicaId(id),
  message,
  signature: signatureOf(id),
});

describe("The claims of a VIEW-CHANGE", () => {
  it("are without fault from just above the checkpoint to the end of the window, of any lower views", () => {
    for (const message of [
      saying(0, []),
      saying(0, [[1, 0, 1]]),
      saying(8, [
        [9, 4, 1],
        [12, 0, 2],
        [16, 3, 3],
      ]),
    ])
      expect(viewChangeFault(message, L)).to.equal(undefined);
  });

  const faulty: Readonly<Record<string, readonly [ViewChange, string]>> = {
    "for view 0": [saying(0, [], { view: viewNumber(0) }), "view-zero"],
    "at the checkpoint": [saying(8, [[8, 0, 1]]), "outside-window"],
    "below the checkpoint": [saying(8, [[3, 0, 1]]), "outside-window"],
    "above the window": [saying(8, [[17, 0, 1]]), "outside-window"],
    "for one number twice": [
      saying(8, [
        [9, 0, 1],
        [9, 1, 1],
      ]),
      "not-ascending",
    ],
    "in descending order": [
      saying(8, [
        [10, 0, 1],
        [9, 0, 1],
      ]),
      "not-ascending",
    ],
    "of the view moved to": [saying(8, [[9, VIEW, 1]]), "view-not-below"],
    "of a later view": [saying(8, [[9, VIEW + 1, 1]]), "view-not-below"],
  };
  for (const [what, [message, fault]] of Object.entries(faulty))
    it(`are faulty ${what}`, () => {
      expect(viewChangeFault(message, L)).to.equal(fault);
    });
});

describe("The conclusion from VIEW-CHANGEs (OSDI'99 §4.4)", () => {
  it("starts from the highest checkpoint and proposes the highest view's digest for each number, gaps between", () => {
    const conclusion = concludeNewView([
      saying(0, [
        [3, 0, 1],
        [5, 1, 2],
      ]),
      saying(4, [
        [5, 3, 3],
        [7, 2, 4],
      ]),
      saying(2, [[5, 2, 5]]),
    ]);

    expect(conclusion).to.deep.equal({
      start: { seq: 4, stateRoot: digestOf(1004) },
      chosen: [claimOf([5, 3, 3]), undefined, claimOf([7, 2, 4])],
    });
  });

  it("proposes nothing when nothing prepared above the start", () => {
    expect(concludeNewView([saying(0, [[3, 0, 1]]), saying(4, [])])?.chosen).to.deep.equal([]);
    expect(concludeNewView([])).to.equal(undefined);
  });

  it("does not exist when two claims of the view that counts, or two roots of the start, contradict each other", () => {
    const lie = { stable: { seq: sequenceNumber(4), stateRoot: digestOf(7) } };

    expect(concludeNewView([saying(0, [[3, 1, 1]]), saying(0, [[3, 1, 2]])])).to.equal(undefined);
    expect(concludeNewView([saying(4, []), saying(4, [], lie)])).to.equal(undefined);
  });

  it("does not mind contradictions that do not count: below the start, or of lower views", () => {
    const lie = { stable: { seq: sequenceNumber(4), stateRoot: digestOf(7) } };

    expect(concludeNewView([saying(0, [[3, 1, 1]]), saying(0, [[3, 1, 2]]), saying(4, [])])?.chosen).to.deep.equal([]);
    expect(
      concludeNewView([saying(0, [[3, 1, 1]]), saying(0, [[3, 1, 2]]), saying(0, [[3, 2, 3]])])?.chosen,
    ).to.have.length(3);
    expect(concludeNewView([saying(4, []), saying(4, [], lie), saying(6, [])])?.start.seq).to.equal(6);
  });

  const messages = fc.array(
    fc
      .record({
        stable: fc.nat(4),
        root: fc.constantFrom(0, 0, 0, 0, 0, 1),
        claims: fc.uniqueArray(fc.tuple(fc.nat(9), fc.nat(3), fc.constantFrom(1, 1, 1, 2)), {
          selector: ([seq]) => seq,
          maxLength: 6,
        }),
      })
      .map(({ stable, root, claims }) =>
        saying(stable, claims.sort(([a], [b]) => a - b) as Triple[], {
          stable: { seq: sequenceNumber(stable), stateRoot: digestOf(stable * 2 + root) },
        }),
      ),
    { maxLength: 5 },
  );

  it("is that of a naive reading of the paper", () => {
    const seen = { none: 0, some: 0, gaps: 0 };
    fc.assert(
      fc.property(messages, (viewChanges) => {
        const conclusion = concludeNewView(viewChanges);
        const naive = naively(viewChanges);
        expect(
          conclusion === undefined ? undefined : { start: conclusion.start.seq, chosen: conclusion.chosen },
        ).to.deep.equal(naive);
        seen[naive === undefined ? "none" : "some"]++;
        if (naive?.chosen.includes(undefined)) seen.gaps++;
      }),
      { numRuns: 2000, seed: 3 },
    );
    for (const [what, count] of Object.entries(seen)) expect(count, what).to.be.greaterThan(100);
  });

  it("does not depend on the order of the VIEW-CHANGEs", () => {
    fc.assert(
      fc.property(messages, (viewChanges) => {
        expect(concludeNewView(viewChanges.toReversed())).to.deep.equal(concludeNewView(viewChanges));
      }),
      { numRuns: 300, seed: 5 },
    );
  });
});

/** Number by number: every claim for it, and of those the ones of the highest view; they must be of one digest. */
function naively(
  viewChanges: readonly ViewChange[],
): { start: number; chosen: (PreparedClaim | undefined)[] } | undefined {
  if (viewChanges.length === 0) return undefined;
  const start = Math.max(...viewChanges.map(({ stable }) => stable.seq));
  const roots = viewChanges.filter(({ stable }) => stable.seq === start).map(({ stable }) => stable.stateRoot);
  if (new Set(roots).size > 1) return undefined;
  const chosen: (PreparedClaim | undefined)[] = [];
  for (let seq = start + 1; seq <= 9; seq++) {
    const claims = viewChanges.flatMap(({ prepared }) => prepared.filter((claim) => claim.seq === seq));
    const highest = Math.max(...claims.map(({ view }) => view));
    const best = claims.filter(({ view }) => view === highest);
    if (new Set(best.map(({ digest }) => digest)).size > 1) return undefined;
    chosen.push(best[0]);
  }
  while (chosen.length > 0 && chosen.at(-1) === undefined) chosen.pop();
  return { start, chosen };
}

describe("A NEW-VIEW", () => {
  const quorum = [0, 1, 3].map((id) =>
    from(
      id,
      saying(id === 3 ? 4 : 0, [
        [5, id, 40 + id],
        [7, 2, 50],
      ]),
    ),
  );
  const proven: readonly Triple[] = [
    [5, 3, 43],
    [7, 2, 50],
  ];
  interface Parts {
    readonly envelope: Envelope<NewView>;
    readonly viewChanges: readonly Envelope<ViewChange>[];
    readonly checkpoint: CheckpointCertificate;
    readonly certificates: readonly PreparedCertificate[];
  }
  const good: Parts = {
    envelope: newViewOf({}),
    viewChanges: quorum,
    checkpoint: checkpointOf(4, digestOf(1004)),
    certificates: proven.map(certificateOf),
  };
  const faultOf = (change: Partial<Parts>): NewViewFault | undefined =>
    newViewFault({ ...good, ...change }, MEMBERS, L, NULL);

  function newViewOf(change: Partial<NewView>, sender = PRIMARY): Envelope<NewView> {
    const message: NewView = {
      type: "new-view",
      epoch: epochNumber(0),
      view: viewNumber(VIEW),
      viewChanges: [],
      start: sequenceNumber(4),
      digests: [digestOf(43), NULL, digestOf(50)],
      ...change,
    };
    return { from: replicaId(sender), message, signature: signatureOf(sender) };
  }

  it("that follows from a quorum is without fault, and proposes each number after its start", () => {
    expect(faultOf({})).to.equal(undefined);
    expect(proposalsOf(good.envelope.message)).to.deep.equal([
      { seq: 5, digest: digestOf(43) },
      { seq: 6, digest: NULL },
      { seq: 7, digest: digestOf(50) },
    ]);
  });

  const change = (at: number, message: Partial<ViewChange>): readonly Envelope<ViewChange>[] =>
    quorum.with(at, from(quorum[at]!.from, { ...quorum[at]!.message, ...message }));
  const faults: readonly (readonly [what: string, change: Partial<Parts>, fault: NewViewFault])[] = [
    ["of another epoch", { envelope: newViewOf({ epoch: epochNumber(1) }) }, "wrong-epoch"],
    ["of a backup", { envelope: newViewOf({}, 2) }, "not-from-primary"],
    ["of a view that another leads", { envelope: newViewOf({ view: viewNumber(6) }) }, "not-from-primary"],
    ["from too few", { viewChanges: quorum.slice(1) }, "not-a-quorum"],
    ["from one twice", { viewChanges: [quorum[0]!, quorum[0]!, quorum[1]!] }, "not-ascending"],
    ["from senders out of order", { viewChanges: quorum.toReversed() }, "not-ascending"],
    ["from a stranger", { viewChanges: quorum.with(2, from(9, quorum[2]!.message)) }, "stranger"],
    ["from one who moves elsewhere", { viewChanges: change(1, { view: viewNumber(9) }) }, "foreign-view-change"],
    ["from one of another epoch", { viewChanges: change(1, { epoch: epochNumber(1) }) }, "foreign-view-change"],
    [
      "from one who claims what cannot be",
      { viewChanges: change(1, { prepared: [claimOf([L + 1, 0, 1])] }) },
      "malformed-view-change",
    ],
    ["that starts below", { envelope: newViewOf({ start: sequenceNumber(0) }) }, "unjustified"],
    ["that starts above", { envelope: newViewOf({ start: sequenceNumber(5) }) }, "unjustified"],
    ["that leaves a number out", { envelope: newViewOf({ digests: [digestOf(43), NULL] }) }, "unjustified"],
    [
      "that proposes one number more",
      { envelope: newViewOf({ digests: [digestOf(43), NULL, digestOf(50), NULL] }) },
      "unjustified",
    ],
    [
      "that proposes what prepared in a lower view",
      { envelope: newViewOf({ digests: [digestOf(41), NULL, digestOf(50)] }) },
      "unjustified",
    ],
    [
      "that fills a gap with something",
      { envelope: newViewOf({ digests: [digestOf(43), digestOf(1), digestOf(50)] }) },
      "unjustified",
    ],
    [
      "that follows from claims that contradict each other",
      { viewChanges: change(1, { prepared: [claimOf([5, 3, 1])] }) },
      "unjustified",
    ],
    ["with the certificate of another checkpoint", { checkpoint: checkpointOf(0, digestOf(1000)) }, "unproven-start"],
    ["with the certificate of another root", { checkpoint: checkpointOf(4, digestOf(1)) }, "unproven-start"],
    ["without a certificate", { certificates: good.certificates.slice(1) }, "unproven-choice"],
    ["with certificates in another order", { certificates: good.certificates.toReversed() }, "unproven-choice"],
    [
      "with a certificate too many",
      { certificates: [...good.certificates, certificateOf([8, 2, 50])] },
      "unproven-choice",
    ],
    [
      "with the certificate of a lower view",
      { certificates: good.certificates.with(0, certificateOf([5, 1, 43])) },
      "unproven-choice",
    ],
  ];
  for (const [what, parts, fault] of faults)
    it(`is not entered ${what}`, () => {
      expect(faultOf(parts)).to.equal(fault);
    });

  it("is the conclusion whatever certificates travel beside it", () => {
    expect(isConclusionOf(good.envelope.message, quorum, NULL)).to.equal(true);
    expect(isConclusionOf(good.envelope.message, quorum.slice(0, 2), NULL)).to.equal(false);
    expect(isConclusionOf(good.envelope.message, quorum, digestOf(98))).to.equal(false);
  });
});

describe("The proof of a claim", () => {
  it("is a certificate of its number, view and digest", () => {
    const claim = claimOf([5, 3, 43]);

    expect(isProof(claim, certificateOf([5, 3, 43]))).to.equal(true);
    for (const other of [
      [6, 3, 43],
      [5, 2, 43],
      [5, 3, 44],
    ] as const)
      expect(isProof(claim, certificateOf(other)), `${other}`).to.equal(false);
    expect(isProof(claim, undefined)).to.equal(false);
  });
});

function checkpointOf(seq: number, stateRoot: Digest): CheckpointCertificate {
  return { epoch: epochNumber(0), seq: sequenceNumber(seq), stateRoot, signatures: [] };
}
function certificateOf(claim: Triple): PreparedCertificate {
  const message = { type: "pre-prepare", epoch: epochNumber(0), ...claimOf(claim) } as const;
  return { prePrepare: { from: replicaId(0), message, signature: signatureOf(0) }, prepares: [] };
}

import { type SignatureBackend, viewChangeDigest } from "@quorate/crypto";
import {
  type Digest,
  type Evidence,
  epochNumber,
  isConclusionOf,
  type JustifiedNewView,
  type JustifiedReplyStable,
  type JustifiedViewChange,
  newViewFault,
  replicaId,
  sequenceNumber,
  viewNumber,
  WINDOW_SIZE_MAX,
} from "@quorate/protocol";
import { expect } from "chai";
import fc from "fast-check";
import { alterationsOf } from "./alterations.ts";
import { BACKENDS } from "./backends.ts";
import { cluster, digestOf, genesis, hasher, membership, membership1, verificationsOf } from "./builders.ts";
import { nullDigest, referringTo, resigned, ViewChangeScene } from "./view-change-scene.ts";

const scene = new ViewChangeScene();
const claims = [scene.claim(9, 0), scene.claim(11, 3)];
const composed = scene.viewChange(2, 8, claims);
const good: JustifiedViewChange = composed.viewChange;

describe("a verified VIEW-CHANGE", () => {
  it("is what a member composed, with the digest that a NEW-VIEW refers to it by", () => {
    const { from, message } = good.envelope;

    expect(scene.newVerifier().verifyViewChange(good, membership)).to.deep.equal(composed);
    expect(composed.digest).to.equal(viewChangeDigest(hasher, cluster, from, message));
  });

  it("starts from genesis without a signature, and from no other state of number 0", () => {
    const bare = scene.viewChange(0, 0).viewChange;
    const root = digestOf("another state");
    const { message } = bare.envelope;
    const other = resigned(scene, bare, { ...message, stable: { ...message.stable, stateRoot: root } });
    const signed = scene.checkpoint(8).signatures;

    expect(verificationsOf(() => scene.newVerifier().verifyViewChange(bare, membership))).to.equal(1);
    expect(scene.verifier.verifyViewChange(bare, membership)).to.not.equal(undefined);
    for (const bad of [
      { ...other, checkpoint: { ...bare.checkpoint, stateRoot: root } },
      { ...bare, checkpoint: { ...bare.checkpoint, signatures: signed } },
      { ...bare, checkpoint: { ...bare.checkpoint, epoch: epochNumber(1) } },
    ])
      expect(scene.newVerifier().verifyViewChange(bad, membership)).to.equal(undefined);
  });

  it("is not made of one with any field or signature altered", () => {
    const all = alterationsOf(good);

    expect(all).to.have.lengthOf.at.least(60);
    for (const { path, altered } of all)
      expect(scene.newVerifier().verifyViewChange(altered, membership), path).to.equal(undefined);
  });

  it("is not made of claims that are signed and not proven", () => {
    const { message } = good.envelope;
    const other = scene.claim(12, 1);
    const claimed = resigned(scene, good, { ...message, prepared: [...claims, other] });
    const lies: Readonly<Record<string, JustifiedViewChange>> = {
      "without a certificate": claimed,
      "with the certificate of another claim": {
        ...claimed,
        certificates: [...good.certificates, good.certificates[1]!],
      },
      "with too few signatures": {
        ...claimed,
        certificates: [...good.certificates, { ...scene.certificate(other), prepares: [] }],
      },
      "of another checkpoint": resigned(scene, good, {
        ...message,
        stable: { seq: sequenceNumber(16), stateRoot: digestOf("root 16") },
      }),
    };

    for (const [what, lie] of Object.entries(lies))
      expect(scene.newVerifier().verifyViewChange(lie, membership), what).to.equal(undefined);
    const proven = { ...claimed, certificates: [...good.certificates, scene.certificate(other)] };
    expect(scene.newVerifier().verifyViewChange(proven, membership)).to.not.equal(undefined);
  });

  it("costs no signature when a certificate is not that of its claim", () => {
    const swapped = { ...good, certificates: good.certificates.toReversed() };

    expect(verificationsOf(() => scene.newVerifier().verifyViewChange(swapped, membership))).to.equal(0);
  });

  it("is not made of a stranger's or another epoch's", () => {
    const { message } = good.envelope;
    const early = resigned(scene, good, { ...message, epoch: epochNumber(1) });
    const stranger = { ...good, envelope: scene.sign(7, message) };
    const next = membership1;

    expect(scene.newVerifier().verifyViewChange(early, membership)).to.equal(undefined);
    expect(scene.newVerifier().verifyViewChange(early, next)).to.equal(undefined);
    expect(scene.newVerifier().verifyViewChange(stranger, membership)).to.equal(undefined);
  });

  it("costs one signature when its facts were proven before, by whomever and with whichever certificates", () => {
    const verifier = scene.newVerifier();
    const first = scene.viewChange(0, 8, claims).viewChange;
    expect(verificationsOf(() => verifier.verifyViewChange(first, membership))).to.equal(1 + 3 + 2 * 3);

    const others = { ...good, certificates: claims.map((claim) => scene.certificate(claim, [3, 2, 1, 0].toSorted())) };
    expect(verificationsOf(() => verifier.verifyViewChange(others, membership))).to.equal(1);
  });

  it("is not made of what was proven for another digest, or for another state", () => {
    const verifier = scene.newVerifier();
    const [first] = claims;
    verifier.verifyViewChange(scene.viewChange(0, 8, claims).viewChange, membership);
    const lies = claims.map((claim) => (claim === first ? { ...claim, digest: digestOf("never prepared") } : claim));
    const lie = scene.viewChange(0, 8, lies).viewChange;
    const unproven = lie.certificates.map((certificate, i) =>
      i === 0 ? { ...certificate, prepares: [] } : certificate,
    );
    expect(verifier.verifyViewChange({ ...lie, certificates: unproven }, membership), "digest").to.equal(undefined);

    const stable = { ...good.envelope.message.stable, stateRoot: digestOf("never stable") };
    const other = resigned(scene, good, { ...good.envelope.message, stable });
    const checkpoint = { ...good.checkpoint, stateRoot: stable.stateRoot };
    expect(verifier.verifyViewChange({ ...other, checkpoint }, membership), "state").to.equal(undefined);
  });

  it("carries certificates that hold even if those that came do not, so that it can be passed on", () => {
    const verifier = scene.newVerifier();
    const first = verifier.verifyViewChange(scene.viewChange(0, 8, claims).viewChange, membership);
    const spoiled: JustifiedViewChange = {
      ...good,
      checkpoint: { ...good.checkpoint, signatures: [] },
      certificates: good.certificates.map((certificate) => ({ ...certificate, prepares: [] })),
    };

    const verified = verifier.verifyViewChange(spoiled, membership);

    expect(verified?.viewChange.certificates).to.deep.equal(first?.viewChange.certificates);
    expect(verified?.viewChange.checkpoint).to.deep.equal(first?.viewChange.checkpoint);
    expect(verified && scene.newVerifier().verifyViewChange(verified.viewChange, membership)).to.not.equal(undefined);
  });

  it("is verified again when its facts have been forgotten", () => {
    const verifier = scene.newVerifier(2);
    const numbers = [9, 10, 11, 12];
    const many = scene.viewChange(
      0,
      8,
      numbers.map((seq) => scene.claim(seq, 0)),
    ).viewChange;

    expect(verificationsOf(() => verifier.verifyViewChange(many, membership))).to.equal(1 + 3 + 4 * 3);
    expect(verificationsOf(() => verifier.verifyViewChange(many, membership))).to.be.greaterThan(1 + 3);
  });
});

describe("a verified NEW-VIEW", () => {
  const { quorum, newView: composedNewView } = scene.usual();
  const usual: JustifiedNewView = composedNewView.newView;

  it("is what the primary composed, with its PRE-PREPAREs written out", () => {
    const verified = scene.newVerifier().verifyNewView(usual, membership);

    expect(verified).to.deep.equal(composedNewView);
    expect(verified?.prePrepares.map(({ message }) => [message.view, message.seq, message.digest])).to.deep.equal([
      [5, 9, digestOf("later")],
      [5, 10, nullDigest],
      [5, 11, digestOf("batch 11")],
    ]);
    for (const prePrepare of verified?.prePrepares ?? [])
      expect(scene.verifier.verifyEnvelope(prePrepare, membership)).to.not.equal(undefined);
    expect(newViewFault(usual, membership, genesis.windowSize, nullDigest)).to.equal(undefined);
  });

  it("costs few signatures where the VIEW-CHANGEs are known already", () => {
    const verifier = scene.newVerifier();
    for (const { viewChange } of quorum) verifier.verifyViewChange(viewChange, membership);

    expect(verificationsOf(() => verifier.verifyNewView(usual, membership))).to.equal(1 + quorum.length + 3);
  });

  it("is not made of one with any field or signature altered", () => {
    const all = alterationsOf(usual);

    expect(all).to.have.lengthOf.at.least(100);
    for (const { path, altered } of all) {
      const verdict = scene.newVerifier().verifyNewView(altered, membership);
      // A certificate less is a faulty conclusion, which is judged later; what remains is verified all the same.
      if (path === ".certificates.length") expect(verdict, path).to.not.equal(undefined);
      else expect(verdict, path).to.equal(undefined);
    }
  });

  it("costs no signature when its shape is not sound", () => {
    const { message } = usual.envelope;
    const elsewhere = { ...quorum[0]!.viewChange.envelope.message, view: viewNumber(9) };
    const unsound: Readonly<Record<string, JustifiedNewView>> = {
      "of a backup": { ...usual, envelope: scene.sign(2, message) },
      "of two": referringTo(scene, usual, usual.viewChanges.slice(1)),
      "of senders out of order": referringTo(scene, usual, usual.viewChanges.toReversed()),
      "of one who moves elsewhere": referringTo(scene, usual, usual.viewChanges.with(0, scene.sign(0, elsewhere))),
      "of others than referred to": { ...usual, viewChanges: usual.viewChanges.slice(1) },
      "without a signature": { ...usual, prePrepareSignatures: usual.prePrepareSignatures.slice(1) },
      "of no view": { ...usual, envelope: { ...usual.envelope, message: { ...message, view: viewNumber(0) } } },
      "that ends nowhere": {
        ...usual,
        envelope: scene.sign(1, { ...message, start: sequenceNumber(Number.MAX_SAFE_INTEGER) }),
      },
    };

    for (const [what, given] of Object.entries(unsound)) {
      const verifier = scene.newVerifier();
      expect(
        verificationsOf(() => verifier.verifyNewView(given, membership)),
        what,
      ).to.equal(0);
      expect(verifier.verifyNewView(given, membership), what).to.equal(undefined);
    }
  });

  it("is not made with a VIEW-CHANGE that its sender did not sign, or PRE-PREPAREs that the primary did not", () => {
    const forged = { ...usual.viewChanges[0]!, signature: usual.viewChanges[1]!.signature };
    const signatures = usual.prePrepareSignatures.toReversed();

    for (const bad of [
      referringTo(scene, usual, usual.viewChanges.with(0, forged)),
      { ...usual, prePrepareSignatures: signatures },
    ])
      expect(scene.newVerifier().verifyNewView(bad, membership)).to.equal(undefined);
  });

  it("may draw a conclusion that does not follow: that is for its receivers to judge", () => {
    const wrong = scene.newView(quorum, { digests: [nullDigest, nullDigest, digestOf("batch 11")] });

    expect(scene.newVerifier().verifyNewView(wrong.newView, membership)).to.not.equal(undefined);
    expect(newViewFault(wrong.newView, membership, genesis.windowSize, nullDigest)).to.equal("unjustified");
  });
});

describe("evidence against a NEW-VIEW", () => {
  const { quorum, newView } = scene.usual();
  const honest = newView.newView;
  const evidenceOf = ({ envelope, viewChanges }: JustifiedNewView): Evidence => ({
    type: "unjustified-new-view",
    newView: envelope,
    viewChanges,
  });
  const lies = {
    "another digest": scene.newView(quorum, { digests: [digestOf("x"), nullDigest, digestOf("batch 11")] }),
    "a number less": scene.newView(quorum, { digests: honest.envelope.message.digests.slice(1) }),
    "a lower start": scene.newView(quorum, { start: sequenceNumber(0) }),
  };

  for (const [what, { newView: lie }] of Object.entries(lies)) {
    it(`convicts a primary that concluded ${what}`, () => {
      expect(scene.verifier.verifyEvidence(evidenceOf(lie), membership)).to.equal(true);
    });

    it(`is none with any field or signature altered (${what})`, () => {
      for (const { path, altered } of alterationsOf(evidenceOf(lie)))
        expect(scene.verifier.verifyEvidence(altered, membership), path).to.equal(false);
    });
  }

  it("is not two NEW-VIEWs of one view that agree, and is two that do not", () => {
    const pair = (second: JustifiedNewView): Evidence => ({
      type: "equivocation",
      first: honest.envelope,
      second: second.envelope,
    });

    expect(scene.verifier.verifyEvidence(pair(honest), membership)).to.equal(false);
    expect(scene.verifier.verifyEvidence(pair(lies["another digest"].newView), membership)).to.equal(true);
  });

  it("is two VIEW-CHANGEs of one member for one view that say different things", () => {
    const pair = (second: JustifiedViewChange): Evidence => ({
      type: "equivocation",
      first: good.envelope,
      second: second.envelope,
    });

    expect(scene.verifier.verifyEvidence(pair(good), membership)).to.equal(false);
    expect(scene.verifier.verifyEvidence(pair(scene.viewChange(2, 8, []).viewChange), membership)).to.equal(true);
    expect(scene.verifier.verifyEvidence(pair(scene.viewChange(3, 8, []).viewChange), membership)).to.equal(false);
  });

  /** What anyone can do to what is not signed by the accused: leave out, repeat, reorder, replace. */
  const tampered = fc.array(
    fc.oneof(
      fc.record({ from: fc.constant("same"), at: fc.nat(2) }),
      fc.record({ from: fc.constant("other"), at: fc.nat(3) }),
      fc.record({ from: fc.constant("forged"), at: fc.nat(2) }),
    ),
    { maxLength: 5 },
  );
  it("never falls on an honest primary, whatever is done to the VIEW-CHANGEs beside its NEW-VIEW", () => {
    const others = [0, 1, 2, 3].map((id) => scene.viewChange(id, 8, [scene.claim(9, 3, "other")]).viewChange.envelope);
    const parts = {
      same: honest.viewChanges,
      other: others,
      forged: honest.viewChanges.map((each) => ({ ...each, message: { ...each.message, prepared: [] } })),
    };
    expect(isConclusionOf(honest.envelope.message, honest.viewChanges, nullDigest)).to.equal(true);
    let notFollowing = 0;
    fc.assert(
      fc.property(tampered, (choice) => {
        const viewChanges = choice.map(({ from, at }) => parts[from as keyof typeof parts][at] ?? others[0]!);
        if (!isConclusionOf(honest.envelope.message, viewChanges, nullDigest)) notFollowing++;
        const evidence = evidenceOf({ ...honest, viewChanges });
        expect(scene.verifier.verifyEvidence(evidence, membership)).to.equal(false);
      }),
      { numRuns: 400, seed: 9 },
    );
    expect(notFollowing).to.be.greaterThan(100);
  });

  it("never falls on an honest primary, whatever the members said", () => {
    const claimsOf = fc.uniqueArray(
      fc
        .record({ seq: fc.integer({ min: 9, max: 16 }), view: fc.nat(4) })
        .map(({ seq, view }) => scene.claim(seq, view, `batch ${seq} of ${view}`)),
      { selector: ({ seq }) => seq, maxLength: 4 },
    );
    const said = fc.record({ stable: fc.constantFrom(0, 8), prepared: claimsOf });
    fc.assert(
      fc.property(fc.tuple(said, said, said), (all) => {
        const views = all.map(({ stable, prepared }, i) =>
          scene.viewChange(
            [0, 2, 3][i]!,
            stable,
            prepared.toSorted((a, b) => a.seq - b.seq),
          ),
        );
        const concluded = scene.newView(views).newView;
        expect(scene.verifier.verifyEvidence(evidenceOf(concluded), membership)).to.equal(false);
        expect(newViewFault(concluded, membership, genesis.windowSize, nullDigest)).to.equal(undefined);
      }),
      { numRuns: 25, seed: 10 },
    );
  });

  it("convicts in an epoch of any window: whoever judges it knows of genesis, and L may have become greater", () => {
    const { newView: lie } = lies["another digest"];
    const wide = { ...lie.viewChanges[2]!.message, prepared: [{ ...scene.claim(40, 0) }] };
    const given = referringTo(scene, lie, lie.viewChanges.with(2, scene.sign(3, wide)));
    expect(scene.verifier.verifyEvidence(evidenceOf(given), membership)).to.equal(true);
  });

  it("is none when its shape is not sound, though nothing follows", () => {
    const { envelope, viewChanges } = lies["another digest"].newView;
    const wide = { ...viewChanges[2]!.message, prepared: [{ ...scene.claim(9 + WINDOW_SIZE_MAX, 0) }] };
    const cases: Readonly<Record<string, JustifiedNewView>> = {
      "a quorum": referringTo(scene, lies["another digest"].newView, viewChanges.slice(1)),
      "the window": referringTo(scene, lies["another digest"].newView, viewChanges.with(2, scene.sign(3, wide))),
      "its primary": { ...lies["another digest"].newView, envelope: scene.sign(2, envelope.message) },
    };

    for (const [what, given] of Object.entries(cases))
      expect(scene.verifier.verifyEvidence(evidenceOf(given), membership), what).to.equal(false);
  });
});

describe("view changes over every back end", () => {
  const verdictsOf = (of: SignatureBackend): unknown[] => {
    const over = new ViewChangeScene(of);
    const { quorum, newView } = over.usual();
    const spoiled = { ...newView.newView, prePrepareSignatures: newView.newView.prePrepareSignatures.toReversed() };
    return [
      ...quorum.map(({ digest, viewChange }) => {
        const verified = over.newVerifier().verifyViewChange(viewChange, membership);
        return [digest, verified?.digest, viewChange.envelope.signature];
      }),
      over
        .newVerifier()
        .verifyNewView(newView.newView, membership)
        ?.prePrepares.map(({ signature }) => signature),
      over.newVerifier().verifyNewView(spoiled, membership),
    ];
  };

  for (const of of BACKENDS)
    it(`are composed and judged alike over ${of.name}`, () => {
      const verdicts = verdictsOf(of);

      expect(verdicts).to.deep.equal(verdictsOf(BACKENDS[0]!));
      expect(verdicts.at(-2)).to.have.length(3);
      expect(verdicts.at(-1)).to.equal(undefined);
    });

  it("refer to the VIEW-CHANGEs of members by digests that differ with sender and content", () => {
    const { message } = good.envelope;
    const digests: Digest[] = [
      viewChangeDigest(hasher, cluster, replicaId(0), message),
      viewChangeDigest(hasher, cluster, replicaId(1), message),
      viewChangeDigest(hasher, cluster, replicaId(0), { ...message, prepared: [] }),
    ];

    expect(new Set(digests).size).to.equal(3);
  });
});

describe("a verified REPLY-STABLE (protocol rule 8.5)", () => {
  const replyOf = (seq: number): JustifiedReplyStable => {
    const checkpoint = scene.checkpoint(seq);
    const stable = { seq: checkpoint.seq, stateRoot: checkpoint.stateRoot };
    const nonce = digestOf("nonce");
    const envelope = scene.sign(2, { type: "reply-stable", epoch: epochNumber(0), nonce, stable, view: viewNumber(3) });
    return { envelope, checkpoint };
  };

  it("is what a member signed, with the certificate of the checkpoint that it names", () => {
    expect(scene.newVerifier().verifyReplyStable(replyOf(8), membership)).to.deep.equal(replyOf(8));
    expect(scene.newVerifier().verifyReplyStable(replyOf(0), membership)).to.deep.equal(replyOf(0));
    const swapped = { ...replyOf(8), checkpoint: scene.checkpoint(16) };
    expect(verificationsOf(() => scene.newVerifier().verifyReplyStable(swapped, membership))).to.equal(0);
    expect(scene.newVerifier().verifyReplyStable(swapped, membership)).to.equal(undefined);
  });

  it("is not made of one with any field or signature altered", () => {
    for (const { path, altered } of alterationsOf(replyOf(8)))
      expect(scene.newVerifier().verifyReplyStable(altered, membership), path).to.equal(undefined);
  });
});

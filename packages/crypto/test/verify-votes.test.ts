import { digestBatch } from "@quorate/crypto";
import {
  type CheckpointCertificate,
  type CommitCertificate,
  type Envelope,
  type Equivocation,
  type Evidence,
  membershipOf,
  type ReplicaMessage,
  replicaId,
  sequenceNumber,
  timestampMs,
  viewNumber,
} from "@quorate/protocol";
import { expect } from "chai";
import { alterationsOf } from "./alterations.ts";
import {
  batchOf,
  checkpointCertificateOf,
  checkpointOf,
  cluster,
  commitCertificateOf,
  digestOf,
  envelopeOf,
  epoch0,
  epoch1,
  hasher,
  membership,
  membership1,
  newVerifier,
  operationsOf,
  otherCluster,
  preparedCertificateOf,
  registrationOf,
  replicaKey,
  seq5,
  signaturesOf,
  signerOf,
  verificationsOf,
  view3,
  voteOf,
} from "./builders.ts";

const MESSAGES: readonly ReplicaMessage[] = [
  voteOf("pre-prepare"),
  voteOf("prepare"),
  voteOf("commit"),
  checkpointOf("root"),
  {
    type: "status",
    epoch: epoch0,
    view: view3,
    executed: seq5,
    stable: sequenceNumber(4),
    accepted: sequenceNumber(9),
    lacks: [
      { seq: sequenceNumber(6), prePrepare: true, prepares: false, commits: true },
      { seq: sequenceNumber(7), prePrepare: false, prepares: true, commits: false },
    ],
    target: viewNumber(5),
    viewChangesOf: [replicaId(0), replicaId(2)],
    executionDigest: digestOf("outputs"),
  },
  { type: "fetch-batch", epoch: epoch0, seq: seq5, digest: digestOf("batch") },
  { type: "fetch-committed", epoch: epoch0, first: seq5, last: sequenceNumber(9) },
  {
    type: "view-change",
    epoch: epoch0,
    view: view3,
    stable: { seq: sequenceNumber(4), stateRoot: digestOf("root") },
    prepared: [{ seq: seq5, view: viewNumber(2), digest: digestOf("batch") }],
  },
  {
    type: "new-view",
    epoch: epoch0,
    view: view3,
    viewChanges: [{ from: replicaId(2), digest: digestOf("view-change") }],
    start: sequenceNumber(4),
    digests: [digestOf("batch")],
  },
  { type: "hand-over", epoch: epoch0, view: view3 },
  { type: "query-stable", epoch: epoch0, nonce: digestOf("nonce"), until: seq5, view: view3 },
  {
    type: "reply-stable",
    epoch: epoch0,
    nonce: digestOf("nonce"),
    stable: { seq: seq5, stateRoot: digestOf("root") },
    view: view3,
  },
];

describe("a verified envelope", () => {
  const verifier = newVerifier();

  for (const message of MESSAGES) {
    const envelope: Envelope = envelopeOf(1, message);

    it(`is made of a member's ${message.type}`, () => {
      expect(verifier.verifyEnvelope(envelope, membership)).to.equal(envelope);
    });

    it(`is not made of a ${message.type} with any field altered`, () => {
      const all = alterationsOf(envelope);

      expect(all).to.have.lengthOf.at.least(7);
      for (const { path, altered } of all)
        expect(verifier.verifyEnvelope(altered, membership), path).to.equal(undefined);
    });
  }

  it("is not made of a vote passed off as another kind of vote", () => {
    for (const signed of ["pre-prepare", "prepare", "commit"] as const)
      for (const claimed of ["pre-prepare", "prepare", "commit"] as const) {
        const envelope = { ...envelopeOf(1, voteOf(signed)), message: voteOf(claimed) };
        const expected = signed === claimed ? envelope : undefined;
        expect(verifier.verifyEnvelope(envelope, membership), `${signed} as ${claimed}`).to.equal(expected);
      }
  });

  it("is not made of a stranger's message, a member's under another name, or one for another cluster", () => {
    const envelopes = [
      envelopeOf(7, voteOf("commit")),
      { ...envelopeOf(1, voteOf("commit")), from: replicaId(2) },
      signerOf(1, otherCluster).sign(voteOf("commit")),
    ];
    for (const envelope of envelopes) expect(verifier.verifyEnvelope(envelope, membership)).to.equal(undefined);
  });

  it("is not made of a message of another epoch than the membership's", () => {
    const next = membership1;
    const old = envelopeOf(1, voteOf("commit"));
    const early = envelopeOf(1, { ...voteOf("commit"), epoch: epoch1 });

    expect(verifier.verifyEnvelope(old, next)).to.equal(undefined);
    expect(verifier.verifyEnvelope(early, membership)).to.equal(undefined);
    expect(verifier.verifyEnvelope(early, next)).to.equal(early);
  });

  it("is not made of what has no preimage, and nothing is thrown", () => {
    for (const view of [-1, 0.5, Number.NaN, 2 ** 53]) {
      const envelope = { ...envelopeOf(1, voteOf("commit")), message: { ...voteOf("commit"), view } as ReplicaMessage };
      expect(verifier.verifyEnvelope(envelope, membership), `${view}`).to.equal(undefined);
    }
  });
});

describe("a verified commit certificate", () => {
  const verifier = newVerifier();

  it("takes a quorum of distinct members", () => {
    for (const ids of [
      [0, 1, 2],
      [0, 2, 3],
      [0, 1, 2, 3],
    ]) {
      const certificate = commitCertificateOf(ids);
      expect(verifier.verifyCommitCertificate(certificate, membership)).to.equal(certificate);
    }
  });

  it("is not made of too few, of strangers, of one member twice, or out of order", () => {
    for (const ids of [[], [0, 1], [0, 1, 7], [0, 1, 1], [2, 1, 0]]) {
      const certificate = commitCertificateOf(ids);
      expect(verifier.verifyCommitCertificate(certificate, membership), `${ids}`).to.equal(undefined);
      expect(verificationsOf(() => verifier.verifyCommitCertificate(certificate, membership))).to.equal(0);
    }
  });

  it("is not made of a quorum with one field or one signature altered", () => {
    for (const { path, altered } of alterationsOf<CommitCertificate>(commitCertificateOf([0, 1, 2])))
      expect(verifier.verifyCommitCertificate(altered, membership), path).to.equal(undefined);
  });

  it("is not made of PREPAREs, nor with one member's signature in another's place", () => {
    const good = commitCertificateOf([0, 1, 2]);
    const prepares = signaturesOf([0, 1, 2], voteOf("prepare"));
    const borrowed = good.signatures.with(2, { ...good.signatures[1]!, from: replicaId(2) });

    for (const signatures of [prepares, borrowed])
      expect(verifier.verifyCommitCertificate({ ...good, signatures }, membership)).to.equal(undefined);
  });

  it("is not made of votes of several views, each signed as it should be", () => {
    const good = commitCertificateOf([0, 1, 2]);
    const later = signaturesOf([2], { ...voteOf("commit"), view: viewNumber(4) } as ReplicaMessage);
    const mixed = good.signatures.with(2, later[0]!);

    expect(verifier.verifyCommitCertificate({ ...good, signatures: mixed }, membership)).to.equal(undefined);
  });

  it("takes four of five or six and five of seven members, and not one less", () => {
    for (const [n, needed] of [
      [5, 4],
      [6, 4],
      [7, 5],
    ] as const) {
      const members = Array.from({ length: n }, (_, id) => ({
        id: replicaId(id),
        publicKey: replicaKey(id),
        address: `${id}`,
      }));
      const wide = membershipOf(epoch0, members);
      const ids = Array.from({ length: needed }, (_, id) => id);
      expect(verifier.verifyCommitCertificate(commitCertificateOf(ids), wide), `${n}`).to.not.equal(undefined);
      expect(verifier.verifyCommitCertificate(commitCertificateOf(ids.slice(1)), wide), `${n}`).to.equal(undefined);
    }
  });
});

describe("a verified prepared certificate", () => {
  const verifier = newVerifier();

  it("takes the primary's pre-prepare and a quorum less one of backups", () => {
    const certificate = preparedCertificateOf([0, 2]);

    expect(verifier.verifyPreparedCertificate(certificate, membership)).to.equal(certificate);
  });

  it("is not made of too few, of strangers, of one twice, or with the primary among the backups", () => {
    for (const ids of [[], [0], [0, 0], [0, 7], [1, 0], [0, 3]])
      expect(verifier.verifyPreparedCertificate(preparedCertificateOf(ids), membership), `${ids}`).to.equal(undefined);
  });

  it("is not made of a pre-prepare of another member than the primary", () => {
    expect(verifier.verifyPreparedCertificate(preparedCertificateOf([0, 2], 1), membership)).to.equal(undefined);
  });

  it("is not made of one with a field or a signature altered", () => {
    for (const { path, altered } of alterationsOf(preparedCertificateOf([0, 2])))
      expect(verifier.verifyPreparedCertificate(altered, membership), path).to.equal(undefined);
  });

  it("is not made of prepares of several views, each signed as it should be", () => {
    const good = preparedCertificateOf([0, 2]);
    const later = signaturesOf([2], { ...voteOf("prepare"), view: viewNumber(4) } as ReplicaMessage);
    const mixed = good.prepares.with(1, later[0]!);

    expect(verifier.verifyPreparedCertificate({ ...good, prepares: mixed }, membership)).to.equal(undefined);
  });

  it("is not made of prepares for another digest", () => {
    const certificate = {
      ...preparedCertificateOf([0, 2]),
      prepares: signaturesOf([0, 2], voteOf("prepare", digestOf("x"))),
    };

    expect(verifier.verifyPreparedCertificate(certificate, membership)).to.equal(undefined);
  });
});

describe("a verified checkpoint certificate", () => {
  const verifier = newVerifier();

  it("takes a quorum", () => {
    const certificate = checkpointCertificateOf([1, 2, 3]);

    expect(verifier.verifyCheckpointCertificate(certificate, membership)).to.equal(certificate);
  });

  it("is not made of too few, of strangers or of one twice", () => {
    for (const ids of [
      [0, 1],
      [0, 1, 7],
      [0, 0, 1],
    ])
      expect(verifier.verifyCheckpointCertificate(checkpointCertificateOf(ids), membership), `${ids}`).to.equal(
        undefined,
      );
  });

  it("is not made of one with a field or a signature altered", () => {
    for (const { path, altered } of alterationsOf<CheckpointCertificate>(checkpointCertificateOf([0, 1, 2])))
      expect(verifier.verifyCheckpointCertificate(altered, membership), path).to.equal(undefined);
  });

  it("is never the genesis checkpoint, which is known and not judged", () => {
    const zero = sequenceNumber(0);
    const message: ReplicaMessage = { type: "checkpoint", epoch: epoch0, seq: zero, stateRoot: digestOf("root") };
    const signed = {
      epoch: epoch0,
      seq: zero,
      stateRoot: digestOf("root"),
      signatures: signaturesOf([0, 1, 2], message),
    };

    for (const certificate of [signed, { ...signed, signatures: [] }])
      expect(verifier.verifyCheckpointCertificate(certificate, membership)).to.equal(undefined);
  });
});

describe("a verified committed entry", () => {
  const verifier = newVerifier();
  const batch = batchOf(operationsOf(1, "a"), registrationOf("nonce"));
  const certificate = commitCertificateOf([0, 1, 2], digestBatch(hasher, cluster, batch).digest);

  it("carries the digested batch and the certificate", () => {
    expect(verifier.verifyCommittedEntry({ batch, certificate }, membership)).to.deep.equal({
      batch: digestBatch(hasher, cluster, batch),
      certificate,
    });
  });

  it("needs no valid client signature, for the quorum has spoken", () => {
    const requests = batch.requests.map((request) => ({ ...request, signature: new Uint8Array(64) }));
    const entry = { batch: { ...batch, requests }, certificate };

    expect(verifier.verifyCommittedEntry(entry, membership)).to.not.equal(undefined);
    expect(verificationsOf(() => verifier.verifyCommittedEntry(entry, membership))).to.equal(3);
  });

  it("is not made of another batch than the certificate's, and no signature is looked at", () => {
    const other = { batch: { ...batch, timestampMs: timestampMs(1) }, certificate };

    expect(verifier.verifyCommittedEntry(other, membership)).to.equal(undefined);
    expect(verificationsOf(() => verifier.verifyCommittedEntry(other, membership))).to.equal(0);
  });

  it("is not made with a certificate that proves nothing", () => {
    const weak = { ...certificate, signatures: certificate.signatures.slice(1) };
    const moved = { ...certificate, seq: sequenceNumber(6) };

    for (const bad of [weak, moved])
      expect(verifier.verifyCommittedEntry({ batch, certificate: bad }, membership)).to.equal(undefined);
  });
});

describe("verified evidence", () => {
  const verifier = newVerifier();
  const pair = (type: "pre-prepare" | "prepare" | "commit"): Equivocation =>
    ({
      type: "equivocation",
      first: envelopeOf(1, voteOf(type, digestOf("one"))),
      second: envelopeOf(1, voteOf(type, digestOf("two"))),
    }) as Equivocation;

  it("is two votes of one member for one place with different contents", () => {
    for (const type of ["pre-prepare", "prepare", "commit"] as const)
      expect(verifier.verifyEvidence(pair(type), membership), type).to.equal(true);
    const checkpoints = { first: envelopeOf(1, checkpointOf("a")), second: envelopeOf(1, checkpointOf("b")) };
    expect(verifier.verifyEvidence({ type: "equivocation", ...checkpoints } as Evidence, membership)).to.equal(true);
  });

  it("is nothing that the two messages do not show", () => {
    const { first, second } = pair("commit");
    const elsewhere = envelopeOf(1, { ...voteOf("commit", digestOf("two")), view: viewNumber(4) } as ReplicaMessage);
    const others = [first, elsewhere, envelopeOf(2, second.message), envelopeOf(1, voteOf("prepare", digestOf("two")))];
    for (const other of others) {
      const evidence = { type: "equivocation", first, second: other } as Evidence;
      expect(verifier.verifyEvidence(evidence, membership)).to.equal(false);
    }
  });

  it("is nothing with a field or a signature altered, or of a stranger", () => {
    const evidence = pair("commit");
    for (const { path, altered } of alterationsOf(evidence))
      expect(verifier.verifyEvidence(altered, membership), path).to.equal(false);
    const stranger = { first: envelopeOf(7, voteOf("commit")), second: envelopeOf(7, voteOf("commit", digestOf("x"))) };
    expect(verifier.verifyEvidence({ type: "equivocation", ...stranger } as Evidence, membership)).to.equal(false);
  });
});

import { batchDigest, requestDigest, signPossession } from "@quorate/crypto";
import {
  type Approval,
  type Digest,
  type ReconfigurationChange,
  type ReconfigurationRequest,
  replicaId,
  sequenceNumber,
} from "@quorate/protocol";
import { expect } from "chai";
import { alterationsOf } from "./alterations.ts";
import {
  backend,
  batchOf,
  clientOf,
  cluster,
  digestOf,
  epoch0,
  epoch1,
  hasher,
  newVerifier,
  otherCluster,
  seedOf,
  verificationsOf,
} from "./builders.ts";

const NONE = new Uint8Array(0);
const keyOf = (label: string) => backend.publicKeyOf(seedOf(label));
const CHANGES: { readonly [T in ReconfigurationChange["type"]]: Extract<ReconfigurationChange, { readonly type: T }> } =
  {
    join: {
      type: "join",
      member: { id: replicaId(4), publicKey: keyOf("joiner"), address: "127.0.0.1:7004" },
      checkpoint: { seq: sequenceNumber(8), stateRoot: digestOf("state") },
    },
    leave: { type: "leave", id: replicaId(3), mayLowerFaultThreshold: false },
    rejoin: { type: "rejoin", id: replicaId(3), loss: digestOf("loss") },
    "rotate-key": { type: "rotate-key", id: replicaId(3), publicKey: keyOf("new key") },
    admins: { type: "admins", admins: { threshold: 1, keys: [keyOf("admin"), keyOf("admin 2")] } },
    parameters: { type: "parameters", checkpointInterval: 8, windowSize: 16 },
    admit: { type: "admit", client: keyOf("guest") },
    expel: { type: "expel", client: keyOf("guest") },
  };
const HOLDERS: Readonly<Record<string, string>> = { join: "joiner", "rotate-key": "new key" };

type Content = Pick<ReconfigurationRequest, "epoch" | "nonce" | "change">;
const contentOf = (change: ReconfigurationChange, nonce = "nonce"): Content => ({
  ...{ epoch: epoch0, nonce: digestOf(nonce), change },
});

function approvalsOf(content: Content, admins: readonly string[] = ["admin", "admin 2", "admin 3"]): Approval[] {
  return admins.map((admin) => clientOf(admin).approve(content)).sort((a, b) => (a.key < b.key ? -1 : 1));
}
function possessionOf(content: Content, holder: string | undefined = HOLDERS[content.change.type]): Uint8Array {
  return holder === undefined ? NONE : signPossession({ backend, seed: seedOf(holder), cluster }, content);
}
/** Signed by whoever submits it, with these parts in it. */
function submitted(content: Content, parts: Partial<ReconfigurationRequest> = {}): ReconfigurationRequest {
  const { approvals = approvalsOf(content), possession = possessionOf(content) } = parts;
  const { request } = clientOf("submitter").signReconfiguration({ ...content, approvals, possession });
  if (request.type !== "reconfiguration") throw new Error("the signer signs something else");
  return request;
}
const isVerified = (request: ReconfigurationRequest): boolean => newVerifier().verifyRequest(request) !== undefined;

describe("a verified reconfiguration", () => {
  for (const change of Object.values(CHANGES)) {
    const request = submitted(contentOf(change));

    it(`carries the request and its digest: ${change.type}`, () => {
      const verified = newVerifier().verifyRequest(request);

      expect(verified).to.deep.equal({ request, digest: requestDigest(hasher, cluster, request) });
    });

    it(`is not made of one with any field or signature altered: ${change.type}`, () => {
      const verifier = newVerifier();
      verifier.verifyRequest(request);
      const alterations = alterationsOf(request);

      expect(alterations).to.have.lengthOf.at.least(20);
      for (const { path, altered } of alterations) expect(verifier.verifyRequest(altered), path).to.equal(undefined);
    });
  }

  it("needs no approvals: whether there are enough is judged when it executes", () => {
    expect(isVerified(submitted(contentOf(CHANGES.leave), { approvals: [] }))).to.equal(true);
  });

  it("may have approvals of keys that are nobody's: that is judged when it executes", () => {
    const content = contentOf(CHANGES.leave);
    const approvals = approvalsOf(content, ["somebody", "anybody"]);

    expect(isVerified(submitted(content, { approvals }))).to.equal(true);
  });

  it("has approvals in ascending order, each key once", () => {
    const content = contentOf(CHANGES.leave);
    const [first, second, third] = approvalsOf(content) as [Approval, Approval, Approval];

    for (const approvals of [
      [second, first, third],
      [first, third, second],
      [first, first],
      [first, second, second],
    ])
      expect(isVerified(submitted(content, { approvals }))).to.equal(false);
    expect(isVerified(submitted(content, { approvals: [first, third] }))).to.equal(true);
  });

  it("is not made with an approval of another epoch, nonce, change or cluster, whoever submits it", () => {
    const content = contentOf(CHANGES.leave);
    const others: readonly Content[] = [
      { ...content, epoch: epoch1 },
      { ...content, nonce: digestOf("another nonce") },
      { ...content, change: { ...CHANGES.leave, id: replicaId(2) } },
      { ...content, change: { ...CHANGES.leave, mayLowerFaultThreshold: true } },
    ];

    for (const other of others)
      expect(isVerified(submitted(content, { approvals: approvalsOf(other, ["admin"]) }))).to.equal(false);
    const foreign = clientOf("admin", otherCluster).approve(content);
    expect(isVerified(submitted(content, { approvals: [foreign] }))).to.equal(false);
  });

  it("is not made with one bad approval among good ones", () => {
    const content = contentOf(CHANGES.leave);
    const approvals = approvalsOf(content);
    for (const [at, bad] of approvals.entries()) {
      const spoilt = approvals.with(at, { ...bad, signature: new Uint8Array(64) });
      expect(isVerified(submitted(content, { approvals: spoilt })), `${at}`).to.equal(false);
    }
  });

  for (const type of ["join", "rotate-key"] as const)
    it(`has the signature of the holder of the key that a ${type} brings in, for this epoch and change`, () => {
      const content = contentOf(CHANGES[type]);
      const others = [
        NONE,
        new Uint8Array(64),
        possessionOf(content, "submitter"),
        possessionOf({ ...content, epoch: epoch1 }),
        possessionOf(contentOf(type === "join" ? CHANGES["rotate-key"] : CHANGES.join), HOLDERS[type]),
        signPossession({ backend, seed: seedOf(HOLDERS[type]!), cluster: otherCluster }, content),
        // What it would have signed as an admin.
        clientOf(HOLDERS[type]).approve(content).signature,
      ];

      for (const [at, possession] of others.entries())
        expect(isVerified(submitted(content, { possession })), `${at}`).to.equal(false);
      expect(isVerified(submitted(content))).to.equal(true);
    });

  it("has no such signature where no key is brought in", () => {
    for (const type of ["leave", "rejoin", "admins", "parameters", "admit", "expel"] as const) {
      const content = contentOf(CHANGES[type]);
      const possession = possessionOf(content, "joiner");
      expect(isVerified(submitted(content, { possession })), type).to.equal(false);
    }
  });

  it("costs no signature beyond the first that is wrong", () => {
    const request = submitted(contentOf(CHANGES.join));

    expect(verificationsOf(() => newVerifier().verifyRequest(request))).to.equal(1 + 1 + 3);
    expect(verificationsOf(() => newVerifier().verifyRequest({ ...request, signature: new Uint8Array(64) }))).to.equal(
      1,
    );
    expect(verificationsOf(() => newVerifier().verifyRequest({ ...request, possession: NONE }))).to.be.at.most(2);
    const approvals = request.approvals.toReversed();
    expect(
      verificationsOf(() => newVerifier().verifyRequest(submitted(contentOf(CHANGES.join), { approvals }))),
    ).to.equal(2);
  });
});

describe("a reconfiguration that was verified before", () => {
  const request = submitted(contentOf(CHANGES.join));
  const forged: Readonly<Record<string, ReconfigurationRequest>> = {
    "an approval that nobody gave": {
      ...request,
      approvals: request.approvals.with(1, { ...request.approvals[1]!, signature: new Uint8Array(64) }),
    },
    "the approvals' signatures exchanged": {
      ...request,
      approvals: request.approvals.map(({ key }, at) => ({ key, signature: request.approvals.at(at - 1)!.signature })),
    },
    "a signature of possession that nobody gave": { ...request, possession: new Uint8Array(64) },
  };

  for (const [what, other] of Object.entries(forged))
    it(`vouches for none of the same digest with ${what}`, () => {
      const verifier = newVerifier();
      expect(verifier.verifyRequest(request)).to.not.equal(undefined);

      expect(requestDigest(hasher, cluster, other)).to.equal(requestDigest(hasher, cluster, request));
      expect(verifier.verifyRequest(other)).to.equal(undefined);
      expect(verifier.verifyBatch(batchOf({ request: other }))).to.equal(undefined);
    });

  it("is verified again, alone and in a batch, with every signature in it", () => {
    const verifier = newVerifier();
    const all = verificationsOf(() => verifier.verifyRequest(request));

    expect(all).to.equal(5);
    expect(verificationsOf(() => verifier.verifyRequest(request))).to.equal(all);
    expect(verificationsOf(() => verifier.verifyBatch(batchOf({ request })))).to.equal(all);
  });

  it("is of a digest that says who approved, so that a batch of other approvers is another", () => {
    const digests = [["admin"], ["admin 2"], ["admin", "admin 2"]].map((admins): Digest => {
      const content = contentOf(CHANGES.leave);
      const approved = submitted(content, { approvals: approvalsOf(content, admins) });
      const { timestampMs } = batchOf();
      return batchDigest(hasher, cluster, timestampMs, [requestDigest(hasher, cluster, approved)]);
    });

    expect(new Set(digests).size).to.equal(3);
  });
});

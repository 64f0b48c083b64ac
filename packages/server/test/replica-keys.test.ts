import { epochNumber, type Member, type Membership, membershipOf, NO_MEMBER, replicaId } from "@quorate/protocol";
import { createReplicaKeys, type ReplicaKeys } from "@quorate/server/host";
import { expect } from "chai";
import { SILENT_SIGNER, signerIn } from "../dist/replica-keys.js";
import { backend, cluster, digestOf, epoch, hasher, membership, newVerifier, seedOf, seqOf } from "./builders.ts";

const keysOf = (...labels: string[]): ReplicaKeys =>
  createReplicaKeys({ backend, hasher, cluster, seeds: () => labels.map(seedOf) });
const withKey = (id: number, label: string): Membership => {
  const publicKey = backend.publicKeyOf(seedOf(label));
  const members = membership.members.map((member): Member => (member.id === id ? { ...member, publicKey } : member));
  return membershipOf(epochNumber(1), members, { seq: seqOf(8), stateRoot: digestOf("root") });
};
const vote = { type: "checkpoint", epoch, seq: seqOf(8), stateRoot: digestOf("root") } as const;

describe("the keys of a replica", () => {
  it("make it the member whose key it holds, and let it sign as that", () => {
    const signer = keysOf("nobody's", "replica 2").signerIn(membership);

    expect(signer?.self).to.equal(2);
    const signed = signer?.sign(vote);
    expect(signed && newVerifier().verifyEnvelope(signed, membership)).to.not.equal(undefined);
  });

  it("make it another member, or none, in another epoch", () => {
    const keys = keysOf("replica 2", "its next");

    expect(keys.signerIn(withKey(2, "its next"))?.self).to.equal(2);
    expect(keysOf("replica 2").signerIn(withKey(2, "its next"))).to.equal(undefined);
    const next = keys.signerIn(withKey(2, "its next"))?.sign({ ...vote, epoch: epochNumber(1) });
    expect(next && newVerifier().verifyEnvelope(next, membership)).to.equal(undefined);
    expect(next && newVerifier().verifyEnvelope(next, withKey(2, "its next"))).to.not.equal(undefined);
  });

  it("order as clients with the key of the member, and as nobody without", () => {
    const ordered = keysOf("replica 2")
      .orderSignerIn(membership)
      ?.signCheckpoint({ epoch, above: seqOf(3) });

    expect(ordered?.request.client).to.equal(membership.members[2]?.publicKey);
    expect(keysOf("nobody's").orderSignerIn(membership)).to.equal(undefined);
  });

  it("are asked for again in each epoch, for they come and go", () => {
    const seeds = [seedOf("nobody's")];
    const keys = createReplicaKeys({ backend, hasher, cluster, seeds: () => seeds });
    expect(keys.signerIn(membership)).to.equal(undefined);

    seeds.push(seedOf("replica 0"));

    expect(keys.signerIn(membership)?.self).to.equal(replicaId(0));
  });

  it("let nothing be signed by who is no member", () => {
    const observer = signerIn(keysOf("nobody's"), membership);

    expect(observer).to.equal(SILENT_SIGNER);
    expect(observer.self).to.equal(NO_MEMBER);
    expect(() => observer.sign(vote)).to.throw("observer.signs");
    const statement = { epoch, seq: seqOf(1), historyDigest: digestOf("history"), outputsRoot: digestOf("outputs") };
    expect(() => observer.signStatement(statement)).to.throw("observer.signs");
  });
});

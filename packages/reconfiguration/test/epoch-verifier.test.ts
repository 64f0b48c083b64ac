import { EpochVerifier } from "@quorate/crypto";
import {
  type Checkpoint,
  type CheckpointCertificate,
  type Digest,
  type Envelope,
  epochNumber,
  replicaId,
  sequenceNumber,
} from "@quorate/protocol";
import { ScriptedEpochs } from "@quorate/reconfiguration/testing";
import { expect } from "chai";

const ROOT = "5".repeat(64) as Digest;
const OTHER = "6".repeat(64) as Digest;

describe("EpochVerifier (protocol rule 11.4)", () => {
  /** In epoch 1 replica 0 has another key, in epoch 2 there is one more member. */
  function scene(): { script: ScriptedEpochs; certificates: CheckpointCertificate[] } {
    const script = new ScriptedEpochs();
    const certificates = [script.certify(sequenceNumber(8), ROOT)];
    script.rotateKey(replicaId(0));
    certificates.push(script.certify(sequenceNumber(100), ROOT));
    script.join();
    certificates.push(script.certify(sequenceNumber(500), ROOT));
    return { script, certificates };
  }

  it("judges each value by the members of the epoch that it names, whatever came after it", () => {
    const { script, certificates } = scene();
    const judge = new EpochVerifier(script.verifier, script.chainAt(2));
    for (const certificate of certificates)
      expect(judge.verifyCheckpointCertificate(certificate), `${certificate.epoch}`).to.deep.equal(certificate);
  });

  it("believes nothing that names another epoch than it was signed in", () => {
    const { script, certificates } = scene();
    const judge = new EpochVerifier(script.verifier, script.chainAt(2));
    for (const certificate of certificates)
      for (const epoch of [0, 1, 2].map(epochNumber))
        if (epoch !== certificate.epoch)
          expect(judge.verifyCheckpointCertificate({ ...certificate, epoch }), `${epoch}`).to.equal(undefined);
  });

  it("judges what names an epoch that is not known as soon as it is, and not before", () => {
    const { script, certificates } = scene();
    const chain = script.chainAt(1);
    const judge = new EpochVerifier(script.verifier, chain);
    const [, , last] = certificates;
    expect([judge.isKnown(last!.epoch), judge.verifyCheckpointCertificate(last!)]).to.deep.equal([false, undefined]);
    chain.add(script.links[1]!);
    expect([judge.isKnown(last!.epoch), judge.verifyCheckpointCertificate(last!)]).to.deep.equal([true, last]);
  });

  it("convicts a member by the key that it had", () => {
    const { script } = scene();
    const judge = new EpochVerifier(script.verifier, script.chainAt(2));
    const signed = (keysOf: number, stateRoot: Digest): Envelope<Checkpoint> =>
      script.signerOf(replicaId(0), keysOf).sign<Checkpoint>({
        type: "checkpoint",
        epoch: epochNumber(0),
        seq: sequenceNumber(8),
        stateRoot,
      });
    const evidenceBy = (keysOf: number) =>
      ({ type: "equivocation", first: signed(keysOf, ROOT), second: signed(keysOf, OTHER) }) as const;
    expect(judge.verifyEvidence(evidenceBy(0))).to.equal(true);
    expect(judge.verifyEvidence(evidenceBy(2)), "its later key").to.equal(false);
  });
});

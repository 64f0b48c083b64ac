import { EpochVerifier, type Verifier } from "@quorate/crypto";
import {
  type Checkpoint,
  type CheckpointCertificate,
  type CommittedEntry,
  type Digest,
  type Envelope,
  epochNumber,
  type Receipt,
  type Reply,
  replicaId,
  sequenceNumber,
} from "@quorate/protocol";
import { ScriptedEpochs } from "@quorate/reconfiguration/testing";
import { expect } from "chai";

const ROOT = "5".repeat(64) as Digest;
const OTHER = "6".repeat(64) as Digest;

/** Every signature is as it should be. */
const yesVerifier = {
  verifyCommittedEntry: (entry: unknown) => entry,
  verifyReply: (reply: unknown) => reply,
  verifyReceipt: () => true,
} as unknown as Verifier;

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

  it("believes nothing of a number that its epoch never had, whoever signed it", () => {
    const script = new ScriptedEpochs();
    const sign = (seq: number): CheckpointCertificate => script.certify(sequenceNumber(seq), ROOT);
    const stolen = [1, 5_000].map(sign);
    script.rotateKey(replicaId(0));
    const first = script.links[0]!.certificate.seq;
    const before = new EpochVerifier(script.verifier, script.chainAt(0));
    const after = new EpochVerifier(script.verifier, script.chainAt(1));
    const judged = (judge: EpochVerifier): boolean[] =>
      stolen.map((certificate) => judge.verifyCheckpointCertificate(certificate) !== undefined);
    expect(judged(before), "where its end is not known").to.deep.equal([true, true]);
    expect(judged(after)).to.deep.equal([true, false]);
    expect(after.verifyCheckpointCertificate(script.links[0]!.certificate), "the end itself").to.not.equal(undefined);

    const next = [first, first + 1].map(sign);
    expect(next.map((certificate) => after.verifyCheckpointCertificate(certificate) !== undefined)).to.deep.equal([
      false,
      true,
    ]);
  });

  for (const what of ["a batch", "a reply", "a receipt"] as const)
    it(`believes no ${what.slice(2)} of a number above the end of its epoch`, () => {
      const script = new ScriptedEpochs();
      script.rotateKey(replicaId(0));
      const end = script.links[0]!.certificate.seq;
      const judge = new EpochVerifier(yesVerifier, script.chainAt(1));
      const at = (seq: number): boolean => {
        const place = { epoch: epochNumber(0), seq: sequenceNumber(seq) };
        if (what === "a batch")
          return judge.verifyCommittedEntry({ certificate: place } as CommittedEntry) !== undefined;
        if (what === "a reply") return judge.verifyReply({ statement: place } as Reply) !== undefined;
        return judge.verifyReceipt({ statement: place } as Receipt);
      };
      expect([at(end), at(end + 1)]).to.deep.equal([true, false]);
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

import { createReplicaSigner, Verifier } from "@quorate/crypto";
import { createFakeBackend } from "@quorate/crypto/testing";
import {
  type CheckpointCertificate,
  type EpochLink,
  epochNumber,
  type ReconfigurationChange,
  replicaId,
  sequenceNumber,
} from "@quorate/protocol";
import { CONFIGURATION_KEY, EpochChain } from "@quorate/reconfiguration";
import { expect } from "chai";
import { Fixture, hasher, seedOf } from "./cluster.ts";

const backend = createFakeBackend(hasher);
const ROTATED = 60;

/** A certificate by these members of what the replica's state is at a checkpoint. */
function certificateOf(
  fixture: Fixture,
  seq: number,
  signers: readonly number[],
  epoch = 0,
  seedFor: (id: number) => number = (id) => id,
): CheckpointCertificate {
  const { stateRoot } = fixture.executor.lastCheckpoint;
  const message = { type: "checkpoint", epoch: epochNumber(epoch), seq: sequenceNumber(seq), stateRoot } as const;
  const signatures = signers.map((id) => {
    const seed = seedOf(seedFor(id));
    const signer = createReplicaSigner({ backend, seed, self: replicaId(id), cluster: fixture.cluster });
    return { from: replicaId(id), signature: signer.sign(message).signature };
  });
  return { epoch: message.epoch, seq: message.seq, stateRoot, signatures };
}

/** What a link at the last checkpoint would be. */
function linkOf(fixture: Fixture, certificate: CheckpointCertificate): EpochLink {
  const snapshot = fixture.executor.snapshotAt(certificate.seq)!;
  const record = snapshot.get(CONFIGURATION_KEY)!;
  return { certificate, record, proof: snapshot.prove(CONFIGURATION_KEY) };
}

function chainOf(fixture: Fixture): EpochChain {
  const { cluster, genesis } = fixture;
  return new EpochChain({ hasher, cluster, verifier: new Verifier({ backend, hasher, cluster }) }, genesis);
}

const rotation = (fixture: Fixture): ReconfigurationChange => ({
  type: "rotate-key",
  id: replicaId(1),
  publicKey: fixture.keyOf(ROTATED),
});

/** A replica whose member 1 signs with another key above 80. */
function rotated(): Fixture {
  const fixture = new Fixture();
  fixture.run(fixture.change(rotation(fixture), { holder: ROTATED }));
  fixture.idleTo(80);
  return fixture;
}

describe("the epoch chain (protocol rules 11.3 and 11.4)", () => {
  it("begins with genesis, and goes on with each link that the epoch before has signed", () => {
    const fixture = rotated();
    const chain = chainOf(fixture);
    const first = linkOf(fixture, certificateOf(fixture, 80, [0, 1, 2]));
    expect([chain.epoch, chain.membership.start, chain.linksAbove(epochNumber(0))]).to.deep.equal([0, undefined, []]);

    expect(chain.add(first)).to.equal("added");
    expect(chain.membership).to.deep.include({ epoch: 1, start: { seq: 80, stateRoot: first.certificate.stateRoot } });
    expect(chain.membership.members[1]?.publicKey).to.equal(fixture.keyOf(ROTATED));
    expect(chain.membershipAt(epochNumber(0))?.members[1]?.publicKey).to.equal(fixture.keyOf(1));
    expect(chain.add(first)).to.equal("known");

    fixture.run(fixture.change({ type: "parameters", checkpointInterval: 8, windowSize: 32 }, { epoch: 1 }));
    fixture.idleTo(160);
    const key = (id: number): number => (id === 1 ? ROTATED : id);
    const second = linkOf(fixture, certificateOf(fixture, 160, [0, 1, 2], 1, key));
    expect(chainOf(fixture).add(second)).to.equal("gap");
    expect(chain.add(linkOf(fixture, certificateOf(fixture, 160, [0, 1, 2], 1)))).to.equal("bad-certificate");
    expect(chain.add(second)).to.equal("added");
    expect(chain.configuration).to.deep.include({ epoch: 2, checkpointInterval: 8, windowSize: 32 });
    expect(chain.linksAbove(epochNumber(0))).to.deep.equal([first, second]);
    expect(chain.linksAbove(epochNumber(1))).to.deep.equal([second]);
    expect(chain.configurationAt(epochNumber(3))).to.equal(undefined);
  });

  it("takes no link that too few, or others, have signed", () => {
    const fixture = rotated();
    const chain = chainOf(fixture);

    for (const signers of [[0, 1], [], [0, 1, 9]])
      expect(chain.add(linkOf(fixture, certificateOf(fixture, 80, signers)))).to.equal("bad-certificate");
    const foreign = certificateOf(fixture, 80, [0, 1, 2], 0, (id) => id + 10);
    expect(chain.add(linkOf(fixture, foreign))).to.equal("bad-certificate");
    expect(chain.epoch).to.equal(0);
  });

  it("takes no record that the certified state has not", () => {
    const fixture = rotated();
    const chain = chainOf(fixture);
    const link = linkOf(fixture, certificateOf(fixture, 80, [0, 2, 3]));
    const other = new Fixture();
    other.idleTo(80);

    const record = new Uint8Array(link.record);
    record[9] = (record[9] ?? 0) ^ 1;
    expect(chain.add({ ...link, record })).to.equal("bad-proof");
    expect(chain.add({ ...link, proof: linkOf(other, link.certificate).proof })).to.equal("bad-proof");
    expect(chain.add({ ...link, proof: { excerpts: [], slots: undefined } })).to.equal("bad-proof");
    expect(chain.add(link)).to.equal("added");
  });

  it("takes no checkpoint for a link that is not an activation", () => {
    const fixture = new Fixture();
    fixture.run(fixture.change(rotation(fixture), { holder: ROTATED }));
    fixture.idleTo(64);
    const chain = chainOf(fixture);

    expect(chain.add(linkOf(fixture, certificateOf(fixture, 64, [0, 1, 2])))).to.equal("not-an-activation");
    expect(chain.epoch).to.equal(0);
  });
});

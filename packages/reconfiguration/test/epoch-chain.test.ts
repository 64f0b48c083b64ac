import { EPOCH_LINKS_MAX, epochNumber, replicaId } from "@quorate/protocol";
import { decodeConfiguration, EpochChain } from "@quorate/reconfiguration";
import { ScriptedEpochs } from "@quorate/reconfiguration/testing";
import { expect } from "chai";

const id = (number: number): ReturnType<typeof replicaId> => replicaId(number);

describe("a chain of scripted epochs", () => {
  it("is followed from genesis, whatever changes", () => {
    const script = new ScriptedEpochs();
    script.join();
    script.rotateKey(id(1));
    script.leave(id(0));
    script.idle(2);
    const chain = script.chainAt(0);

    for (const link of script.links) expect(chain.add(link)).to.equal("added");

    expect(chain.epoch).to.equal(5);
    for (let epoch = 0; epoch <= 5; epoch++)
      expect(chain.membershipAt(epochNumber(epoch)), `${epoch}`).to.deep.equal(script.membershipAt(epoch));
    expect(chain.membership.members.map((member) => member.id)).to.deep.equal([1, 2, 3, 4]);
    expect(script.membershipAt(2).members[1]?.publicKey).to.not.equal(script.membershipAt(1).members[1]?.publicKey);
    const starts = script.links.map(({ certificate }) => certificate.seq);
    expect(starts).to.deep.equal([...starts].sort((a, b) => a - b));
    expect(starts.every((seq) => seq % 16 === 0)).to.equal(true);
    expect(decodeConfiguration(script.links[4]!.record).current).to.include({ epoch: 5, windowSize: 96 });
  });

  it("is told in answers of bounded length", () => {
    const script = new ScriptedEpochs();
    script.idle(EPOCH_LINKS_MAX + 2);
    const chain = script.chainAt(EPOCH_LINKS_MAX + 2);

    expect(chain.linksAbove(epochNumber(0))).to.deep.equal(script.links.slice(0, EPOCH_LINKS_MAX));
    expect(chain.linksAbove(epochNumber(8))).to.deep.equal(script.links.slice(8));
  });

  it("does not become longer than a cluster can have epochs", () => {
    const script = new ScriptedEpochs();
    script.idle(3);
    const chain = new EpochChain(script.judge, script.genesis, { epochsMax: 2 });
    expect(script.links.map((link) => chain.add(link))).to.deep.equal(["added", "added", "too-many"]);
    expect(chain.epoch).to.equal(2);
  });

  it("is not followed by links that are forged, and a link of another epoch is told apart", () => {
    const script = new ScriptedEpochs();
    script.rotateKey(id(3));
    script.idle(2);
    const chain = script.chainAt(1);
    const earlier = new ScriptedEpochs();
    earlier.rotateKey(id(3));
    const [known, next, later] = script.links;

    expect(chain.add(known!)).to.equal("known");
    expect(chain.add(later!)).to.equal("gap");
    for (const forgery of [
      { signers: [0, 1].map(id) },
      { signers: [0, 1, 1].map(id) },
      { signers: [1, 2, 3].map(id), keysOf: 0 },
    ])
      expect(chain.add(earlier.linkTo({}, forgery)), JSON.stringify(forgery)).to.equal("bad-certificate");
    expect(chain.add({ ...next!, record: earlier.linkTo({ windowSize: 32 }).record })).to.equal("bad-proof");
    expect(chain.add(earlier.linkTo({ epoch: epochNumber(1) }))).to.equal("not-an-activation");
    expect(chain.epoch).to.equal(1);
    expect(chain.add(earlier.linkTo({}, { signers: [1, 2, 3].map(id) }))).to.equal("added");
  });
});

import { type EpochLink, epochNumber, replicaId } from "@quorate/protocol";
import { EpochChain, type TrustedEpoch, TrustedEpochError } from "@quorate/reconfiguration";
import { ScriptedEpochs } from "@quorate/reconfiguration/testing";
import { expect } from "chai";

/** All four members have other keys in epoch 4. */
function rotated(): ScriptedEpochs {
  const script = new ScriptedEpochs();
  for (const id of [0, 1, 2, 3]) script.rotateKey(replicaId(id));
  return script;
}

describe("a chain that begins with a trusted epoch (protocol rule 11.4)", () => {
  const script = rotated();
  const document = script.chainAt(4).trusted!;
  const bare: TrustedEpoch = { ...document, links: [] };
  /** Whoever has got hold of the keys of genesis makes epochs of its own. */
  const thief = new ScriptedEpochs({ backend: script.backend, hasher: script.hasher });
  for (let i = 0; i < 6; i++) thief.join();
  const chainFrom = (from: TrustedEpoch): EpochChain => new EpochChain(script.judge, script.genesis, { from });

  it("knows what the epoch fixes, and goes on from there", () => {
    const longer = rotated();
    longer.join();
    longer.idle(1);
    for (const from of [document, bare]) {
      const chain = chainFrom(from);
      expect(chain.epoch).to.equal(4);
      expect(chain.membership).to.deep.equal(script.membershipAt(4));
      expect(longer.links.slice(4).map((link) => chain.add(link))).to.deep.equal(["added", "added"]);
      expect(chain.membershipAt(epochNumber(5))?.members).to.have.length(5);
      expect(chain.linksAbove(epochNumber(4))).to.deep.equal(longer.links.slice(4));
      expect(chain.configurationAt(epochNumber(6))?.epoch).to.equal(6);
    }
  });

  it("is led nowhere else by keys of earlier epochs, as one that begins with genesis can be", () => {
    const steal = (chain: EpochChain): unknown[] => thief.links.map((link) => chain.add(link));
    expect(steal(script.chainAt(0))).to.deep.equal(Array(6).fill("added"));
    for (const from of [document, bare]) {
      const chain = chainFrom(from);
      const verdicts = steal(chain);
      expect(verdicts).to.deep.equal([...Array(4).fill("known"), "bad-certificate", "gap"]);
      expect(chain.membership).to.deep.equal(script.membershipAt(4));
    }
  });

  it("judges what was signed before only with the links, and tells nobody of what it cannot show", () => {
    const [known, unknown] = [chainFrom(document), chainFrom(bare)];
    for (const epoch of [0, 1, 2, 3].map(epochNumber)) {
      expect(known.membershipAt(epoch)).to.deep.equal(script.membershipAt(epoch));
      expect(known.linksAbove(epoch)).to.deep.equal(script.links.slice(epoch));
      expect(unknown.membershipAt(epoch)).to.equal(undefined);
      expect(unknown.linksAbove(epoch)).to.deep.equal([]);
      expect(unknown.linksTo(epoch)).to.deep.equal([]);
    }
    expect(known.linksTo(epochNumber(4))).to.deep.equal(script.links);
  });

  it("gives the document of its last epoch to others: with the links, where it has them all", () => {
    expect(script.chainAt(0).trusted, "of genesis there is none").to.equal(undefined);
    expect(document.links).to.deep.equal(script.links);
    expect(chainFrom(document).trusted).to.deep.equal(document);
    expect(chainFrom(bare).trusted).to.deep.equal(bare);
    const longer = rotated();
    longer.join();
    const chain = chainFrom(bare);
    chain.add(longer.links[4]!);
    expect(chain.trusted).to.deep.equal({ ...longer.chainAt(5).trusted, links: [] });
  });

  it("does not begin with what is no later epoch of this cluster, or not that of its links", () => {
    const refuses = (from: TrustedEpoch, message: RegExp): void => {
      expect(() => chainFrom(from)).to.throw(TrustedEpochError, message);
    };
    const [first, second, ...rest] = script.links as [EpochLink, EpochLink, ...EpochLink[]];
    refuses({ ...document, links: [second, first, ...rest] }, /its links do not lead beyond epoch 0/);
    refuses({ ...document, links: [first, second] }, /its links lead to another one/);
    refuses({ ...document, links: thief.links.slice(0, 4) }, /its links lead to another one/);
    refuses({ ...document, start: { ...document.start, seq: thief.links[0]!.certificate.seq } }, /lead to another one/);
    refuses({ ...bare, record: bare.record.subarray(1) }, /does not read|cannot be/);
    refuses({ ...bare, record: new Uint8Array(0) }, /does not read/);
    const zero = new Uint8Array(bare.record);
    zero.fill(0, 0, 8);
    refuses({ ...bare, record: zero }, /its epoch is 0/);
  });
});

import { type EpochLink, epochNumber, replicaId } from "@quorate/protocol";
import type { EpochChain } from "@quorate/reconfiguration";
import type { ScriptedEpochs } from "@quorate/reconfiguration/testing";
import { createMemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import { EpochDamage, readEpochs, writeEpochLink } from "../dist/epoch-records.js";
import { noteChange } from "../dist/noted-changes.js";
import { cluster, codec, genesis, hasher, newScript, newVerifier, seqOf } from "./builders.ts";

type Local = ReturnType<typeof createMemoryStore>["local"];

function storeWith(links: readonly EpochLink[]): Local {
  const { local } = createMemoryStore();
  for (const link of links) writeEpochLink(local, codec, link);
  return local;
}

function read(local: Local): EpochChain {
  return readEpochs(local, { genesis, codec, hasher, cluster, verifier: newVerifier() });
}

/** Three epochs: another key, a joiner, another window. */
function script(): ScriptedEpochs {
  const epochs = newScript();
  epochs.rotateKey(replicaId(2));
  epochs.join();
  epochs.idle(1);
  return epochs;
}

describe("the epoch chain on the disk (protocol rule 11.3)", () => {
  it("is that of genesis where nothing is written", () => {
    const chain = read(createMemoryStore().local);
    expect([chain.epoch, chain.link]).to.deep.equal([0, undefined]);
  });

  it("is read back as it was proven, in the order of the epochs, not of the writes", () => {
    const epochs = script();
    const chain = read(storeWith([...epochs.links].reverse()));
    expect(chain.linksAbove(epochNumber(0))).to.deep.equal(epochs.links);
    for (const epoch of [0, 1, 2, 3])
      expect(chain.membershipAt(epochNumber(epoch))).to.deep.equal(epochs.membershipAt(epoch));
    expect(chain.configuration).to.deep.include({ epoch: 3, windowSize: genesis.windowSize + 8 });
  });

  it("has nothing of what stands beside it", () => {
    const local = storeWith(script().links);
    noteChange(local, seqOf(4));
    local.write([{ key: new TextEncoder().encode("host/epochs"), value: Uint8Array.of(1) }]);
    expect(read(local).epoch).to.equal(3);
  });

  it("goes on above 256, where a number needs another byte", () => {
    const epochs = newScript();
    epochs.idle(257);
    expect(read(storeWith(epochs.links)).epoch).to.equal(257);
  }).timeout(20_000);

  for (const { what, broken } of [
    { what: "one is missing", broken: ([first, , third]: EpochLink[]) => [first, third] },
    { what: "the first is missing", broken: ([, second]: EpochLink[]) => [second] },
    {
      what: "one is signed with the keys of another epoch",
      broken: ([first]: EpochLink[]) => {
        const epochs = newScript();
        epochs.rotateKey(replicaId(0));
        return [first, epochs.linkTo({}, { keysOf: 0 })];
      },
    },
  ])
    it(`is no chain where ${what}: this replica did not write that`, () => {
      const links = broken([...script().links]).filter((link) => link !== undefined);
      expect(() => read(storeWith(links))).to.throw(
        EpochDamage,
        /^the link that begins epoch \d is damaged on this disk: /,
      );
    });

  it("is none where bytes have changed on the disk", () => {
    const local = storeWith([]);
    const other = storeWith(script().links);
    for (const [key, value] of other.range(Uint8Array.of(0), Uint8Array.of(255)))
      local.write([{ key: new Uint8Array(key), value: value.subarray(1) }]);
    expect(() => read(local)).to.throw(EpochDamage, /^the link that begins epoch \d is damaged on this disk: /);
  });

  it("tells what is known below a damaged link, and which epoch was the last", () => {
    const [first, , third] = script().links;
    const local = storeWith([first!, third!]);
    let damage: unknown;
    try {
      read(local);
    } catch (error) {
      damage = error;
    }
    expect(damage).to.be.instanceOf(EpochDamage);
    const { known, last } = damage as EpochDamage;
    expect([known.epoch, known.link, last]).to.deep.equal([1, first, 3]);
  });
});

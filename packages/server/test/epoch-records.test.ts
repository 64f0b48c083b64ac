import { EPOCHS_MAX, type EpochLink, epochNumber, replicaId } from "@quorate/protocol";
import type { EpochChain } from "@quorate/reconfiguration";
import type { ScriptedEpochs } from "@quorate/reconfiguration/testing";
import { RecoveryError } from "@quorate/server/host";
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

  for (const { what, broken } of [
    { what: "one is missing", broken: ([first, , third]: EpochLink[]) => [first, third] },
    { what: "the first is missing", broken: ([, second]: EpochLink[]) => [second] },
  ])
    it(`is lost where ${what}: how many there were is not known`, () => {
      const links = broken([...script().links]).filter((link) => link !== undefined);
      expect(() => read(storeWith(links))).to.throw(RecoveryError, /is lost; .*init --lost-disk/);
    });

  for (const changed of [
    [0, 0, 0, 0, 0, 0, 0, 9],
    [0, 0, 0, 0, 0, 1, 0, 3],
    [0x80, 0, 0, 0, 0, 0, 0, 3],
    [0, 0, 0, 0, 0, 0, 3],
  ])
    it(`is lost where the number of the last one has become ${changed}: nobody has that epoch to give`, () => {
      const local = storeWith(script().links);
      const [key, value] = [...local.range(Uint8Array.of(0), Uint8Array.of(255))].at(-1)!;
      const prefix = key.subarray(0, key.length - 8);
      local.write([
        { key: new Uint8Array(key), value: undefined },
        { key: Uint8Array.of(...prefix, ...changed), value: new Uint8Array(value) },
      ]);
      expect(() => read(local)).to.throw(RecoveryError, /is lost; .*init --lost-disk/);
    });

  it("is lost where there are more records than a cluster has epochs", () => {
    const [link] = script().links;
    const records = Array.from({ length: EPOCHS_MAX + 1 }, (_, place): [Uint8Array, Uint8Array] => {
      const key = new Uint8Array(19);
      key.set(new TextEncoder().encode("host/epoch/"));
      new DataView(key.buffer).setUint32(15, place + 1);
      return [key, codec.encodeEpochLink(link!)];
    });
    expect(() => read({ ...storeWith([]), range: () => records } as never)).to.throw(RecoveryError, /is lost/);
    expect(() => read({ ...storeWith([]), range: () => records.slice(1) } as never)).to.throw(RecoveryError);
    expect(() => read({ ...storeWith([]), range: () => records.slice(0, -1) } as never)).to.throw(EpochDamage);
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
    const local = storeWith(script().links);
    const [, [key]] = [...local.range(Uint8Array.of(0), Uint8Array.of(255))] as [unknown, [Uint8Array]];
    local.write([{ key: new Uint8Array(key), value: codec.encodeEpochLink(third!) }]);
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

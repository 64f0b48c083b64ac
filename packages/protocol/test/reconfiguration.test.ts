import {
  acceptedChangeToBytes,
  activationOf,
  bytesToAcceptedChange,
  bytesToRefusal,
  epochNumber,
  genesisConfiguration,
  possessedKeyOf,
  REFUSAL_CODES,
  type ReconfigurationRefusal,
  refusalToBytes,
  replicaId,
  sequenceNumber,
} from "@quorate/protocol";
import { expect } from "chai";
import { genesisWith, keyOf, membersOf } from "./builders.ts";

describe("The result of a reconfiguration", () => {
  it("says which epoch begins where", () => {
    for (const [epoch, activation] of [
      [1, 1_024],
      [2 ** 32 + 1, Number.MAX_SAFE_INTEGER],
    ] as const) {
      const change = { epoch: epochNumber(epoch), activation: sequenceNumber(activation) };
      expect(bytesToAcceptedChange(acceptedChangeToBytes(change))).to.deep.equal(change);
    }
  });

  it("says nothing when it is of another length, or no counter", () => {
    const value = acceptedChangeToBytes({ epoch: epochNumber(1), activation: sequenceNumber(2) });
    for (const other of [value.subarray(1), Uint8Array.of(...value, 0), value.with(0, 0xff), value.with(8, 0xff)])
      expect(bytesToAcceptedChange(other)).to.equal(undefined);
  });

  it("says why it was refused, and nothing for a reason of the future", () => {
    for (const refusal of Object.keys(REFUSAL_CODES) as ReconfigurationRefusal[])
      expect(bytesToRefusal(refusalToBytes(refusal))).to.equal(refusal);
    for (const other of [Uint8Array.of(), Uint8Array.of(0), Uint8Array.of(255), Uint8Array.of(1, 1)])
      expect(bytesToRefusal(other)).to.equal(undefined);
  });
});

describe("The activation of a change", () => {
  // Written out by hand from protocol rule 11.2: the smallest multiple of K at or above n+L.
  for (const [ordered, k, l, activation] of [
    [1, 8, 16, 24],
    [8, 8, 16, 24],
    [9, 8, 16, 32],
    [16, 8, 16, 32],
    [1_000, 128, 512, 1_536],
    [1_024, 128, 512, 1_536],
    [1_025, 128, 512, 1_664],
  ] as const)
    it(`is ${activation} when ordered at ${ordered} with K = ${k} and L = ${l}`, () => {
      expect(activationOf(sequenceNumber(ordered), { checkpointInterval: k, windowSize: l })).to.equal(activation);
    });
});

describe("A configuration", () => {
  it("of genesis has its members in ascending order, whatever the document's", () => {
    const genesis = genesisWith({ members: membersOf(4).reverse() });

    const { epoch, members, admins, checkpointInterval, windowSize } = genesisConfiguration(genesis);

    expect([epoch, members]).to.deep.equal([0, membersOf(4)]);
    expect(admins).to.deep.equal(genesis.admins);
    expect([checkpointInterval, windowSize]).to.deep.equal([genesis.checkpointInterval, genesis.windowSize]);
  });
});

describe("The key that a change brings in", () => {
  it("is the joiner's or a member's new one, and there is none in other changes", () => {
    const member = { id: replicaId(9), publicKey: keyOf(1), address: "h:1" };
    const checkpoint = { seq: sequenceNumber(8), stateRoot: keyOf(3) as never };

    expect(possessedKeyOf({ type: "join", member, checkpoint })).to.equal(keyOf(1));
    expect(possessedKeyOf({ type: "rotate-key", id: replicaId(0), publicKey: keyOf(2) })).to.equal(keyOf(2));
    expect(possessedKeyOf({ type: "admit", client: keyOf(2) })).to.equal(undefined);
    expect(possessedKeyOf({ type: "admins", admins: { threshold: 1, keys: [keyOf(2)] } })).to.equal(undefined);
  });
});

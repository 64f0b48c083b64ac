import {
  type Configuration,
  digest,
  epochNumber,
  publicKey,
  type ReconfigurationChange,
  replicaId,
  sequenceNumber,
} from "@quorate/protocol";
import { type ConfigurationRecord, shownChange } from "@quorate/reconfiguration";
import { expect } from "chai";

const key = (byte: number): ReturnType<typeof publicKey> => publicKey(byte.toString(16).padStart(2, "0").repeat(32));
const member = (id: number, byte = id): Configuration["members"][number] => ({
  id: replicaId(id),
  publicKey: key(byte),
  address: `127.0.0.1:${7000 + id}`,
});
const LOSS = digest("11".repeat(32));
const A = sequenceNumber(112);
const CURRENT: Configuration = {
  epoch: epochNumber(3),
  members: [0, 1, 2, 4].map((id) => member(id)),
  admins: { threshold: 2, keys: [key(100), key(101), key(102)] },
  checkpointInterval: 16,
  windowSize: 64,
};
const RECORD: ConfigurationRecord = {
  current: CURRENT,
  highestId: replicaId(4),
  pending: undefined,
  rejoins: [{ id: replicaId(1), loss: LOSS, ordered: sequenceNumber(40) }],
};
const checkpoint = { seq: sequenceNumber(32), stateRoot: LOSS };
const inOtherOrder = [key(102), key(100), key(101)];

describe("What the beginning of an epoch shows of a change", () => {
  const made: readonly ReconfigurationChange[] = [
    { type: "join", member: member(4), checkpoint },
    { type: "leave", id: replicaId(3), mayLowerFaultThreshold: true },
    { type: "rejoin", id: replicaId(1), loss: LOSS },
    { type: "rotate-key", id: replicaId(2), publicKey: key(2) },
    { type: "admins", admins: { threshold: 2, keys: inOtherOrder } },
    { type: "parameters", checkpointInterval: 16, windowSize: 64 },
  ];
  for (const change of made)
    it(`is that a ${change.type} is in force, from that epoch on`, () => {
      expect(shownChange(RECORD, change, A)).to.deep.equal({ epoch: 3, activation: 112 });
    });

  const absent: readonly (readonly [string, ReconfigurationChange])[] = [
    ["a join of another key", { type: "join", member: member(4, 5), checkpoint }],
    ["a join at another address", { type: "join", member: { ...member(4), address: "127.0.0.1:1" }, checkpoint }],
    ["a join of another id", { type: "join", member: { ...member(4), id: replicaId(5) }, checkpoint }],
    ["a leave of who is there", { type: "leave", id: replicaId(2), mayLowerFaultThreshold: true }],
    ["a rejoin after another loss", { type: "rejoin", id: replicaId(1), loss: digest("22".repeat(32)) }],
    ["a rejoin of another member", { type: "rejoin", id: replicaId(2), loss: LOSS }],
    ["a rotation to another key", { type: "rotate-key", id: replicaId(2), publicKey: key(9) }],
    ["a rotation of another member", { type: "rotate-key", id: replicaId(1), publicKey: key(2) }],
    ["another threshold", { type: "admins", admins: { threshold: 1, keys: inOtherOrder } }],
    ["fewer admins", { type: "admins", admins: { threshold: 2, keys: inOtherOrder.slice(1) } }],
    ["another admin", { type: "admins", admins: { threshold: 2, keys: [key(100), key(101), key(103)] } }],
    ["another interval", { type: "parameters", checkpointInterval: 8, windowSize: 64 }],
    ["another window", { type: "parameters", checkpointInterval: 16, windowSize: 32 }],
  ];
  for (const [what, change] of absent)
    it(`is that ${what} is not in force`, () => {
      expect(shownChange(RECORD, change, A)).to.equal("absent");
    });

  it("is where a change of admins comes into force that was queued behind a rejoining member", () => {
    const admins = { threshold: 1, keys: [key(103)] };
    const next = { ...CURRENT, epoch: epochNumber(4), admins };
    const pending = { ordered: sequenceNumber(113), activation: sequenceNumber(192), next };
    const record = { ...RECORD, pending: { ...pending, rejoins: undefined, queued: undefined } };

    expect(shownChange(record, { type: "admins", admins }, A)).to.deep.equal({ epoch: 4, activation: 192 });
    expect(shownChange(record, { type: "leave", id: replicaId(2), mayLowerFaultThreshold: true }, A)).to.equal(
      "absent",
    );
  });

  it("is nothing of clients, who are not in it", () => {
    for (const type of ["admit", "expel"] as const)
      expect(shownChange(RECORD, { type, client: key(1) }, A)).to.equal(undefined);
  });
});

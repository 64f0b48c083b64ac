import { type ReconfigurationChange, replicaId, timestampMs, type VerifiedRequest } from "@quorate/protocol";
import { createMemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import { forgetChanges, mayBeginEpoch, noteChange, notedChanges } from "../dist/noted-changes.js";
import { changeOf, clientOf, composer, digestOf, genesis, requestOf, seqOf } from "./builders.ts";

const batchOf = (...requests: VerifiedRequest[]) => composer.compose(timestampMs(1), requests).batch;
const { publicKey } = clientOf("somebody");
const checkpoint = { seq: seqOf(8), stateRoot: digestOf("root") };
const member = { id: replicaId(4), publicKey, address: "127.0.0.1:7104" };

const CHANGES: readonly (readonly [ReconfigurationChange, boolean])[] = [
  [{ type: "join", member, checkpoint }, true],
  [{ type: "leave", id: replicaId(3), mayLowerFaultThreshold: true }, true],
  [{ type: "rejoin", id: replicaId(3), loss: digestOf("loss") }, true],
  [{ type: "rotate-key", id: replicaId(3), publicKey }, true],
  [{ type: "admins", admins: genesis.admins }, true],
  [{ type: "parameters", checkpointInterval: 4, windowSize: 8 }, true],
  [{ type: "admit", client: publicKey }, false],
  [{ type: "expel", client: publicKey }, false],
];

describe("batches that may begin an epoch (protocol rules 10.2 and 11.2)", () => {
  for (const [change, may] of CHANGES)
    it(`${may ? "are" : "are not"} those with a change of type ${change.type}`, () => {
      expect(mayBeginEpoch(batchOf(requestOf("first"), changeOf(change)))).to.equal(may);
    });

  it("are none of those without any", () => {
    expect([mayBeginEpoch(batchOf()), mayBeginEpoch(batchOf(requestOf("one")))]).to.deep.equal([false, false]);
  });

  const NOTED = [5, 9, 255, 256, 70_000];
  function noted(): ReturnType<typeof createMemoryStore>["local"] {
    const { local } = createMemoryStore();
    for (const seq of [...NOTED].reverse()) noteChange(local, seqOf(seq));
    local.write([{ key: new TextEncoder().encode("host/changed"), value: Uint8Array.of(1) }]);
    return local;
  }

  it("are found by their numbers, ascending, above a number and not at it", () => {
    const local = noted();
    expect(notedChanges(local, seqOf(0))).to.deep.equal(NOTED);
    expect(notedChanges(local, seqOf(5))).to.deep.equal(NOTED.slice(1));
    expect(notedChanges(local, seqOf(255))).to.deep.equal([256, 70_000]);
    expect(notedChanges(local, seqOf(70_000))).to.deep.equal([]);
  });

  it("are forgotten up to a number and at it, and none above", () => {
    const local = noted();
    forgetChanges(local, seqOf(8));
    expect(notedChanges(local, seqOf(0))).to.deep.equal(NOTED.slice(1));
    forgetChanges(local, seqOf(256));
    expect(notedChanges(local, seqOf(0))).to.deep.equal([70_000]);
    expect(local.get(new TextEncoder().encode("host/changed")), "nothing else").to.deep.equal(Uint8Array.of(1));
  });

  it("cost no write where there is nothing to forget", () => {
    const { local, disk } = createMemoryStore();
    noteChange(local, seqOf(9));
    forgetChanges(local, seqOf(8));
    expect(disk.unflushedGroups).to.equal(1);
  });
});

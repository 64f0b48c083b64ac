import type { ProcessStatus, ReplicaFolder } from "@quorate/server";
import { expect } from "chai";
import { type JoinStep, joinStepOf } from "../dist/cli/join-command.js";

const folder = { config: { listen: "[::]:7000", advertise: "spare.example:7000" } } as ReplicaFolder;
const observer = { members: 2, membersNeeded: 2, checkpointsBehind: 0 };
const peers = [{ isConnected: false }, { isConnected: true }] as unknown as ProcessStatus["peers"];

function stepOf(change: Partial<ProcessStatus>, member?: number): JoinStep {
  const status = { replica: null, epoch: 3, peers, lowWatermark: 16, isStranded: false, observer, ...change };
  return joinStepOf(status as unknown as ProcessStatus, folder, member);
}

describe("what `quorate join` says", () => {
  for (const [step, change] of [
    ["alone", { peers: [] }],
    ["fetching", { transfer: { target: 64 } }],
    ["stranded", { isStranded: true }],
    ["waiting", { lowWatermark: 0 }],
    ["following", { observer: { ...observer, members: 1 } }],
    ["following", { observer: { ...observer, checkpointsBehind: 5 } }],
    ["level", {}],
    ["level", { observer: { ...observer, checkpointsBehind: 4 } }],
    ["member", { replica: 4 }],
  ] as const)
    it(`is that it is ${step}: ${JSON.stringify(change)}`, () => {
      expect(stepOf(change as never).step).to.equal(step);
    });

  it("is, of one that was a member, that it has left, and when it may be stopped", () => {
    const left = stepOf({ mayStop: false }, 4);
    const dispensable = stepOf({ mayStop: true }, 4);

    expect([left.step, dispensable.step]).to.deep.equal(["left", "dispensable"]);
    expect(left.text).to.match(/^left: replica 4 is no member any more in epoch 3; it may be stopped once /);
    expect(dispensable.text).to.match(/^left: replica 4 is no member any more in epoch 3, .*: it may be stopped$/);
    expect(stepOf({ replica: 5 as never }, 4).step, "again, by another id").to.equal("member");
  });

  it("names, once it is level, the command that makes it a member, with the address that others dial", () => {
    expect(stepOf({}).text).to.match(/\n {2}quorate members add --from spare\.example:7000$/);
  });
});

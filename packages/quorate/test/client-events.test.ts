import { type Membership, replicaId, viewNumber } from "@quorate/protocol";
import { ScriptedEpochs } from "@quorate/reconfiguration/testing";
import { expect } from "chai";
import { StandingEvents } from "../dist/client-events.js";

const [R0, R1] = [replicaId(0), replicaId(1)];

describe("The events of a client", () => {
  it("tell what has changed, and nothing twice", () => {
    const { membership } = new ScriptedEpochs().chainAt(0);
    const next: Membership = { ...membership, epoch: (membership.epoch + 1) as Membership["epoch"] };
    const start = { membership, view: viewNumber(0), primary: R0, linked: [], isUp: false };
    const events = new StandingEvents(start);
    const told: unknown[] = [];
    for (const type of ["view", "epoch", "up", "down"] as const)
      events.target.addEventListener(type, (event) => told.push([event.type, event.detail]));

    events.onStanding({ ...start });
    expect(told).to.be.empty;
    events.onStanding({ ...start, linked: [R0] });
    expect(told, "a link that is not enough").to.be.empty;
    const up = { ...start, linked: [R0, R1], isUp: true };
    for (let i = 0; i < 2; i++) events.onStanding(up);
    const moved = { ...up, view: viewNumber(1), primary: R1 };
    for (let i = 0; i < 2; i++) events.onStanding(moved);
    for (let i = 0; i < 2; i++) events.onStanding({ ...moved, membership: next });
    events.onStanding({ ...moved, membership: next, linked: [], isUp: false });

    expect(told).to.deep.equal([
      ["up", { linked: [R0, R1] }],
      ["view", { epoch: membership.epoch, view: 1, primary: R1 }],
      ["epoch", { membership: next }],
      ["view", { epoch: next.epoch, view: 1, primary: R1 }],
      ["down", { linked: [] }],
    ]);
  });
});

import type { TurnedAwayReason } from "@quorate/client-proxy";
import { replicaId } from "@quorate/protocol";
import { expect } from "chai";
import { ClientRig } from "./client-rig.ts";
import { replyOf } from "./fakes.ts";

function turnAway(rig: ClientRig, count: number, reason: TurnedAwayReason = "not-admitted"): void {
  for (const replica of rig.ids.slice(0, count))
    rig.run({ type: "link-down", replica }, { type: "turned-away", replica, reason });
}

describe("A client that replicas turn away", () => {
  for (const [reason, code] of [
    ["not-admitted", "client.not-admitted"],
    ["wrong-cluster", "client.wrong-cluster"],
  ] as const)
    it(`fails its calls as ${code} as soon as f+1 members say so, and not before`, () => {
      const rig = new ClientRig(7);
      rig.submit(1);

      turnAway(rig, rig.f, reason);
      expect(rig.outcomes.size).to.equal(0);
      turnAway(rig, rig.f + 1, reason);

      expect(rig.failure(1)).to.include({ code, effect: "none" });
    });

  it("fails a later call at once", () => {
    const rig = new ClientRig();
    turnAway(rig, rig.f + 1);

    rig.submit(1);

    expect(rig.failure(1).code).to.equal("client.not-admitted");
  });

  it("does not add up different reasons", () => {
    const rig = new ClientRig(7);
    rig.submit(1);

    for (const [index, replica] of rig.ids.slice(0, 4).entries())
      rig.run({ type: "turned-away", replica, reason: index % 2 === 0 ? "not-admitted" : "wrong-cluster" });

    expect(rig.outcomes.size).to.equal(0);
  });

  it("does not believe strangers, or one member that says it twice", () => {
    const rig = new ClientRig();
    rig.submit(1);
    const [replica] = rig.ids;

    for (let i = 0; i < 3; i++) rig.run({ type: "turned-away", replica: replica!, reason: "not-admitted" });
    for (const id of [17, 18, 19]) rig.run({ type: "turned-away", replica: replicaId(id), reason: "not-admitted" });

    expect(rig.outcomes.size).to.equal(0);
  });

  it("does not believe f+1 members while as many serve it", () => {
    const rig = ClientRig.open(4);
    rig.submit(1);
    const request = rig.takeSent()[0]!.request;

    turnAway(rig, rig.f + 1);
    expect(rig.outcomes.size).to.equal(0);
    const executed = rig.execution.execute(request)!;
    for (const id of rig.ids.slice(rig.f + 1)) rig.reply(replyOf(id, executed));

    expect(rig.result(1).result.status).to.equal("ok");
  });

  it("says that a call on the way may have executed", () => {
    const rig = ClientRig.open(4);
    rig.submit(1);

    turnAway(rig, 4);

    expect(rig.failure(1)).to.include({ code: "client.not-admitted", effect: "unknown" });
  });

  it("is served again when members take it", () => {
    const rig = new ClientRig();
    turnAway(rig, 4);
    for (const id of rig.ids) rig.welcome(id);

    rig.submit(1);
    for (let i = 0; i < 2; i++) for (const { request } of rig.takeSent()) rig.answer(request);

    expect(rig.result(1).result.status).to.equal("ok");
  });
});

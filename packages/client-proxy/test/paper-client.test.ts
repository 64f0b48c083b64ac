import { quorumSize, type ReplicaId } from "@quorate/protocol";
import { expect } from "chai";
import { ClientRig } from "./client-rig.ts";
import { replyOf } from "./fakes.ts";

const targets = (rig: ClientRig): readonly ReplicaId[] => rig.takeSent().map(({ to }) => to);

describe("The paper (OSDI'99), §4.1, the client:", () => {
  it("§4.1: it sends its request to what it believes to be the current primary", () => {
    const rig = ClientRig.open();
    rig.submit(1);
    expect(targets(rig)).to.deep.equal([0]);
  });

  it("§4.1: replies carry the view, by which it tracks the view and so the primary; one replica's word is not enough", () => {
    const rig = ClientRig.open();
    rig.submit(1);
    const executed = rig.execution.execute(rig.takeSent()[0]!.request)!;
    rig.reply({ ...replyOf(rig.ids[0]!, executed), view: 1 as never });
    rig.reply(replyOf(rig.ids[1]!, executed));
    rig.submit(2);
    expect(targets(rig), "one says view 1").to.deep.equal([0]);
    const again = ClientRig.open();
    again.submit(1);
    const other = again.execution.execute(again.takeSent()[0]!.request)!;
    for (const id of again.ids.slice(2)) again.reply({ ...replyOf(id, other), view: 1 as never });
    again.submit(2);
    expect(targets(again), "f+1 say view 1").to.deep.equal([1]);
  });

  it("§4.1: it waits for f+1 replies with valid signatures from different replicas with the same result", () => {
    const rig = ClientRig.open(7);
    rig.submit(1);
    const executed = rig.execution.execute(rig.takeSent()[0]!.request)!;
    const wrong = { ...executed, results: executed.results.map((result) => ({ ...result, value: Uint8Array.of(9) })) };
    rig.reply(replyOf(rig.ids[0]!, executed));
    rig.reply(replyOf(rig.ids[0]!, executed));
    rig.reply(replyOf(rig.ids[1]!, wrong));
    rig.reply(replyOf(rig.ids[2]!, wrong));
    rig.reply(replyOf(rig.ids[3]!, executed));
    expect(rig.outcomes.size, "two and two of them agree, and f is two").to.equal(0);
    rig.reply(replyOf(rig.ids[4]!, executed));
    expect(rig.result(1).result.value).to.deep.equal(executed.results[0]!.value);
  });

  it("§4.1: ... and for no more, though others say something else", () => {
    const rig = ClientRig.open();
    rig.submit(1);
    const executed = rig.execution.execute(rig.takeSent()[0]!.request)!;
    rig.reply(replyOf(rig.ids[2]!, executed));
    rig.reply(replyOf(rig.ids[3]!, executed));
    expect(rig.result(1).result.status).to.equal("ok");
    expect(quorumSize(rig.chain.membership), "a quorum is more than that").to.equal(3);
  });

  it("§4.1: if it gets no replies soon enough it broadcasts the request to all replicas, the same bytes", () => {
    const rig = ClientRig.open(4, { resendAfterMs: 100 });
    rig.submit(1);
    const [first] = rig.takeSent();
    rig.pass(100);
    const again = rig.takeSent();
    expect(again.map(({ to }) => to)).to.deep.equal(rig.ids);
    for (const { request } of again) expect(request).to.equal(first?.request);
  });

  it("§4.1: what orders its requests totally and executes each once is in the request: here session and number", () => {
    const rig = ClientRig.open();
    const numbers: number[] = [];
    for (const call of [1, 2, 3]) {
      rig.submit(call);
      for (const { request } of rig.takeSent()) {
        if (request.type === "operations") numbers.push(request.number);
        rig.answer(request);
      }
    }
    expect(numbers).to.deep.equal([1, 2, 3]);
  });

  it("§4.1, departure: several of its requests may be out at once", () => {
    const rig = ClientRig.open();
    rig.submit(1);
    rig.submit(2);
    expect(rig.takeSent().map(({ request }) => request.type === "operations" && request.number)).to.deep.equal([1, 2]);
  });
});

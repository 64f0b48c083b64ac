import { DEFAULT_LIMITS } from "@quorate/protocol";
import { expect } from "chai";
import { ClientRig, operationsOf } from "./client-rig.ts";
import { replyOf } from "./fakes.ts";

const calls = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

describe("Packing", () => {
  it("sends the first operation at once and packs those that come while it is on the way", () => {
    const rig = ClientRig.open(4, { requestsOutstandingMax: 1 });

    for (const call of calls(10)) rig.submit(call);
    const [first, ...none] = rig.takeSent();
    rig.answer(first!.request);
    const [second] = rig.takeSent();

    expect(none).to.be.empty;
    expect(operationsOf(first!)).to.have.length(1);
    expect(operationsOf(second!)).to.have.length(9);
  });

  it("puts operations submitted in one step into one request", () => {
    const rig = ClientRig.open();

    rig.run(...calls(100).map((call) => ({ type: "submit", call, operation: Uint8Array.of(call) }) as const));

    const sent = rig.takeSent();
    expect(sent).to.have.length(1);
    expect(operationsOf(sent[0]!)).to.have.length(100);
  });

  it("submits again, in order, what a full reply postponed, and settles the rest", () => {
    const rig = ClientRig.open();
    rig.execution.resultsMax = 3;

    rig.run(...calls(10).map((call) => ({ type: "submit", call, operation: Uint8Array.of(call) }) as const));
    rig.answer(rig.takeSent()[0]!.request);
    const settledFirst = [...rig.outcomes.keys()];
    rig.run({ type: "cancel", call: 5 });
    rig.answerAll();

    expect(settledFirst).to.deep.equal([1, 2, 3]);
    expect(rig.execution.log).to.deep.equal(["01", "02", "03", "04", "05", "06", "07", "08", "09", "0a"]);
    for (const call of [4, 6, 10]) expect(rig.result(call).result.status, `call ${call}`).to.equal("ok");
    expect(rig.core.occupancy).to.include({ waitingOperations: 0, waitingBytes: 0, sentOperations: 0 });
  });

  it("believes no output whose first operation is postponed, or with a result after a postponed one", () => {
    const rig = ClientRig.open();
    const empty = new Uint8Array(0);
    rig.run(...calls(3).map((call) => ({ type: "submit", call, operation: Uint8Array.of(call) }) as const));
    const executed = rig.execution.execute(rig.takeSent()[0]!.request)!;

    for (const statuses of [
      ["postponed", "postponed", "postponed"],
      ["ok", "postponed", "ok"],
    ] as const)
      for (const id of rig.ids)
        rig.reply(replyOf(id, { ...executed, results: statuses.map((status) => ({ status, value: empty })) }));

    expect(rig.outcomes.size).to.equal(0);
  });

  it("keeps 100 outstanding operations in few requests when each answer brings the next operation", () => {
    const rig = ClientRig.open();
    const total = 10_000;
    const outstanding = 100;
    let next = 1;
    let requests = 0;
    const submitFreed = (): void => {
      while (next <= total && next - 1 - rig.outcomes.size < outstanding) rig.submit(next++);
    };

    submitFreed();
    for (let sent = rig.takeSent(); sent.length > 0; sent = rig.takeSent())
      for (const { request } of sent) {
        requests++;
        rig.answer(request);
        submitFreed();
      }

    expect(rig.outcomes.size).to.equal(total);
    expect(total / requests).to.be.greaterThan(20);
  });

  it("numbers requests contiguously and executes operations in the order of their submit", () => {
    const rig = ClientRig.open();

    for (const call of calls(200)) rig.submit(call);
    const numbers: number[] = [];
    for (let sent = rig.takeSent(); sent.length > 0; sent = rig.takeSent())
      for (const { request } of sent) {
        numbers.push(request.type === "operations" ? request.number : -1);
        rig.answer(request);
      }

    expect(numbers).to.deep.equal(numbers.map((_, i) => i + 1));
    expect(rig.execution.log).to.deep.equal(calls(200).map((call) => `${call.toString(16).padStart(2, "0")}00`));
    for (const call of calls(200)) expect(rig.result(call).result.value[0], `call ${call}`).to.equal(call);
  });

  it("keeps a request within the limits on operations and on bytes", () => {
    const limits = { ...DEFAULT_LIMITS, requestOperationsMax: 7, requestBytesMax: 1024 };
    const rig = ClientRig.open(4, { limits });

    for (const call of calls(20)) rig.submit(call, new Uint8Array(10).fill(call));
    for (const call of calls(20)) rig.submit(100 + call, new Uint8Array(400).fill(call));
    const sizes: [number, number][] = [];
    for (let sent = rig.takeSent(); sent.length > 0; sent = rig.takeSent())
      for (const one of sent) {
        sizes.push([operationsOf(one).length, operationsOf(one).reduce((sum, o) => sum + o.length, 0)]);
        rig.answer(one.request);
      }

    expect(rig.outcomes.size).to.equal(40);
    expect(Math.max(...sizes.map(([operations]) => operations))).to.equal(7);
    expect(Math.max(...sizes.map(([, bytes]) => bytes))).to.be.within(800, 1024);
  });

  it("never runs further ahead of an unanswered request than the session remembers", () => {
    const limits = { ...DEFAULT_LIMITS, sessionWindow: 3 };
    const rig = ClientRig.open(4, { limits, requestsOutstandingMax: 3 });
    rig.submit(1);
    const [first] = rig.takeSent();
    rig.execution.execute(first!.request);

    for (const call of calls(50)) rig.submit(1 + call);
    rig.answerAll();
    expect(rig.core.occupancy.requestsOutstanding).to.equal(1);
    expect(rig.core.occupancy.waitingOperations).to.be.greaterThan(0);

    rig.answer(first!.request);
    rig.answerAll();
    expect(rig.outcomes.size).to.equal(51);
  });
});

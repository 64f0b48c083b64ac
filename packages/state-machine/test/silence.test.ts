import { epochNumber, NO_MEMBER, type Signer, sequenceNumber } from "@quorate/protocol";
import { expect } from "chai";
import { Fixture } from "./cluster.ts";

describe("execution after a quarantine (protocol rule 9.5)", () => {
  it("signs and answers nothing up to its end, and then as always, with the same digests", () => {
    const [silent, other] = [new Fixture({ silentUpTo: sequenceNumber(2) }), new Fixture()];
    const alice = silent.client(1);
    const session = other.open(alice);
    silent.run(alice.register(0, 50));

    const [first, second] = [alice.operate(session, 1, "x"), alice.operate(session, 2, "y")];
    const executions = [silent, other].map((fixture) => [fixture.run(first), fixture.run(second)]);

    expect(executions.map(([early, late]) => [early?.replies.length, late?.replies.length])).to.deep.equal([
      [0, 1],
      [1, 1],
    ]);
    expect(silent.executor.executionDigest).to.equal(other.executor.executionDigest);
    expect(silent.executor.stateRoot()).to.equal(other.executor.stateRoot());
    expect(silent.executor.standing(first).type, "it is answered, by others").to.equal("answered");
    expect(silent.executor.replyTo(first)).to.equal(undefined);
    expect(silent.executor.replyTo(second)?.signature).to.have.length(64);
  });

  it("signs and answers nothing in another epoch than the one that its key is of, nor as no member, with the same digests", () => {
    const observer: Signer = {
      self: NO_MEMBER,
      sign: () => expect.fail("a message is signed"),
      signStatement: () => expect.fail("a statement is signed"),
    };
    const other = new Fixture();
    const alice = other.client(1);
    const session = other.open(alice);
    const request = alice.operate(session, 1, "x");
    other.run(request);
    for (const silent of [new Fixture({ signer: observer }), new Fixture({ signsIn: epochNumber(1) })]) {
      silent.run(alice.register(0, 50));
      expect(silent.run(request).replies).to.deep.equal([]);
      expect(silent.executor.replyTo(request)).to.equal(undefined);
      expect(silent.executor.executionDigest).to.equal(other.executor.executionDigest);
      expect(silent.executor.stateRoot()).to.equal(other.executor.stateRoot());
    }
  });

  it("two replicas that put out something else once never have one execution digest again", () => {
    const [one, two] = [new Fixture(), new Fixture({ service: { execute: () => Uint8Array.of(7) } })];
    const alice = one.client(1);
    const session = one.open(alice);
    two.open(alice);
    expect(one.executor.executionDigest, "a registration").to.equal(two.executor.executionDigest);

    one.run(alice.operate(session, 1, "x"));
    two.run(alice.operate(session, 1, "x"));
    expect(one.executor.executionDigest).to.not.equal(two.executor.executionDigest);
    one.run();
    two.run();
    expect(one.executor.executionDigest).to.not.equal(two.executor.executionDigest);
    expect(one.executor.historyDigest).to.equal(two.executor.historyDigest);
  });
});

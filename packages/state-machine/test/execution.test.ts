import { outputLeafOf, rootFromPath } from "@quorate/crypto";
import { createFakeBackend } from "@quorate/crypto/testing";
import { outputLeafPreimage, sequenceNumber, statementPreimage } from "@quorate/protocol";
import { GENESIS_HISTORY_DIGEST, genesisStateRoot, type Service } from "@quorate/state-machine";
import { expect } from "chai";
import { bytesOf, Fixture, hasher, resultsOf, seedOf, shown } from "./cluster.ts";

describe("execution of batches", () => {
  it("starts at genesis with a root that is known beforehand", () => {
    const { executor, genesis, cluster } = new Fixture();

    expect(executor.executed).to.equal(0);
    expect(executor.timestampMs).to.equal(0);
    expect(executor.historyDigest).to.equal(GENESIS_HISTORY_DIGEST);
    expect(executor.stateRoot()).to.equal(genesisStateRoot(hasher, genesis, cluster));
    expect(executor.verifyStateRoot()).to.equal(true);
  });

  it("executes the operations of a request in order and signs one statement for the batch", () => {
    const fixture = new Fixture();
    const alice = fixture.client(1);
    const bob = fixture.client(2);
    const a = fixture.open(alice);
    const b = fixture.open(bob);

    const execution = fixture.run(alice.operate(a, 1, "x", "y"), bob.operate(b, 1, "z"), alice.operate(a, 2, "w"));

    expect(execution.replies.map(({ reply }) => shown(reply))).to.deep.equal([
      ["ok x", "ok xy"],
      ["ok xyz"],
      ["ok xyzw"],
    ]);
    expect(execution.replies.map(({ client }) => client)).to.deep.equal([alice.key, bob.key, alice.key]);
    expect(execution.progress.sessions).to.deep.equal([
      { client: alice.key, session: a, expected: 3 },
      { client: bob.key, session: b, expected: 2 },
    ]);
    expect(fixture.executor.verifyStateRoot()).to.equal(true);
  });

  it("gives every reply a path to the root of a statement that the replica signed", () => {
    const fixture = new Fixture();
    const alice = fixture.client(1);
    const a = fixture.open(alice);
    const backend = createFakeBackend(hasher);

    const { replies, statement } = fixture.run(...[1, 2, 3, 4, 5].map((n) => alice.operate(a, n, "x")));

    expect(replies).to.have.length(5);
    for (const { reply } of replies) {
      const leaf = outputLeafPreimage(outputLeafOf(hasher, reply));
      expect(rootFromPath(hasher, leaf, reply.path), `number ${reply.number}`).to.equal(statement.outputsRoot);
      expect(reply.statement).to.deep.equal(statement);
    }
    const preimage = statementPreimage(fixture.cluster, statement);
    expect(backend.verify(backend.publicKeyOf(seedOf(0)), preimage, replies[0]!.reply.signature)).to.equal(true);
  });

  it("advances the history and keeps the time at a null batch, without outputs or a signature", () => {
    const fixture = new Fixture();
    fixture.executor.execute(sequenceNumber(1), fixture.batch([fixture.client(1).register(0, 10)], 5000));
    const before = fixture.executor.historyDigest;

    const execution = fixture.executor.execute(sequenceNumber(2), fixture.batch([], 0));

    expect(execution.timestampMs).to.equal(5000);
    expect(execution.historyDigest).to.not.equal(before);
    expect(execution.replies).to.deep.equal([]);
    expect(execution.progress).to.deep.equal({ answered: [], sessions: [], evicted: [], lastCheckpoint: 0 });
  });

  it("takes the greater of the batch's time and the last one", () => {
    const seen: number[] = [];
    const clock: Service = {
      execute: (_operation, _state, context) => {
        seen.push(context.timestampMs);
        return bytesOf("");
      },
    };
    const fixture = new Fixture({ service: clock });
    const alice = fixture.client(1);
    const a = fixture.open(alice);

    const times = [2000, 1500, 3000];
    times.forEach((atMs, i) => {
      fixture.executor.execute(sequenceNumber(2 + i), fixture.batch([alice.operate(a, 1 + i, "t")], atMs));
    });

    expect(seen).to.deep.equal([2000, 2000, 3000]);
    expect(fixture.executor.timestampMs).to.equal(3000);
  });

  it("shows each operation its sequence number, its client and a seed of its own", () => {
    const seen: string[] = [];
    const spy: Service = {
      execute: (_operation, _state, { seq, client, seed }) => {
        seen.push(`${seq} ${client} ${seed}`);
        return bytesOf("");
      },
    };
    const run = (): void => {
      const fixture = new Fixture({ service: spy });
      const alice = fixture.client(1);
      const a = fixture.open(alice);
      fixture.run(alice.operate(a, 1, "x", "x"), alice.operate(a, 2, "x"));
      fixture.run(alice.operate(a, 3, "x"));
      for (const line of seen) expect(line).to.include(alice.key);
    };

    run();
    const first = seen.splice(0);
    run();

    expect(new Set(first.map((line) => line.split(" ")[2])).size).to.equal(4);
    expect(first.map((line) => line.split(" ")[0])).to.deep.equal(["2", "2", "2", "3"]);
    expect(seen).to.deep.equal(first);
  });

  it("refuses to execute out of order, and changes nothing", () => {
    const fixture = new Fixture();
    const root = fixture.executor.stateRoot();

    for (const seq of [0, 2]) {
      expect(() => fixture.executor.execute(sequenceNumber(seq), fixture.batch([])), `seq ${seq}`).to.throw(
        "execution.order",
      );
    }

    expect(fixture.executor.stateRoot()).to.equal(root);
  });

  it("gives a request that a batch orders twice one output", () => {
    const fixture = new Fixture();
    const alice = fixture.client(1);
    const a = fixture.open(alice);
    const request = alice.operate(a, 1, "x");

    const execution = fixture.run(request, request);

    expect(resultsOf(execution)).to.deep.equal(["ok x"]);
    expect(execution.progress.answered).to.deep.equal([request.digest]);
  });

  it("has another root for another content at the same number, and the same for the same log", () => {
    const roots = ["x", "y", "x"].map((text) => {
      const fixture = new Fixture();
      const alice = fixture.client(1);
      fixture.run(alice.operate(fixture.open(alice), 1, text));
      return fixture.executor.stateRoot();
    });

    expect(roots[0]).to.equal(roots[2]);
    expect(roots[0]).to.not.equal(roots[1]);
  });
});

import {
  bytesToHex,
  type DigestedCertifiedBatch,
  type DigestedRequest,
  hexToBytes,
  sequenceNumber,
} from "@quorate/protocol";
import type { Execution } from "@quorate/state-machine";
import { unsealed } from "@quorate/state-tree";
import { expect } from "chai";
import fc from "fast-check";
import { bytesOf, Fixture, hasher, seedOf, shown } from "./cluster.ts";

/** A log that opens sessions, evicts one, fails, retries, reuses and jumps ahead. */
function eventfulLog(): { readonly fixture: () => Fixture; readonly batches: readonly DigestedCertifiedBatch[] } {
  const fixture = (): Fixture => new Fixture({ limits: { sessionsMax: 3, sessionWindow: 2, sessionsPerClientMax: 3 } });
  const maker = fixture();
  const [alice, bob] = [maker.client(1), maker.client(2)];
  const batches: DigestedCertifiedBatch[] = [];
  const run = (...requests: readonly DigestedRequest[]): Execution => {
    const batch = maker.batch(requests, requests.length === 0 ? 0 : 1000 + batches.length);
    batches.push(batch);
    return maker.executor.execute(sequenceNumber(batches.length), batch);
  };
  const opened = run(alice.register(0, 6), alice.register(1, 6), bob.register(0, 6));
  const [a, b, c] = opened.replies.map(({ reply }) => reply.session) as [never, never, never];
  run(alice.operate(a, 1, "x", "y!"), bob.operate(c, 1, "z"), alice.operate(b, 2, "ahead"));
  run(alice.operate(a, 2, "w"), alice.operate(a, 1, "x", "y!"), alice.operate(a, 1, "other"));
  run();
  run(bob.register(1, 20), alice.operate(b, 1, "gone?"));
  run(alice.operate(a, 3, "v"), alice.operate(a, 1, "x", "y!"), alice.register(0, 6));
  run();
  run(bob.register(2, 20), bob.operate(c, 2, "u"));
  return { fixture, batches };
}

describe("recovery and replay", () => {
  it("makes the same outputs, state and outputs' signatures whether or not it restarts after each batch", () => {
    const { fixture, batches } = eventfulLog();
    const steady = fixture();
    const restarted = fixture();

    batches.forEach((batch, i) => {
      const expected = steady.executor.execute(sequenceNumber(i + 1), batch);
      const got = restarted.executor.execute(sequenceNumber(i + 1), batch);
      expect(got, `batch ${i + 1}`).to.deep.equal(expected);
      restarted.restart();
      expect(restarted.executor.stateRoot(), `batch ${i + 1}`).to.equal(steady.executor.stateRoot());
      expect(restarted.executor.executed).to.equal(i + 1);
      expect(restarted.executor.timestampMs).to.equal(steady.executor.timestampMs);
      expect(restarted.executor.historyDigest).to.equal(steady.executor.historyDigest);
    });

    expect(restarted.executor.verifyStateRoot()).to.equal(true);
    expect([...restarted.store.state.entries].sort()).to.deep.equal([...steady.store.state.entries].sort());
    expect([...restarted.store.local.entries].sort()).to.deep.equal([...steady.store.local.entries].sort());
  });

  it("gives replicas of different keys the same state and statements", () => {
    const { fixture, batches } = eventfulLog();
    const one = fixture();
    const two = fixture();
    const other = two.executorOver(two.store, 2);

    batches.forEach((batch, i) => {
      const first = one.executor.execute(sequenceNumber(i + 1), batch);
      const second = other.execute(sequenceNumber(i + 1), batch);
      expect(second.statement).to.deep.equal(first.statement);
      expect(other.stateRoot()).to.equal(one.executor.stateRoot());
    });
  });

  it("replies again, the same bytes, also after a restart", () => {
    const fixture = new Fixture();
    const alice = fixture.client(1);
    const registration = alice.register(0, 20);
    const opened = fixture.run(registration).replies[0]!.reply;
    const requests = [1, 2, 3].map((n) => alice.operate(opened.session, n, "x", "y!"));
    const reused = alice.operate(opened.session, 3, "other");
    const { replies } = fixture.run(...requests, reused);

    for (const moment of ["before a restart", "after it"]) {
      [...requests, reused].forEach((request, i) => {
        expect(fixture.executor.standing(request), moment).to.deep.equal({ type: "answered" });
        expect(fixture.executor.replyTo(request), moment).to.deep.equal(replies[i]!.reply);
      });
      expect(fixture.executor.replyTo(registration), moment).to.deep.equal(opened);
      fixture.restart();
    }
  });

  it("replies with the newest statement when a request was ordered again", () => {
    const fixture = new Fixture();
    const alice = fixture.client(1);
    const a = fixture.open(alice);
    const request = alice.operate(a, 1, "x");
    fixture.run(request);
    fixture.run(request);

    const reply = fixture.executor.replyTo(request)!;

    expect(reply.statement.seq).to.equal(3);
    expect(shown(reply)).to.deep.equal(["ok x"]);
  });

  it("forgets the outputs at and below the low watermark and keeps those above", () => {
    const fixture = new Fixture();
    const alice = fixture.client(1);
    const a = fixture.open(alice);
    const [first, second, reused] = [
      alice.operate(a, 1, "x"),
      alice.operate(a, 2, "y"),
      alice.operate(a, 1, "other"),
    ] as const;
    fixture.run(first, reused);
    fixture.run(second);

    fixture.executor.collect(sequenceNumber(0), sequenceNumber(2));

    for (const moment of ["before a restart", "after it"]) {
      expect(fixture.executor.standing(first), moment).to.deep.equal({ type: "answer-lost" });
      expect(fixture.executor.replyTo(first), moment).to.equal(undefined);
      expect(fixture.executor.standing(reused), moment).to.deep.equal({ type: "refusable" });
      expect(fixture.executor.standing(second), moment).to.deep.equal({ type: "answered" });
      fixture.restart();
    }
    const outputs = [...fixture.store.local.entries.keys()].filter((key) =>
      key.startsWith(bytesToHex(bytesOf("output/"))),
    );
    expect(outputs).to.have.length(1);
    expect(fixture.run(first).replies.map(({ reply }) => shown(reply))).to.deep.equal([["ok x"]]);
    expect(fixture.executor.standing(first)).to.deep.equal({ type: "answered" });
  });

  it("does not touch the state when it forgets outputs", () => {
    const fixture = new Fixture();
    const alice = fixture.client(1);
    fixture.run(alice.operate(fixture.open(alice), 1, "x"));
    const root = fixture.executor.stateRoot();

    fixture.executor.collect(sequenceNumber(0), sequenceNumber(2));
    fixture.restart();

    expect(fixture.executor.stateRoot()).to.equal(root);
    expect(fixture.executor.verifyStateRoot()).to.equal(true);
  });
});

describe("where a request stands", () => {
  it("follows its session", () => {
    const fixture = new Fixture({ limits: { sessionWindow: 2 } });
    const alice = fixture.client(1);
    const registration = alice.register(0, 8);
    expect(fixture.executor.standing(registration)).to.deep.equal({ type: "executable" });
    const a = fixture.run(registration).replies[0]!.reply.session;
    expect(fixture.executor.standing(registration)).to.deep.equal({ type: "answered" });

    const requests = [1, 2, 3, 4].map((n) => alice.operate(a, n, "x"));
    expect(fixture.executor.standing(requests[0]!)).to.deep.equal({ type: "executable" });
    expect(fixture.executor.standing(requests[2]!)).to.deep.equal({ type: "ahead", expected: 1 });
    for (const request of requests) fixture.run(request);

    const standings = requests.map((request) => fixture.executor.standing(request).type);
    expect(standings, "numbers 1 and 2 have left the window").to.deep.equal([
      "refusable",
      "refusable",
      "answered",
      "answered",
    ]);
    expect(fixture.executor.replyTo(requests[0]!)).to.equal(undefined);
    fixture.executor.collect(sequenceNumber(0), sequenceNumber(5));
    expect(fixture.executor.standing(registration)).to.deep.equal({ type: "answer-lost" });
  });

  it("is refusable for what execution will refuse, until it has", () => {
    const fixture = new Fixture();
    const alice = fixture.client(1);
    const a = fixture.open(alice);
    const stranger = fixture.client(2).operate(a, 7, "x");

    expect(fixture.executor.standing(stranger)).to.deep.equal({ type: "refusable" });
    fixture.run(stranger);
    expect(fixture.executor.standing(stranger)).to.deep.equal({ type: "answered" });
    expect(shown(fixture.executor.replyTo(stranger)!)).to.deep.equal(["session-unknown"]);
  });
});

/** What is appended when each session executes its numbers in their order, each once. */
function logOf(requests: readonly { readonly session: number; readonly number: number }[]): string {
  const next = new Map<number, number>();
  let log = "";
  for (const { session, number } of requests) {
    if ((next.get(session) ?? 1) !== number) continue;
    log += `${session}${number}.`;
    next.set(session, number + 1);
  }
  return log;
}

describe("requests of several sessions in any order", () => {
  it("are executed exactly once, in the order of their numbers, and leave the same state everywhere", () => {
    const SESSIONS = 3;
    const NUMBERS = 6;
    const place = fc.record({
      session: fc.integer({ min: 0, max: SESSIONS - 1 }),
      number: fc.integer({ min: 1, max: NUMBERS }),
      restart: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(fc.array(place, { maxLength: 8 }), { maxLength: 12 }), (script) => {
        const fixture = new Fixture({ limits: { sessionWindow: 2 } });
        const replica = new Fixture({ limits: { sessionWindow: 2 } });
        const clients = Array.from({ length: SESSIONS }, (_, i) => fixture.client(i));
        const sessions = clients.map((client) => fixture.open(client));
        for (const client of clients) replica.open(client);
        for (const places of script) {
          const requests = places.map(({ session, number }) =>
            clients[session]!.operate(sessions[session]!, number, `${session}${number}.`),
          );
          fixture.run(...requests);
          replica.run(...requests);
          if (places.some(({ restart }) => restart)) replica.restart();
        }

        const key = hexToBytes("016c6f67");
        const stored = fixture.store.state.get(key);
        const log = stored === undefined ? undefined : unsealed(hasher, key, stored);
        expect(new TextDecoder().decode(log)).to.equal(logOf(script.flat()));
        expect(replica.executor.stateRoot()).to.equal(fixture.executor.stateRoot());
        expect(replica.executor.verifyStateRoot()).to.equal(true);
      }),
      { numRuns: 60 },
    );
  });

  it("evicts alike at every replica, whatever registers and uses sessions", () => {
    const event = fc.record({ client: fc.integer({ min: 0, max: 3 }), use: fc.nat({ max: 20 }), opens: fc.boolean() });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (script) => {
        const limits = { sessionsMax: 4, sessionsPerClientMax: 3, sessionWindow: 2 };
        const fixture = new Fixture({ limits });
        const replica = new Fixture({ limits });
        const opened: { readonly client: number; readonly session: never; next: number }[] = [];

        script.forEach(({ client, use, opens }, i) => {
          const known = opened[use % Math.max(1, opened.length)];
          const request =
            opens || known === undefined
              ? fixture.client(client).register(i, fixture.executor.executed + 1 + (use % 6))
              : fixture.client(known.client).operate(known.session, known.next, ".");
          const { reply } = fixture.run(request).replies[0]!;
          replica.run(request);
          replica.restart();
          const { status } = reply.results[0]!;
          if (request.request.type === "registration" && status === "ok")
            opened.push({ client, session: reply.session as never, next: 1 });
          else if (status === "ok" && known !== undefined) known.next++;
          expect(replica.executor.stateRoot(), `event ${i}`).to.equal(fixture.executor.stateRoot());
        });

        expect(replica.executor.verifyStateRoot()).to.equal(true);
        const keys = [...fixture.store.state.entries.keys()];
        const open = keys.filter((key) => key.startsWith("03")).length;
        expect(open).to.be.at.most(limits.sessionsMax);
        expect(keys.filter((key) => key.startsWith("09"))).to.have.length(open);
      }),
      { numRuns: 40 },
    );
  });
});

describe("the signature of a statement", () => {
  it("is another replica's own", () => {
    const fixture = new Fixture();
    const request = fixture.client(1).register(0, 5);
    const mine = fixture.run(request).replies[0]!.reply;
    const other = new Fixture();
    const theirs = other.executorOver(other.store, 3).execute(sequenceNumber(1), other.batch([request])).replies[0]!;

    expect(theirs.reply.from).to.equal(3);
    expect(theirs.reply.statement).to.deep.equal(mine.statement);
    expect(theirs.reply.signature).to.not.deep.equal(mine.signature);
    expect(seedOf(3)).to.not.deep.equal(seedOf(0));
  });
});

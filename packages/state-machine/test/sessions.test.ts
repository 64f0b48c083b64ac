import { sessionIdOf } from "@quorate/crypto";
import { type DigestedRequest, digest, type Limits, sequenceNumber, sessionId } from "@quorate/protocol";
import { CLIENTS_MOVED_PER_BATCH_MAX } from "@quorate/state-machine";
import { expect } from "chai";
import { type Client, Fixture, hasher, resultsOf, textOf } from "./cluster.ts";

const NO_SESSION = sessionId("0".repeat(64));

function statusOf(fixture: Fixture, request: DigestedRequest): string {
  return fixture.run(request).replies[0]?.reply.results[0]?.status ?? "no output";
}

describe("registration of sessions", () => {
  it("names a session by its key, nonce, number and place in the batch", () => {
    const fixture = new Fixture();
    const alice = fixture.client(1);
    const bob = fixture.client(2);

    const { replies } = fixture.run(alice.register(5, 10), bob.register(5, 10));

    const expected = [alice, bob].map(({ key }, index) =>
      sessionIdOf(hasher, fixture.cluster, key, digest("5".padStart(64, "0")), sequenceNumber(1), index),
    );
    expect(replies.map(({ reply }) => reply.session)).to.deep.equal(expected);
    expect(replies.map(({ reply }) => Buffer.from(reply.results[0]!.value).toString("hex"))).to.deep.equal(expected);
    expect(replies.map(({ reply }) => reply.number)).to.deep.equal([0, 0]);
  });

  it("gives a repeated registration its session again and opens no second", () => {
    const fixture = new Fixture();
    const alice = fixture.client(1);
    const request = alice.register(0, 30);
    const first = fixture.run(request).replies[0]!.reply;
    fixture.run(alice.operate(first.session, 1, "x"));

    const again = fixture.run(request);

    expect(again.replies[0]!.reply.session).to.equal(first.session);
    expect(again.replies[0]!.reply.statement.seq).to.equal(3);
    expect(statusOf(fixture, alice.operate(first.session, 2, "y"))).to.equal("ok");
  });

  const V = 20;
  for (const { at, lastValid, status } of [
    { at: 5, lastValid: 5, status: "ok" },
    { at: 5, lastValid: 4, status: "registration-expired" },
    { at: 5, lastValid: 5 + V, status: "ok" },
    { at: 5, lastValid: 6 + V, status: "registration-too-far" },
  ]) {
    it(`ends in ${status} at number ${at} when it is valid to ${lastValid} and V is ${V}`, () => {
      const fixture = new Fixture({ limits: { registrationValidityMax: V } });
      fixture.idleTo(at - 1);

      const { replies } = fixture.run(fixture.client(1).register(0, lastValid));

      expect(replies[0]!.reply.results[0]!.status).to.equal(status);
      expect(replies[0]!.reply.session === NO_SESSION).to.equal(status !== "ok");
    });
  }

  it("refuses a key that is not admitted, registration and operations alike", () => {
    const [alice, eve] = [1, 2].map((n) => new Fixture().client(n));
    const fixture = new Fixture({ clients: [alice!.key] });
    const session = fixture.open(fixture.client(1));

    expect(eve!.key).to.equal(fixture.client(2).key);
    expect(fixture.executor.standing(fixture.client(2).register(0, 10)).type, "of eve").to.equal("refusable");
    expect(fixture.executor.standing(fixture.client(1).register(1, 10)).type, "of alice").to.equal("executable");
    expect(statusOf(fixture, fixture.client(2).register(0, 10))).to.equal("client-not-admitted");
    expect(statusOf(fixture, fixture.client(2).operate(session, 1, "x"))).to.equal("client-not-admitted");
    expect(statusOf(fixture, fixture.client(1).operate(session, 1, "x"))).to.equal("ok");
  });

  it("forgets a nonce past its validity, and then refuses its registration as expired", () => {
    const fixture = new Fixture();
    const alice = fixture.client(1);
    const request = alice.register(0, 4);
    fixture.run(request);
    fixture.idleTo(3);

    expect(statusOf(fixture, request)).to.equal("ok");
    expect(statusOf(fixture, request)).to.equal("registration-expired");
    expect(fixture.executor.verifyStateRoot()).to.equal(true);
  });
});

describe("the quota of a client key", () => {
  const limits: Partial<Limits> = { sessionsPerClientMax: 3 };

  function openThree(fixture: Fixture, alice: Client, lastValid: number): readonly string[] {
    return [0, 1, 2].map((nonce) => fixture.run(alice.register(nonce, lastValid)).replies[0]!.reply.session);
  }

  it("refuses one more while the nonces of all are remembered, and no other key", () => {
    const fixture = new Fixture({ limits });
    const alice = fixture.client(1);
    openThree(fixture, alice, 30);

    expect(statusOf(fixture, alice.register(3, 30))).to.equal("registration-quota");
    expect(statusOf(fixture, alice.register(2, 30)), "a repeat").to.equal("ok");
    expect(statusOf(fixture, fixture.client(2).register(3, 30))).to.equal("ok");
  });

  it("gives up the key's own least recently used session once its nonce may be forgotten", () => {
    const fixture = new Fixture({ limits });
    const alice = fixture.client(1);
    const [first, second, third] = openThree(fixture, alice, 5).map(sessionId);
    fixture.run(alice.operate(first!, 1, "a"));
    fixture.idleTo(6);

    const fourth = fixture.run(alice.register(3, 30)).replies[0]!.reply;

    expect(fourth.results[0]!.status).to.equal("ok");
    expect(statusOf(fixture, alice.operate(second!, 1, "b")), "least recently used").to.equal("session-unknown");
    expect(statusOf(fixture, alice.operate(first!, 2, "c"))).to.equal("ok");
    expect(statusOf(fixture, alice.operate(third!, 1, "d"))).to.equal("ok");
    expect(fixture.executor.verifyStateRoot()).to.equal(true);
  });

  it("counts the remembered nonce of an evicted session", () => {
    const fixture = new Fixture({ limits: { sessionsPerClientMax: 2, sessionsMax: 2 } });
    const [alice, bob] = [fixture.client(1), fixture.client(2)];
    fixture.run(alice.register(0, 30));
    fixture.run(alice.register(1, 30));
    fixture.run(bob.register(0, 30));

    expect(statusOf(fixture, alice.register(0, 30)), "evicted by bob's").to.equal("session-unknown");
    expect(statusOf(fixture, alice.register(2, 30))).to.equal("registration-quota");
  });

  it("bounds the nonces remembered in the whole cluster", () => {
    const fixture = new Fixture({ limits: { sessionsMax: 1 } });

    const statuses = [1, 2, 3, 4, 5].map((n) => statusOf(fixture, fixture.client(n).register(0, 8)));
    fixture.idleTo(8);

    expect(statuses).to.deep.equal(["ok", "ok", "ok", "ok", "registration-quota"]);
    expect(statusOf(fixture, fixture.client(6).register(0, 20)), "after their validity").to.equal("ok");
  });
});

describe("eviction of sessions", () => {
  it("takes the least recently used session of the key that has most", () => {
    const fixture = new Fixture({ limits: { sessionsMax: 4 } });
    const [alice, bob, carol] = [1, 2, 3].map((n) => fixture.client(n)) as [Client, Client, Client];
    const bobs = fixture.open(bob);
    const [a1, a2, a3] = [1, 2, 3].map((nonce) => fixture.open(alice, nonce));
    fixture.run(alice.operate(a1!, 1, "x"));

    fixture.open(carol);

    expect(statusOf(fixture, alice.operate(a2!, 1, "x"))).to.equal("session-unknown");
    for (const [client, session, number] of [
      [bob, bobs, 1],
      [alice, a1!, 2],
      [alice, a3!, 1],
    ] as const)
      expect(statusOf(fixture, client.operate(session, number, "x"))).to.equal("ok");
    expect(fixture.executor.verifyStateRoot()).to.equal(true);
  });

  it("of keys with equally many sessions takes the one used least recently, whatever the keys", () => {
    for (const idle of [0, 1, 2]) {
      const fixture = new Fixture({ limits: { sessionsMax: 3 } });
      const byKey = [1, 2, 3].map((n) => fixture.client(n)).sort((a, b) => (a.key < b.key ? -1 : 1));
      const sessions = byKey.map((client) => fixture.open(client));
      for (const [at, client] of byKey.entries()) if (at !== idle) fixture.run(client.operate(sessions[at]!, 1, "x"));

      fixture.open(fixture.client(4));

      const statuses = byKey.map((client, at) => statusOf(fixture, client.operate(sessions[at]!, 2, "x")));
      expect(statuses, `${idle}`).to.deep.equal([0, 1, 2].map((at) => (at === idle ? "session-unknown" : "ok")));
      expect(fixture.executor.verifyStateRoot(), `${idle}`).to.equal(true);
    }
  });

  it("a swarm of fresh keys does not push out a session that is used between as many registrations as there is room", () => {
    const fixture = new Fixture({ limits: { sessionsMax: 4 } });
    const honest = fixture.client(0);
    const session = fixture.open(honest);
    const statuses = Array.from({ length: 12 }, (_, round) => {
      for (const n of [1, 2, 3]) fixture.run(fixture.client(3 * round + n).register(0, fixture.executor.executed + 10));
      fixture.idleTo(fixture.executor.executed + 20);
      return statusOf(fixture, honest.operate(session, round + 1, "x"));
    });

    expect(new Set(statuses)).to.deep.equal(new Set(["ok"]));
    expect(fixture.executor.verifyStateRoot()).to.equal(true);
  });

  it("refuses a registration rather than look for long who may give way, and goes on with the next batch", () => {
    const sessionsMax = CLIENTS_MOVED_PER_BATCH_MAX + 1;
    const fixture = new Fixture({ limits: { sessionsMax } });
    const clients = Array.from({ length: sessionsMax }, (_, n) => fixture.client(n));
    const opened = fixture.run(...clients.map((client) => client.register(0, 10)));
    const sessions = opened.replies.map(({ reply }) => reply.session);
    fixture.run(...clients.map((client, at) => client.operate(sessions[at]!, 1, "")));

    const newcomer = fixture.client(sessionsMax).register(0, 10);
    expect([statusOf(fixture, newcomer), statusOf(fixture, newcomer)]).to.deep.equal(["registration-quota", "ok"]);
    const again = fixture.run(...clients.map((client, at) => client.operate(sessions[at]!, 2, "")));
    const evicted = again.replies.filter(({ reply }) => reply.results[0]!.status === "session-unknown");
    expect([again.replies.length, evicted.length]).to.deep.equal([sessionsMax, 1]);
  });

  it("leaves nothing of an evicted session in the state but its nonce", () => {
    const fixture = new Fixture({ limits: { sessionsMax: 1, sessionWindow: 2 } });
    const alice = fixture.client(1);
    const a = fixture.open(alice);
    for (const number of [1, 2, 3]) fixture.run(alice.operate(a, number, "x"));

    fixture.open(fixture.client(2));

    const hex = [...fixture.store.state.entries].filter(([key]) => key.includes(a));
    expect(hex).to.deep.equal([]);
    expect([...fixture.store.state.entries.keys()].filter((key) => key.startsWith("04"))).to.deep.equal([]);
  });

  it("is told with the batch, so that nobody waits for what would only be refused", () => {
    const fixture = new Fixture({ limits: { sessionsMax: 1 } });
    const alice = fixture.client(1);
    const session = fixture.open(alice);
    const { progress } = fixture.run(fixture.client(2).register(0, 40));
    expect(progress.evicted).to.deep.equal([{ client: alice.key, session }]);
  });

  it("answers requests of an evicted session with session-unknown, also its own registration", () => {
    const fixture = new Fixture({ limits: { sessionsMax: 1 } });
    const alice = fixture.client(1);
    const registration = alice.register(0, 40);
    const a = fixture.run(registration).replies[0]!.reply.session;
    fixture.open(fixture.client(2));

    expect(statusOf(fixture, alice.operate(a, 1, "x"))).to.equal("session-unknown");
    expect(statusOf(fixture, registration)).to.equal("session-unknown");
  });
});

describe("request numbers", () => {
  it("executes only the expected number, answers executed ones again and has no output for those ahead", () => {
    const fixture = new Fixture({ limits: { sessionWindow: 2 } });
    const alice = fixture.client(1);
    const a = fixture.open(alice);
    const requests = ["a", "b", "c", "d"].map((text, i) => alice.operate(a, i + 1, text));
    for (const request of requests) fixture.run(request);

    const ahead = fixture.run(alice.operate(a, 6, "f"));
    const cached = fixture.run(requests[2]!);

    expect(ahead.replies).to.deep.equal([]);
    expect(ahead.progress).to.deep.equal({ answered: [], sessions: [], evicted: [], lastCheckpoint: 0 });
    expect(resultsOf(cached)).to.deep.equal(["ok abc"]);
    expect(cached.replies[0]!.reply.statement.seq).to.equal(7);
    expect(statusOf(fixture, alice.operate(a, 3, "other"))).to.equal("number-reused");
    expect(statusOf(fixture, requests[1]!)).to.equal("too-old");
    expect(statusOf(fixture, alice.operate(a, 0, "zero"))).to.equal("too-old");
    expect(resultsOf(fixture.run(alice.operate(a, 5, "e")))).to.deep.equal(["ok abcde"]);
  });

  it("knows no session of another client", () => {
    const fixture = new Fixture();
    const a = fixture.open(fixture.client(1));

    expect(statusOf(fixture, fixture.client(2).operate(a, 1, "x"))).to.equal("session-unknown");
    expect(statusOf(fixture, fixture.client(1).operate(NO_SESSION, 1, "x"))).to.equal("session-unknown");
    expect(statusOf(fixture, fixture.client(1).operate(a, 1, "x"))).to.equal("ok");
  });
});

describe("failing operations", () => {
  it("leave the state as before them, and the rest of their request executes", () => {
    const fixture = new Fixture();
    const alice = fixture.client(1);
    const a = fixture.open(alice);

    const execution = fixture.run(alice.operate(a, 1, "x", "y!", "z"));

    expect(resultsOf(execution)).to.deep.equal(["ok x", "failed refused after xy!", "ok xz"]);
  });

  for (const { name, thrown, message } of [
    {
      name: "an error of the language",
      thrown: new TypeError("wording of V8"),
      message: "the service threw a TypeError",
    },
    { name: "no error at all", thrown: 5, message: "the service threw something that is not an Error" },
    { name: "a lone surrogate", thrown: new Error("a\ud800"), message: "a\ufffd" },
    { name: "a long message", thrown: new Error("x".repeat(5000)), message: "x".repeat(256) },
    {
      name: "a long message of long characters",
      thrown: new Error(`x${"é".repeat(300)}`),
      message: `x${"é".repeat(127)}`,
    },
  ]) {
    it(`give a bounded message when the service throws ${name}`, () => {
      const service = {
        execute: (): Uint8Array => {
          throw thrown;
        },
      };
      const fixture = new Fixture({ service });
      const alice = fixture.client(1);

      const { replies } = fixture.run(alice.operate(fixture.open(alice), 1, "x"));

      const [result] = replies[0]!.reply.results;
      expect(result!.status).to.equal("failed");
      expect(textOf(result!.value)).to.equal(message);
    });
  }

  it("include those whose result no reply can hold; what a full reply has no room for is postponed with all after it", () => {
    const service = { execute: (operation: Uint8Array): Uint8Array => new Uint8Array(Number(textOf(operation))) };
    const fixture = new Fixture({ service, limits: { resultBytesMax: 1024 } });
    const alice = fixture.client(1);

    const { replies } = fixture.run(alice.operate(fixture.open(alice), 1, "1025", "1000", "25", "24"));

    const { results } = replies[0]!.reply;
    expect(results.map(({ status }) => status)).to.deep.equal(["failed", "ok", "postponed", "postponed"]);
    expect(textOf(results[0]!.value)).to.match(/1025 bytes, at most 1024/);
  });
});

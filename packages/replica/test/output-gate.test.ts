import { type Effect, type LogRecord, type ReplicaFrame, replicaId, timestampMs, viewNumber } from "@quorate/protocol";
import { OutputGate } from "@quorate/replica";
import { expect } from "chai";
import { array, assert, constant, constantFrom, integer, oneof, property, record } from "fast-check";
import { composer, digestOf, epoch, requestOf, seqOf } from "./builders.ts";

const write = (seq: number): Effect => ({
  type: "persist",
  record: { type: "stable", checkpoint: { epoch, seq: seqOf(seq), stateRoot: digestOf("x"), signatures: [] } },
});
const MESSAGES_MAX = 1_000;
const speak = (seq: number): Effect => ({ type: "cut", upTo: seqOf(seq) });
const seqIn = (record: LogRecord): number => (record.type === "stable" ? record.checkpoint.seq : -1);

describe("OutputGate (protocol rule 8.1)", () => {
  it("lets pass what stands behind no write", () => {
    expect(new OutputGate(MESSAGES_MAX).push([speak(1)]).effects).to.deep.equal([speak(1)]);
  });

  it("keeps what stands behind a write until it is durable", () => {
    const gate = new OutputGate(MESSAGES_MAX);
    expect(gate.push([speak(1), write(1), speak(2)]).effects).to.deep.equal([speak(1)]);
    expect(gate.onDurable(gate.lastWrite)).to.deep.equal([speak(2)]);
  });

  it("keeps a later step's effects behind an earlier step's write", () => {
    const gate = new OutputGate(MESSAGES_MAX);
    gate.push([write(1), speak(1)]);
    expect(gate.push([speak(2)]).effects).to.deep.equal([]);
    expect(gate.onDurable(1)).to.deep.equal([speak(1), speak(2)]);
  });

  it("a flush that covers the first of two writes releases only what stands before the second", () => {
    const gate = new OutputGate(MESSAGES_MAX);
    gate.push([write(1), speak(1), write(2), speak(2)]);
    expect([gate.onDurable(1), gate.waitingCount, gate.onDurable(2)]).to.deep.equal([[speak(1)], 1, [speak(2)]]);
  });

  it("timers, evidence, rejections and refusals wait for nothing", () => {
    const gate = new OutputGate(MESSAGES_MAX);
    const free: Effect[] = [
      { type: "start-timer", timer: "status", token: 1, afterMs: 1 },
      { type: "cancel-timer", timer: "fetch" },
      { type: "rejected", rejection: { code: "backlog.full", from: undefined } },
    ];
    expect(gate.push([write(1), speak(1), ...free]).effects).to.deep.equal(free);
  });

  it("a request that is passed on waits for nothing, for it is its client's word", () => {
    const gate = new OutputGate(MESSAGES_MAX);
    const passedOn: Effect = {
      type: "send",
      to: replicaId(2),
      frame: { type: "request", request: requestOf("a").request },
    };

    expect(gate.push([write(1), speak(1), passedOn]).effects).to.deep.equal([passedOn]);
    expect(gate.waitingCount).to.equal(1);
  });

  describe("with a bound of two messages a share", () => {
    const frame: ReplicaFrame = {
      type: "below-history",
      checkpoint: { epoch, seq: seqOf(0), stateRoot: digestOf("x"), signatures: [] },
    };
    const to = (id: number): Effect => ({ type: "send", to: replicaId(id), frame });
    const toAll: Effect = { type: "broadcast", frame };
    const dropped = { type: "rejected", rejection: { from: undefined, code: "gate.full" } };

    it("says of each further message that it was not sent, and has room again after a flush", () => {
      const gate = new OutputGate(2);

      const pushed = gate.push([write(1), to(1), speak(1), to(1), to(1), speak(2)]);

      expect(pushed.effects).to.deep.equal([dropped]);
      expect(gate.fill).to.include({ size: 2, max: 2 });
      expect(gate.onDurable(1)).to.deep.equal([to(1), speak(1), to(1), speak(2)]);
      expect(gate.fill.size).to.equal(0);
      gate.push([write(2)]);
      expect(gate.push([to(1)]).effects).to.deep.equal([]);
      expect(gate.onDurable(2)).to.deep.equal([to(1)]);
    });

    it("what one member asks for takes no room from another, nor from what is said to all", () => {
      const gate = new OutputGate(2);
      gate.push([write(1), to(1), to(1), to(1)]);
      expect(gate.push([to(2), toAll, to(2), toAll]).effects).to.deep.equal([]);
      expect(gate.push([to(2), toAll, to(3)]).effects).to.deep.equal([dropped, dropped]);
      expect(gate.onDurable(1)).to.have.lengthOf(7);
    });

    it("a bound below one is refused", () => {
      for (const bound of [0, -1, 1.5, Number.NaN]) expect(() => new OutputGate(bound)).to.throw(/messages-max/);
    });
  });

  const batch = composer.compose(timestampMs(1), [requestOf("a")]);
  const frame = { type: "batch-body", batch: batch.batch } as const;
  const stable = { epoch, seq: seqOf(0), stateRoot: digestOf("x"), signatures: [] };
  const certificate = { epoch, view: viewNumber(0), seq: seqOf(1), digest: batch.digest, signatures: [] };
  const bound: readonly Effect[] = [
    { type: "send", to: replicaId(2), frame },
    { type: "broadcast", frame },
    { type: "execute", seq: seqOf(1), batch },
    { type: "archive", seq: seqOf(1), entry: { batch: batch.batch, certificate } },
    { type: "cut", upTo: seqOf(1) },
    { type: "send-history", to: replicaId(2), first: seqOf(1), last: seqOf(1), stable },
  ];
  for (const effect of bound)
    it(`what others may rest on waits: ${effect.type}`, () => {
      const gate = new OutputGate(MESSAGES_MAX);
      expect(gate.push([write(1), effect]).effects).to.deep.equal([]);
      expect(gate.onDurable(1)).to.deep.equal([effect]);
    });

  it("takes no flush of what was never written", () => {
    expect(() => new OutputGate(MESSAGES_MAX).onDurable(1)).to.throw("output-gate.durable-before-written");
  });

  const action = oneof(
    record({
      type: constant("push" as const),
      kinds: array(constantFrom("write", "speak", "timer"), { maxLength: 6 }),
    }),
    record({ type: constant("durable" as const), share: integer({ min: 0, max: 4 }) }),
  );

  /** Drives a gate and notes, for each effect, how many writes stood before it. */
  class Driver {
    readonly gate = new OutputGate(MESSAGES_MAX);
    readonly spoken: number[] = [];
    readonly writes: number[] = [];
    readonly #barrier = new Map<number, number>();
    #next = 0;
    #written = 0;
    durable = 0;

    push(kinds: readonly string[]): void {
      const effects = kinds.map((kind) => this.#effectOf(kind));
      const { writes, effects: released } = this.gate.push(effects);
      this.writes.push(...writes.map(seqIn));
      const timers = released.filter(({ type }) => type === "start-timer").length;
      expect(timers, "timers pass").to.equal(kinds.filter((kind) => kind === "timer").length);
      this.take(released);
    }
    take(effects: readonly Effect[]): void {
      for (const effect of effects) {
        if (effect.type !== "cut") continue;
        expect(this.#barrier.get(effect.upTo), "barrier").to.be.at.most(this.durable);
        this.spoken.push(effect.upTo);
      }
    }
    flush(share: number): void {
      this.durable += Math.floor(((this.#written - this.durable) * share) / 4);
      this.take(this.gate.onDurable(this.durable));
    }
    get pushed(): number {
      return this.#next;
    }
    get written(): number {
      return this.#written;
    }
    #effectOf(kind: string): Effect {
      if (kind === "timer") return { type: "start-timer", timer: "status", token: 0, afterMs: 0 };
      if (kind === "write") return write(++this.#written);
      this.#barrier.set(this.#next, this.#written);
      return speak(this.#next++);
    }
  }

  it("whatever is pushed and flushed, nothing passes a write that is not durable, and the order stays", () => {
    assert(
      property(array(action, { maxLength: 30 }), (actions) => {
        const driver = new Driver();
        for (const step of actions) {
          if (step.type === "push") driver.push(step.kinds);
          else driver.flush(step.share);
        }
        driver.flush(4);
        expect(driver.spoken, "all, in order").to.deep.equal(Array.from({ length: driver.pushed }, (_, i) => i));
        expect(driver.writes, "writes at once, in order").to.deep.equal(
          Array.from({ length: driver.written }, (_, i) => i + 1),
        );
      }),
      { numRuns: 300, seed: 8 },
    );
  });
});

import {
  READS_OPEN_MAX,
  type ReadOutcome,
  type ReadSource,
  type StaleRead,
  StateReading,
  type StateReadingEffect,
  type StateReadingEvent,
} from "@quorate/client-proxy";
import {
  bytesToHex,
  type CheckpointCertificate,
  type Digest,
  equalBytes,
  type ReadState,
  replicaId,
  type StateProof,
  type StateQuery,
  type StateRead,
  sequenceNumber,
  utf8,
} from "@quorate/protocol";
import { ScriptedEpochs } from "@quorate/reconfiguration/testing";
import { expect } from "chai";
import { sha256 } from "./fakes.ts";

type Untimed<E> = E extends unknown ? Omit<E, "atMs"> : never;
type Answer = StateRead extends infer R ? (R extends unknown ? Omit<R, "id"> : never) : never;

const id = (number: number): ReturnType<typeof replicaId> => replicaId(number);
const keys = (...names: string[]): StateQuery => ({ type: "keys", keys: names.map((name) => utf8(name)) });
const range = (from: string, to: string | undefined, limit: number): StateQuery => ({
  ...{ type: "range", from: utf8(from), to: to === undefined ? undefined : utf8(to), limit },
});
const STATE = new Map(["a", "b", "c", "d"].map((name) => [name, utf8(`value of ${name}`)]));
const rootAt = (seq: number): Digest => sha256(`state at ${seq}`);

/** In place of a Merkle proof, which `@quorate/state-tree` has tests of: it names what it shows. */
function proofOf(root: Digest, key: Uint8Array, value: Uint8Array | undefined): StateProof {
  return { excerpts: [], slots: utf8(`${root} ${bytesToHex(key)} ${value && bytesToHex(value)}`) };
}

class Rig {
  readonly script = new ScriptedEpochs();
  readonly chain = this.script.chainAt(0);
  readonly outcomes = new Map<number, ReadOutcome>();
  readonly told: unknown[] = [];
  nowMs = 0;
  readonly reading: StateReading;
  #asked: { readonly to: ReadSource; readonly read: ReadState }[] = [];
  #timer: { readonly token: number; readonly atMs: number } | undefined;

  constructor(choose: (count: number) => number = () => 0) {
    const { verifier } = this.script;
    this.reading = new StateReading({
      chain: this.chain,
      choose,
      isCertified: (certificate, membership) =>
        verifier.verifyCheckpointCertificate(certificate, membership) !== undefined,
      isProven: (root, key, value, { slots }) => equalBytes(slots!, proofOf(root, key, value).slots!),
    });
  }
  static linked(): Rig {
    const rig = new Rig();
    for (let source = 0; source < 4; source++) rig.run({ type: "source-up", source: id(source) });
    return rig;
  }

  run(event: Untimed<StateReadingEvent>): void {
    const effects = this.reading.step({ ...event, atMs: this.nowMs } as StateReadingEvent);
    for (const effect of effects) this.#perform(effect);
  }
  read(query: StateQuery, read: Omit<StaleRead, "query"> = {}, call = this.outcomes.size): number {
    this.run({ type: "read", call, read: { query, ...read } });
    return call;
  }
  /** Who has been asked since the last look. */
  asked(): ReadSource[] {
    const asked = this.#asked;
    this.#asked = [];
    return asked.map(({ to }) => to);
  }
  get isAsking(): boolean {
    return this.#asked.length > 0;
  }
  /** The one that was asked last answers it. */
  answer(answer: (query: StateQuery) => Answer): void {
    const { to, read } = this.#asked.at(-1)!;
    this.#asked.pop();
    this.run({ type: "state-read", from: to, read: { id: read.id, ...answer(read.query) } as StateRead });
  }
  /** What a correct replica answers whose last checkpoint is this. */
  honest(seq: number, certificate = this.certificate(seq)): (query: StateQuery) => Answer {
    const root = rootAt(seq);
    return (query) => {
      if (query.type === "keys")
        return {
          type: "values",
          certificate,
          values: query.keys.map((key) => {
            const value = STATE.get(new TextDecoder().decode(key));
            return { value, proof: proofOf(root, key, value) };
          }),
        };
      const all = [...STATE].map(([name, value]) => ({
        ...{ key: utf8(name), value },
        proof: proofOf(root, utf8(name), value),
      }));
      return { type: "entries", certificate, entries: all.slice(0, query.limit), next: all[query.limit]?.key };
    };
  }
  certificate(seq: number): CheckpointCertificate {
    return this.script.certify(sequenceNumber(seq), rootAt(seq));
  }
  unavailable(reason: Extract<StateRead, { type: "unavailable" }>["reason"]): () => Answer {
    return () => ({ type: "unavailable", reason });
  }
  /** To when the timer rings. */
  ring(): void {
    const timer = this.#timer!;
    this.nowMs = Math.max(this.nowMs, timer.atMs);
    this.run({ type: "timeout", token: timer.token });
  }
  /** In words: what a call came to, and who was no use for it. */
  outcome(call: number): unknown {
    const outcome = this.outcomes.get(call);
    if (outcome === undefined) return undefined;
    const refused = Object.fromEntries(outcome.type === "read" ? outcome.read.refused : outcome.refused);
    if (outcome.type === "failed") return { failed: outcome.code, refused };
    const { certificate, from } = outcome.read;
    return { seq: certificate.seq, from, refused };
  }

  #perform(effect: StateReadingEffect): void {
    switch (effect.type) {
      case "send":
        if (effect.frame.type === "read-state") this.#asked.push({ to: effect.to, read: effect.frame.read });
        break;
      case "epoch-told":
        this.told.push([effect.from, effect.epoch]);
        break;
      case "start-timer":
        this.#timer = { token: effect.token, atMs: this.nowMs + effect.afterMs };
        break;
      case "cancel-timer":
        this.#timer = undefined;
        break;
      case "settle":
        if (this.outcomes.has(effect.call)) throw new Error(`read ${effect.call} settled twice`);
        this.outcomes.set(effect.call, effect.outcome);
    }
  }
}

describe("stale reads", () => {
  it("are asked of one replica, and brought with the certificate that proves them", () => {
    const rig = Rig.linked();
    const call = rig.read(keys("a", "nothing"));
    expect(rig.asked()).to.deep.equal([0]);

    rig.read(keys("a", "nothing"), {}, 1);
    rig.answer(rig.honest(16));

    const outcome = rig.outcomes.get(1)!;
    if (outcome.type !== "read") throw new Error(outcome.code);
    expect(outcome.read.answer).to.deep.equal({ type: "values", values: [STATE.get("a"), undefined] });
    expect(outcome.read.certificate).to.deep.equal(rig.certificate(16));
    expect(rig.outcome(call)).to.equal(undefined);
  });

  it("bring the entries of a range, and where it goes on", () => {
    const rig = Rig.linked();
    const call = rig.read(range("a", "x", 2));
    rig.answer(rig.honest(16));

    const outcome = rig.outcomes.get(call)!;
    if (outcome.type !== "read") throw new Error(outcome.code);
    const entries = ["a", "b"].map((name) => ({ key: utf8(name), value: STATE.get(name) }));
    expect(outcome.read.answer).to.deep.equal({ type: "entries", entries, next: utf8("c") });
  });

  it("do not all go to the same replica", () => {
    const rig = new Rig((count) => count - 1);
    for (const source of [2, 3, 1]) rig.run({ type: "source-up", source: id(source) });
    rig.read(keys("a"));

    expect(rig.asked()).to.deep.equal([1]);
  });

  it("may be asked of one only, who need not be a member, and wait for its link", () => {
    const rig = Rig.linked();
    const call = rig.read(keys("a"), { from: "observer:7000" });
    expect(rig.asked()).to.deep.equal([]);

    rig.run({ type: "source-up", source: "observer:7000" });
    rig.answer(rig.honest(16));

    expect(rig.outcome(call)).to.deep.equal({ seq: 16, from: "observer:7000", refused: {} });
  });

  const LIES: { readonly [lie: string]: readonly [string, (rig: Rig, honest: Answer) => Answer] } = {
    "a value that is another": [
      "bad-proof",
      (_rig, honest) => {
        if (honest.type !== "values") throw new Error(honest.type);
        return { ...honest, values: honest.values.map(({ proof }) => ({ value: utf8("forged"), proof })) };
      },
    ],
    "that nothing is where something is": [
      "bad-proof",
      (_rig, honest) => {
        if (honest.type !== "values") throw new Error(honest.type);
        return { ...honest, values: honest.values.map(({ proof }) => ({ value: undefined, proof })) };
      },
    ],
    "what is true of another key": ["bad-proof", (rig) => rig.honest(16)(keys("b"))],
    "what is true of another checkpoint": ["bad-proof", (rig) => rig.honest(8, rig.certificate(16))(keys("a"))],
    "a checkpoint that too few have signed": [
      "bad-certificate",
      (rig, honest) => {
        const certificate = rig.script.certify(sequenceNumber(16), rootAt(16), { signers: [id(0), id(1)] });
        return { ...honest, certificate } as Answer;
      },
    ],
    "a checkpoint that was never signed": [
      "bad-certificate",
      (rig, honest) => ({ ...honest, certificate: { ...rig.certificate(16), seq: sequenceNumber(17) } }) as Answer,
    ],
    "another number of values": ["other-question", (rig) => rig.honest(16)(keys("a", "b"))],
    "a range where keys were asked for": ["other-question", (rig) => rig.honest(16)(range("a", "b", 1))],
  };
  for (const [lie, [fault, answer]] of Object.entries(LIES))
    it(`do not believe ${lie}, and ask another, who is believed`, () => {
      const rig = Rig.linked();
      const call = rig.read(keys("a"));

      rig.answer((query) => answer(rig, rig.honest(16)(query)));
      rig.answer(rig.honest(16));

      expect(rig.outcome(call)).to.deep.equal({ seq: 16, from: 1, refused: { 0: fault } });
      // Whoever lies is not asked as long as anyone else is there.
      rig.read(keys("a"));
      expect(rig.asked()).to.deep.equal([1]);
    });

  const RANGE_LIES: { readonly [lie: string]: (read: Extract<Answer, { type: "entries" }>) => object } = {
    "entries out of order": (read) => ({ entries: read.entries.toReversed() }),
    "an entry twice": (read) => ({ entries: [read.entries[0], read.entries[0]] }),
    "an entry beyond its end": (read) => ({ entries: [...read.entries.slice(0, 1), read.entries[2]] }),
    "more entries than were asked for": (read) => ({ entries: read.entries.slice(0, 3) }),
    "that it goes on before where it is": (read) => ({ next: read.entries[0]!.key }),
    "that it goes on beyond its end": () => ({ next: utf8("c") }),
    "that it goes on without an entry": () => ({ entries: [], next: utf8("a") }),
  };
  for (const [lie, change] of Object.entries(RANGE_LIES))
    it(`do not believe of a range ${lie}`, () => {
      const rig = Rig.linked();
      const call = rig.read(range("a", "c", 2));

      rig.answer((query) => {
        const all = rig.honest(16)({ ...query, limit: 4 } as StateQuery) as Extract<Answer, { type: "entries" }>;
        return { ...all, entries: all.entries.slice(0, 2), next: undefined, ...change(all) };
      });
      expect(rig.asked()).to.deep.equal([1]);
      rig.nowMs = 60_000;
      rig.ring();

      expect(rig.outcome(call)).to.deep.include({ refused: { 0: "other-question", 1: "silent" } });
    });

  it("do not believe an entry of a range that is another", () => {
    const rig = Rig.linked();
    const call = rig.read(range("a", "c", 2));
    rig.answer((query) => {
      const read = rig.honest(16)(query) as Extract<Answer, { type: "entries" }>;
      return { ...read, entries: read.entries.map((entry) => ({ ...entry, value: utf8("forged") })), next: undefined };
    });
    rig.run({ type: "close" });

    expect(rig.outcome(call)).to.deep.equal({ failed: "client.closed", refused: { 0: "bad-proof" } });
  });

  it("are never of an older checkpoint than one before, unless that will do", () => {
    const rig = Rig.linked();
    rig.read(keys("a"));
    rig.answer(rig.honest(32));

    const call = rig.read(keys("a"));
    rig.answer(rig.honest(16));
    rig.answer(rig.honest(32));
    expect(rig.outcome(call)).to.deep.equal({ seq: 32, from: 1, refused: { 0: "too-old" } });

    const back = rig.read(keys("a"), { mayGoBack: true });
    rig.answer(rig.honest(16));
    expect(rig.outcome(back)).to.deep.equal({ seq: 16, from: 0, refused: {} });
    expect(rig.reading.newest).to.equal(32);
  });

  it("are of the checkpoint that is asked for, or a newer one, whatever may be gone back to", () => {
    const rig = Rig.linked();
    const call = rig.read(keys("a"), { atLeast: sequenceNumber(32), mayGoBack: true });
    rig.answer(rig.honest(16));
    rig.answer(rig.honest(48));

    expect(rig.outcome(call)).to.deep.equal({ seq: 48, from: 1, refused: { 0: "too-old" } });
  });

  it("are judged by the members of the epoch that the certificate names, once its link is known", () => {
    const rig = Rig.linked();
    rig.script.rotateKey(id(0));
    const later = rig.script.certify(sequenceNumber(96), rootAt(96));
    const call = rig.read(keys("a"));

    rig.answer(rig.honest(96, later));
    expect(rig.outcome(call)).to.equal(undefined);
    expect(rig.told).to.deep.equal([[0, 1]]);
    rig.chain.add(rig.script.links[0]!);
    rig.run({ type: "epoch" });

    expect(rig.outcome(call)).to.deep.equal({ seq: 96, from: 0, refused: {} });
  });

  it("do not believe keys of one epoch in a certificate of another", () => {
    const rig = Rig.linked();
    rig.script.rotateKey(id(0));
    rig.chain.add(rig.script.links[0]!);
    const forged = rig.script.certify(sequenceNumber(96), rootAt(96), { keysOf: 0 });
    const call = rig.read(keys("a"));
    rig.answer(rig.honest(96, forged));
    rig.answer(rig.honest(96, rig.script.certify(sequenceNumber(96), rootAt(96))));

    expect(rig.outcome(call)).to.deep.equal({ seq: 96, from: 1, refused: { 0: "bad-certificate" } });
  });

  it("do not believe the members of an epoch that is over for what is above its end", () => {
    const rig = Rig.linked();
    const stolen = rig.certificate(5_000);
    rig.script.rotateKey(id(0));
    rig.chain.add(rig.script.links[0]!);
    const { seq } = rig.script.links[0]!.certificate;
    const call = rig.read(keys("a"), { mayGoBack: true });
    rig.answer(rig.honest(5_000, stolen));
    rig.answer(rig.honest(seq + 8));

    expect(rig.outcome(call)).to.deep.equal({ seq: seq + 8, from: 1, refused: { 0: "out-of-epoch" } });
  });

  it("are not older than the start of the latest epoch that is known, unless that will do", () => {
    const rig = Rig.linked();
    const old = rig.certificate(16);
    rig.script.rotateKey(id(0));
    const { seq } = rig.script.links[0]!.certificate;
    rig.chain.add(rig.script.links[0]!);
    const call = rig.read(keys("a"));
    rig.answer(rig.honest(16, old));
    rig.answer(rig.honest(seq + 8));
    expect(rig.outcome(call)).to.deep.equal({ seq: seq + 8, from: 1, refused: { 0: "too-old" } });

    const back = rig.read(keys("a"), { mayGoBack: true });
    rig.answer(rig.honest(16, old));
    expect(rig.outcome(back)).to.deep.equal({ seq: 16, from: 0, refused: {} });
  });

  it("pass over who tells of an epoch that nobody proves", () => {
    const rig = Rig.linked();
    rig.script.rotateKey(id(0));
    const call = rig.read(keys("a"));
    rig.answer(rig.honest(96, rig.script.certify(sequenceNumber(96), rootAt(96))));
    rig.ring();
    rig.answer(rig.honest(16, { ...rig.certificate(16) }));
    rig.run({ type: "close" });

    expect(rig.outcome(call)).to.deep.include({ refused: { 0: "unknown-epoch" } });
  });

  it("pass over who is silent, and take no answer that comes too late", () => {
    const rig = Rig.linked();
    const call = rig.read(keys("a"));
    rig.ring();
    expect(rig.asked()).to.deep.equal([0, 1]);

    rig.run({ type: "state-read", from: id(0), read: { id: 0, ...rig.honest(16)(keys("a")) } as StateRead });
    rig.run({ type: "state-read", from: id(2), read: { id: 1, ...rig.honest(16)(keys("a")) } as StateRead });
    expect(rig.outcome(call)).to.equal(undefined);
    rig.run({ type: "state-read", from: id(1), read: { id: 1, ...rig.honest(16)(keys("a")) } as StateRead });

    expect(rig.outcome(call)).to.deep.equal({ seq: 16, from: 1, refused: { 0: "silent" } });
  });

  it("go on with another when a link goes down, and come back to it when it is up again", () => {
    const rig = new Rig();
    rig.run({ type: "source-up", source: id(0) });
    const call = rig.read(keys("a"));
    expect(rig.asked()).to.deep.equal([0]);
    rig.run({ type: "source-down", source: id(0) });
    expect(rig.asked()).to.deep.equal([]);

    rig.run({ type: "source-up", source: id(0) });
    rig.answer(rig.honest(16));

    expect(rig.outcome(call)).to.deep.equal({ seq: 16, from: 0, refused: {} });
  });

  it("ask all again, after pauses that grow, while any of them may still have it", () => {
    const rig = Rig.linked();
    const call = rig.read(keys("a"), { timeoutMs: 60_000 });
    const rounds: number[] = [];
    for (const reason of ["no-state", "no-state", "no-checkpoint", "not-readable"] as const)
      rig.answer(rig.unavailable(reason));
    rig.ring();
    rounds.push(rig.nowMs);
    // The last one has refused it for good.
    for (const reason of ["no-state", "no-state", "no-checkpoint"] as const) rig.answer(rig.unavailable(reason));
    expect(rig.asked()).to.deep.equal([]);
    // A timer may ring early.
    while (!rig.isAsking) rig.ring();
    rounds.push(rig.nowMs);
    rig.answer(rig.honest(16));

    expect(rounds).to.deep.equal([2_000, 6_000]);
    expect(rig.outcome(call)).to.deep.equal({
      ...{ seq: 16, from: 0 },
      refused: { 0: "no-state", 1: "no-state", 2: "no-checkpoint", 3: "not-readable" },
    });
  });

  it("fail at once when all members have refused them for good", () => {
    const rig = Rig.linked();
    const call = rig.read(keys("a"));
    for (let source = 0; source < 4; source++) rig.answer(rig.unavailable("not-readable"));

    const refused = { 0: "not-readable", 1: "not-readable", 2: "not-readable", 3: "not-readable" };
    expect(rig.outcome(call)).to.deep.equal({ failed: "client.read-refused", refused });
  });

  it("wait for a member that is not linked yet, for it may have what the others refuse, until their deadline", () => {
    const rig = new Rig();
    rig.run({ type: "source-up", source: id(0) });
    const call = rig.read(keys("a"), { timeoutMs: 700 });
    rig.answer(rig.unavailable("not-readable"));
    expect(rig.outcome(call)).to.equal(undefined);

    rig.ring();

    expect(rig.nowMs).to.equal(700);
    expect(rig.outcome(call)).to.deep.equal({ failed: "client.read-unanswered", refused: { 0: "not-readable" } });
  });

  it("are with one replica no more at once than it takes, and the next follows an answer", () => {
    const rig = new Rig();
    rig.run({ type: "source-up", source: id(0) });
    for (let call = 0; call < 6; call++) rig.read(keys("a"), {}, call);
    expect(rig.asked()).to.deep.equal([0, 0, 0, 0]);

    rig.run({ type: "state-read", from: id(0), read: { id: 2, ...rig.honest(16)(keys("a")) } as StateRead });

    expect(rig.asked()).to.deep.equal([0]);
    expect(rig.outcome(2)).to.deep.equal({ seq: 16, from: 0, refused: {} });
  });

  it("are bounded, and end with the client", () => {
    const rig = new Rig();
    for (let call = 0; call <= READS_OPEN_MAX; call++) rig.read(keys("a"), {}, call);
    expect(rig.outcome(READS_OPEN_MAX)).to.deep.equal({ failed: "client.overloaded", refused: {} });
    expect(rig.reading.fill).to.deep.include({ size: READS_OPEN_MAX, max: READS_OPEN_MAX });

    rig.run({ type: "close" });
    rig.read(keys("a"), {}, READS_OPEN_MAX + 1);

    expect(rig.outcome(0)).to.deep.equal({ failed: "client.closed", refused: {} });
    expect(rig.outcome(READS_OPEN_MAX + 1)).to.deep.equal({ failed: "client.closed", refused: {} });
    expect(rig.reading.fill.size).to.equal(0);
  });
});

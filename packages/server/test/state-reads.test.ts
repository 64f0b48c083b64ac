import {
  type CheckpointCertificate,
  type EpochLink,
  epochNumber,
  type PublicKey,
  replicaId,
  type ServerFrame,
  type StateQuery,
  type StateRead,
  utf8,
} from "@quorate/protocol";
import { isApplicationProven, partOf, type Service, stateRootOf } from "@quorate/state-machine";
import { StateDamage, StateTree } from "@quorate/state-tree";
import { createMemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import type { IngressRejection } from "../dist/ports.js";
import { StateReads, type StateReadsOptions } from "../dist/state-reads.js";
import { clientOf, cluster, epoch, genesis, hasher, newEpochs, seqOf } from "./builders.ts";

const ALICE = clientOf("alice").publicKey;
const BOB = clientOf("bob").publicKey;
const keyOf = (name: string): Uint8Array => Uint8Array.of(0x01, ...utf8(name));
const names = Array.from({ length: 40 }, (_, n) => `k${String(n).padStart(2, "0")}`);
const range = (from: string, to: string | undefined, limit = 64): StateQuery => ({
  ...{ type: "range", from: utf8(from), to: to === undefined ? undefined : utf8(to), limit },
});
const keys = (...of: string[]): StateQuery => ({ type: "keys", keys: of.map((name) => utf8(name)) });

/** Reads of a state of forty entries at checkpoint 8, which has gone on since. */
class Scene {
  readonly sent: { readonly to: PublicKey; readonly read: StateRead }[] = [];
  readonly rejected: string[] = [];
  readonly thrown: unknown[] = [];
  readonly reads: StateReads;
  readonly stable: CheckpointCertificate;
  readonly tree: StateTree;
  nowMs = 0;
  /** What a read takes. */
  tookMs = 0;
  #timer: { readonly atMs: number; readonly fire: () => void } | undefined;

  constructor(
    readable: NonNullable<Service["readable"]> = () => true,
    { value = utf8("then"), ...options }: Partial<StateReadsOptions> & { value?: Uint8Array } = {},
  ) {
    const store = createMemoryStore();
    this.tree = new StateTree({ state: store.state, local: store.local, hasher, partOf });
    const session = { key: Uint8Array.of(0x03, 1), value: utf8("of somebody") };
    store.writeAtomically(this.tree.change([session, ...names.map((name) => ({ key: keyOf(name), value }))]));
    const { local, root } = this.tree.checkpoint(seqOf(8));
    store.writeAtomically({ state: [], local });
    store.writeAtomically(this.tree.change(names.map((name) => ({ key: keyOf(name), value: utf8("now") }))));
    const stateRoot = stateRootOf(hasher, cluster, root);
    this.stable = {
      epoch,
      seq: seqOf(8),
      stateRoot,
      signatures: [{ from: replicaId(0), signature: new Uint8Array(64) }],
    };
    const epochs = newEpochs();
    this.reads = new StateReads(
      {
        ...{ genesis, epochs, membership: epochs.membership },
        service: { execute: (operation) => operation, readable },
        ports: {
          monotonicMs: () => this.nowMs,
          sendToClient: (to: PublicKey, frame: ServerFrame) => {
            if (frame.type === "state-read") this.sent.push({ to, read: frame.read });
            this.nowMs += this.tookMs;
          },
          startTimer: (_: unknown, afterMs: number, fire: () => void) => {
            this.#timer = { atMs: this.nowMs + afterMs, fire };
          },
          cancelTimer: () => {
            this.#timer = undefined;
          },
        } as unknown as StateReadsOptions["ports"],
        observer: {
          onRejection: ({ code }: IngressRejection) => this.rejected.push(code),
        } as unknown as StateReadsOptions["observer"],
        onThrown: (error) => this.thrown.push(error),
        ...options,
      },
      { snapshotAt: (seq) => this.tree.at(seq) },
    );
  }

  ask(query: StateQuery, { client = ALICE, id = 1, stable = this.stable } = {}): void {
    this.reads.ask(client, { id, query }, () => stable);
  }
  /** Asks, and brings the answer. */
  answer(query: StateQuery, asked: { client?: PublicKey; stable?: CheckpointCertificate } = {}): StateRead {
    this.ask(query, asked);
    this.go();
    return this.sent.at(-1)!.read;
  }
  /** Goes on to when the timer fires; how long that was, and undefined if none runs. */
  go(): number | undefined {
    const timer = this.#timer;
    this.#timer = undefined;
    if (timer === undefined) return undefined;
    const waited = Math.max(0, timer.atMs - this.nowMs);
    this.nowMs += waited;
    timer.fire();
    return waited;
  }
}

function valuesOf(scene: Scene, query: Extract<StateQuery, { type: "keys" }>): (string | undefined)[] {
  const read = scene.answer(query);
  if (read.type !== "values") throw new Error(`it was ${JSON.stringify(read)}`);
  const { stateRoot } = read.certificate;
  return read.values.map(({ value, proof }, i) => {
    expect(isApplicationProven({ hasher, cluster, stateRoot }, query.keys[i]!, value, proof)).to.equal(true);
    return value && new TextDecoder().decode(value);
  });
}

function entriesOf(scene: Scene, query: StateQuery, client = ALICE): { names: string[]; next: string | undefined } {
  const read = scene.answer(query, { client });
  if (read.type !== "entries") throw new Error(`it was ${JSON.stringify(read)}`);
  const { stateRoot } = read.certificate;
  for (const { key, value, proof } of read.entries)
    expect(isApplicationProven({ hasher, cluster, stateRoot }, key, value, proof)).to.equal(true);
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  return { names: read.entries.map(({ key }) => text(key)), next: read.next && text(read.next) };
}

const reasonOf = (read: StateRead): string => (read.type === "unavailable" ? read.reason : read.type);

describe("reads of the state", () => {
  it("bring what was there at the stable checkpoint, and that nothing was, with proofs", () => {
    const scene = new Scene();

    expect(valuesOf(scene, keys("k00", "nothing", "k39") as never)).to.deep.equal(["then", undefined, "then"]);
  });

  it("bring entries in order, as many as are asked for, and say where they go on", () => {
    const scene = new Scene();

    expect(entriesOf(scene, range("k05", "k30", 3))).to.deep.equal({ names: ["k05", "k06", "k07"], next: "k08" });
    expect(entriesOf(scene, range("k28", "k30", 3))).to.deep.equal({ names: ["k28", "k29"], next: undefined });
    expect(entriesOf(scene, range("", undefined))).to.deep.equal({ names, next: undefined });
    expect(entriesOf(scene, range("x", undefined))).to.deep.equal({ names: [], next: undefined });
  });

  it("name nothing but what is the service's: a key that looks like a session's is one of its own", () => {
    const scene = new Scene();

    const read = scene.answer({ type: "keys", keys: [Uint8Array.of(0x03, 1)] });

    expect(read).to.deep.include({ type: "values" });
    if (read.type === "values") expect(read.values[0]!.value).to.equal(undefined);
  });

  it("are refused where the service says nothing of them", () => {
    const scene = new Scene(undefined, { service: { execute: (operation) => operation } });

    expect(reasonOf(scene.answer(keys("k00")))).to.equal("not-readable");
    expect(entriesOf(scene, range("", undefined))).to.deep.equal({ names: [], next: undefined });
  });

  it("show no client what the service does not show it, nor in a range, nor as the key where that goes on", () => {
    const scene = new Scene((key, client) => client === BOB || new TextDecoder().decode(key).endsWith("0"));

    expect(reasonOf(scene.answer(keys("k00", "k01")))).to.equal("not-readable");
    expect(entriesOf(scene, range("k01", undefined, 1))).to.deep.equal({ names: ["k10"], next: "k20" });
    expect(entriesOf(scene, range("k01", undefined, 1), BOB)).to.deep.equal({ names: ["k01"], next: "k02" });
  });

  it("show nothing of a service that throws", () => {
    const scene = new Scene(() => {
      throw new Error("a bug");
    });

    expect(reasonOf(scene.answer(keys("k00")))).to.equal("not-readable");
    expect(scene.thrown).to.deep.equal([]);
  });

  it("are of no state that nobody has signed", () => {
    const scene = new Scene();

    const stable = { ...scene.stable, signatures: [] };
    expect(reasonOf(scene.answer(keys("k00"), { stable }))).to.equal("no-checkpoint");
  });

  it("are proven by the link of the epoch where that has just begun", () => {
    const signed = new Scene().stable;
    const link = { certificate: signed } as EpochLink;
    const later = newEpochs();
    const scene = new Scene(() => true, {
      membership: { ...later.membership, epoch: epochNumber(1) },
      epochs: { linksAbove: (above: number) => (above === 0 ? [link] : []) } as unknown as StateReadsOptions["epochs"],
    });

    const read = scene.answer(keys("k00"), { stable: { ...signed, epoch: epochNumber(1), signatures: [] } });

    expect(read).to.deep.include({ type: "values", certificate: signed });
  });

  it("are refused whole where they have more than one answer may have; a part of a range is not", () => {
    const scene = new Scene(() => true, { value: new Uint8Array(genesis.limits.requestBytesMax) });

    expect(reasonOf(scene.answer(keys("k00", "k01")))).to.equal("too-large");
    scene.nowMs += 10_000;
    expect(reasonOf(scene.answer(keys("k00")))).to.equal("values");
    scene.nowMs += 10_000;
    expect(entriesOf(scene, range("k00", undefined))).to.deep.equal({ names: ["k00"], next: "k01" });
  });

  it("are answered one a turn, to each client in its turn, with a rest as long as they take", () => {
    const scene = new Scene();
    scene.tookMs = 5;
    for (const [client, id] of [
      [ALICE, 1],
      [ALICE, 2],
      [BOB, 3],
    ] as const)
      scene.ask(keys("k00"), { client, id });

    expect([scene.go(), scene.go(), scene.go(), scene.go()]).to.deep.equal([0, 10, 10, undefined]);

    expect(scene.sent.map(({ read }) => read.id)).to.deep.equal([1, 3, 2]);
  });

  it("are refused to who asks for too many at once, and to nobody else", () => {
    const scene = new Scene();
    for (let id = 0; id < 5; id++) scene.ask(keys("k00"), { id });
    scene.ask(keys("k00"), { client: BOB, id: 5 });

    while (scene.go() !== undefined);

    expect(scene.sent.map(({ read }) => [read.id, reasonOf(read)])).to.deep.equal([
      [4, "over-budget"],
      [0, "values"],
      [5, "values"],
      ...[1, 2, 3].map((id) => [id, "values"]),
    ]);
    expect(scene.rejected).to.deep.equal(["ingress.over-budget"]);
  });

  it("are a client's also where a few others have taken all places: whoever has most gives one up, and is told", () => {
    const scene = new Scene();
    const few = Array.from({ length: 64 }, (_, n) => clientOf(`one of few ${n}`).publicKey);
    for (const client of few) for (let id = 0; id < 4; id++) scene.ask(keys("k00"), { client, id });
    scene.ask(keys("k00"), { client: BOB, id: 9 });
    expect(scene.sent.map(({ to, read }) => [to === BOB, read.id, reasonOf(read)])).to.deep.equal([
      [false, 3, "over-budget"],
    ]);

    while (scene.go() !== undefined);

    const toBob = scene.sent.filter(({ to }) => to === BOB);
    expect(toBob.map(({ read }) => [read.id, reasonOf(read)])).to.deep.equal([[9, "values"]]);
    expect(scene.sent).to.have.length(4 * few.length + 1);
  });

  it("are refused to who has had its share of a second, whatever it got for it", () => {
    for (const query of [range("", undefined), keys(...names)]) {
      const scene = new Scene((key) => query.type === "range" || key.length < 3);
      let answered = 0;
      while (reasonOf(scene.answer(query)) !== "over-budget") answered++;

      expect(answered, query.type).to.be.within(5, 60);
      expect(reasonOf(scene.answer(query, { client: BOB })), query.type).to.not.equal("over-budget");
      scene.nowMs += 2_000;
      expect(reasonOf(scene.answer(query)), query.type).to.not.equal("over-budget");
    }
  });

  it("have a damaged state repaired, and bring nothing of it", () => {
    const scene = new Scene();
    scene.tree.at = () =>
      ({
        get: () => {
          throw new StateDamage("entry", keyOf("k00"));
        },
      }) as never;

    expect(reasonOf(scene.answer(keys("k00")))).to.equal("no-state");
    expect(scene.thrown).to.have.length(1);
  });

  it("end with the host", () => {
    const scene = new Scene();
    scene.ask(keys("k00"));

    scene.reads.stop();

    expect(scene.go()).to.equal(undefined);
    expect(scene.sent).to.deep.equal([]);
  });
});

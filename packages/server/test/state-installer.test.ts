import { deflateRawSync } from "node:zlib";
import {
  type Change,
  type CheckpointCertificate,
  type DeflatedChunk,
  type FetchState,
  type ReplicaFrame,
  type ReplicaId,
  replicaId,
  stateChunkBytesMax,
  stateRootPreimage,
} from "@quorate/protocol";
import { partOf } from "@quorate/state-machine";
import { DEFAULT_DONOR_LIMITS, StateDonor } from "@quorate/state-transfer";
import { StateTree } from "@quorate/state-tree";
import { createMemoryStore, type MemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import type { Compressor } from "../dist/compressor.js";
import { readInstallation } from "../dist/installation-record.js";
import { StateInstaller } from "../dist/state-installer.js";
import {
  cluster,
  codec,
  digestOf,
  envelopeOf,
  epoch,
  genesis,
  hasher,
  newEpochs,
  newScript,
  newVerifier,
  seqOf,
} from "./builders.ts";
import { HeldCompressor } from "./held-compressor.ts";

const SELF = replicaId(3);
const entries = (round: number, count: number): Change[] =>
  Array.from({ length: count }, (_, n) => ({
    key: Uint8Array.of(0x75, n >> 8, n),
    value: new Uint8Array(500).fill(n + round),
  }));

/** A state at two checkpoints, and who gives it. */
class Source {
  readonly tree: StateTree;
  readonly certificates: readonly CheckpointCertificate[];
  readonly #donor: StateDonor;

  constructor(count: number) {
    const store = createMemoryStore();
    this.tree = new StateTree({ state: store.state, local: store.local, hasher, partOf });
    this.certificates = [8, 16].map((seq) => {
      store.writeAtomically(this.tree.change(entries(seq, count)));
      const { root, local } = this.tree.checkpoint(seqOf(seq));
      store.writeAtomically({ state: [], local });
      return certified(seq, hasher.digest(stateRootPreimage(cluster, root)));
    });
    const chunkBytesMax = stateChunkBytesMax(genesis.limits);
    this.#donor = new StateDonor({ hasher, chunkBytesMax, limits: DEFAULT_DONOR_LIMITS });
  }

  answer(request: FetchState): ReplicaFrame {
    const { answer } = this.#donor.answer(request, (seq) => this.tree.at(seq), seqOf(16), 0, SELF);
    if (answer.type !== "chunk") throw new Error(answer.type);
    return { type: "state-chunk", chunk: answer.chunk };
  }
}

function certified(seq: number, stateRoot: CheckpointCertificate["stateRoot"]): CheckpointCertificate {
  const signatures = [0, 1, 2].map((id) => {
    const { signature } = envelopeOf(id, { type: "checkpoint", epoch, seq: seqOf(seq), stateRoot });
    return { from: replicaId(id), signature };
  });
  return { epoch, seq: seqOf(seq), stateRoot, signatures };
}

/** An installer among donors that answer when they are told to, on a disk that is done when it is told to be. */
class Scene {
  readonly source: Source;
  readonly store: MemoryStore;
  readonly installer: StateInstaller;
  readonly happened: string[] = [];
  requests: { readonly to: number; readonly fetch: FetchState }[] = [];
  nowMs = 1_000;
  #timer: (() => void) | undefined;
  #onRaised: (() => void) | undefined;

  constructor(
    count = 400,
    flushBytes?: number,
    compressor?: Compressor,
    store: MemoryStore = createMemoryStore(),
    epochs = newEpochs(),
  ) {
    this.store = store;
    this.source = new Source(count);
    this.installer = new StateInstaller({
      ...{
        genesis,
        epochs,
        cluster,
        self: SELF,
        store: this.store,
        codec,
        verifier: newVerifier(),
        hasher,
      },
      ports: {
        nowMs: () => this.nowMs,
        monotonicMs: () => this.nowMs,
        sendToReplica: (to, frame) => {
          if (frame.type === "fetch-state") this.requests.push({ to, fetch: frame.fetch });
        },
        sendToReplicas: () => undefined,
        sendToObservers: () => undefined,
        sendToClient: () => undefined,
        startTimer: (_, __, fire) => {
          this.#timer = fire;
        },
        cancelTimer: () => {
          this.#timer = undefined;
        },
      },
      installation: { target: this.source.certificates[0]!, distrustsEntries: false },
      onRejection: ({ code }) => this.happened.push(code),
      onVotesFounded: ({ seq }) => this.happened.push(`founded ${seq}`),
      raiseLog: ({ seq }, done) => {
        this.happened.push(`raise ${seq}, ${this.store.disk.unflushedGroups} groups unflushed`);
        this.#onRaised = done;
      },
      onInstalled: ({ target }) => this.happened.push(`installed ${target}`),
      onFatal: (error) => this.happened.push(error.message),
      ...(flushBytes !== undefined && { flushBytes }),
      compressor,
    });
    this.installer.start();
  }

  get target(): number | undefined {
    return readInstallation(this.store.local, codec)?.target.seq;
  }

  /** Answers one request, or lets time pass where there is none; false when there is neither. */
  go(): boolean {
    const request = this.requests.shift();
    if (request !== undefined) {
      this.nowMs++;
      return this.installer.onReplicaFrame(replicaId(request.to), this.source.answer(request.fetch));
    }
    const fire = this.#timer;
    this.#timer = undefined;
    this.nowMs += 100;
    fire?.();
    return fire !== undefined;
  }

  /** Until it waits for a disk: for the end of its last flush, or because of what is not flushed. */
  goOn(): this {
    for (let i = 0; i < 2_000 && this.go(); i++);
    return this;
  }

  flush(): this {
    while (this.store.disk.completeFlush());
    return this;
  }

  raised(): this {
    this.#onRaised?.();
    return this;
  }

  push(at: number, from = 0): boolean {
    return this.installer.onReplicaFrame(replicaId(from), {
      type: "stable-checkpoint",
      checkpoint: this.source.certificates[at]!,
    });
  }
}

/** Donors that deflate, and an installer that takes it; what it inflates comes when it is told to. */
class DeflatingScene extends Scene {
  readonly compressor: HeldCompressor;

  constructor() {
    const compressor = new HeldCompressor();
    super(400, undefined, compressor);
    this.compressor = compressor;
  }

  /** The oldest request answered: a frame, which this may bend. */
  deflated(bend: (chunk: DeflatedChunk) => Partial<DeflatedChunk> = () => ({})): { readonly from: ReplicaId } {
    const { to, fetch } = this.requests.shift()!;
    const from = replicaId(to);
    const chunk = deflatedChunkOf(this.source.answer(fetch));
    this.nowMs++;
    this.installer.onReplicaFrame(from, { type: "deflated-chunk", chunk: { ...chunk, ...bend(chunk) } });
    return { from };
  }

  goOnDeflated(): this {
    for (let i = 0; i < 2_000; i++) {
      if (this.requests.length > 0) this.deflated();
      else if (!this.go()) break;
      this.compressor.finish();
    }
    return this;
  }
}

function deflatedChunkOf(frame: ReplicaFrame): DeflatedChunk {
  if (frame.type !== "state-chunk") throw new Error(frame.type);
  const bytes = codec.encodeReplicaFrame(frame);
  const { request, seq } = frame.chunk;
  return { request, seq, length: bytes.length, deflated: deflateRawSync(bytes) };
}

const deflatedFrame = (frame: ReplicaFrame): Pick<DeflatedChunk, "length" | "deflated"> => {
  const bytes = codec.encodeReplicaFrame(frame);
  return { length: bytes.length, deflated: deflateRawSync(bytes) };
};

describe("a state installer of what comes deflated", () => {
  it("installs what donors send so, and counts what came", () => {
    const scene = new DeflatingScene();
    expect(scene.requests[0]?.fetch.takesDeflated).to.equal(true);
    scene.goOnDeflated().flush().raised().flush();
    expect(scene.happened.at(-1)).to.equal("installed 8");
    const { bytesReceived = 0, bytesOnWire = 0 } = scene.installer.progress ?? {};
    expect(bytesReceived).to.be.greaterThan(400 * 500);
    expect(bytesOnWire).to.be.within(1, bytesReceived / 5);
  });

  it("does nothing before it is inflated, and inflates one answer once", () => {
    const scene = new DeflatingScene();
    const { to, fetch } = scene.requests[0]!;
    const frame: ReplicaFrame = { type: "deflated-chunk", chunk: deflatedChunkOf(scene.source.answer(fetch)) };
    for (let i = 0; i < 3; i++) scene.installer.onReplicaFrame(replicaId(to), frame);
    expect([scene.compressor.waiting, scene.installer.progress?.pagesFetched]).to.deep.equal([1, 0]);
    scene.compressor.finish();
    expect([scene.happened, scene.installer.progress?.pagesFetched]).to.deep.equal([[], 1]);
  });

  it("waits for what has come, however long that takes to inflate, and asks nobody else for it", () => {
    const scene = new DeflatingScene();
    scene.deflated();
    for (let i = 0; i < 100; i++) scene.go();
    expect(scene.requests).to.deep.equal([]);
    scene.compressor.finish();
    expect([scene.happened, scene.installer.progress?.pagesFetched]).to.deep.equal([[], 1]);
  });

  it("does nothing with what is inflated after it has stopped", () => {
    const scene = new DeflatingScene();
    scene.deflated();
    scene.installer.stop();
    scene.compressor.finish();
    expect(scene.installer.progress?.pagesFetched).to.equal(0);
  });

  const zeros = new Uint8Array(64 * 1024 * 1024);
  const faults: readonly {
    readonly name: string;
    readonly bend: (chunk: DeflatedChunk) => Partial<DeflatedChunk>;
    readonly code: string;
    readonly inflations: number;
  }[] = [
    {
      name: "says it is longer than the request allows",
      bend: () => ({ length: zeros.length, deflated: deflateRawSync(zeros) }),
      code: "state-chunk.oversized",
      inflations: 0,
    },
    {
      name: "is a bomb",
      bend: ({ length }) => ({ length, deflated: deflateRawSync(zeros) }),
      code: "state-chunk.bad-deflate",
      inflations: 1,
    },
    {
      name: "says it is longer than it is",
      bend: ({ length }) => ({ length: length + 1 }),
      code: "state-chunk.bad-deflate",
      inflations: 1,
    },
    {
      name: "says it is shorter than it is",
      bend: ({ length }) => ({ length: length - 1 }),
      code: "state-chunk.bad-deflate",
      inflations: 1,
    },
    {
      name: "has more behind it",
      bend: ({ deflated }) => ({ deflated: Buffer.concat([deflated, Uint8Array.of(0)]) }),
      code: "state-chunk.bad-deflate",
      inflations: 1,
    },
    {
      name: "is cut off",
      bend: ({ deflated }) => ({ deflated: deflated.subarray(0, -1) }),
      code: "state-chunk.bad-deflate",
      inflations: 1,
    },
    {
      name: "is garbage",
      bend: () => ({ deflated: new Uint8Array(40).fill(255) }),
      code: "state-chunk.bad-deflate",
      inflations: 1,
    },
    {
      name: "has no frame in it",
      bend: () => ({ length: 100, deflated: deflateRawSync(new Uint8Array(100)) }),
      code: "state-chunk.bad-deflate",
      inflations: 1,
    },
    {
      name: "has another frame in it",
      bend: ({ seq }) => deflatedFrame({ type: "state-unavailable", unavailable: { seq, stable: seq } }),
      code: "state-chunk.bad-deflate",
      inflations: 1,
    },
    {
      name: "has the answer to another request in it",
      bend: ({ request, seq }) =>
        deflatedFrame({ type: "state-chunk", chunk: { request: request + 1, seq, items: [], left: 1 } }),
      code: "state-chunk.bad-deflate",
      inflations: 1,
    },
    {
      name: "has a wrong answer in it",
      bend: ({ request, seq }) =>
        deflatedFrame({
          type: "state-chunk",
          chunk: { request, seq, items: [{ type: "page", page: Uint8Array.of(7) }], left: 0 },
        }),
      code: "state-chunk.wrong-page",
      inflations: 1,
    },
    {
      name: "is of another checkpoint",
      bend: () => ({ seq: seqOf(9) }),
      code: "state-chunk.other-than-asked",
      inflations: 0,
    },
    {
      name: "was not asked for",
      bend: ({ request }) => ({ request: request + 77 }),
      code: "state-chunk.not-asked-for",
      inflations: 0,
    },
  ];
  for (const { name, bend, code, inflations } of faults)
    it(`passes a donor over whose answer ${name}`, () => {
      const scene = new DeflatingScene();
      const { from } = scene.deflated(bend);
      expect(scene.compressor.inflations).to.equal(inflations);
      scene.compressor.finish();
      expect(scene.happened).to.deep.equal([code]);
      if (code === "state-chunk.not-asked-for") return;
      scene.requests = scene.requests.filter(({ to }) => to !== from);
      scene.goOnDeflated();
      expect(scene.happened.at(-1), "the others have it").to.equal("founded 8");
    });

  it("takes nothing deflated when it does not inflate", () => {
    const scene = new Scene();
    const { to, fetch } = scene.requests.shift()!;
    expect(fetch.takesDeflated).to.equal(false);
    const chunk = deflatedChunkOf(scene.source.answer(fetch));
    scene.installer.onReplicaFrame(replicaId(to), { type: "deflated-chunk", chunk });
    expect(scene.happened).to.deep.equal(["state-chunk.other-than-asked"]);
  });
});

describe("a state installer", () => {
  it("ends in an order: all but the last group is durable, then the log says so, then the marks go", () => {
    const scene = new Scene().goOn();
    expect(scene.happened, "before the flush").to.deep.equal(["founded 8"]);
    scene.flush();
    expect(scene.happened.slice(1), "then the log").to.deep.equal(["raise 8, 0 groups unflushed"]);
    expect(scene.target, "its record is there").to.equal(8);
    scene.raised();
    expect(scene.target, "and goes with the last group").to.equal(undefined);
    expect(scene.happened.slice(2), "which is not durable").to.deep.equal([]);
    scene.flush();
    expect(scene.happened.slice(2)).to.deep.equal(["installed 8"]);
    const tree = new StateTree({ state: scene.store.state, local: scene.store.local, hasher, partOf });
    expect(tree.last).to.deep.equal(scene.source.tree.kept[0]);
  });

  it("a crash before the log says so, or before the marks are gone, goes on installing", () => {
    for (const isRaised of [false, true]) {
      const scene = new Scene().goOn().flush();
      if (isRaised) scene.raised();
      expect(readInstallation(scene.store.disk.crash().local, codec)?.target.seq, `${isRaised}`).to.equal(8);
    }
  });

  it("asks for nothing more while the disk is behind by more than a flush, and goes on afterwards", () => {
    const scene = new Scene(4_000, 20_000);
    for (let i = 0; i < 300; i++) scene.go();
    expect(scene.requests, "paused").to.deep.equal([]);
    expect(scene.installer.progress?.leavesFetched).to.be.within(1, 3_999);
    for (let i = 0; i < 1_000 && scene.happened.length < 2; i++) scene.flush().goOn();
    expect(scene.happened).to.deep.equal(["founded 8", "raise 8, 0 groups unflushed"]);
  });

  it("goes on with what an interrupted one had on its way: it goes where it belongs before anything is asked for", () => {
    const before = new Scene(4_000, 20_000);
    while ((before.installer.progress?.leavesFetched ?? 0) < 2_000) {
      before.go();
      before.flush();
    }
    const scene = new Scene(4_000, 20_000, undefined, before.store.disk.crash());
    expect([scene.store.bulk.isEmpty, scene.requests.length]).to.deep.equal([false, 0]);
    scene.flush();
    expect([scene.store.bulk.isEmpty, scene.requests.length]).to.deep.equal([true, 1]);
    for (let i = 0; i < 1_000 && scene.happened.length < 2; i++) scene.flush().goOn();
    scene.raised().flush();
    expect(scene.happened.at(-1)).to.equal("installed 8");
    const { leavesSkipped = 0, leavesFetched = 0 } = scene.installer.progress ?? {};
    expect(leavesSkipped).to.be.greaterThan(100);
    expect(leavesSkipped + leavesFetched).to.equal(4_000);
  });

  it("moves what waits into the store before more comes when that is much, and goes on where it was", () => {
    const store = createMemoryStore();
    const { bulk } = store;
    let settled = 0;
    const filling: typeof bulk = {
      get isEmpty() {
        return bulk.isEmpty;
      },
      get isFull() {
        return settled === 0;
      },
      add: (changes) => bulk.add(changes),
      flush: (done) => bulk.flush(done),
      settle: (done) => {
        settled++;
        bulk.settle(done);
      },
    };
    Object.defineProperty(store, "bulk", { value: filling });
    const scene = new Scene(4_000, 20_000, undefined, store);
    for (let i = 0; i < 1_000 && scene.happened.length < 2; i++) scene.flush().goOn();
    scene.raised().flush();
    expect([settled, scene.happened.at(-1)]).to.deep.equal([2, "installed 8"]);
    expect(scene.happened.filter((what) => what.startsWith("state-chunk"))).to.deep.equal([]);
    expect(scene.installer.progress?.leavesFetched).to.equal(4_000);
  });

  it("stays with its target while all of it is here and goes where it belongs", () => {
    const scene = new Scene();
    while (scene.store.disk.completionsWaiting === 0) scene.go();
    scene.nowMs += 5_000;
    expect(scene.push(1)).to.equal(true);
    expect([scene.target, scene.requests, scene.store.bulk.isEmpty]).to.deep.equal([8, [], false]);
    scene.flush().goOn().flush().raised().flush();
    expect(scene.happened.at(-1)).to.equal("installed 8");
  });

  it("stays with its target as long as something comes of it, whoever knows of a newer one", () => {
    const scene = new Scene();
    for (let i = 0; i < 3; i++) {
      scene.go();
      expect(scene.push(1)).to.equal(true);
    }
    expect(scene.target).to.equal(8);
  });

  it("takes a newer one when nothing has come for a second, and what is here counts for it", () => {
    const scene = new Scene();
    for (let i = 0; i < 3; i++) scene.go();
    scene.nowMs += 1_000;
    expect(scene.push(1)).to.equal(true);
    expect(scene.target).to.equal(16);
    scene.requests = scene.requests.filter(({ fetch }) => fetch.seq === 16);
    scene.goOn().flush().raised().flush();
    expect(scene.happened.at(-1)).to.equal("installed 16");
  });

  it("takes a newer one when f+1 donors do not keep its own, and not because one says so", () => {
    const scene = new Scene();
    scene.go();
    for (const [from, expected] of [
      [0, 8],
      [0, 8],
      [1, 16],
    ] as const) {
      const unavailable = { seq: seqOf(8), stable: seqOf(16) };
      scene.installer.onReplicaFrame(replicaId(from), { type: "state-unavailable", unavailable });
      scene.push(1, from);
      expect(scene.target, `${from}`).to.equal(expected);
    }
  });

  it("takes no certificate above the end of its epoch, where that is known", () => {
    const script = newScript();
    script.idle(1);
    const { seq } = script.links[0]!.certificate;
    for (const [known, target] of [
      [0, seq + 8],
      [1, 8],
    ] as const) {
      const scene = new Scene(400, undefined, undefined, createMemoryStore(), script.chainAt(known));
      scene.nowMs += 1_000;
      const checkpoint = certified(seq + 8, digestOf("stolen keys"));
      expect(scene.installer.onReplicaFrame(replicaId(1), { type: "below-history", checkpoint })).to.equal(true);
      expect([scene.target, scene.happened]).to.deep.equal([target, known === 0 ? [] : ["ingress.out-of-epoch"]]);
    }
  });

  it("cuts the link of who sends a certificate that no quorum signed, and takes none that is older", () => {
    const scene = new Scene();
    scene.nowMs += 1_000;
    const forged = { ...scene.source.certificates[1]!, stateRoot: digestOf("another") };
    const isCorrect = scene.installer.onReplicaFrame(replicaId(1), { type: "below-history", checkpoint: forged });
    expect([isCorrect, scene.happened, scene.target]).to.deep.equal([false, ["ingress.bad-certificate"], 8]);
    const older = certified(7, digestOf("older"));
    expect(scene.installer.onReplicaFrame(replicaId(1), { type: "stable-checkpoint", checkpoint: older })).to.equal(
      true,
    );
    expect(scene.target).to.equal(8);
  });

  it("dies of a failed flush, and does nothing afterwards", () => {
    const scene = new Scene().goOn();
    scene.store.disk.failNextFlush();
    scene.flush();
    const { length } = scene.happened;
    expect(length).to.equal(2);
    scene.goOn().flush().raised().flush();
    expect(scene.happened).to.have.lengthOf(length);
  });
});

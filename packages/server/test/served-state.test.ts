import {
  type CheckpointCertificate,
  type FetchState,
  OBSERVER_LINKS_MAX,
  observerPeerId,
  type ReplicaFrame,
  type ReplicaId,
  replicaId,
} from "@quorate/protocol";
import { partOf } from "@quorate/state-machine";
import { StateTree } from "@quorate/state-tree";
import { createMemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import type { HostOptions } from "../dist/host-options.js";
import type { IngressRejection } from "../dist/ports.js";
import { ServedState } from "../dist/served-state.js";
import { cluster, codec, digestOf, epoch, genesis, hasher, newEpochs, seqOf } from "./builders.ts";
import { HeldCompressor } from "./held-compressor.ts";
import { ManualTimer } from "./manual-timer.ts";

const PEER = replicaId(2);
const STABLE: CheckpointCertificate = { epoch, seq: seqOf(8), stateRoot: digestOf("root"), signatures: [] };
const keyOf = (n: number): Uint8Array => Uint8Array.of(0x75, n);
const FETCH: FetchState = {
  ...{ request: 1, seq: seqOf(8), bytesMax: 100_000, takesDeflated: true },
  items: [{ type: "whole", prefix: Uint8Array.of(partOf(keyOf(0))) }],
};

/** A donor of a state of thirty entries that are alike. */
class Scene {
  readonly sent: ReplicaFrame[] = [];
  readonly to: ReplicaId[] = [];
  readonly rejected: string[] = [];
  readonly timer = new ManualTimer();
  readonly served: ServedState;

  constructor(compressor: HeldCompressor | undefined) {
    const store = createMemoryStore();
    const tree = new StateTree({ state: store.state, local: store.local, hasher, partOf });
    const value = new Uint8Array(500).fill(7);
    const changes = Array.from({ length: 30 }, (_, n) => ({ key: keyOf(n), value }));
    store.writeAtomically(tree.change(changes));
    const { local } = tree.checkpoint(seqOf(8));
    store.writeAtomically({ state: [], local });
    const options = {
      ...{ genesis, epochs: newEpochs(), cluster, hasher, codec, compressor },
      ports: {
        sendToReplica: (to: ReplicaId, frame: ReplicaFrame) => {
          this.sent.push(frame);
          this.to.push(to);
        },
        ...this.timer.ports,
      },
      observer: { onRejection: ({ code }: IngressRejection) => this.rejected.push(code) },
    } as unknown as HostOptions;
    const host = { nowMs: () => this.timer.nowMs, onThrown: (error: unknown) => this.rejected.push(String(error)) };
    this.served = new ServedState(options, { snapshotAt: (seq) => tree.at(seq) }, host);
  }

  get types(): string[] {
    return this.sent.map(({ type }) => type);
  }
}

describe("a state that is served", () => {
  it("goes deflated to who takes it so, after the turn in which it was asked for", () => {
    const compressor = new HeldCompressor();
    const scene = new Scene(compressor);
    scene.served.answer(PEER, FETCH, STABLE);
    expect(scene.types).to.deep.equal([]);
    compressor.finish();
    expect(scene.types).to.deep.equal(["deflated-chunk"]);
  });

  it("goes as it is to who does not, and from a donor that deflates nothing", () => {
    const compressor = new HeldCompressor();
    const scene = new Scene(compressor);
    scene.served.answer(PEER, { ...FETCH, takesDeflated: false }, STABLE);
    const plain = new Scene(undefined);
    plain.served.answer(PEER, FETCH, STABLE);
    expect([scene.types, plain.types]).to.deep.equal([["state-chunk"], ["state-chunk"]]);
  });

  it("goes nowhere when the replica has stopped meanwhile", () => {
    const compressor = new HeldCompressor();
    const scene = new Scene(compressor);
    scene.served.answer(PEER, FETCH, STABLE);
    scene.served.stop();
    compressor.finish();
    expect(scene.types).to.deep.equal([]);
  });

  it("comes as fast as a peer's share allows, one answer a turn, and none is lost", () => {
    const scene = new Scene(undefined);
    const plain = { ...FETCH, takesDeflated: false };
    const asked = 4_000;
    let most = 0;
    for (let request = 0; request < asked; ) {
      // As a replica that fetches: four are unanswered.
      while (request < asked && request - scene.sent.length < 4)
        scene.served.answer(PEER, { ...plain, request: request++ }, STABLE);
      const before = scene.sent.length;
      scene.timer.go();
      most = Math.max(most, scene.sent.length - before);
    }
    while (scene.timer.go());
    expect([scene.sent.length, most, scene.rejected]).to.deep.equal([asked, 1, []]);
    expect(scene.sent.map((frame) => frame.type === "state-chunk" && frame.chunk.request)).to.deep.equal(
      Array.from({ length: asked }, (_, request) => request),
    );
    // 16 MiB a second for each of three peers, after a burst of eight; a page costs 2 KiB beside its 16.
    const bytes = asked * (30 * 500 + 2048);
    expect(scene.timer.nowMs / 1000).to.be.within((bytes * 0.9) / 2 ** 24 - 0.5, (bytes * 1.2) / 2 ** 24 - 0.5);
  });

  it("goes to all observers together as fast as to one member, which takes nothing from a member", () => {
    const plain = { ...FETCH, takesDeflated: false };
    const burstOf = (peers: readonly ReplicaId[]): readonly [Scene, number] => {
      const scene = new Scene(undefined);
      for (let request = 0; request < 1_000; request++)
        for (const peer of peers) scene.served.answer(peer, { ...plain, request }, STABLE);
      return [scene, scene.sent.length];
    };
    const [, burst] = burstOf([PEER]);
    const [scene, ofObservers] = burstOf(
      Array.from({ length: OBSERVER_LINKS_MAX }, (_, place) => observerPeerId(place)),
    );
    expect(ofObservers).to.equal(burst);
    for (let request = 0; request < 1_000; request++) scene.served.answer(PEER, { ...plain, request }, STABLE);
    expect(scene.sent.length).to.equal(2 * burst);
  });

  it("goes to observers in their turn: none that comes later is before those who wait for the share of all", () => {
    const scene = new Scene(undefined);
    const plain = { ...FETCH, takesDeflated: false };
    const [first, second] = [observerPeerId(0), observerPeerId(1)];
    while (scene.rejected.length === 0) scene.served.answer(first, plain, STABLE);
    const burst = scene.sent.length;
    scene.timer.nowMs += 10_000;
    scene.served.answer(second, plain, STABLE);
    expect(scene.sent.length, "it waits, too").to.equal(burst);
    scene.served.answer(PEER, plain, STABLE);
    for (let i = 0; i < 5; i++) scene.timer.go();
    expect(scene.to.slice(burst)).to.deep.equal([PEER, first, second, first, first, first]);
  });

  it("is not asked for more than waits: what one peer asks beyond that is refused, and another one is served", () => {
    const scene = new Scene(undefined);
    const plain = { ...FETCH, takesDeflated: false };
    for (let request = 0; request < 1_000; request++) scene.served.answer(PEER, { ...plain, request }, STABLE);
    const burst = scene.sent.length;
    expect(burst).to.be.within(300, 900);
    expect(scene.rejected).to.deep.equal(Array.from({ length: 1_000 - burst - 4 }, () => "fetch.over-budget"));
    scene.served.answer(replicaId(1), plain, STABLE);
    expect(scene.to.at(-1)).to.equal(1);
    while (scene.timer.go());
    expect(scene.sent.length).to.equal(burst + 1 + 4);
    scene.served.answer(PEER, plain, STABLE);
    scene.served.stop();
    expect(scene.timer.go()).to.equal(false);
  });
});

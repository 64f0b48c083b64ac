import { type CheckpointCertificate, type FetchState, type ReplicaFrame, replicaId } from "@quorate/protocol";
import { partOf } from "@quorate/state-machine";
import { StateTree } from "@quorate/state-tree";
import { createMemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import type { HostOptions } from "../dist/host-options.js";
import { ServedState } from "../dist/served-state.js";
import { cluster, codec, digestOf, epoch, genesis, hasher, newEpochs, seqOf } from "./builders.ts";
import { HeldCompressor } from "./held-compressor.ts";

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
      ports: { sendToReplica: (_: unknown, frame: ReplicaFrame) => this.sent.push(frame) },
      observer: {},
    } as unknown as HostOptions;
    this.served = new ServedState(options, { snapshotAt: (seq) => tree.at(seq) });
  }

  get types(): string[] {
    return this.sent.map(({ type }) => type);
  }
}

describe("a state that is served", () => {
  it("goes deflated to who takes it so, after the turn in which it was asked for", () => {
    const compressor = new HeldCompressor();
    const scene = new Scene(compressor);
    scene.served.answer(PEER, FETCH, STABLE, 0);
    expect(scene.types).to.deep.equal([]);
    compressor.finish();
    expect(scene.types).to.deep.equal(["deflated-chunk"]);
  });

  it("goes as it is to who does not, and from a donor that deflates nothing", () => {
    const compressor = new HeldCompressor();
    const scene = new Scene(compressor);
    scene.served.answer(PEER, { ...FETCH, takesDeflated: false }, STABLE, 0);
    const plain = new Scene(undefined);
    plain.served.answer(PEER, FETCH, STABLE, 0);
    expect([scene.types, plain.types]).to.deep.equal([["state-chunk"], ["state-chunk"]]);
  });

  it("goes nowhere when the replica has stopped meanwhile", () => {
    const compressor = new HeldCompressor();
    const scene = new Scene(compressor);
    scene.served.answer(PEER, FETCH, STABLE, 0);
    scene.served.stop();
    compressor.finish();
    expect(scene.types).to.deep.equal([]);
  });
});

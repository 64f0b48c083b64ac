import { clusterIdOf, createReplicaSigner } from "@quorate/crypto";
import { createFakeBackend } from "@quorate/crypto/testing";
import { type Genesis, replicaId } from "@quorate/protocol";
import {
  Executor,
  genesisStateRoot,
  RestorablePart,
  restoredChanges,
  restoredGenesis,
  type Service,
  StateError,
} from "@quorate/state-machine";
import { TreeFrameReader, type TreePiece, treeFrames } from "@quorate/state-tree";
import { expect } from "chai";
import { bytesOf, Fixture, hasher, resultsOf, seedOf, textOf } from "./cluster.ts";
import { MemoryStore } from "./ordered-memory.ts";

/** `KEY=VALUE` puts, `KEY` gets, `now` says what time it is. */
const service: Service = {
  execute(operation, state, context) {
    const [key = "", value] = textOf(operation).split("=");
    if (key === "now") return bytesOf(String(context.timestampMs));
    if (value !== undefined) state.put(bytesOf(key), bytesOf(value));
    return state.get(bytesOf(key)) ?? bytesOf("");
  },
};
const AT_MS = 5000;

/** A cluster with so many entries of the application's at its last checkpoint, and the pieces of that. */
function backedUp(entries: number): { readonly old: Fixture; readonly pieces: readonly TreePiece[] } {
  const old = new Fixture({ service, checkpointInterval: 4 });
  const alice = old.client(1);
  const session = old.open(alice);
  const puts = Array.from({ length: entries }, (_, i) => `key ${i}=value ${i}`);
  if (entries > 0) old.executor.execute(seqAfter(old), old.batch([alice.operate(session, 1, ...puts)], AT_MS));
  while (old.executor.lastCheckpoint.seq === 0) old.executor.execute(seqAfter(old), old.batch([], AT_MS));
  const snapshot = old.executor.snapshotAt(old.executor.lastCheckpoint.seq)!;
  const reader = new TreeFrameReader(hasher, snapshot.root);
  return { old, pieces: [...treeFrames(hasher, snapshot)].map((frame) => reader.accept(new Uint8Array(frame))!) };
}

const seqAfter = ({ executor }: Fixture): typeof executor.executed =>
  (executor.executed + 1) as typeof executor.executed;

function nextGenesis({ genesis, cluster, executor }: Fixture, pieces: readonly TreePiece[]): Genesis {
  const part = new RestorablePart();
  for (const piece of pieces) part.accept(piece);
  return { ...genesis, name: "next", restored: { cluster, checkpoint: executor.lastCheckpoint.seq, ...part.state } };
}

function restoredStore(genesis: Genesis, pieces: readonly TreePiece[]): MemoryStore {
  const store = new MemoryStore();
  for (const piece of pieces) store.writeAtomically(restoredChanges(hasher, piece) ?? { state: [], local: [] });
  store.writeAtomically(restoredGenesis(hasher, genesis, clusterIdOf(hasher, genesis)));
  return store;
}

function executorOf(genesis: Genesis, store: MemoryStore): Executor {
  const cluster = clusterIdOf(hasher, genesis);
  const signer = createReplicaSigner({
    backend: createFakeBackend(hasher),
    seed: seedOf(0),
    self: replicaId(0),
    cluster,
  });
  return new Executor({ service, store, genesis, cluster, hasher, signer });
}

describe("a cluster that starts from the state of another", () => {
  for (const entries of [0, 1, 63, 64, 65, 900])
    it(`has its ${entries} entries and its time, and nothing of its sessions, under a root that genesis alone tells`, () => {
      const { old, pieces } = backedUp(entries);
      const genesis = nextGenesis(old, pieces);
      const cluster = clusterIdOf(hasher, genesis);
      const store = restoredStore(genesis, pieces);

      const executor = executorOf(genesis, store);

      expect(executor.executed).to.equal(0);
      expect(executor.lastCheckpoint).to.deep.equal({ seq: 0, stateRoot: genesisStateRoot(hasher, genesis, cluster) });
      expect(executor.verifyStateRoot()).to.equal(true);
      expect(executor.timestampMs).to.equal(AT_MS);
      expect(store.state.entries.size).to.equal(entries + 2);
      if (entries > 0) expect(store.state.get(bytesOf(`\u0001key ${entries - 1}`))).to.not.equal(undefined);
    });

  it("goes on from it: its values are there, and the agreed time does not go back", () => {
    const { old, pieces } = backedUp(3);
    const genesis = nextGenesis(old, pieces);
    const { restored } = genesis;
    const store = restoredStore(genesis, pieces);
    const next = new Fixture({ service, name: "next", checkpointInterval: 4, store, ...(restored && { restored }) });
    const alice = next.client(1);

    expect(resultsOf(next.run(alice.operate(next.open(alice), 1, "key 2", "now")))).to.deep.equal([
      "ok value 2",
      `ok ${AT_MS}`,
    ]);
  });

  it("does not start with nothing when its state is not there", () => {
    const { old, pieces } = backedUp(3);

    expect(() => executorOf(nextGenesis(old, pieces), new MemoryStore()))
      .to.throw(StateError)
      .with.property("code", "state.missing");
  });
});

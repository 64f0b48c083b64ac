import { createNobleHasher } from "@quorate/crypto";
import { isApplicationProven } from "@quorate/state-machine";
import { expect } from "chai";
import { bytesOf, Fixture } from "./cluster.ts";

describe("a proof of what the service has", () => {
  const fixture = new Fixture({ checkpointInterval: 4 });
  const alice = fixture.client(1);
  const session = fixture.open(alice);
  fixture.run(alice.operate(session, 1, "x", "y"));
  fixture.idleTo(4);
  const { seq, stateRoot } = fixture.executor.lastCheckpoint;
  const snapshot = fixture.executor.snapshotAt(seq)!;
  // As a browser hashes.
  const state = { hasher: createNobleHasher(), cluster: fixture.cluster, stateRoot };
  const [log, missing] = [bytesOf("log"), bytesOf("missing")];
  const proofOf = (key: Uint8Array): ReturnType<typeof snapshot.prove> => snapshot.prove(Uint8Array.of(1, ...key));

  it("shows a value, and that there is none, to whoever knows the state root", () => {
    expect(seq).to.equal(4);
    expect(isApplicationProven(state, log, bytesOf("xy"), proofOf(log))).to.equal(true);
    expect(isApplicationProven(state, missing, undefined, proofOf(missing))).to.equal(true);
  });

  it("shows nothing else: no other value, key or cluster, and not under another root", () => {
    const proof = proofOf(log);
    expect(isApplicationProven(state, log, bytesOf("x"), proof)).to.equal(false);
    expect(isApplicationProven(state, log, undefined, proof)).to.equal(false);
    expect(isApplicationProven(state, missing, bytesOf("xy"), proof)).to.equal(false);
    expect(isApplicationProven(state, log, bytesOf("xy"), { ...proof, excerpts: [] })).to.equal(false);
    const cluster = "ab".repeat(32) as typeof state.cluster;
    expect(isApplicationProven({ ...state, cluster }, log, bytesOf("xy"), proof)).to.equal(false);
    fixture.run(alice.operate(session, 2, "z"));
    const later = { ...state, stateRoot: fixture.executor.stateRoot() };
    expect(isApplicationProven(later, log, bytesOf("xy"), proof)).to.equal(false);
  });
});

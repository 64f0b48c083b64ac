import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { bytesToHex, hexToBytes, replicaId } from "@quorate/protocol";
import { genesisStateRoot } from "@quorate/state-machine";
import { unsealed } from "@quorate/state-tree";
import { expect } from "chai";
import { Fixture, hasher } from "./cluster.ts";

const FILE = new URL("../test/state-vectors.json", import.meta.url);

const OPTIONS = { limits: { sessionWindow: 2, sessionsPerClientMax: 2, registrationValidityMax: 60 } };

interface Vector {
  readonly after: string;
  readonly entries: readonly { readonly key: string; readonly value: string }[];
  readonly treeRoot: string;
  readonly root: string;
}
interface Vectors {
  readonly comment: string;
  readonly cluster: string;
  readonly sessionWindow: number;
  readonly states: readonly Vector[];
}

const sha256 = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const tag = (text: string): Buffer => Buffer.from(text.padEnd(16, "\0"));
interface Leaf {
  readonly path: Buffer;
  readonly digest: Buffer;
  readonly key: Uint8Array;
}

/** The number in so many bytes, big-endian. */
const fixed = (value: number, bytes: number): Buffer => Buffer.from(value.toString(16).padStart(2 * bytes, "0"), "hex");

/** As docs/wire.md says it, with nothing of the code that is tested. */
function treeRootOf(entries: Vector["entries"]): string {
  const leaves = entries.map(({ key, value }) => {
    const part = { "01": 2, "02": 0, "0a": 0, "0b": 0, "0c": 0, "0d": 0 }[key.slice(0, 2)] ?? 1;
    const bytes = hexToBytes(key);
    return {
      path: Buffer.concat([Buffer.of(part), sha256(Buffer.of(4), bytes)]),
      digest: sha256(Buffer.of(0), fixed(bytes.length, 4), bytes, hexToBytes(value)),
      key: bytes,
    };
  });
  return nodeOf(
    leaves.sort((a, b) => Buffer.compare(a.path, b.path)),
    0,
  ).toString("hex");
}

function nodeOf(leaves: readonly Leaf[], depth: number): Buffer {
  const none = Buffer.alloc(32);
  if (leaves.length === 0) return none;
  if (depth > 0 && leaves.length <= 64)
    return sha256(
      ...[Buffer.of(1), fixed(leaves.length, 2), ...leaves.flatMap(({ path, digest }) => [path, digest])],
      sha256(Buffer.of(5), ...leaves.flatMap(({ key }) => [fixed(key.length, 2), key])),
    );
  const groups = Array.from({ length: 16 }, (_, high) => {
    const children = Array.from({ length: 16 }, (__, low) =>
      nodeOf(
        leaves.filter(({ path }) => path[depth] === 16 * high + low),
        depth + 1,
      ),
    );
    return children.every((child) => child.equals(none)) ? none : sha256(Buffer.of(3), ...children);
  });
  return sha256(Buffer.of(2), fixed(leaves.length, 8), ...groups);
}

/** A session with its window full twice over, one that was evicted, a refused number, and what a service wrote. */
function makeVectors(): Vectors {
  const fixture = new Fixture(OPTIONS);
  const states: Vector[] = [];
  const note = (after: string): void => {
    const entries = [...fixture.store.state.range(new Uint8Array(0), undefined)].map(([key, value]) => ({
      key: bytesToHex(key),
      value: bytesToHex(unsealed(hasher, key, value)!),
    }));
    states.push({ after, entries, treeRoot: treeRootOf(entries), root: fixture.executor.stateRoot() });
  };
  note("nothing");
  const [first, second] = [fixture.client(1), fixture.client(2)];
  const session = fixture.open(first);
  note("a registration");
  fixture.run(first.operate(session, 1, "a", "b!"), second.register(1, 40));
  fixture.run(first.operate(session, 2, "c"), first.operate(session, 3, "d"), first.operate(session, 9, "e"));
  note("two more batches: requests 1 to 3 of that session, and another client's registration");
  fixture.open(first, 2);
  fixture.idleTo(60);
  fixture.open(first, 3);
  note("sequence number 61: nonces are forgotten, and the first session has given way to a newer one of its client");
  fixture.run(fixture.change({ type: "leave", id: replicaId(7), mayLowerFaultThreshold: false }, { nonce: 5 }));
  fixture.run(fixture.change({ type: "parameters", checkpointInterval: 8, windowSize: 32 }, { nonce: 6 }));
  note("two changes: one is refused, and one waits for its activation");
  const comment = "See docs/wire.md, State. Bytes are in hex. `entries` is the whole state, in the order of keys.";
  return { comment, cluster: fixture.cluster, sessionWindow: 2, states };
}

// QUORATE_WRITE_VECTORS=1 writes the file; `biome format --write` then lays it out. A change of an existing vector is a
// change of the state: it needs a new format version.
if (process.env.QUORATE_WRITE_VECTORS === "1") writeFileSync(FILE, `${JSON.stringify(makeVectors(), undefined, 2)}\n`);

const published = JSON.parse(readFileSync(FILE, "utf8")) as Vectors;

describe("the vectors of the replicated state", () => {
  it("are what this code makes", () => {
    expect(makeVectors()).to.deep.equal(published);
  });

  it("have the roots that wire.md describes, recomputed without this code", () => {
    for (const { after, entries, treeRoot, root } of published.states) {
      expect(treeRootOf(entries), after).to.equal(treeRoot);
      expect(
        sha256(tag("quorate-root"), hexToBytes(published.cluster), hexToBytes(treeRoot)).toString("hex"),
        after,
      ).to.equal(root);
    }
  });

  it("begin with the root of genesis, and hold every part of the state", () => {
    const [genesis] = published.states;
    const parts = new Set(published.states.flatMap(({ entries }) => entries.map(({ key }) => key.slice(0, 2))));

    const fixture = new Fixture(OPTIONS);
    expect(genesis?.root).to.equal(genesisStateRoot(hasher, fixture.genesis, fixture.cluster));
    expect([...parts].sort()).to.deep.equal(["01", "02", "03", "04", "05", "06", "07", "08", "09", "0a", "0b", "0d"]);
  });
});

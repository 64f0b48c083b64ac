import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { bytesToHex, hexToBytes } from "@quorate/protocol";
import { genesisStateRoot } from "@quorate/state-machine";
import { expect } from "chai";
import { Fixture, hasher } from "./cluster.ts";

const FILE = new URL("../test/state-vectors.json", import.meta.url);

const OPTIONS = { limits: { sessionWindow: 2, sessionsPerClientMax: 2, registrationValidityMax: 60 } };

interface Vector {
  readonly after: string;
  readonly entries: readonly { readonly key: string; readonly value: string }[];
  readonly sum: string;
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
const sized = (hex: string): Buffer => {
  const bytes = Buffer.alloc(4 + hex.length / 2);
  bytes.writeUInt32BE(hex.length / 2);
  bytes.set(hexToBytes(hex), 4);
  return bytes;
};

/** As docs/wire.md says it, with nothing of the code that is tested. */
function sumOf(entries: Vector["entries"]): string {
  let sum = 0n;
  for (const { key, value } of entries) {
    const digest = sha256(tag("quorate-entry"), sized(key), sized(value));
    sum = (sum + BigInt(`0x${digest.toString("hex")}`)) % 2n ** 256n;
  }
  return sum.toString(16).padStart(64, "0");
}

/** A session with its window full twice over, one that was evicted, a refused number, and what a service wrote. */
function makeVectors(): Vectors {
  const fixture = new Fixture(OPTIONS);
  const states: Vector[] = [];
  const note = (after: string): void => {
    const entries = [...fixture.store.state.range(new Uint8Array(0), undefined)].map(([key, value]) => ({
      key: bytesToHex(key),
      value: bytesToHex(value),
    }));
    states.push({ after, entries, sum: sumOf(entries), root: fixture.executor.stateRoot() });
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
    for (const { after, entries, sum, root } of published.states) {
      expect(sumOf(entries), after).to.equal(sum);
      expect(
        sha256(tag("quorate-root"), hexToBytes(published.cluster), hexToBytes(sum)).toString("hex"),
        after,
      ).to.equal(root);
    }
  });

  it("begin with the root of genesis, and hold every part of the state", () => {
    const [genesis] = published.states;
    const parts = new Set(published.states.flatMap(({ entries }) => entries.map(({ key }) => key.slice(0, 2))));

    expect(genesis?.root).to.equal(genesisStateRoot(hasher, new Fixture(OPTIONS).cluster));
    expect([...parts].sort()).to.deep.equal(["01", "02", "03", "04", "05", "06", "07", "08", "09"]);
  });
});

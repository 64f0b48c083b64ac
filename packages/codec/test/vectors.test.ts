import { readFileSync, writeFileSync } from "node:fs";
import { hexToBytes } from "@quorate/protocol";
import { expect } from "chai";
import { SHAPES } from "./samples.ts";
import { makeVectors } from "./vectors.ts";

const FILE = new URL("../test/vectors.json", import.meta.url);

// QUORATE_WRITE_VECTORS=1 writes the file; `biome format --write` then lays it out. A change of an existing vector is a
// change of the wire: it needs a new format version.
if (process.env.QUORATE_WRITE_VECTORS === "1") writeFileSync(FILE, `${JSON.stringify(makeVectors(), undefined, 2)}\n`);

interface Vectors {
  readonly frames: { readonly [kind: string]: readonly { readonly name: string; readonly bytes: string }[] };
}
const published = JSON.parse(readFileSync(FILE, "utf8")) as Vectors;

describe("wire vectors", () => {
  it("are what this code makes", () => {
    expect(JSON.parse(JSON.stringify(makeVectors()))).to.deep.equal(published);
  });

  it("decode, and encode to the published bytes", () => {
    for (const shape of SHAPES)
      for (const { name, bytes } of published.frames[shape.kind] ?? expect.fail(shape.kind)) {
        const decoded = shape.decode(hexToBytes(bytes));
        expect(decoded.ok, `${shape.kind} ${name}`).to.equal(true);
        expect(decoded.ok && Buffer.from(shape.encode(decoded.value)).toString("hex"), name).to.equal(bytes);
      }
  });
});

import { readFileSync, writeFileSync } from "node:fs";
import { hexToBytes, MESSAGE_TYPE_CODES, TAGS } from "@quorate/protocol";
import { expect } from "chai";
import { SAMPLES, SHAPES } from "./samples.ts";
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

  it("are of tags, messages, frames and records that wire.md names", () => {
    const wire = readFileSync(new URL("../../../docs/wire.md", import.meta.url), "utf8");

    for (const tag of Object.values(TAGS)) expect(wire, tag).to.contain(`\`${tag}\``);
    for (const [type, code] of Object.entries(MESSAGE_TYPE_CODES)) expect(wire).to.contain(`| ${code} | ${type} |`);
    for (const kind of ["ReplicaFrame", "ClientFrame", "ServerFrame", "LogRecord"] as const) {
      const [, shapes = ""] = new RegExp(`\\n(${kind} +=.*(?:\\n +\\|.*)*)`).exec(wire) ?? [];
      for (const { type } of Object.values(SAMPLES[kind])) expect(shapes.toLowerCase(), kind).to.contain(type);
    }
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

import { randomBytes } from "node:crypto";
import { inflateRawSync } from "node:zlib";
import { type ReplicaFrame, type ReplicaId, replicaId, type StateChunk } from "@quorate/protocol";
import { expect } from "chai";
import { ChunkDeflater } from "../dist/chunk-deflater.js";
import type { Compressor } from "../dist/compressor.js";
import { codec, seqOf } from "./builders.ts";
import { HeldCompressor } from "./held-compressor.ts";

const PEER = replicaId(1);

/** A page of digests, which does not shrink, and values behind it. */
const chunkOf = (value: Uint8Array, page: Uint8Array = randomBytes(4_096)): StateChunk => ({
  request: 7,
  seq: seqOf(8),
  items: [{ type: "whole", page, values: Array.from({ length: 30 }, () => value), missing: [] }],
  left: 0,
});
const text = chunkOf(new Uint8Array(1_000).fill(97));
const noise: StateChunk = { ...text, items: [{ type: "page", page: randomBytes(30_000) }] };

class Scene {
  readonly compressor = new HeldCompressor();
  readonly sent: { readonly to: ReplicaId; readonly frame: ReplicaFrame }[] = [];
  readonly deflater: ChunkDeflater;

  constructor(compressor: Compressor | undefined = undefined) {
    this.deflater = new ChunkDeflater({
      codec,
      compressor: compressor ?? this.compressor,
      ports: { sendToReplica: (to, frame) => this.sent.push({ to, frame }) },
    });
  }

  get types(): string[] {
    return this.sent.map(({ frame }) => frame.type);
  }
}

describe("a chunk of the state on its way", () => {
  it("is deflated as a whole, however little its pages shrink", () => {
    const scene = new Scene();
    scene.deflater.send(PEER, text, true);
    expect(scene.sent, "not in the same turn").to.deep.equal([]);
    scene.compressor.finish();
    const [{ to, frame } = expect.fail("nothing sent")] = scene.sent;
    if (frame.type !== "deflated-chunk") return expect.fail(frame.type);
    const { deflated, ...rest } = frame.chunk;
    const whole = codec.encodeReplicaFrame({ type: "state-chunk", chunk: text });
    expect([to, rest]).to.deep.equal([PEER, { request: 7, seq: 8, length: whole.length }]);
    expect(new Uint8Array(inflateRawSync(deflated))).to.deep.equal(new Uint8Array(whole));
    expect(codec.decodeReplicaFrame(codec.encodeReplicaFrame(frame)).ok).to.equal(true);
  });

  it("goes as it is to who does not take it deflated, or when it is small, or where nothing deflates", () => {
    const scene = new Scene();
    scene.deflater.send(PEER, text, false);
    scene.deflater.send(PEER, { ...text, items: [{ type: "page", page: new Uint8Array(500) }] }, true);
    expect([scene.types, scene.compressor.deflations]).to.deep.equal([["state-chunk", "state-chunk"], 0]);
    const sent: ReplicaFrame[] = [];
    const plain = new ChunkDeflater({ codec, ports: { sendToReplica: (_, frame) => sent.push(frame) } });
    plain.send(PEER, text, true);
    expect(sent).to.deep.equal([{ type: "state-chunk", chunk: text }]);
  });

  it("goes as it is when it does not shrink by an eighth, and so do the next ones to that peer", () => {
    const scene = new Scene();
    const tried: number[] = [];
    for (let i = 0; i < 1_000; i++) {
      const before = scene.compressor.deflations;
      scene.deflater.send(PEER, noise, true);
      scene.compressor.finish();
      if (scene.compressor.deflations > before) tried.push(i);
    }
    expect(new Set(scene.types)).to.deep.equal(new Set(["state-chunk"]));
    expect(tried, "less and less often, but again and again").to.deep.equal([0, 16, 47, 108, 229, 470, 711, 952]);
    scene.deflater.send(replicaId(2), text, true);
    scene.compressor.finish();
    expect(scene.types.at(-1), "another peer").to.equal("deflated-chunk");
  });

  it("is tried again after those, and then deflated as before", () => {
    const scene = new Scene();
    for (let i = 0; i < 20; i++) {
      scene.deflater.send(PEER, i === 0 ? noise : text, true);
      scene.compressor.finish();
    }
    expect(scene.types.filter((type) => type === "deflated-chunk")).to.have.lengthOf(6);
  });

  it("is tried as early as at first when the one before shrank", () => {
    const scene = new Scene();
    for (let i = 0; i < 109; i++) {
      scene.deflater.send(PEER, i === 108 ? text : noise, true);
      scene.compressor.finish();
    }
    expect(scene.types.at(-1)).to.equal("deflated-chunk");
    const before = scene.compressor.deflations;
    for (let i = 0; i < 17; i++) {
      scene.deflater.send(PEER, noise, true);
      scene.compressor.finish();
    }
    expect(scene.compressor.deflations - before).to.equal(2);
  });

  it("is tried when it is much larger than the one that did not shrink: pages come before values", () => {
    const scene = new Scene();
    const pages: StateChunk = { ...noise, items: [{ type: "page", page: randomBytes(2_000) }] };
    for (const chunk of [pages, text, pages, text]) {
      scene.deflater.send(PEER, chunk, true);
      scene.compressor.finish();
    }
    expect(scene.types).to.deep.equal(["state-chunk", "deflated-chunk", "state-chunk", "deflated-chunk"]);
    expect(scene.compressor.deflations, "the second one of pages is not tried").to.equal(3);
  });

  it("goes as it is when sixteen others wait to be deflated", () => {
    const scene = new Scene();
    for (let i = 0; i < 18; i++) scene.deflater.send(PEER, text, true);
    expect([scene.compressor.waiting, scene.types]).to.deep.equal([16, ["state-chunk", "state-chunk"]]);
    scene.compressor.finish();
    scene.deflater.send(PEER, text, true);
    expect(scene.compressor.waiting).to.equal(1);
  });

  it("goes as it is when it could not be deflated, and not at all after the donor has stopped", () => {
    const ends: (() => void)[] = [];
    const compressor: Compressor = {
      deflate: (_, done) => ends.push(() => done(undefined)),
      inflate: () => expect.fail("a donor inflates nothing"),
    };
    const scene = new Scene(compressor);
    scene.deflater.send(PEER, text, true);
    for (const end of ends.splice(0)) end();
    expect(scene.types).to.deep.equal(["state-chunk"]);
    const stopped = new Scene();
    stopped.deflater.send(PEER, text, true);
    stopped.deflater.stop();
    stopped.compressor.finish();
    expect(stopped.sent).to.deep.equal([]);
  });
});

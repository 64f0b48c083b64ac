import { type DeflatedChunk, type FetchState, replicaId } from "@quorate/protocol";
import { expect } from "chai";
import { ChunkInflater } from "../dist/chunk-inflater.js";
import { codec, seqOf } from "./builders.ts";
import { HeldCompressor } from "./held-compressor.ts";

const DONOR = replicaId(1);
const chunkOf = (request: number): DeflatedChunk => {
  return { request, seq: seqOf(8), length: 100, deflated: Uint8Array.of(1) };
};
const fetchOf = (request: number): FetchState => {
  return { request, seq: seqOf(8), bytesMax: 1_000, takesDeflated: true, items: [] };
};

/** What came of chunks, with what is asked for under their numbers. */
class Scene {
  readonly compressor = new HeldCompressor();
  readonly happened: string[] = [];
  readonly arrived: number[] = [];
  readonly inflater: ChunkInflater;

  constructor(asked: (request: number) => FetchState | "former" | undefined) {
    this.inflater = new ChunkInflater({
      ...{ codec, compressor: this.compressor },
      asked: (_, request) => asked(request),
      onArrival: (_, request) => this.arrived.push(request),
      onChunk: (_, { request }) => this.happened.push(`${request}`),
      onFault: (_, { request }, fault) => this.happened.push(`${request} ${fault}`),
    });
  }
}

describe("a deflated chunk", () => {
  it("that is not waited for any more is not inflated, and is nobody's fault", () => {
    const scene = new Scene(() => "former");
    scene.inflater.take(DONOR, chunkOf(1));
    expect([scene.compressor.waiting, scene.arrived, scene.happened]).to.deep.equal([0, [], []]);
  });

  it("is left when 1024 others wait, and another one is taken when they are done", () => {
    const scene = new Scene(fetchOf);
    for (let request = 0; request < 1_030; request++) scene.inflater.take(DONOR, chunkOf(request));
    expect([scene.compressor.waiting, scene.happened]).to.deep.equal([1_024, []]);
    expect(scene.arrived, "what is left is not here").to.deep.equal(Array.from({ length: 1_024 }, (_, n) => n));
    scene.compressor.finish();
    expect(scene.happened).to.have.lengthOf(1_024);
    expect(scene.happened.at(-1)).to.equal("1023 state-chunk.bad-deflate");
    scene.inflater.take(DONOR, chunkOf(1_029));
    expect(scene.compressor.waiting).to.equal(1);
  });
});

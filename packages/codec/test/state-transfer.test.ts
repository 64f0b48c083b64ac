import { chunkFrameBytesMax } from "@quorate/codec";
import {
  contentBytes,
  FETCH_STATE_ITEMS_MAX,
  type ReplicaFrame,
  type StateChunkItem,
  sequenceNumber,
  stateChunkBytesMax,
} from "@quorate/protocol";
import * as cborg from "cborg";
import { expect } from "chai";
import { CODEC, SAMPLES } from "./samples.ts";

const PREFIX = Uint8Array.of(2);
const [FETCH, CHUNK, DEFLATED] = [12, 13, 15];
const page = [1, PREFIX];
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const fetchOf = (...items: readonly unknown[]): unknown => [FETCH, [7, 8, 9, 1, items]];
const chunkOf = (left: number, ...items: readonly unknown[]): unknown => [CHUNK, [7, 8, items, left]];
const deflatedOf = (length: number, bytes: number): unknown => [DEFLATED, [7, 8, length, new Uint8Array(bytes)]];
const bytesMax = stateChunkBytesMax(CODEC.limits);
const frameBytesMax = CODEC.limits.replicaFrameBytesMax;

interface Case {
  readonly name: string;
  readonly wire: unknown;
  readonly at: string | undefined;
}
const CASES: readonly Case[] = [
  { name: "a request for one page", wire: fetchOf(page), at: undefined },
  { name: "a request for nothing", wire: fetchOf(), at: "items" },
  { name: "as many items as are legal", wire: fetchOf(...upTo(FETCH_STATE_ITEMS_MAX).map(() => page)), at: undefined },
  { name: "one item more", wire: fetchOf(...upTo(FETCH_STATE_ITEMS_MAX + 1).map(() => page)), at: "items" },
  { name: "an item of type 0", wire: fetchOf([0, PREFIX]), at: "type" },
  { name: "an item of type 4", wire: fetchOf([4, PREFIX]), at: "type" },
  { name: "a request for a whole page", wire: fetchOf([3, PREFIX]), at: undefined },
  { name: "a whole page with indexes", wire: fetchOf([3, PREFIX, [0]]), at: "items" },
  { name: "a prefix as long as a path", wire: fetchOf([1, new Uint8Array(33)]), at: undefined },
  { name: "a longer prefix", wire: fetchOf([1, new Uint8Array(34)]), at: "prefix" },
  { name: "all values of a bucket", wire: fetchOf([2, PREFIX, upTo(64)]), at: undefined },
  { name: "no values of a bucket", wire: fetchOf([2, PREFIX, []]), at: "indexes" },
  { name: "a value that no bucket has", wire: fetchOf([2, PREFIX, [64]]), at: "indexes" },
  { name: "a value twice", wire: fetchOf([2, PREFIX, [3, 3]]), at: "indexes" },
  { name: "values that descend", wire: fetchOf([2, PREFIX, [3, 2]]), at: "indexes" },
  {
    name: "all values of as many buckets as are legal",
    wire: fetchOf(...upTo(FETCH_STATE_ITEMS_MAX).map(() => [2, PREFIX, upTo(64)])),
    at: undefined,
  },
  { name: "a request that says 2 of deflated answers", wire: [FETCH, [7, 8, 9, 2, [page]]], at: "takesDeflated" },
  { name: "a deflated chunk", wire: deflatedOf(2, 1), at: undefined },
  { name: "a deflated chunk that is no shorter", wire: deflatedOf(2, 2), at: "deflated" },
  { name: "a deflated chunk of nothing", wire: deflatedOf(2, 0), at: "deflated" },
  { name: "the longest deflated chunk", wire: deflatedOf(frameBytesMax, bytesMax), at: undefined },
  { name: "one byte more of it", wire: deflatedOf(frameBytesMax, bytesMax + 1), at: "deflated" },
  { name: "what inflates to no frame of a chunk", wire: deflatedOf(frameBytesMax + 1, 1), at: "length" },
  { name: "a chunk of nothing", wire: chunkOf(1), at: undefined },
  {
    name: "a chunk of too many items",
    wire: chunkOf(0, ...upTo(FETCH_STATE_ITEMS_MAX + 1).map(() => [0])),
    at: "items",
  },
  { name: "an answer of type 4", wire: chunkOf(0, [4, PREFIX]), at: "type" },
  { name: "a whole bucket", wire: chunkOf(0, [3, PREFIX, [1], [PREFIX, PREFIX]]), at: undefined },
  { name: "a whole bucket without values", wire: chunkOf(0, [3, PREFIX, [], []]), at: "values" },
  {
    name: "a whole bucket with too many",
    wire: chunkOf(0, [3, PREFIX, [0], upTo(64).map(() => PREFIX)]),
    at: "values",
  },
  { name: "a whole bucket without its page", wire: chunkOf(0, [3, [], [PREFIX]]), at: "items" },
  { name: "an answer with all values", wire: chunkOf(0, [2, [], upTo(64).map(() => PREFIX)]), at: undefined },
  { name: "an answer with more", wire: chunkOf(0, [2, [0], upTo(64).map(() => PREFIX)]), at: "values" },
  { name: "an answer without any", wire: chunkOf(0, [2, [], []]), at: "values" },
  { name: "missing places that descend", wire: chunkOf(0, [2, [3, 2], []]), at: "missing" },
  { name: "as much left as anything has", wire: chunkOf(bytesMax), at: undefined },
  { name: "more left than anything has", wire: chunkOf(bytesMax + 1), at: "left" },
  { name: "as many bytes as are legal", wire: chunkOf(0, [1, new Uint8Array(bytesMax)]), at: undefined },
  { name: "one byte more", wire: chunkOf(0, [1, new Uint8Array(bytesMax)], [2, [], [PREFIX]]), at: "items" },
  {
    name: "one byte more of whole buckets",
    wire: chunkOf(0, [3, PREFIX, [], [new Uint8Array(bytesMax)]]),
    at: "items",
  },
];

describe("the frames of state transfer", () => {
  for (const { name, wire, at } of CASES)
    it(`${at === undefined ? "take" : "refuse"} ${name}`, () => {
      const decoded = CODEC.decodeReplicaFrame(cborg.encode(wire));
      expect(decoded.ok ? undefined : decoded.error.path).to.satisfy((path: string | undefined) =>
        at === undefined ? path === undefined : path?.includes(at),
      );
    });

  it("have room in their bound for every correct answer, and not much more", () => {
    const PREFIXES = upTo(FETCH_STATE_ITEMS_MAX).map(() => new Uint8Array(33));
    const seq = sequenceNumber(Number.MAX_SAFE_INTEGER);
    const request = Number.MAX_SAFE_INTEGER;
    for (const [valueBytes, perItem] of [
      [0, 64],
      [30, 64],
      [300, 3],
      [70_000, 1],
    ] as const) {
      const values = upTo(perItem).map(() => new Uint8Array(valueBytes));
      const count = Math.min(FETCH_STATE_ITEMS_MAX, Math.floor(bytesMax / Math.max(1, valueBytes * perItem)));
      const prefixes = PREFIXES.slice(0, count);
      const items: StateChunkItem[] = prefixes.map(() => ({ type: "values", values, missing: [] }));
      const frame = CODEC.encodeReplicaFrame({ type: "state-chunk", chunk: { request, seq, items, left: bytesMax } });
      const asked = prefixes.map((prefix) => ({ type: "values" as const, prefix, indexes: upTo(perItem) }));
      const fetch = { request, seq, bytesMax: contentBytes(items), takesDeflated: true, items: asked };
      const most = chunkFrameBytesMax(fetch);
      expect(frame.length, `${valueBytes}`).to.be.within(most - 64 - count * (12 + 4 * perItem), most);
    }
  });

  it("have room for a whole page that nothing is missing of, and one of which all is missing", () => {
    const prefix = new Uint8Array(0);
    const [request, seq] = [1, sequenceNumber(1)];
    const page = new Uint8Array(5_000);
    for (const [values, missing] of [
      [upTo(64).map(() => new Uint8Array(1_000)), []],
      [[], upTo(64)],
    ] as const) {
      const items: StateChunkItem[] = [{ type: "whole", page, values, missing }];
      const frame = CODEC.encodeReplicaFrame({ type: "state-chunk", chunk: { request, seq, items, left: 0 } });
      const bytes = contentBytes(items);
      const fetch = { request, seq, bytesMax: bytes, takesDeflated: true, items: [{ type: "whole" as const, prefix }] };
      expect(frame.length).to.be.within(bytes, chunkFrameBytesMax(fetch));
    }
  });

  it("share no memory with the bytes they came in", () => {
    const frame = SAMPLES.ReplicaFrame["state-chunk"] as Extract<ReplicaFrame, { readonly type: "state-chunk" }>;
    const bytes = CODEC.encodeReplicaFrame(frame);
    const decoded = CODEC.decodeReplicaFrame(bytes);
    bytes.fill(0);
    expect(decoded.ok && decoded.value).to.deep.equal(frame);
  });
});

import {
  bytesToHex,
  contentBytes,
  type FetchState,
  type Rejection,
  type ReplicaId,
  replicaId,
  type StateChunk,
  type StateChunkItem,
} from "@quorate/protocol";
import type { FetchStep } from "@quorate/state-transfer";
import { expect } from "chai";
import { CHUNK_BYTES_MAX, certificateOf, correctDonor, Stores, seqOf, Transfer } from "./transfer-model.ts";

/** Part 1 is one bucket of 40, part 2 has buckets of a few leaves each. */
const entries = new Map(
  Array.from({ length: 640 }, (_, n) => {
    const key = Uint8Array.of(n < 40 ? 1 : 2, n >> 8, n);
    return [bytesToHex(key), new Uint8Array(40).fill(n)] as const;
  }),
);
const stores = Stores.of(entries, 9);
const correct = correctDonor(stores);
/** The same keys with other values: page after page differs, and value after value. */
const older = Stores.of(new Map([...entries].map(([key]) => [key, Uint8Array.of(1)])), 3);
const DONOR = replicaId(0);
const OTHER = replicaId(1);

/** A fetcher that has just asked one donor, and knows another. */
class Scene {
  readonly transfer: Transfer;
  request: FetchState;

  constructor(target = certificateOf(stores), limits = {}, local = older.copy()) {
    const silent = (): [] => [];
    this.transfer = new Transfer({
      ...{ stores: local, target, donors: [silent] },
      limits: { requestsPerDonorMax: 1, ...limits },
    });
    this.request = this.transfer.first.requests[0]!.request;
  }

  /** One with nothing, which asks for whole pages. */
  static bare(): Scene {
    return new Scene(certificateOf(stores), {}, new Stores());
  }

  /** Goes on with right answers until the donor is asked for what is meant. */
  until(wanted: Exclude<Case["of"], "bucket" | "inner"> | "whole"): this {
    for (let i = 0; i < 20; i++) {
      const [first, second] = this.request.items;
      const isLongEnough = first?.type !== "values" || first.indexes.length > 1;
      const isWanted = wanted === "many values" ? second?.type === "values" && isLongEnough : first?.type === wanted;
      if (isWanted && first !== undefined && first.prefix.length > 0) return this;
      this.answer(this.right());
    }
    throw new Error(`no request for ${wanted}`);
  }

  /** Until the first answer to one that asks for whole pages is a bucket, or an inner page. */
  untilWhole(is: "bucket" | "inner"): this {
    this.until("whole");
    const type = is === "bucket" ? "whole" : "page";
    for (let i = 0; i < 20 && this.right().items[0]?.type !== type; i++) this.answer(this.right());
    return this;
  }

  right(request = this.request): StateChunk {
    return correct(request, 0)[0]!.chunk!;
  }

  /** The step after this answer; the next request to the donor becomes the current one. */
  answer(chunk: StateChunk, from = DONOR): FetchStep {
    let step = this.transfer.deliver(from, chunk);
    const rejections = step.rejections;
    let requests = step.requests;
    while (step.hasMore) {
      step = this.transfer.tick();
      requests = [...requests, ...step.requests];
    }
    this.request = requests.find(({ to }) => to === DONOR)?.request ?? this.request;
    return { ...step, rejections, requests };
  }
}

type Change = (chunk: StateChunk, request: FetchState) => StateChunk;
const item =
  (change: (item: StateChunkItem) => StateChunkItem): Change =>
  (chunk) => ({ ...chunk, items: [change(chunk.items[0]!), ...chunk.items.slice(1)] });
const values = (change: (values: readonly Uint8Array[]) => readonly Uint8Array[], missing: number[] = []): Change =>
  item((it) => (it.type === "values" ? { ...it, values: change(it.values), missing } : it));
const page = (change: (page: Uint8Array) => Uint8Array): Change =>
  item((it) => (it.type === "page" ? { ...it, page: change(it.page) } : it));

type Whole = Extract<StateChunkItem, { readonly type: "whole" }>;
const whole = (change: (item: Whole) => StateChunkItem): Change =>
  item((it) => (it.type === "whole" ? change(it) : it));

interface Case {
  readonly name: string;
  /** What the first item of the request is; or what is answered to one that asks for a whole page. */
  readonly of: "page" | "values" | "many values" | "bucket" | "inner";
  readonly change: Change;
  readonly code: Rejection["code"];
}
const CASES: readonly Case[] = [
  {
    name: "of another checkpoint",
    of: "page",
    change: (c) => ({ ...c, seq: seqOf(8) }),
    code: "state-chunk.other-than-asked",
  },
  {
    name: "with an item too many",
    of: "page",
    change: (c) => ({ ...c, items: [...c.items, ...c.items] }),
    code: "state-chunk.other-than-asked",
  },
  {
    name: "with values for a page",
    of: "page",
    change: item(() => ({ type: "values", values: [], missing: [0] })),
    code: "state-chunk.other-than-asked",
  },
  {
    name: "with a page for values",
    of: "values",
    change: item(() => ({ type: "page", page: Uint8Array.of(1) })),
    code: "state-chunk.other-than-asked",
  },
  {
    name: "without any value in an item of values",
    of: "values",
    change: values(() => []),
    code: "state-chunk.other-than-asked",
  },
  {
    name: "with a value too many",
    of: "values",
    change: values((all) => [...all, all[0]!]),
    code: "state-chunk.other-than-asked",
  },
  {
    name: "with a missing place beyond its values",
    of: "values",
    change: values((all) => all.slice(0, -1), [200]),
    code: "state-chunk.other-than-asked",
  },
  {
    name: "with a missing place twice",
    of: "values",
    change: values((all) => all.slice(2), [0, 0]),
    code: "state-chunk.wrong-value",
  },
  {
    name: "that goes on behind an item cut short",
    of: "many values",
    change: (c) => ({ ...values((all) => all.slice(0, 1))(c, undefined as never), left: CHUNK_BYTES_MAX }),
    code: "state-chunk.other-than-asked",
  },
  {
    name: "of more bytes than asked for",
    of: "page",
    change: page(() => new Uint8Array(256 * 1024 + 1)),
    code: "state-chunk.oversized",
  },
  {
    name: "that leaves out what would have fitted",
    of: "page",
    change: (c) => ({ ...c, items: [], left: 100 }),
    code: "state-chunk.incomplete",
  },
  {
    name: "that leaves out something without a word",
    of: "page",
    change: (c) => ({ ...c, items: [] }),
    code: "state-chunk.incomplete",
  },
  {
    name: "that says it left out something and did not",
    of: "page",
    change: (c) => ({ ...c, left: CHUNK_BYTES_MAX }),
    code: "state-chunk.incomplete",
  },
  {
    name: "that left out a page that is larger than any",
    of: "page",
    change: (c) => ({ ...c, items: [], left: 300 * 1024 }),
    code: "state-chunk.false-size",
  },
  {
    name: "that left out what nothing can be as large as",
    of: "page",
    change: (c) => ({ ...c, items: [], left: CHUNK_BYTES_MAX + 1 }),
    code: "state-chunk.false-size",
  },
  { name: "with a page of no form", of: "page", change: page(() => Uint8Array.of(7)), code: "state-chunk.wrong-page" },
  {
    name: "with a page that is cut",
    of: "page",
    change: page((bytes) => bytes.subarray(0, -1)),
    code: "state-chunk.wrong-page",
  },
  {
    name: "with a page that is too long",
    of: "page",
    change: page((bytes) => Uint8Array.of(...bytes, 0)),
    code: "state-chunk.wrong-page",
  },
  {
    name: "with another digest in a page",
    of: "page",
    change: page((bytes) => bytes.with(60, bytes[60]! ^ 1)),
    code: "state-chunk.wrong-page",
  },
  {
    name: "with another value",
    of: "values",
    change: values((all) => [all[0]!.with(0, all[0]![0]! ^ 1), ...all.slice(1)]),
    code: "state-chunk.wrong-value",
  },
  {
    name: "with two values swapped",
    of: "values",
    change: values((all) => [all[1]!, all[0]!, ...all.slice(2)]),
    code: "state-chunk.wrong-value",
  },
  {
    name: "with a whole bucket for a page",
    of: "page",
    change: item(() => ({ type: "whole", page: Uint8Array.of(1), values: [Uint8Array.of(1)], missing: [] })),
    code: "state-chunk.other-than-asked",
  },
  {
    name: "with a whole inner page",
    of: "inner",
    change: item((it) => (it.type === "page" ? { ...it, type: "whole", values: [Uint8Array.of(1)], missing: [] } : it)),
    code: "state-chunk.other-than-asked",
  },
  {
    name: "with another value in a whole bucket",
    of: "bucket",
    change: whole((it) => ({ ...it, values: [...it.values.slice(0, -1), Uint8Array.of(9)] })),
    code: "state-chunk.wrong-value",
  },
  {
    name: "with a value too few in a whole bucket",
    of: "bucket",
    change: whole((it) => ({ ...it, values: it.values.slice(1) })),
    code: "state-chunk.other-than-asked",
  },
  {
    name: "with a missing place beyond a whole bucket",
    of: "bucket",
    change: whole((it) => ({ ...it, values: it.values.slice(1), missing: [63] })),
    code: "state-chunk.other-than-asked",
  },
  {
    name: "with another page in a whole bucket",
    of: "bucket",
    change: whole((it) => ({ ...it, page: it.page.with(1, it.page[1]! ^ 1) })),
    code: "state-chunk.wrong-page",
  },
];

describe("a chunk", () => {
  for (const { name, of, change, code } of CASES)
    it(`${name} is rejected as ${code}, and its donor asked no more`, () => {
      const scene = of === "bucket" || of === "inner" ? Scene.bare().untilWhole(of) : new Scene().until(of);
      const step = scene.answer(change(scene.right(), scene.request));
      expect(step.rejections).to.have.lengthOf(1);
      expect(step.rejections[0]).to.include({ code, from: DONOR });
      expect(step.requests.map(({ to }) => to)).to.not.include(DONOR);
    });

  it("with a bucket whose keys stand elsewhere is no page, though its digest does not cover them", () => {
    const scene = new Scene().until("page");
    for (let i = 0; i < 20 && scene.right().items.every((it) => it.type !== "page" || it.page[0] !== 1); i++)
      scene.answer(scene.right());
    const chunk = scene.right();
    const at = chunk.items.findIndex((it) => it.type === "page" && it.page[0] === 1);
    const items = chunk.items.map((it, i) =>
      i === at && it.type === "page" ? { ...it, page: it.page.with(it.page.length - 1, 0xee) } : it,
    );
    expect(scene.answer({ ...chunk, items }).rejections[0]).to.include({ code: "state-chunk.wrong-page" });
  });

  it("may have a bare page alone for a whole one, and then its values are asked for", () => {
    const scene = Scene.bare().untilWhole("bucket");
    const chunk = scene.right();
    const items = chunk.items.map((it) => (it.type === "whole" ? ({ type: "page", page: it.page } as const) : it));
    const { rejections } = scene.answer({ ...chunk, items });
    expect([rejections, scene.request.items[0]?.type]).to.deep.equal([[], "values"]);
  });

  it("may lack values of a whole bucket, which are asked of another donor, and only they", () => {
    const scene = Scene.bare().untilWhole("bucket");
    const chunk = scene.right();
    const { prefix } = scene.request.items[0]!;
    const lacking = whole((it) => ({ ...it, values: it.values.slice(0, -1), missing: [it.values.length - 1] }));
    const { rejections, requests } = scene.answer(lacking(chunk, scene.request));
    expect(rejections).to.deep.equal([]);
    const asked = requests.flatMap(({ request }) => request.items).filter((it) => it.prefix === prefix);
    expect(asked, "not of the same one at once").to.deep.equal([]);
    for (let i = 0; i < 40 && scene.transfer.done === undefined; i++) {
      scene.transfer.nowMs += 2_000;
      const again = scene.transfer.tick().requests.flatMap(({ request }) => request.items);
      const item = again.find((it) => bytesToHex(it.prefix) === bytesToHex(prefix));
      if (item === undefined) continue;
      const { length } = (chunk.items[0] as Whole).values;
      expect(item).to.deep.equal({ type: "values", prefix, indexes: [length - 1] });
      return;
    }
    throw new Error("never asked again");
  });

  it("nobody asked for is rejected, and so is one that is answered a second time", () => {
    const scene = new Scene();
    const chunk = scene.right();
    expect(scene.answer({ ...chunk, request: chunk.request + 77 }).rejections[0]).to.include({ from: DONOR });
    expect(scene.answer(chunk, OTHER).rejections[0]).to.include({ code: "state-chunk.not-asked-for", from: OTHER });
    expect(scene.answer(chunk).rejections).to.deep.equal([]);
    expect(scene.answer(chunk).rejections[0]).to.include({ code: "state-chunk.not-asked-for" });
  });

  it("that cannot be inflated is a fault of who was asked, and what it was for is asked again", () => {
    const scene = new Scene();
    const { fetcher, nowMs } = scene.transfer;
    const chunk = scene.right();
    const bad = (from: ReplicaId): FetchStep => fetcher.onBadChunk(from, chunk, "state-chunk.bad-deflate", nowMs);
    expect(bad(OTHER).rejections[0]).to.include({ code: "state-chunk.not-asked-for", from: OTHER });
    expect(fetcher.asked(OTHER, chunk.request)).to.equal(undefined);
    expect(fetcher.asked(DONOR, chunk.request)).to.deep.equal(scene.request);
    const { rejections, requests } = bad(DONOR);
    expect(rejections[0]).to.include({ code: "state-chunk.bad-deflate", from: DONOR });
    expect(fetcher.asked(DONOR, chunk.request), "answered").to.equal(undefined);
    expect(fetcher.progress?.chunksRejected).to.equal(2);
    expect(requests, "nobody else is there").to.deep.equal([]);
    scene.transfer.nowMs += 2_000;
    expect(scene.transfer.tick().requests[0]?.request.items).to.deep.equal(scene.request.items);
  });

  it("is counted as it came, and as what it brought", () => {
    const scene = new Scene();
    const chunk = scene.right();
    scene.transfer.fetcher.onChunk(DONOR, chunk, scene.transfer.nowMs, 17);
    const bytes = contentBytes(chunk.items);
    expect(scene.transfer.fetcher.progress).to.include({ bytesReceived: bytes, bytesOnWire: 17 });
  });

  it("that comes too late is nobody's fault", () => {
    const scene = new Scene();
    const late = scene.right();
    scene.transfer.nowMs += 10_000;
    scene.transfer.tick();
    expect(scene.answer(late).rejections).to.deep.equal([]);
  });

  it("that comes in time and is inflated late keeps nobody waiting for another, and is nobody's fault", () => {
    const scene = new Scene();
    const { transfer } = scene;
    const chunk = scene.right();
    transfer.fetcher.onArrival(OTHER, chunk.request, transfer.nowMs);
    transfer.nowMs += 10;
    transfer.fetcher.onArrival(DONOR, chunk.request, transfer.nowMs);
    transfer.nowMs += 10_000;
    expect(transfer.tick().requests, "nothing is asked again").to.deep.equal([]);
    expect(transfer.fetcher.asked(DONOR, chunk.request)).to.deep.equal(scene.request);
    expect(scene.answer(chunk).rejections).to.deep.equal([]);
    expect(transfer.fetcher.asked(DONOR, scene.request.request), "asked on at once").to.deep.equal(scene.request);
    // It took 10 ms: the next answer is late after half a second.
    transfer.nowMs += 600;
    transfer.tick();
    expect(transfer.fetcher.asked(DONOR, scene.request.request)).to.equal("former");
  });

  it("does not hold the root unless the certificate names it", () => {
    const scene = new Scene({ ...certificateOf(stores), stateRoot: certificateOf(Stores.of(new Map(), 9)).stateRoot });
    expect(scene.answer(scene.right()).rejections[0]).to.include({ code: "state-chunk.wrong-page" });
  });

  it("brings what stands before the fault, and only the rest is asked again", () => {
    const scene = new Scene().until("values");
    const { rejections } = scene.answer(
      values((all) => [...all.slice(0, 3), Uint8Array.of(1), ...all.slice(4)])(scene.right(), scene.request),
    );
    expect(rejections).to.have.lengthOf(1);
    scene.transfer.nowMs += 2_000;
    const [again] = scene.transfer.tick().requests;
    const item = again?.request.items[0];
    expect(item?.type === "values" && item.indexes[0]).to.equal(3);
  });
});

describe("a value that does not fit", () => {
  const large = new Map([
    ["02aa", new Uint8Array(300_000).fill(1)],
    ["02ab", new Uint8Array(300_000).fill(2)],
  ]);
  const source = Stores.of(large, 9);
  const donor = correctDonor(source);

  it("is asked for again alone, with room for it", () => {
    const target = new Stores();
    const transfer = new Transfer({ stores: target, target: certificateOf(source), donors: [donor] }).run();
    expect(transfer.rejections).to.deep.equal([]);
    expect(target.state.entries).to.deep.equal(source.state.entries);
  });

  it("is never a page: who says so is refused at once", () => {
    const liar: typeof donor = (request, atMs) =>
      donor(request, atMs).map((sent) =>
        request.items[0]?.type === "page" && request.bytesMax < 400_000
          ? { ...sent, chunk: { ...sent.chunk!, items: [], left: 400_000 } }
          : sent,
      );
    const target = new Stores();
    const transfer = new Transfer({ stores: target, target: certificateOf(source), donors: [liar, donor] }).run();
    expect(transfer.rejections.map(({ code }) => code)).to.include("state-chunk.false-size");
    expect(target.state.entries).to.deep.equal(source.state.entries);
  });

  it("has the size that was said, or who said so is refused as soon as anybody sends it", () => {
    const liar: typeof donor = (request, atMs) =>
      donor(request, atMs).map((sent) =>
        request.items[0]?.type === "values" && request.items[0].indexes.length > 1
          ? { ...sent, chunk: { ...sent.chunk!, items: [], left: 400_000 } }
          : sent,
      );
    const stores = new Stores();
    const transfer = new Transfer({ stores, target: certificateOf(source), donors: [liar] }).run();
    expect(transfer.rejections.map(({ code, from }) => [code, from])).to.deep.include(["state-chunk.false-size", 0]);
    expect(stores.state.entries).to.deep.equal(source.state.entries);
  });
});

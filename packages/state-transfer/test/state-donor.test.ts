import { bytesToHex, contentBytes, type FetchState, type FetchStateItem, replicaId } from "@quorate/protocol";
import { type DonorAnswer, type DonorLimits, StateDonor } from "@quorate/state-transfer";
import { leavesOf, pageKey, type StateTree } from "@quorate/state-tree";
import { expect } from "chai";
import { AMPLE, hasher, Stores, seqOf } from "./transfer-model.ts";

const VALUE = 1000;
const keyOf = (n: number): Uint8Array => Uint8Array.of(n < 40 ? 1 : 2, n >> 8, n);
const entries = new Map(
  Array.from({ length: 400 }, (_, n) => [bytesToHex(keyOf(n)), new Uint8Array(VALUE).fill(n)] as const),
);
const ROOT = new Uint8Array(0);
const BUCKET = Uint8Array.of(1);
const rootPage: FetchStateItem = { type: "page", prefix: ROOT };
const bucketPage: FetchStateItem = { type: "page", prefix: BUCKET };
const firstValues = (count: number): FetchStateItem => ({
  type: "values",
  prefix: BUCKET,
  indexes: Array.from({ length: count }, (_, i) => i),
});

class Scene {
  readonly stores: Stores = Stores.of(entries, 9);
  readonly tree: StateTree = this.stores.tree();
  readonly donor: StateDonor;

  constructor(limits: Partial<DonorLimits> = AMPLE) {
    this.donor = new StateDonor({ hasher, chunkBytesMax: 50_000, limits });
  }

  ask(items: readonly FetchStateItem[], more: Partial<FetchState> = {}, atMs = 0, peer = 1): DonorAnswer {
    const request = { request: 3, seq: seqOf(9), bytesMax: 20_000, takesDeflated: false, items, ...more };
    return this.donor.answer(request, (seq) => this.tree.at(seq), seqOf(9), atMs, replicaId(peer));
  }

  chunk(items: readonly FetchStateItem[], more: Partial<FetchState> = {}): DonorAnswer["answer"] & { type: "chunk" } {
    const { answer } = this.ask(items, more);
    if (answer.type !== "chunk") throw new Error(answer.type);
    return answer;
  }
}

describe("a state donor", () => {
  it("answers in order what is asked for", () => {
    const { chunk } = new Scene().chunk([rootPage, bucketPage, firstValues(3)]);
    expect(chunk).to.include({ request: 3, seq: 9, left: 0 });
    expect(chunk.items.map(({ type }) => type)).to.deep.equal(["page", "page", "values"]);
  });

  it("sends a root page of three parts in a tenth of its bytes", () => {
    const { chunk } = new Scene().chunk([rootPage]);
    expect(contentBytes(chunk.items)).to.equal(1 + 8 + 32 + 2 * 32);
  });

  it("sends no more than asked for, and says what the next one takes", () => {
    const { chunk } = new Scene().chunk([rootPage, firstValues(30), bucketPage], { bytesMax: 5_000 });
    expect(contentBytes(chunk.items)).to.be.within(4_000, 5_000);
    expect(chunk.items.map(({ type }) => type)).to.deep.equal(["page", "values"]);
    expect(chunk.left).to.equal(VALUE);
  });

  it("sends nothing but its size of what does not fit at all", () => {
    const { chunk } = new Scene().chunk([firstValues(2)], { bytesMax: 999 });
    expect([chunk.items, chunk.left]).to.deep.equal([[], VALUE]);
  });

  it("never sends more than any chunk may have, whatever is asked for", () => {
    const all: FetchStateItem[] = Array.from({ length: 3 }, () => firstValues(40));
    const { chunk } = new Scene().chunk(all, { bytesMax: 1e9 });
    expect(contentBytes(chunk.items)).to.be.within(49_000, 50_000);
  });

  it("gives a bucket with all its values, an inner page as it is, and stops where the next does not fit", () => {
    const whole = (prefix: Uint8Array): FetchStateItem => ({ type: "whole", prefix });
    const inner = new Scene().chunk([whole(ROOT)]).chunk;
    expect(inner.items).to.deep.equal(new Scene().chunk([rootPage]).chunk.items);
    const { chunk } = new Scene().chunk([whole(BUCKET), whole(BUCKET)], { bytesMax: 50_000 });
    const [item] = chunk.items;
    const page = new Scene().chunk([bucketPage]).chunk.items[0];
    expect(item).to.include({ type: "whole" });
    if (item?.type !== "whole" || page?.type !== "page") throw new Error("not whole");
    expect([item.page, item.missing]).to.deep.equal([page.page, []]);
    expect(item.values.map(([first]) => first)).to.have.members(Array.from({ length: 40 }, (_, n) => n));
    expect([chunk.items.length, chunk.left]).to.deep.equal([1, contentBytes([item])]);
  });

  it("gives the page alone where all of it is more than was asked for", () => {
    const { chunk } = new Scene().chunk([{ type: "whole", prefix: BUCKET }], { bytesMax: 30_000 });
    expect([chunk.items[0]?.type, chunk.left]).to.deep.equal(["page", 0]);
  });

  it("does not read for ever to see that nothing fits", () => {
    const scene = new Scene();
    let reads = 0;
    const { get } = scene.stores.state;
    scene.stores.state.get = (key) => {
      reads++;
      return get.call(scene.stores.state, key);
    };
    const { chunk } = scene.chunk(
      Array.from({ length: 50 }, () => ({ type: "whole", prefix: BUCKET }) as const),
      { bytesMax: 30_000 },
    );
    expect(chunk.items.length).to.be.greaterThan(15);
    expect(reads).to.be.at.most((3 * 30_000) / VALUE + 3);
  });

  it("lacks of a whole bucket what is damaged", () => {
    const scene = new Scene();
    const third = keyOf(3);
    scene.stores.state.write([{ key: third, value: scene.stores.state.get(third)!.with(50, 99) }]);
    const { answer, damages } = scene.ask([{ type: "whole", prefix: BUCKET }], { bytesMax: 50_000 });
    expect(damages).to.have.lengthOf(1);
    const item = answer.type === "chunk" ? answer.chunk.items[0] : undefined;
    expect(item?.type === "whole" && [item.values.length, item.missing.length]).to.deep.equal([39, 1]);
  });

  it("tells as missing what there is not, which is no damage", () => {
    const { answer, damages } = new Scene().ask([
      { type: "page", prefix: Uint8Array.of(77) },
      { type: "values", prefix: ROOT, indexes: [0] },
      { type: "values", prefix: BUCKET, indexes: [39, 40] },
      { type: "page", prefix: Uint8Array.of(1, 1) },
    ]);
    expect(damages).to.deep.equal([]);
    const items = answer.type === "chunk" ? answer.chunk.items : [];
    expect(items.map((item) => (item.type === "values" ? item.missing : item.type))).to.deep.equal([
      ...["missing", "missing"],
      [1],
      "missing",
    ]);
  });

  it("says that it does not keep a checkpoint, and which one it has", () => {
    const { answer } = new Scene().ask([rootPage], { seq: seqOf(7) });
    expect(answer).to.deep.equal({ type: "unavailable", unavailable: { seq: 7, stable: 9 } });
  });

  it("serves the checkpoint as it was while execution goes on", () => {
    const scene = new Scene();
    const before = scene.chunk([rootPage, bucketPage, firstValues(3)]);
    scene.stores.change(
      scene.tree,
      [...entries.keys()].map((name) => ({ key: Buffer.from(name, "hex"), value: undefined })),
    );
    scene.stores.checkpoint(scene.tree, 10);
    expect(scene.chunk([rootPage, bucketPage, firstValues(3)])).to.deep.equal(before);
  });

  for (const [name, prefix, step] of [
    ["bucket", BUCKET, 7],
    ["inner page", ROOT, 97],
  ] as const)
    it(`does not serve a damaged ${name}, whatever byte it is, and reports it`, () => {
      const scene = new Scene();
      const page = scene.stores.local.get(pageKey(prefix))!;
      const right = scene.chunk([{ type: "page", prefix }]).chunk.items;
      const wrong = Array.from({ length: Math.ceil(page.length / step) }, (_, i) => i * step).flatMap((at) => [
        page.with(at, page[at]! ^ 1),
        page.slice(0, at),
      ]);
      for (const value of wrong) {
        scene.stores.local.write([{ key: pageKey(prefix), value }]);
        const { answer, damages } = scene.ask([{ type: "page", prefix }]);
        // Bytes that are not sent may be wrong: those of paths, which follow from the keys, are covered by the digest.
        const expected = damages.length === 0 ? right : [{ type: "missing" }];
        expect(answer.type === "chunk" && answer.chunk.items).to.deep.equal(expected);
      }
    });

  it("does not serve a damaged entry, nor one of another time, and reports both", () => {
    const scene = new Scene();
    const [first, second] = leavesOf(scene.stores.local.get(pageKey(BUCKET))!);
    const record = scene.stores.state.get(first!.key)!;
    const old = Stores.of(new Map([[bytesToHex(second!.key), Uint8Array.of(1)]]), 1).state.get(second!.key);
    scene.stores.state.write([
      { key: first!.key, value: record.with(500, record[500]! ^ 1) },
      { key: second!.key, value: old },
    ]);
    const { answer, damages } = scene.ask([firstValues(3)]);
    const [item] = answer.type === "chunk" ? answer.chunk.items : [];
    expect(item).to.deep.include({ type: "values", missing: [0, 1] });
    expect(damages.map(({ key }) => key)).to.deep.equal([first!.key, second!.key]);
  });

  it("has a budget for each peer and one for all, which time refills", () => {
    const rate = { bytesPerSecond: 15_000, burstBytes: 15_000 };
    const scene = new Scene({ ratePerPeer: rate, rate: { bytesPerSecond: 30_000, burstBytes: 30_000 } });
    const ask = (peer: number, atMs: number): string => scene.ask([firstValues(15)], {}, atMs, peer).answer.type;
    expect([ask(1, 0), ask(1, 0)], "its own").to.deep.equal(["chunk", "over-budget"]);
    expect([ask(2, 0), ask(3, 0)], "that of all").to.deep.equal(["chunk", "over-budget"]);
    expect(ask(1, 100), "in debt").to.equal("over-budget");
    expect(ask(1, 2_000)).to.equal("chunk");
  });

  it("counts questions that bring nothing, too", () => {
    const rate = { bytesPerSecond: 1, burstBytes: 16_384 };
    const scene = new Scene({ ratePerPeer: rate, rate });
    const answers = Array.from({ length: 20 }, () => scene.ask([rootPage], { seq: seqOf(7) }).answer.type);
    expect(answers.filter((type) => type === "over-budget").length).to.equal(12);
  });

  it("pins one checkpoint for each peer, the one that it asked for last, and none for who has used up its share", () => {
    const scene = new Scene({ ...AMPLE, pinMs: 1_000, pinMaxMs: 2_500 });
    scene.ask([rootPage], {}, 0, 1);
    scene.ask([rootPage], { seq: seqOf(7) }, 0, 2);
    expect(scene.donor.pinned(1)).to.deep.equal([9]);
    const rate = { bytesPerSecond: 1, burstBytes: 1 };
    const poor = new Scene({ ratePerPeer: rate, rate, pinMs: 1_000, pinMaxMs: 2_500 });
    expect(poor.ask([rootPage], { seq: seqOf(7) }, 0, 1).answer.type).to.equal("unavailable");
    expect(poor.ask([rootPage], {}, 0, 1).answer.type).to.equal("over-budget");
    expect(poor.donor.pinned(1)).to.deep.equal([]);
  });

  it("pins what is being fetched, for a while after the last request and not for ever", () => {
    const scene = new Scene({ ...AMPLE, pinMs: 1_000, pinMaxMs: 2_500 });
    expect(scene.donor.pinned(0)).to.deep.equal([]);
    scene.ask([rootPage], {}, 0);
    scene.ask([rootPage], { seq: seqOf(7) }, 0);
    expect([scene.donor.pinned(999), scene.donor.pinned(1_000)]).to.deep.equal([[9], []]);
    scene.ask([rootPage], {}, 900);
    scene.ask([rootPage], {}, 1_800);
    scene.ask([rootPage], {}, 2_400);
    expect([scene.donor.pinned(2_499), scene.donor.pinned(2_500)]).to.deep.equal([[9], []]);
  });
});

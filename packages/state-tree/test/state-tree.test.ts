import {
  bytesToHex,
  compareBytes,
  EXCERPT_GROUP_BYTES,
  EXCERPT_HEAD_BYTES,
  hexToBytes,
  PROOF_SLOTS_BYTES_MAX,
  STATE_PROOF_EXCERPTS_MAX,
  utf8,
} from "@quorate/protocol";
import {
  BUCKET_LEAVES_MAX,
  bucketOf,
  isBucket,
  isProven,
  leafCount,
  leafDigest,
  PATH_BYTES,
  type ProvenPlace,
  pageKey,
  pathOf,
  rootOfProof,
  StateDamage,
  StateTree,
  type TidyLimits,
  type TreeChanges,
} from "@quorate/state-tree";
import { expect } from "chai";
import fc from "fast-check";
import { deepHasher, hasher, partOf, rootByDefinition, SharingStore, seqOf, TreeScene } from "./model.ts";

type Plain = Map<string, Uint8Array>;
const entriesOf = (plain: Plain): (readonly [Uint8Array, Uint8Array])[] =>
  [...plain].map(([key, value]) => [hexToBytes(key), value] as const);

/** Few keys, so that they are changed and deleted again; or so many that pages split and join. */
const keys = fc.oneof(
  fc.nat(20).map((n) => Uint8Array.of(n)),
  fc.nat(600).map((n) => Uint8Array.of(n % 3, n >> 8, n)),
);
interface PlainChange {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}
type Step =
  | { readonly type: "change"; readonly changes: readonly PlainChange[] }
  | { readonly type: "checkpoint" | "reopen" }
  | { readonly type: "absorb"; readonly changes: number }
  | { readonly type: "drop"; readonly which: number }
  | ({ readonly type: "tidy" } & TidyLimits);

const change: fc.Arbitrary<PlainChange> = fc.record({
  key: keys,
  value: fc.option(fc.uint8Array({ maxLength: 40 }), { nil: undefined, freq: 2 }),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.array(change, { maxLength: 120 }).map((changes) => ({ type: "change" as const, changes })),
  },
  { weight: 3, arbitrary: fc.constant({ type: "checkpoint" as const }) },
  { weight: 1, arbitrary: fc.constant({ type: "reopen" as const }) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 60 }).map((changes) => ({ type: "absorb" as const, changes })) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("tidy" as const),
      records: fc.nat({ max: 40 }),
      handedDown: fc.nat({ max: 20 }),
      bytes: fc.nat({ max: 3000 }),
    }),
  },
  { weight: 2, arbitrary: fc.nat().map((which) => ({ type: "drop" as const, which })) },
);

function apply(plain: Plain, changes: readonly PlainChange[]): void {
  for (const { key, value } of changes)
    if (value === undefined) plain.delete(bytesToHex(key));
    else plain.set(bytesToHex(key), value);
}

function expectSame(scene: TreeScene, seq: number, plain: Plain): void {
  const snapshot = scene.tree.at(seqOf(seq))!;
  expect(snapshot.root, `root at ${seq}`).to.equal(rootByDefinition(entriesOf(plain)));
  // Each page is read by the digest that the one above it has.
  let leaves = 0;
  for (const page of snapshot.pages()) if (isBucket(page)) leaves += leafCount(page);
  expect(leaves, `leaves at ${seq}`).to.equal(plain.size);
  const ordered = entriesOf(plain).sort(([a], [b]) => compareBytes(a, b));
  expect([...snapshot.range(new Uint8Array(0), undefined)], `range at ${seq}`).to.deep.equal(ordered);
  const [from, to] = [Uint8Array.of(0, 1, 7), Uint8Array.of(1, 0, 200)];
  const between = ordered.filter(([key]) => compareBytes(key, from) >= 0 && compareBytes(key, to) < 0);
  expect([...snapshot.range(from, to)], `part of the range at ${seq}`).to.deep.equal(between);
  for (let n = 0; n <= 620; n++) {
    const key = n <= 20 ? Uint8Array.of(n) : Uint8Array.of(n % 3, n >> 8, n);
    const value = plain.get(bytesToHex(key));
    expect(snapshot.get(key), `${seq} ${n}`).to.deep.equal(value);
    if (value === undefined) continue;
    const bucket = bucketOf([{ key, path: pathOf(hasher, partOf(key), key), digest: leafDigest(hasher, key, value) }]);
    expect(snapshot.valueIn(bucket, 0, key), `${n} by its digest`).to.deep.equal(value);
  }
}

/** A tree beside the plain maps that it stands for. */
class Comparison {
  readonly scene = new TreeScene();
  readonly plain: Plain = new Map();
  readonly kept = new Map<number, Plain>([[0, new Map()]]);

  take(taken: Step): void {
    switch (taken.type) {
      case "change":
        this.scene.change(taken.changes);
        return apply(this.plain, taken.changes);
      case "checkpoint": {
        const seq = Math.max(...this.kept.keys()) + 1;
        this.scene.checkpoint(seq);
        this.kept.set(seq, new Map(this.plain));
        return;
      }
      case "reopen":
        this.scene.tree = this.scene.reopened();
        return;
      case "drop": {
        const older = [...this.kept.keys()].slice(0, -1);
        const dropped = older[taken.which % Math.max(1, older.length)];
        if (dropped === undefined) return;
        this.scene.write({ local: [this.scene.tree.drop(seqOf(dropped))] });
        this.kept.delete(dropped);
        return;
      }
      case "absorb":
        return this.scene.write({ local: this.scene.tree.absorb(taken.changes) });
      case "tidy":
        this.scene.write({ local: this.scene.tree.tidied(taken) });
    }
  }

  expectSame(): void {
    const { tree } = this.scene;
    expect(tree.rootNow()).to.equal(rootByDefinition(entriesOf(this.plain)));
    const sorted = entriesOf(this.plain).sort(([a], [b]) => compareBytes(a, b));
    const found = [...tree.range(new Uint8Array(0), undefined)];
    expect(found.map(spelled)).to.deep.equal(sorted.map(spelled));
    expect(tree.kept.map(({ seq }) => seq)).to.deep.equal([...this.kept.keys()]);
    for (const [seq, then] of this.kept) expectSame(this.scene, seq, then);
  }
}

const spelled = ([key, value]: readonly [Uint8Array, Uint8Array]): string => `${bytesToHex(key)} ${bytesToHex(value)}`;

describe("the state tree", () => {
  it("is the plain map that it stands for, now and at every kept checkpoint, whatever came how", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const comparison = new Comparison();
        for (const taken of steps) comparison.take(taken);
        comparison.expectSame();
      }),
      { numRuns: 120 },
    );
  });

  for (const recordsMax of [1, 7, 10_000])
    it(`hands down to an older checkpoint what that needs of one that goes, ${recordsMax} records at once`, () => {
      const at = (n: number): Uint8Array => Uint8Array.of(n % 3, n >> 8, n);
      const put = (from: number, to: number, by: number): PlainChange[] =>
        Array.from({ length: to - from }, (_, i) => ({ key: at(from + i), value: Uint8Array.of(by, i) }));
      const comparison = new Comparison();
      const { scene } = comparison;
      // Of the first third checkpoint 1 has records of its own when 2 goes, of the second third 2 alone has any.
      for (const changes of [put(21, 621, 1), put(21, 221, 2), put(21, 421, 3)]) {
        comparison.take({ type: "change", changes });
        comparison.take({ type: "checkpoint" });
      }

      comparison.take({ type: "drop", which: 2 });
      scene.tidy(recordsMax);

      expect(scene.tree.kept.map(({ seq }) => seq)).to.deep.equal([0, 1, 3]);
      comparison.expectSame();
      scene.tree = scene.reopened();
      comparison.expectSame();
    });

  it("has the pages of a checkpoint whatever pages have changed before the next one, and changed again at it", () => {
    const comparison = new Comparison();
    const put = (by: number): Step => {
      const changes = Array.from({ length: 300 }, (_, n) => ({
        key: Uint8Array.of(n % 3, n >> 8, n),
        value: Uint8Array.of(by),
      }));
      return { type: "change", changes: changes.slice(21) };
    };
    for (const taken of [
      put(1),
      { type: "checkpoint" },
      put(2),
      { type: "absorb", changes: 279 },
      put(3),
      { type: "absorb", changes: 279 },
    ] as const)
      comparison.take(taken);
    comparison.expectSame();

    comparison.take(put(4));
    comparison.take({ type: "checkpoint" });

    comparison.expectSame();
  });

  it("leaves nothing of a dropped checkpoint that another one does not need", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const comparison = new Comparison();
        for (const taken of steps) comparison.take(taken);
        const { scene } = comparison;
        scene.checkpoint(100);
        for (const seq of comparison.kept.keys()) scene.write({ local: [scene.tree.drop(seqOf(seq))] });
        scene.tidy();
        const other = new TreeScene();
        other.change(entriesOf(comparison.plain).map(([key, value]) => ({ key, value })));
        other.checkpoint(100);
        other.drop(0);
        expect(scene.local.entries).to.deep.equal(other.local.entries);
        expect(scene.state.entries).to.deep.equal(other.state.entries);
      }),
      { numRuns: 60 },
    );
  });

  it("does no more at a checkpoint than what its pages lack, and removes no more records at once than it is told to", () => {
    const scene = new TreeScene();
    const plain: Plain = new Map();
    const put = (count: number, value: number): void => {
      const changes = Array.from({ length: count }, (_, n) => {
        return { key: Uint8Array.of(0, n >> 8, n), value: Uint8Array.of(value) };
      });
      scene.change(changes);
      apply(plain, changes);
    };
    put(4000, 1);
    scene.checkpoint(1);
    put(3000, 2);
    // After a restart nothing says which of them the pages have: they are given them again, part by part, too.
    scene.tree = scene.reopened();
    expect(scene.tree.absorb(3001), "too few").to.deep.equal([]);
    for (let parts = 0; parts < 6; parts++) {
      const early = scene.tree.absorb(500);
      scene.write({ local: early });
      expect(early.length, `part ${parts}`).to.be.within(50, 1100);
      expect(scene.tree.rootNow()).to.equal(rootByDefinition(entriesOf(plain)));
    }
    expect(scene.tree.absorb(1), "it has them").to.deep.equal([]);
    const { local } = scene.tree.checkpoint(seqOf(2));
    expect(local.length).to.be.lessThan(10);
    scene.write({ local });

    scene.write({ local: [scene.tree.drop(seqOf(1))] });
    expect(scene.tree.at(seqOf(1)), "from then on").to.equal(undefined);
    const limits = { records: 500, handedDown: 10, bytes: Number.POSITIVE_INFINITY };
    expect(scene.tree.tidied(limits).length, "handed down to the one before").to.be.within(10, 20);
    scene.write({ local: [scene.tree.drop(seqOf(0))] });
    expect(scene.tree.tidied(limits).length, "needed by none").to.equal(500);
  });

  it("leaves nothing behind: what is stored is that of a tree made at once", () => {
    const many = Array.from({ length: 5 * BUCKET_LEAVES_MAX }, (_, n) => ({
      key: Uint8Array.of(0, n >> 8, n),
      value: Uint8Array.of(n),
    }));
    const scene = new TreeScene();
    scene.change(many);
    scene.checkpoint(1);
    scene.change(many.slice(3).map(({ key }) => ({ key, value: undefined })));
    scene.checkpoint(2);
    scene.drop(0);
    scene.drop(1);
    const other = new TreeScene();
    other.change(many.slice(0, 3));
    other.checkpoint(2);
    other.drop(0);
    expect(scene.local.entries).to.deep.equal(other.local.entries);
    expect(scene.state.entries).to.deep.equal(other.state.entries);
  });

  it("says of a flipped bit in any entry that it is damaged", () => {
    const scene = new TreeScene();
    const key = Uint8Array.of(7, 7);
    scene.change([{ key, value: Uint8Array.of(1, 2, 3) }]);
    const record = scene.state.get(key)!;
    for (let bit = 0; bit < record.length * 8; bit++) {
      const flipped = record.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      scene.state.write([{ key, value: flipped }]);
      expect(() => scene.tree.get(key), `bit ${bit}`).to.throw(StateDamage);
      expect(() => [...scene.tree.range(key, undefined)], `bit ${bit}`).to.throw(StateDamage);
    }
    scene.state.write([{ key, value: record }]);
    expect(scene.tree.get(key)).to.deep.equal(Uint8Array.of(1, 2, 3));
  });

  it("says so before it goes on from a store in which an entry changed, and then was damaged", () => {
    const scene = new TreeScene();
    const key = Uint8Array.of(7, 7);
    scene.change([{ key, value: Uint8Array.of(1, 2, 3) }]);
    const damaged = scene.state.get(key)!.slice();
    damaged[0]! ^= 1;
    scene.state.write([{ key, value: damaged }]);
    expect(() => scene.reopened()).to.throw(StateDamage);
  });

  it("says so when a checkpoint is read in order, of what stands there and of what stood there", () => {
    const scene = new TreeScene();
    const [a, b] = [Uint8Array.of(7, 1), Uint8Array.of(7, 2)];
    scene.change([a, b].map((key) => ({ key, value: utf8("before") })));
    scene.checkpoint(1);
    scene.change([{ key: a, value: utf8("after") }]);
    const snapshot = scene.tree.at(seqOf(1))!;
    expect([...snapshot.range(a, undefined)]).to.deep.equal([a, b].map((key) => [key, utf8("before")]));

    for (const store of [scene.local, scene.state])
      for (const [name, record] of store.entries) {
        const isOfEntry = name.endsWith(bytesToHex(store === scene.local ? a : b)) && record.length > 32;
        if (!isOfEntry) continue;
        store.entries.set(name, record.with(-1, 1));
        expect(() => [...snapshot.range(a, undefined)], name).to.throw(StateDamage);
        store.entries.set(name, record);
      }
  });

  it("says so too of an entry that stands at another key, or is cut", () => {
    const scene = new TreeScene();
    scene.change([{ key: Uint8Array.of(1), value: Uint8Array.of(1) }]);
    const record = scene.state.get(Uint8Array.of(1))!;
    scene.state.write([{ key: Uint8Array.of(2), value: record }]);
    expect(() => scene.tree.get(Uint8Array.of(2))).to.throw(StateDamage);
    for (let length = 0; length < record.length; length++) {
      scene.state.write([{ key: Uint8Array.of(1), value: record.subarray(0, length) }]);
      expect(() => scene.tree.get(Uint8Array.of(1)), `${length}`).to.throw(StateDamage);
    }
  });
});

describe("a tree over a store that hands out its own bytes", () => {
  it("changes none of them: roots are the same again, and a checkpoint stays what it was", () => {
    const [state, local] = [new SharingStore(), new SharingStore()];
    const tree = new StateTree({ state, local, hasher, partOf });
    const write = ({ state: entries, local: notes }: Partial<TreeChanges>): void => {
      state.write(entries ?? []);
      local.write(notes ?? []);
    };
    const many = Array.from({ length: 200 }, (_, n) => Uint8Array.of(0, n >> 8, n));
    write(tree.checkpoint(seqOf(0)));
    for (let seq = 1; seq <= 4; seq++) {
      write(tree.change(many.map((key) => ({ key, value: Uint8Array.of(seq) }))));
      expect(tree.rootNow()).to.equal(tree.rootNow());
      write(tree.checkpoint(seqOf(seq)));
      for (let kept = 1; kept <= seq; kept++) {
        const snapshot = tree.at(seqOf(kept))!;
        expect([...snapshot.pages()].length, `${kept} at ${seq}`).to.be.greaterThan(2);
        expect([...snapshot.get(many[7]!)!]).to.deep.equal([kept]);
      }
    }
  });
});

describe("a page of the tree that is not what was written", () => {
  const many = Array.from({ length: 200 }, (_, n) => ({ key: Uint8Array.of(0, n >> 8, n), value: Uint8Array.of(n) }));

  const kinds = (scene: TreeScene): (readonly [name: string, page: Uint8Array])[] => {
    const pages = [...scene.local.entries].filter(([key]) => key.startsWith(bytesToHex(utf8("page/"))));
    const bucket = pages.find(([, [kind]]) => kind === 1)!;
    return [...pages.filter(([, [kind]]) => kind === 2), bucket];
  };

  it("is found by whoever opens the store, before a root is made of it, whichever byte it is", () => {
    const scene = new TreeScene();
    scene.change(many);
    scene.checkpoint(1);
    expect(kinds(scene).length).to.equal(3);
    scene.change(many.map(({ key }) => ({ key, value: Uint8Array.of(1, 1) })));
    const tree = (): StateTree => scene.reopened();
    const right = tree().rootNow();
    for (const [name, page] of kinds(scene)) {
      for (let at = 0; at < page.length; at += page[0] === 2 ? 31 : 1) {
        scene.local.write([{ key: hexToBytes(name), value: page.with(at, page[at]! ^ (1 << (at & 7))) }]);
        expect(() => tree().rootNow(), `${name} ${at}`).to.throw(StateDamage);
        expect(() => tree().checkpoint(seqOf(2)), `${name} ${at}`).to.throw(StateDamage);
      }
      for (const wrong of [undefined, page.subarray(0, -1), page.subarray(0, page.length >> 2), page.subarray(0, 1)]) {
        scene.local.write([{ key: hexToBytes(name), value: wrong }]);
        expect(() => tree().rootNow(), `${name} ${wrong?.length}`).to.throw(StateDamage);
      }
      scene.local.write([{ key: hexToBytes(name), value: page }]);
      expect(tree().rootNow()).to.equal(right);
    }
  });

  it("is found by whoever walks a checkpoint, and is no part of a root that goes on from one that was proven", () => {
    const scene = new TreeScene();
    scene.change(many);
    scene.checkpoint(1);
    const pagesOf = (): Uint8Array[] => [...scene.tree.at(seqOf(1))!.pages()];
    expect(pagesOf().length).to.be.greaterThan(100);
    const damaged = kinds(scene);
    for (const [name, page] of damaged) {
      scene.local.write([{ key: hexToBytes(name), value: page.with(60, page[60]! ^ 1) }]);
      expect(pagesOf, name).to.throw(StateDamage);
      scene.local.write([{ key: hexToBytes(name), value: page }]);
    }
    for (const [name, page] of damaged.slice(0, -1))
      scene.local.write([{ key: hexToBytes(name), value: page.with(60, page[60]! ^ 1) }]);
    scene.change([{ key: many[0]!.key, value: undefined }]);
    const after = many.slice(1).map(({ key, value }) => [key, value] as const);
    expect(scene.tree.rootNow()).to.equal(rootByDefinition(after));
    expect(scene.checkpoint(2)).to.equal(rootByDefinition(after));
    expect([...scene.tree.at(seqOf(2))!.pages()].length).to.be.greaterThan(100);
    expect(pagesOf().length, "the undo records are of what was proven").to.be.greaterThan(100);
  });
});

describe("a page that is too deep to be kept in memory", () => {
  const many = Array.from({ length: 80 }, (_, n) => ({ key: Uint8Array.of(0, n), value: Uint8Array.of(n) }));
  const groupOf = ({ key }: { readonly key: Uint8Array }): number => pathOf(deepHasher, 0, key)[3]! >> 4;
  const deep = pageKey(Uint8Array.of(0, 0, 0));
  /** Where the digests of a group begin. */
  const groupAt = (group: number): number => 1 + 8 + 16 * 32 + group * (1 + 16 * 32) + 1;

  function deepScene(): TreeScene {
    const scene = new TreeScene(deepHasher);
    scene.change(many);
    scene.checkpoint(1);
    expect(scene.local.get(deep)?.[0], "an inner page").to.equal(2);
    return scene;
  }

  it("splits and joins as any other", () => {
    const scene = deepScene();
    for (const left of [66, 64, 30, 64, 65, 80, 1, 0]) {
      scene.change(many.map(({ key, value }, n) => ({ key, value: n < left ? value : undefined })));
      const other = new TreeScene(deepHasher);
      other.change(many.slice(0, left));
      expect(scene.checkpoint(scene.tree.last!.seq + 1), `${left}`).to.equal(other.tree.rootNow());
      expect(scene.tree.verify()).to.equal(true);
    }
  });

  it("is found to be damaged in its head, and in a group when something changes there or the page goes", () => {
    const scene = deepScene();
    const page = scene.local.get(deep)!;
    const [changed] = many;
    const otherGroup = many.map(groupOf).find((group) => group !== groupOf(changed!))!;
    const lost = page.slice().fill(0, groupAt(otherGroup), groupAt(otherGroup) + 16 * 32);
    const withBit = (at: number): Uint8Array => page.with(at, page[at]! ^ 1);

    scene.change([{ key: changed!.key, value: Uint8Array.of(1, 1) }]);
    for (const wrong of [withBit(8), withBit(20), withBit(groupAt(groupOf(changed!)) + 40), page.subarray(0, 600)]) {
      scene.local.write([{ key: deep, value: wrong }]);
      expect(() => scene.tree.rootNow()).to.throw(StateDamage);
    }
    const gone = many.filter((entry) => groupOf(entry) !== otherGroup).slice(0, 30);
    scene.change(gone.map(({ key }) => ({ key, value: undefined })));
    scene.local.write([{ key: deep, value: lost }]);
    expect(() => scene.tree.rootNow(), "entries lost with their group").to.throw(StateDamage);
    scene.local.write([{ key: deep, value: page }]);
    const left = new TreeScene(deepHasher);
    left.change(many.filter((entry) => !gone.includes(entry)));
    left.change(gone.includes(changed!) ? [] : [{ key: changed!.key, value: Uint8Array.of(1, 1) }]);
    expect(scene.tree.rootNow()).to.equal(left.tree.rootNow());
  });
});

describe("a proof of the state", () => {
  const scene = new TreeScene();
  const placeOf = (key: Uint8Array): ProvenPlace => ({ key, part: partOf(key) });
  const values = new Map(
    Array.from({ length: 700 }, (_, n) => [n, { key: Uint8Array.of(n % 3, n >> 8, n), value: Uint8Array.of(n) }]),
  );
  scene.change([...values.values()]);
  const root = scene.checkpoint(1);
  const snapshot = scene.tree.at(seqOf(1))!;
  const absent = Uint8Array.of(0, 200, 200);

  it("shows every entry that is there, and that others are not", () => {
    for (const { key, value } of values.values()) {
      const proof = snapshot.prove(key);
      expect(rootOfProof(hasher, proof)).to.equal(root);
      expect(isProven(hasher, root, placeOf(key), value, proof)).to.equal(true);
      expect(isProven(hasher, root, placeOf(key), undefined, proof)).to.equal(false);
      expect(isProven(hasher, root, placeOf(key), Uint8Array.of(1, 1), proof)).to.equal(false);
      expect(isProven(hasher, root, { ...placeOf(key), part: 7 }, value, proof)).to.equal(false);
    }
    const proof = snapshot.prove(absent);
    expect(isProven(hasher, root, placeOf(absent), undefined, proof)).to.equal(true);
    expect(isProven(hasher, root, placeOf(absent), Uint8Array.of(1), proof)).to.equal(false);
    expect(isProven(hasher, root, { part: 1, key: absent }, undefined, proof), "another part").to.equal(false);
  });

  it("shows of any state what a plain map has, at any kept checkpoint, and nothing else", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(change, { maxLength: 150 }), { minLength: 1, maxLength: 3 }),
        keys,
        (rounds, other) => {
          const [drawn, plain]: [TreeScene, Plain] = [new TreeScene(), new Map()];
          const checkpoints = rounds.map((changes, n) => {
            drawn.change(changes);
            apply(plain, changes);
            return { seq: seqOf(n + 1), root: drawn.checkpoint(n + 1), held: new Map(plain) };
          });
          const asked = [other, ...rounds.flat().map(({ key }) => key)].slice(0, 40);
          for (const { seq, root: named, held } of checkpoints)
            for (const key of asked) {
              const proof = drawn.tree.at(seq)!.prove(key);
              const value = held.get(bytesToHex(key));
              const wrong = value === undefined ? Uint8Array.of(3) : undefined;
              expect(isProven(hasher, named, placeOf(key), value, proof)).to.equal(true);
              expect(isProven(hasher, named, placeOf(key), wrong, proof)).to.equal(false);
              expect(isProven(hasher, named, placeOf(key), Uint8Array.of(9, ...(value ?? [])), proof)).to.equal(false);
            }
        },
      ),
      { numRuns: 40 },
    );
  });

  it("shows nothing with any bit changed, or any part missing", () => {
    const { key, value } = values.get(5)!;
    for (const [place, shown] of [
      [placeOf(key), value],
      [placeOf(absent), undefined],
    ] as const) {
      const made = snapshot.prove(place.key);
      // Copies: what a proof is made of may be the store's.
      const proof = {
        excerpts: made.excerpts.map(({ head, group }) => ({ head: head.slice(), group: group.slice() })),
        slots: made.slots!.slice(),
      };
      const arrays = [...proof.excerpts.flatMap(({ head, group }) => [head, group]), proof.slots];
      for (const bytes of arrays)
        for (let at = 0; at < bytes.length; at++) {
          bytes[at]! ^= 1 << (at & 7);
          expect(isProven(hasher, root, place, shown, proof), `byte ${at}`).to.equal(false);
          bytes[at]! ^= 1 << (at & 7);
        }
      expect(isProven(hasher, root, place, shown, { ...proof, slots: undefined })).to.equal(false);
      expect(isProven(hasher, root, place, shown, { ...proof, excerpts: proof.excerpts.slice(1) })).to.equal(false);
      expect(isProven(hasher, root, place, shown, { ...proof, excerpts: [] })).to.equal(false);
      expect(isProven(hasher, root, place, shown, proof)).to.equal(true);
    }
  });

  it("is small, and tells no key but the one it is of", () => {
    const { excerpts, slots } = snapshot.prove(values.get(5)!.key);
    const size = excerpts.reduce((sum, { head, group }) => sum + head.length + group.length, 0) + slots!.length;
    expect(size).to.be.lessThan(2 * 1034 + 64 * 65 + 35);
    expect((slots!.length - 35) % 65).to.equal(0);
    // What the wire allows.
    for (const { head, group } of excerpts)
      expect([head.length, group.length]).to.deep.equal([EXCERPT_HEAD_BYTES, EXCERPT_GROUP_BYTES]);
    expect(PROOF_SLOTS_BYTES_MAX).to.equal(35 + BUCKET_LEAVES_MAX * 65);
    expect(PATH_BYTES).to.equal(STATE_PROOF_EXCERPTS_MAX);
  });
});

describe("the verification of a whole tree", () => {
  const many = Array.from({ length: 300 }, (_, n) => ({
    key: Uint8Array.of(n % 3, n >> 8, n),
    value: Uint8Array.of(n),
  }));
  const { key } = many[9]!;

  /** A checkpoint, and after it one entry changed, one gone and one new. */
  function changed(isAbsorbed = false): TreeScene {
    const scene = new TreeScene();
    scene.change(many);
    scene.checkpoint(1);
    if (isAbsorbed) {
      scene.change(many.slice(100, 200).map((one) => ({ key: one.key, value: Uint8Array.of(7) })));
      scene.absorb();
    }
    scene.change([
      { key: many[0]!.key, value: Uint8Array.of(1, 2) },
      { key: many[1]!.key, value: undefined },
      { key: Uint8Array.of(0, 99), value: Uint8Array.of(4) },
    ]);
    return scene;
  }

  it("is passed by a tree that nothing happened to, at a checkpoint and after it, before a restart and after it", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const comparison = new Comparison();
        for (const taken of steps) comparison.take(taken);
        expect(comparison.scene.tree.verify()).to.equal(true);
        expect(comparison.scene.reopened().verify()).to.equal(true);
      }),
      { numRuns: 60 },
    );
  });

  it("finds an entry too many, one too few, and one that is whole but another", () => {
    const scene = changed();
    const record = scene.state.get(key)!;
    const other = new TreeScene();
    other.change([{ key, value: Uint8Array.of(200) }]);
    scene.state.write([{ key, value: other.state.get(key)! }]);
    expect(scene.tree.verify(), "another").to.equal(false);
    scene.state.write([{ key, value: undefined }]);
    expect(scene.tree.verify(), "too few").to.equal(false);
    scene.state.write([{ key, value: record }]);
    expect(scene.tree.verify()).to.equal(true);
    const stray = Uint8Array.of(1, 77);
    other.change([{ key: stray, value: Uint8Array.of(1) }]);
    scene.state.write([{ key: stray, value: other.state.get(stray)! }]);
    expect(scene.tree.verify(), "too many").to.equal(false);
    scene.state.write([{ key: stray, value: undefined }]);
    other.change([{ key: many[0]!.key, value: Uint8Array.of(201) }]);
    scene.state.write([{ key: many[0]!.key, value: other.state.get(many[0]!.key)! }]);
    expect(scene.tree.verify(), "another than was written last").to.equal(false);
  });

  for (const isAbsorbed of [false, true])
    it(`finds damage in entries, in pages, and in what stood there before${isAbsorbed ? ", ahead of the checkpoint" : ""}`, () => {
      const scene = changed(isAbsorbed);
      const places: [TreeScene["state"], string][] = [
        ...[...scene.state.entries.keys()].map((name): [TreeScene["state"], string] => [scene.state, name]),
        ...[...scene.local.entries.keys()]
          .filter((name) => name.startsWith(bytesToHex(utf8("page/"))) || scene.local.entries.get(name)!.length > 0)
          .filter((name) => !name.startsWith(bytesToHex(utf8("snapshot/"))) && name !== bytesToHex(utf8("root")))
          .map((name): [TreeScene["state"], string] => [scene.local, name]),
      ];
      // The undo records of the first checkpoint are not the last one's: nothing below is about them.
      const first = bytesToHex(utf8("undo/")) + "00".repeat(8);
      for (const [store, name] of places.filter(([, { length }]) => length > 0)) {
        if (name.startsWith(first)) continue;
        const bytes = store.entries.get(name)!;
        const at = bytes.length >> 1;
        store.write([{ key: hexToBytes(name), value: bytes.with(at, bytes[at]! ^ 16) }]);
        expect(() => expect(scene.tree.verify()).to.equal(true), name).to.throw();
        store.write([{ key: hexToBytes(name), value: bytes }]);
      }
      expect(scene.tree.verify()).to.equal(true);
    });
});

describe("pages that are ahead of the last checkpoint", () => {
  it("are not believed when the record of their root is not theirs", () => {
    const scene = new TreeScene();
    scene.change([{ key: Uint8Array.of(1), value: Uint8Array.of(1) }]);
    scene.absorb();
    scene.change([{ key: Uint8Array.of(2), value: Uint8Array.of(1) }]);
    const root = scene.local.get(utf8("root"))!;
    scene.local.write([{ key: utf8("root"), value: root.with(5, root[5]! ^ 1) }]);
    expect(() => scene.reopened().rootNow()).to.throw(StateDamage);
    expect(() => scene.reopened().verify()).to.throw(StateDamage);
    scene.local.write([{ key: utf8("root"), value: root }]);
    expect(scene.reopened().verify()).to.equal(true);
  });
});

describe("an empty tree", () => {
  it("has the root of nothing, by definition", () => {
    const scene = new TreeScene();
    expect(scene.tree.last?.root).to.equal(rootByDefinition([]));
    expect(scene.tree.rootNow()).to.equal(rootByDefinition([]));
  });
});

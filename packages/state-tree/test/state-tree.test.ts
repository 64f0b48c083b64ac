import { bytesToHex, compareBytes, hexToBytes, utf8 } from "@quorate/protocol";
import {
  BUCKET_LEAVES_MAX,
  isProven,
  pathOf,
  proofOf,
  StateDamage,
  StateTree,
  type TreeChanges,
} from "@quorate/state-tree";
import { expect } from "chai";
import fc from "fast-check";
import { hasher, partOf, rootByDefinition, SharingStore, seqOf, TreeScene } from "./model.ts";

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
  | { readonly type: "drop"; readonly which: number };

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
  for (let n = 0; n <= 620; n++) {
    const key = n <= 20 ? Uint8Array.of(n) : Uint8Array.of(n % 3, n >> 8, n);
    expect(snapshot.get(key), `${seq} ${n}`).to.deep.equal(plain.get(bytesToHex(key)));
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
        this.scene.drop(dropped);
        this.kept.delete(dropped);
      }
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

describe("a proof of the state", () => {
  const scene = new TreeScene();
  const placeOf = (key: Uint8Array): { path: Uint8Array; key: Uint8Array } => ({
    key,
    path: pathOf(hasher, partOf(key), key),
  });
  const values = new Map(
    Array.from({ length: 700 }, (_, n) => [n, { key: Uint8Array.of(n % 3, n >> 8, n), value: Uint8Array.of(n) }]),
  );
  scene.change([...values.values()]);
  const root = scene.checkpoint(1);
  const snapshot = scene.tree.at(seqOf(1))!;
  const absent = Uint8Array.of(0, 200, 200);

  it("shows every entry that is there, and that others are not", () => {
    for (const { key, value } of values.values()) {
      const proof = proofOf(hasher, snapshot, placeOf(key).path);
      expect(isProven(hasher, root, placeOf(key), value, proof)).to.equal(true);
      expect(isProven(hasher, root, placeOf(key), undefined, proof)).to.equal(false);
      expect(isProven(hasher, root, placeOf(key), Uint8Array.of(1, 1), proof)).to.equal(false);
    }
    const proof = proofOf(hasher, snapshot, placeOf(absent).path);
    expect(isProven(hasher, root, placeOf(absent), undefined, proof)).to.equal(true);
    expect(isProven(hasher, root, placeOf(absent), Uint8Array.of(1), proof)).to.equal(false);
    const nowhere = { key: absent, path: Uint8Array.from([9, ...placeOf(absent).path.subarray(1)]) };
    expect(isProven(hasher, root, nowhere, undefined, proofOf(hasher, snapshot, nowhere.path))).to.equal(true);
  });

  it("shows nothing with any bit changed, or any part missing", () => {
    const { key, value } = values.get(5)!;
    for (const [place, shown] of [
      [placeOf(key), value],
      [placeOf(absent), undefined],
    ] as const) {
      const proof = proofOf(hasher, snapshot, place.path);
      const arrays = [...proof.excerpts.flatMap(({ head, group }) => [head, group]), proof.slots!];
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

  it("is small", () => {
    const { excerpts, slots } = proofOf(hasher, snapshot, placeOf(values.get(5)!.key).path);
    const size = excerpts.reduce((sum, { head, group }) => sum + head.length + group.length, 0) + slots!.length;
    expect(size).to.be.lessThan(2 * 1034 + 64 * 65 + 3);
  });
});

describe("an empty tree", () => {
  it("has the root of nothing, by definition", () => {
    const scene = new TreeScene();
    expect(scene.tree.last?.root).to.equal(rootByDefinition([]));
    expect(scene.tree.rootNow()).to.equal(rootByDefinition([]));
  });
});

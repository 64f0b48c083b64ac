import { bytesToHex, utf8 } from "@quorate/protocol";
import { StateDamage, StateScrub } from "@quorate/state-tree";
import { expect } from "chai";
import { type PlainStore, TreeScene } from "./model.ts";

const ENTRIES = 700;
const SLICE = { bytesMax: 2_000, isOver: (): boolean => false };
const WHOLE = { bytesMax: Number.POSITIVE_INFINITY, isOver: (): boolean => false };
const keyOf = (i: number): Uint8Array => utf8(`key ${i}`);

function sceneWith(entries: number): TreeScene {
  const scene = new TreeScene();
  scene.change(Array.from({ length: entries }, (_, i) => ({ key: keyOf(i), value: utf8(`value ${i}`) })));
  scene.checkpoint(1);
  return scene;
}

function flip(store: PlainStore, name: string, bit = 0): void {
  const changed = new Uint8Array(store.entries.get(name)!);
  changed[changed.length - 1 - (bit >> 3)]! ^= 1 << (bit & 7);
  store.entries.set(name, changed);
}

/** Slices until the round is over. */
function round(scrub: StateScrub, scene: TreeScene, between: () => void = () => undefined): number[] {
  const entries: number[] = [];
  for (;;) {
    const slice = scrub.slice(scene.tree, SLICE);
    entries.push(slice.entries);
    if (slice.isRoundOver) return entries;
    between();
  }
}

describe("the scrub of a state", () => {
  it("looks at every entry once in each round, a little at a time", () => {
    const scene = sceneWith(ENTRIES);
    const scrub = new StateScrub();

    for (let i = 0; i < 2; i++) {
      const entries = round(scrub, scene);
      expect(entries.length).to.be.greaterThan(20);
      expect(entries.reduce((sum, count) => sum + count, 0)).to.equal(ENTRIES);
    }
  });

  it("ends a slice when it has taken long enough, but not before its first entry, and says how far it is", () => {
    const scene = sceneWith(10);
    const scrub = new StateScrub();

    for (let i = 1; i < 10; i++) {
      const slice = scrub.slice(scene.tree, { bytesMax: 1_000_000, isOver: () => true });
      expect([slice.entries, slice.isRoundOver]).to.deep.equal([1, false]);
      expect(scrub.position).to.be.closeTo(i / 10, 0.001);
    }
    expect(scrub.slice(scene.tree, { bytesMax: 1_000_000, isOver: () => true }).isRoundOver).to.equal(true);
    expect(scrub.position).to.equal(0);
  });

  it("goes over an empty state", () => {
    expect(new StateScrub().slice(sceneWith(0).tree, SLICE)).to.include({ entries: 0, isRoundOver: true });
  });

  it("finds a flipped bit in any entry and any page, and names it", () => {
    const scene = sceneWith(ENTRIES);
    const entries = [...scene.state.entries.keys()].filter((_, i) => i % 7 === 0);
    const pages = [...scene.local.entries.keys()].filter((name) => name.startsWith(bytesToHex(utf8("page/"))));
    expect(pages).to.have.length.greaterThan(5);
    for (const [store, names] of [
      [scene.state, entries],
      [scene.local, pages],
    ] as const)
      for (const [i, name] of names.entries()) {
        const before = store.entries.get(name)!;
        flip(store, name, i % 64);
        expect(() => new StateScrub().slice(scene.tree, WHOLE), name).to.throw(StateDamage);
        store.entries.set(name, before);
      }
    flip(scene.state, bytesToHex(keyOf(3)));
    expect(() => new StateScrub().slice(scene.tree, WHOLE)).to.throw(`the entry at ${bytesToHex(keyOf(3))}`);
  });

  it("finds an entry that vanished, and one that is an older one of the same key", () => {
    for (const lose of [true, false]) {
      const scene = sceneWith(ENTRIES);
      const name = bytesToHex(keyOf(5));
      const older = scene.state.entries.get(name)!;
      scene.change([{ key: keyOf(5), value: utf8("newer") }]);
      scene.checkpoint(2);
      if (lose) scene.state.entries.delete(name);
      else scene.state.entries.set(name, older);
      expect(() => new StateScrub().slice(scene.tree, WHOLE)).to.throw(StateDamage);
    }
  });

  it("finds one that was written since the last checkpoint", () => {
    const scene = sceneWith(ENTRIES);
    scene.change([
      { key: keyOf(5), value: utf8("newer") },
      { key: keyOf(6), value: undefined },
    ]);
    new StateScrub().slice(scene.tree, WHOLE);
    flip(scene.state, bytesToHex(keyOf(5)));

    expect(() => new StateScrub().slice(scene.tree, WHOLE)).to.throw(StateDamage);
  });

  it("goes on while the state changes and checkpoints are made, and takes nothing for damage", () => {
    const scene = sceneWith(ENTRIES);
    const scrub = new StateScrub();
    let [step, checkpoint] = [0, 1];
    for (let i = 0; i < 3; i++)
      round(scrub, scene, () => {
        step++;
        scene.change([
          { key: keyOf((step * 31) % ENTRIES), value: step % 3 === 0 ? undefined : utf8(`later ${step}`) },
          { key: keyOf(ENTRIES + step), value: utf8("new") },
        ]);
        if (step % 5 === 0) scene.checkpoint(++checkpoint);
      });
    expect(checkpoint).to.be.greaterThan(10);
  });

  it("finds damage behind where it is in this round, and before that in the next", () => {
    const scene = sceneWith(ENTRIES);
    const scrub = new StateScrub();
    scrub.slice(scene.tree, SLICE);
    for (const name of scene.state.entries.keys()) flip(scene.state, name);

    expect(() => scrub.slice(scene.tree, SLICE)).to.throw(StateDamage);
  });
});

import { bytesToHex, type Digest, utf8 } from "@quorate/protocol";
import { StateDamage, TreeFrameReader, type TreePiece, treeFrames } from "@quorate/state-tree";
import { expect } from "chai";
import { hasher, TreeScene } from "./model.ts";

/** So many that pages split twice. */
const ENTRIES = 700;

function sceneWith(entries: number): TreeScene {
  const scene = new TreeScene();
  scene.change(Array.from({ length: entries }, (_, i) => ({ key: utf8(`key ${i}`), value: utf8(`value ${i}`) })));
  scene.checkpoint(1);
  return scene;
}

function framesOf(scene: TreeScene): Uint8Array[] {
  return [...treeFrames(hasher, scene.tree.at(scene.tree.last!.seq)!)];
}

function read(root: Digest, frames: readonly Uint8Array[]): { pieces: TreePiece[]; isWhole: boolean } {
  const reader = new TreeFrameReader(hasher, root);
  const pieces: TreePiece[] = [];
  for (const frame of frames) {
    const piece = reader.accept(frame);
    if (piece === undefined) return { pieces, isWhole: false };
    pieces.push(piece);
  }
  return { pieces, isWhole: reader.isWhole };
}

describe("a state as frames", () => {
  for (const entries of [0, 1, 64, ENTRIES])
    it(`brings every page and each of ${entries} entries, once`, () => {
      const scene = sceneWith(entries);

      const { pieces, isWhole } = read(scene.tree.last!.root, framesOf(scene));

      expect(isWhole).to.equal(true);
      const found = pieces.flatMap((piece) => (piece.type === "entry" ? [[bytesToHex(piece.key), piece.value]] : []));
      expect(found).to.have.length(entries);
      for (const [key, value] of found) expect(value).to.deep.equal(scene.tree.get(Buffer.from(String(key), "hex")));
      const pages = pieces.flatMap((piece) => (piece.type === "page" ? [bytesToHex(piece.prefix)] : []));
      expect(new Set(pages).size).to.equal(pages.length);
    });

  it("is that of its checkpoint, whatever is written while it is read", () => {
    const scene = sceneWith(ENTRIES);
    const expected = framesOf(scene);
    const frames = treeFrames(hasher, scene.tree.at(scene.tree.last!.seq)!);
    const taken: Uint8Array[] = [];
    for (let i = 0; i < expected.length; i++) {
      taken.push(new Uint8Array(frames.next().value as Uint8Array));
      scene.change([{ key: utf8(`key ${(i * 7) % ENTRIES}`), value: utf8(`later ${i}`) }]);
      if (i === 100) scene.checkpoint(2);
    }

    expect(taken).to.deep.equal(expected);
  });

  it("is refused at the first frame that is changed, left out, told twice or moved, and is not whole when one is missing", () => {
    const scene = sceneWith(200);
    const { root } = scene.tree.last!;
    const frames = framesOf(scene);
    for (const [at, frame] of frames.entries()) {
      const changed = new Uint8Array(frame);
      const place = at % Math.max(1, frame.length);
      changed[place] = (changed[place] ?? 0) ^ 1;
      for (const [what, forged] of [
        ["changed", [...frames.slice(0, at), changed, ...frames.slice(at + 1)]],
        ["twice", [...frames.slice(0, at), frame, ...frames.slice(at)]],
        ["left out", [...frames.slice(0, at), ...frames.slice(at + 1)]],
      ] as const)
        expect(read(root, forged).isWhole, `${what} ${at}`).to.equal(false);
    }
    const more = new TreeFrameReader(hasher, root);
    for (const frame of frames) more.accept(frame);
    expect(more.accept(utf8("more"))).to.equal(undefined);
  });

  for (const [what, store, start] of [
    ["an entry", "state", "key 12"],
    ["a page", "local", "page/"],
  ] as const)
    it(`is not given when ${what} of it is damaged`, () => {
      const scene = sceneWith(ENTRIES);
      const damaged = [...scene[store].entries].filter(([name]) => name.startsWith(bytesToHex(utf8(start))));
      expect(damaged).to.have.length.greaterThan(0);
      for (const [name, value] of damaged) {
        const changed = new Uint8Array(value);
        changed[changed.length - 1] = (changed[changed.length - 1] ?? 0) ^ 1;
        scene[store].entries.set(name, changed);
        expect(() => framesOf(scene), name).to.throw(StateDamage);
        scene[store].entries.set(name, value);
      }
    });
});

import { bytesToHex } from "@quorate/protocol";
import { installMarkChange, installMarkOf, packedPage, pageDigest, pageRange, unpackedPage } from "@quorate/state-tree";
import { expect } from "chai";
import { hasher, seqOf, TreeScene } from "./model.ts";

const scene = new TreeScene();
scene.change(
  Array.from({ length: 400 }, (_, n) => ({ key: Uint8Array.of(n < 30 ? 1 : 2, n >> 8, n), value: Uint8Array.of(n) })),
);
scene.checkpoint(1);
const pages = [...scene.local.range(...pageRange(new Uint8Array(0)))].map(([key, page]) => ({
  prefix: key.slice("page/".length),
  page,
}));

describe("a packed page", () => {
  it("unpacks to the page, of every page of a tree", () => {
    expect(pages.length).to.be.greaterThan(100);
    for (const { prefix, page } of pages)
      expect(unpackedPage(hasher, prefix, packedPage(page)), bytesToHex(prefix)).to.deep.equal(page);
  });

  it("with any byte changed, cut or added, is none, or one of another digest", () => {
    const kinds = [pages[0]!, pages[1]!, pages[2]!];
    for (const { prefix, page } of kinds) {
      const [packed, digest] = [packedPage(page), pageDigest(hasher, page)];
      for (let at = 0; at < packed.length; at++)
        for (const wrong of [packed.with(at, packed[at]! ^ (1 << (at & 7))), packed.slice(0, at)]) {
          const other = unpackedPage(hasher, prefix, wrong);
          expect(other === undefined || pageDigest(hasher, other) !== digest, `${at}`).to.equal(true);
        }
      expect(unpackedPage(hasher, prefix, Uint8Array.of(...packed, 0))).to.equal(undefined);
    }
  });

  it("is none under another prefix, and a bucket none at the root", () => {
    const bucket = pages.find(({ prefix }) => prefix.length === 1 && prefix[0] === 1)!;
    expect(unpackedPage(hasher, Uint8Array.of(1, 1), packedPage(bucket.page))).to.equal(undefined);
    expect(unpackedPage(hasher, new Uint8Array(0), packedPage(bucket.page))).to.equal(undefined);
    const packed = packedPage(bucket.page);
    const twice = Uint8Array.of(...packed, ...packed.subarray(1));
    expect(unpackedPage(hasher, bucket.prefix, twice), "leaves that do not ascend").to.equal(undefined);
  });

  it("has one form: a child that is not there has no bit", () => {
    const { prefix, page } = pages.find(({ page: [kind] }) => kind === 2)!;
    const packed = packedPage(page);
    const bits = packed.subarray(9, 41);
    const child = bits.length * 8 - 1;
    expect(bits[child >> 3]! & (1 << (child & 7)), "the last child is not there").to.equal(0);
    const longer = Uint8Array.of(...packed, ...new Uint8Array(32));
    longer[9 + (child >> 3)]! |= 1 << (child & 7);
    expect(unpackedPage(hasher, prefix, longer)).to.equal(undefined);
  });
});

describe("the mark of an installation", () => {
  it("is what was set, until it is taken away, and no tree opens in between", () => {
    const marked = new TreeScene();
    for (const distrustsEntries of [false, true]) {
      const mark = { seq: seqOf(2 ** 40 + 7), root: marked.tree.rootNow(), distrustsEntries };
      marked.local.write([installMarkChange(mark)]);
      expect(installMarkOf(marked.local)).to.deep.equal(mark);
      expect(() => marked.reopened()).to.throw("state-tree.installing");
    }
    marked.local.write([installMarkChange(undefined)]);
    expect(installMarkOf(marked.local)).to.equal(undefined);
    expect(marked.reopened().last?.seq).to.equal(0);
  });
});

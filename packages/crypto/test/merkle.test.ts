import { createHash } from "node:crypto";
import { createNobleHasher, MERKLE_SIZE_MAX, MerkleTree, merklePath, merkleRoot, rootFromPath } from "@quorate/crypto";
import { createNodeHasher } from "@quorate/crypto/node";
import { type Digest, InvariantViolation, type MerklePath } from "@quorate/protocol";
import { expect } from "chai";
import fc from "fast-check";

const hasher = createNodeHasher();
const contentsOf = (minLength: number): fc.Arbitrary<Uint8Array[]> =>
  fc.array(fc.uint8Array({ maxLength: 8 }), { minLength, maxLength: 70 });

/** The definition of RFC 6962 §2.1 as it is written there: split at the largest power of two below n. */
function referenceRoot(contents: readonly Uint8Array[]): Buffer {
  const sha256 = (...parts: Uint8Array[]): Buffer =>
    parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest();
  if (contents.length === 0) return sha256();
  if (contents.length === 1) return sha256(Uint8Array.of(0), contents[0]!);
  let k = 1;
  while (2 * k < contents.length) k *= 2;
  return sha256(Uint8Array.of(1), referenceRoot(contents.slice(0, k)), referenceRoot(contents.slice(k)));
}

/** Leaves "0", "1", … */
function numbered(size: number): Uint8Array[] {
  return Array.from({ length: size }, (_, i) => new TextEncoder().encode(`${i}`));
}

describe("a Merkle tree", () => {
  it("has the root that RFC 6962 defines", () => {
    fc.assert(
      fc.property(contentsOf(0), (contents) => {
        expect(merkleRoot(hasher, contents)).to.equal(referenceRoot(contents).toString("hex"));
      }),
      { seed: 4 },
    );
  });

  it("has that root too when neighbours are equal, however the runs of equal ones lie", () => {
    const runs = fc.array(fc.record({ content: fc.constantFrom("", "a", "b"), times: fc.integer({ min: 1, max: 9 }) }));
    fc.assert(
      fc.property(runs, (lengths) => {
        const contents = lengths.flatMap(({ content, times }) =>
          Array.from({ length: times }, () => new TextEncoder().encode(content)),
        );
        const tree = new MerkleTree(hasher, contents);
        expect(tree.root).to.equal(referenceRoot(contents).toString("hex"));
        contents.forEach((content, index) => {
          expect(rootFromPath(hasher, content, tree.path(index)), `${index}`).to.equal(tree.root);
        });
      }),
      { seed: 7 },
    );
  });

  it("has the published roots of the empty tree and of the test vectors of Certificate Transparency", () => {
    const inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    const contents = inputs.map((hex) => Buffer.from(hex, "hex"));

    expect([0, 1, 2, 3, 8].map((size) => merkleRoot(hasher, contents.slice(0, size)))).to.deep.equal([
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
      "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
      "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
      "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]);
  });

  it("is the same over both hashers", () => {
    fc.assert(
      fc.property(contentsOf(0), (contents) => {
        expect(merkleRoot(createNobleHasher(), contents)).to.equal(merkleRoot(hasher, contents));
      }),
      { numRuns: 30, seed: 5 },
    );
  });

  it("gives every leaf a path that leads to the root", () => {
    fc.assert(
      fc.property(contentsOf(1), (contents) => {
        const tree = new MerkleTree(hasher, contents);
        contents.forEach((content, index) => {
          expect(rootFromPath(hasher, content, tree.path(index)), `${index}`).to.equal(tree.root);
          expect(merklePath(hasher, contents, index)).to.deep.equal(tree.path(index));
        });
      }),
      { numRuns: 40, seed: 6 },
    );
  });

  it("has no path for what is not a leaf", () => {
    for (const index of [-1, 3, 0.5, Number.NaN])
      expect(() => merklePath(hasher, numbered(3), index), `${index}`).to.throw(InvariantViolation);
  });
});

describe("a Merkle path", () => {
  const anyLeaf = fc
    .integer({ min: 1, max: 40 })
    .chain((size) => fc.record({ size: fc.constant(size), index: fc.nat(size - 1) }));
  const withPath = (check: (root: Digest, path: MerklePath, contents: Uint8Array[]) => void): void => {
    fc.assert(
      fc.property(anyLeaf, ({ size, index }) => {
        const tree = new MerkleTree(hasher, numbered(size));
        check(tree.root, tree.path(index), numbered(size));
      }),
      { seed: 7 },
    );
  };

  it("does not lead another content to the root", () => {
    withPath((root, path, contents) => {
      for (const other of [Uint8Array.of(), Uint8Array.of(255), ...contents.toSpliced(path.index, 1)])
        expect(rootFromPath(hasher, other, path)).to.not.equal(root);
    });
  });

  it("does not lead to the root from another place in a tree of that size", () => {
    withPath((root, path, contents) => {
      for (let index = 0; index < path.size; index++)
        if (index !== path.index)
          expect(rootFromPath(hasher, contents[path.index]!, { ...path, index })).to.not.equal(root);
    });
  });

  it("is malformed with one sibling too many or too few", () => {
    withPath((root, path, contents) => {
      const content = contents[path.index]!;

      expect(rootFromPath(hasher, content, { ...path, siblings: [...path.siblings, root] })).to.equal(undefined);
      if (path.siblings.length > 0)
        expect(rootFromPath(hasher, content, { ...path, siblings: path.siblings.slice(1) })).to.equal(undefined);
    });
  });

  it("does not lead to the root with a sibling changed or two swapped", () => {
    withPath((root, path, contents) => {
      const content = contents[path.index]!;
      path.siblings.forEach((_, at) => {
        const changed = path.siblings.with(at, hasher.digest(Uint8Array.of(at)));
        expect(rootFromPath(hasher, content, { ...path, siblings: changed })).to.not.equal(root);
      });
      if (path.siblings.length > 1)
        expect(rootFromPath(hasher, content, { ...path, siblings: path.siblings.toReversed() })).to.not.equal(root);
    });
  });

  it("does not pass an inner node off as a leaf", () => {
    const tree = new MerkleTree(hasher, numbered(4));
    const [left, right] = [tree.path(1).siblings[0]!, tree.path(0).siblings[0]!];
    const inner = Buffer.from(left + right, "hex");
    const path = { index: 0, size: 2, siblings: [tree.path(0).siblings[1]!] };

    expect(rootFromPath(hasher, inner, path)).to.not.equal(tree.root);
  });

  it("is malformed where no tree has such a place", () => {
    const content = numbered(1)[0]!;
    const places: [index: number, size: number][] = [
      [0, 0],
      [1, 1],
      [-1, 1],
      [0.5, 1],
      [Number.NaN, 1],
      [0, Number.NaN],
      [0, Number.POSITIVE_INFINITY],
      [0, MERKLE_SIZE_MAX + 1],
    ];
    for (const [index, size] of places) {
      const siblings = Array<Digest>(size > 1 ? 32 : 0).fill(hasher.digest(content));
      expect(rootFromPath(hasher, content, { index, size, siblings }), `${index} of ${size}`).to.equal(undefined);
    }
  });

  it("does not prove the size of the tree, which only has to have such a place", () => {
    const tree = new MerkleTree(hasher, numbered(3));
    const path = tree.path(1);

    expect(rootFromPath(hasher, numbered(3)[1]!, { ...path, size: 4 })).to.equal(tree.root);
    expect(rootFromPath(hasher, numbered(3)[1]!, { ...path, size: 2 })).to.equal(undefined);
  });

  it("may stand in a tree of the greatest size", () => {
    const siblings = Array<Digest>(31).fill(hasher.digest(Uint8Array.of()));
    const path = { index: MERKLE_SIZE_MAX - 1, size: MERKLE_SIZE_MAX, siblings };

    expect(rootFromPath(hasher, Uint8Array.of(), path)).to.match(/^[0-9a-f]{64}$/);
    expect(rootFromPath(hasher, Uint8Array.of(), { ...path, siblings: siblings.slice(1) })).to.equal(undefined);
  });
});

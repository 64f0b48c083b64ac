/**
 * Merkle trees in the shape of RFC 6962 §2.1, over SHA-256: a leaf is H(0x00 ‖ content), a node H(0x01 ‖ left ‖ right),
 * the empty tree H(""). A last node without a sibling moves up as it is, which gives the tree of the RFC.
 */
import {
  allocateBytes,
  type Digest,
  equalBytes,
  type Hasher,
  invariant,
  type MerklePath,
  writeHex32,
} from "@quorate/protocol";

const LEAF_PREFIX = 0x00;
const NODE_PREFIX = 0x01;
const DIGEST_SIZE = 32;
/** The most leaves of a tree that a path is accepted for. */
export const MERKLE_SIZE_MAX: number = 2 ** 31;

/** All levels of one tree: root and paths without hashing anything twice. */
export class MerkleTree {
  readonly #levels: readonly (readonly Digest[])[];
  readonly #emptyRoot: Digest | undefined;

  constructor(hasher: Hasher, contents: readonly Uint8Array[]) {
    this.#emptyRoot = contents.length === 0 ? hasher.digest(new Uint8Array(0)) : undefined;
    let level: readonly Digest[] = leavesOf(hasher, contents);
    const levels = [level];
    while (level.length > 1) {
      level = parentsOf(hasher, level);
      levels.push(level);
    }
    this.#levels = levels;
  }

  /** How many leaves. */
  get size(): number {
    return this.#levels[0]?.length ?? 0;
  }

  get root(): Digest {
    const root = this.#emptyRoot ?? this.#levels.at(-1)?.[0];
    invariant(root !== undefined, "merkle.no-root");
    return root;
  }

  /** @throws InvariantViolation unless `index` is a leaf's. */
  path(index: number): MerklePath {
    const { size } = this;
    invariant(Number.isSafeInteger(index) && index >= 0 && index < size, "merkle.index", { index, size });
    const siblings: Digest[] = [];
    let at = index;
    for (const level of this.#levels) {
      const sibling = level[siblingOf(at)];
      if (sibling !== undefined) siblings.push(sibling);
      at = parentOf(at);
    }
    return { index, size, siblings };
  }
}

/** The root over `contents`, in order. */
export function merkleRoot(hasher: Hasher, contents: readonly Uint8Array[]): Digest {
  return new MerkleTree(hasher, contents).root;
}

/** The path of one leaf; for several of one tree use `MerkleTree`. @throws InvariantViolation unless `index` is a leaf's. */
export function merklePath(hasher: Hasher, contents: readonly Uint8Array[], index: number): MerklePath {
  return new MerkleTree(hasher, contents).path(index);
}

/**
 * The root that `content` at the end of `path` leads to. The shape of a tree follows from its size, so a path has
 * exactly one right number of siblings.
 *
 * What is proven is that the content is a leaf. As in the RFC, a root does not name the size of its tree, so who does not
 * know the size from elsewhere must take index and size for hints: a leaf's content says itself what it is.
 *
 * @returns undefined for a path that no tree has: index ≥ size, size > 2^31, too few or too many siblings.
 */
export function rootFromPath(hasher: Hasher, content: Uint8Array, path: MerklePath): Digest | undefined {
  if (!isPlaceInTree(path)) return undefined;
  let node = leafDigest(hasher, content);
  let used = 0;
  let at = path.index;
  for (let width = path.size; width > 1; width = Math.ceil(width / 2)) {
    const siblingAt = siblingOf(at);
    if (siblingAt < width) {
      const sibling = path.siblings[used];
      if (sibling === undefined) return undefined;
      node = siblingAt < at ? nodeDigest(hasher, sibling, node) : nodeDigest(hasher, node, sibling);
      used += 1;
    }
    at = parentOf(at);
  }
  return used === path.siblings.length ? node : undefined;
}

function isPlaceInTree({ index, size }: MerklePath): boolean {
  return (
    Number.isSafeInteger(index) && Number.isSafeInteger(size) && index >= 0 && index < size && size <= MERKLE_SIZE_MAX
  );
}

function siblingOf(index: number): number {
  return index % 2 === 0 ? index + 1 : index - 1;
}

function parentOf(index: number): number {
  return Math.floor(index / 2);
}

/** Equal neighbours are hashed once, here and above: many results of one request are the same few bytes. */
function leavesOf(hasher: Hasher, contents: readonly Uint8Array[]): Digest[] {
  const leaves: Digest[] = [];
  let previous: Uint8Array | undefined;
  let digest: Digest | undefined;
  for (const content of contents) {
    if (digest === undefined || previous === undefined || !equalBytes(previous, content))
      digest = leafDigest(hasher, content);
    leaves.push(digest);
    previous = content;
  }
  return leaves;
}

function parentsOf(hasher: Hasher, level: readonly Digest[]): Digest[] {
  const parents: Digest[] = [];
  for (let i = 0; i < level.length; i += 2) {
    const left = level[i];
    const right = level[i + 1];
    invariant(left !== undefined, "merkle.level");
    const previous = parents.at(-1);
    if (right === undefined) parents.push(left);
    else if (previous !== undefined && left === level[i - 2] && right === level[i - 1]) parents.push(previous);
    else parents.push(nodeDigest(hasher, left, right));
  }
  return parents;
}

function leafDigest(hasher: Hasher, content: Uint8Array): Digest {
  const bytes = allocateBytes(1 + content.length);
  bytes[0] = LEAF_PREFIX;
  bytes.set(content, 1);
  return hasher.digest(bytes);
}

function nodeDigest(hasher: Hasher, left: Digest, right: Digest): Digest {
  const bytes = allocateBytes(1 + 2 * DIGEST_SIZE);
  bytes[0] = NODE_PREFIX;
  writeHex32(bytes, 1, left);
  writeHex32(bytes, 1 + DIGEST_SIZE, right);
  return hasher.digest(bytes);
}

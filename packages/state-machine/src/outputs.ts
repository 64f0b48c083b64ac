import { MerkleTree } from "@quorate/crypto";
import {
  type Change,
  compareBytes,
  type Digest,
  type Hasher,
  invariant,
  type OperationResult,
  type OrderedReader,
  outputLeafPreimage,
  PreimageWriter,
  type SequenceNumber,
  utf8,
} from "@quorate/protocol";
import { decodeOutput, encodeOutput, type Output } from "./output-record.ts";

/** The most batches whose outputs are kept decoded, with their trees. */
export const OUTPUTS_CACHED_MAX = 32;

const PREFIX = utf8("output/");
/** "0" follows "/". */
const PREFIX_END = utf8("output0");

/** Where a request's output stands. */
export interface OutputPlace {
  readonly seq: SequenceNumber;
  readonly index: number;
  /** Its results are with it; those of an executed request are in the session's window. */
  readonly inline: readonly OperationResult[] | undefined;
}

/**
 * The outputs of executed batches above a checkpoint: durable with the state, so that statement and path can be
 * made again after a restart (protocol rule 5.1). What is kept is this replica's own; no other part of execution reads it.
 */
export class Outputs {
  readonly #local: OrderedReader;
  readonly #hasher: Hasher;
  /** The latest output of each request; its size is bounded by the window and the batch limits. */
  readonly #places = new Map<Digest, OutputPlace>();
  readonly #requests = new Map<SequenceNumber, readonly Digest[]>();
  readonly #cached = new Map<SequenceNumber, { readonly output: Output; readonly tree: MerkleTree }>();

  /** Reads back what is kept. */
  constructor(local: OrderedReader, hasher: Hasher) {
    this.#local = local;
    this.#hasher = hasher;
    for (const [, value] of local.range(PREFIX, PREFIX_END)) this.#index(decodeOutput(value));
  }

  /** The write that makes an output durable; `adopt` it once it is written. */
  changeFor(output: Output): Change {
    return { key: outputKey(output.statement.seq), value: encodeOutput(output) };
  }

  adopt(output: Output, tree: MerkleTree): void {
    this.#index(output);
    this.#cache(output, tree);
  }

  placeOf(request: Digest): OutputPlace | undefined {
    return this.#places.get(request);
  }

  /** A kept output and its tree. */
  at(seq: SequenceNumber): { readonly output: Output; readonly tree: MerkleTree } {
    const cached = this.#cached.get(seq);
    if (cached !== undefined) return cached;
    const bytes = this.#local.get(outputKey(seq));
    invariant(bytes !== undefined, "outputs.missing", { seq });
    const output = decodeOutput(bytes);
    const tree = treeOf(this.#hasher, output.leaves);
    invariant(tree.root === output.statement.outputsRoot, "outputs.root", { seq });
    this.#cache(output, tree);
    return { output, tree };
  }

  /** The writes that forget all outputs at or below `upTo`, which it forgets in memory at once. */
  collect(upTo: SequenceNumber): readonly Change[] {
    const changes: Change[] = [];
    const end = upTo + 1;
    for (const [key] of this.#local.range(PREFIX, PREFIX_END)) {
      if (compareBytes(key, outputKey(end)) >= 0) break;
      changes.push({ key, value: undefined });
    }
    for (const [seq, digests] of this.#requests) {
      if (seq > upTo) continue;
      for (const digest of digests) if (this.#places.get(digest)?.seq === seq) this.#places.delete(digest);
      this.#requests.delete(seq);
      this.#cached.delete(seq);
    }
    return changes;
  }

  #index({ statement: { seq }, leaves }: Output): void {
    this.#requests.set(
      seq,
      leaves.map((leaf) => leaf.requestDigest),
    );
    leaves.forEach(({ requestDigest, inline }, index) => {
      this.#places.set(requestDigest, { seq, index, inline });
    });
  }

  #cache(output: Output, tree: MerkleTree): void {
    for (const oldest of this.#cached.keys()) {
      if (this.#cached.size < OUTPUTS_CACHED_MAX) break;
      this.#cached.delete(oldest);
    }
    this.#cached.set(output.statement.seq, { output, tree });
  }
}

/** The outputs tree of a batch. */
export function treeOf(hasher: Hasher, leaves: Output["leaves"]): MerkleTree {
  return new MerkleTree(hasher, leaves.map(outputLeafPreimage));
}

function outputKey(seq: number): Uint8Array {
  return new PreimageWriter(PREFIX.length + 8).raw(PREFIX).u64(seq).finish();
}

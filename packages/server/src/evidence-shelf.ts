import type { Codec } from "@quorate/codec";
import {
  accusedOf,
  type Evidence,
  type Hasher,
  type OrderedStore,
  PreimageWriter,
  type ReplicaId,
  utf8,
} from "@quorate/protocol";

/**
 * The most pieces of evidence kept against one replica: one is enough to convict, and a liar can make as many as it
 * likes, but may not use up what is kept against others.
 */
export const EVIDENCE_PER_REPLICA_MAX = 16;

const PREFIX = utf8("evidence/");

/** `evidence/` and four bytes of the accused's id; then follows the digest of the piece. */
function prefixOf(accused: number): Uint8Array {
  return new PreimageWriter(PREFIX.length + 4).raw(PREFIX).u32(accused).finish();
}

/** Proven misbehaviour that this replica has seen, kept across restarts so that it can be shown to others. */
export class EvidenceShelf {
  readonly #store: OrderedStore;
  readonly #codec: Codec;
  readonly #hasher: Hasher;
  readonly #counts = new Map<ReplicaId, number>();

  /** @param members who may be accused: only they have keys to sign contradictions with. */
  constructor(store: OrderedStore, codec: Codec, hasher: Hasher, members: readonly ReplicaId[]) {
    this.#store = store;
    this.#codec = codec;
    this.#hasher = hasher;
    for (const id of members) this.#counts.set(id, [...store.range(prefixOf(id), prefixOf(id + 1))].length);
  }

  get count(): number {
    let sum = 0;
    for (const count of this.#counts.values()) sum += count;
    return sum;
  }

  /** Keeps one piece; false for one that is kept already, and when there are `EVIDENCE_PER_REPLICA_MAX` of its replica. */
  keep(evidence: Evidence): boolean {
    const accused = accusedOf(evidence);
    const count = this.#counts.get(accused);
    if (count === undefined || count >= EVIDENCE_PER_REPLICA_MAX) return false;
    const value = this.#codec.encodeEvidence(evidence);
    const prefix = prefixOf(accused);
    const key = new PreimageWriter(prefix.length + 32).raw(prefix).hex32(this.#hasher.digest(value)).finish();
    if (this.#store.get(key) !== undefined) return false;
    this.#store.write([{ key, value }]);
    this.#counts.set(accused, count + 1);
    return true;
  }
}

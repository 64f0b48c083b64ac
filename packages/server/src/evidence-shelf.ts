import { type Codec, describeDecodeError } from "@quorate/codec";
import {
  accusedOf,
  type Digest,
  digest,
  type Evidence,
  type Fill,
  type Hasher,
  type OrderedReader,
  type OrderedStore,
  PreimageWriter,
  type ReplicaId,
  readHex32,
  replicaId,
  utf8,
} from "@quorate/protocol";
import { RecoveryError } from "./disk-recovery.ts";

/**
 * The most pieces of evidence kept against one replica: one is enough to convict, and a liar can make as many as it
 * likes, but may not use up what is kept against others.
 */
export const EVIDENCE_PER_REPLICA_MAX = 16;
/** Replicas that are no members any more against which evidence is kept, those that came last. */
export const LEAVERS_MAX = 64;

/** One piece as it is kept. */
export interface KeptEvidence {
  /** The digest of its encoding. */
  readonly id: Digest;
  readonly evidence: Evidence;
}

const PREFIX = utf8("evidence/");

/** `evidence/`, four bytes of the accused's id, and the digest of the piece. */
function keyOfPiece({ accused, id }: Pick<EncodedPiece, "accused" | "id">): Uint8Array {
  return new PreimageWriter(PREFIX.length + 4 + 32).raw(PREFIX).u32(accused).hex32(id).finish();
}

/** The end of all evidence: "0" follows "/". */
const END = utf8("evidence0");

/** A piece as it lies on the disk, whatever it is worth. */
export interface EncodedPiece {
  readonly id: Digest;
  /** Whom it is kept against. */
  readonly accused: number;
  readonly value: Uint8Array;
}

/**
 * Every piece that is kept, also against somebody who is no member.
 *
 * @throws RecoveryError for a key that is none of a piece.
 */
export function* piecesIn(store: OrderedReader): Generator<EncodedPiece> {
  const keyBytes = PREFIX.length + 4 + 32;
  for (const [key, value] of store.range(PREFIX, END)) {
    if (key.length !== keyBytes)
      throw new RecoveryError(
        `a piece of evidence on this disk has a key of ${key.length} bytes, expected ${keyBytes}`,
      );
    const accused = new DataView(key.buffer, key.byteOffset, key.byteLength).getUint32(PREFIX.length);
    yield { id: digest(readHex32(key, PREFIX.length + 4)), accused, value };
  }
}

/** Proven misbehaviour that this replica has seen, kept across restarts so that it can be shown to others. */
export class EvidenceShelf {
  readonly #store: OrderedStore;
  readonly #codec: Codec;
  readonly #hasher: Hasher;
  readonly #members: ReadonlySet<ReplicaId>;
  /** By the accused: members, and whom something is kept against that has left since. */
  readonly #counts = new Map<ReplicaId, number>();
  #dropped = 0;

  /**
   * @param members who may be accused from now on: only they have keys to sign contradictions with. What is kept against others is dropped
   * beyond `LEAVERS_MAX` of them. Left out: what is kept is only read.
   */
  constructor(store: OrderedStore, codec: Codec, hasher: Hasher, members?: readonly ReplicaId[]) {
    this.#store = store;
    this.#codec = codec;
    this.#hasher = hasher;
    this.#members = new Set(members);
    for (const id of this.#members) this.#counts.set(id, 0);
    for (const { accused } of piecesIn(store)) {
      const id = replicaId(accused);
      this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
    }
    if (members !== undefined) this.#dropLeavers();
  }

  /** Pieces that were not kept because their replica's share was full, since the process started. */
  get dropped(): number {
    return this.#dropped;
  }

  get count(): number {
    let sum = 0;
    for (const count of this.#counts.values()) sum += count;
    return sum;
  }

  get fill(): Fill {
    return { of: "evidence", size: this.count, max: this.#counts.size * EVIDENCE_PER_REPLICA_MAX };
  }

  /**
   * Every piece, by the accused, then by its id; decoded one by one as they are asked for.
   *
   * @throws RecoveryError for one that is not what was kept.
   */
  *kept(): Generator<KeptEvidence> {
    for (const { id, value } of piecesIn(this.#store)) {
      const decoded = this.#codec.decodeEvidence(value);
      if (!decoded.ok)
        throw new RecoveryError(`evidence ${id} on this disk does not decode: ${describeDecodeError(decoded.error)}`);
      yield { id, evidence: decoded.value };
    }
  }

  /** Keeps one piece; false for one that is kept already, and when there are `EVIDENCE_PER_REPLICA_MAX` of its replica. */
  keep(evidence: Evidence): boolean {
    const accused = accusedOf(evidence);
    const count = this.#counts.get(accused) ?? 0;
    if (!this.#members.has(accused)) return false;
    if (count >= EVIDENCE_PER_REPLICA_MAX) {
      this.#dropped += 1;
      return false;
    }
    const value = this.#codec.encodeEvidence(evidence);
    const key = keyOfPiece({ accused, id: this.#hasher.digest(value) });
    if (this.#store.get(key) !== undefined) return false;
    this.#store.write([{ key, value }]);
    this.#counts.set(accused, count + 1);
    return true;
  }

  /** Those with the lowest ids first, which are never given again: they came first. */
  #dropLeavers(): void {
    const leavers = [...this.#counts.keys()].filter((id) => !this.#members.has(id)).sort((x, y) => x - y);
    const dropped = new Set(leavers.slice(0, Math.max(0, leavers.length - LEAVERS_MAX)));
    if (dropped.size === 0) return;
    const keys = [...piecesIn(this.#store)].filter(({ accused }) => dropped.has(replicaId(accused))).map(keyOfPiece);
    this.#store.write(keys.map((key) => ({ key, value: undefined })));
    for (const id of dropped) this.#counts.delete(id);
  }
}

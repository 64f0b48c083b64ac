import type { Codec } from "@quorate/codec";
import { type Evidence, type Hasher, hexToBytes, type OrderedStore, utf8 } from "@quorate/protocol";

/** The most pieces of evidence kept: one is enough to convict, and a liar can make as many as it likes. */
export const EVIDENCE_MAX = 256;

const PREFIX = utf8("evidence/");
/** The byte after "/" ends the range of all keys that start with the prefix. */
const END = utf8("evidence0");

/** Equivocation that this replica has seen, kept across restarts so that it can be shown to others. */
export class EvidenceShelf {
  readonly #store: OrderedStore;
  readonly #codec: Codec;
  readonly #hasher: Hasher;
  #count: number;

  constructor(store: OrderedStore, codec: Codec, hasher: Hasher) {
    this.#store = store;
    this.#codec = codec;
    this.#hasher = hasher;
    this.#count = [...store.range(PREFIX, END)].length;
  }

  get count(): number {
    return this.#count;
  }

  /** Keeps one piece; the same one twice is one. Beyond `EVIDENCE_MAX` nothing is added. */
  keep(evidence: Evidence): void {
    if (this.#count >= EVIDENCE_MAX) return;
    const value = this.#codec.encodeEvidence(evidence);
    const name = hexToBytes(this.#hasher.digest(value));
    const key = new Uint8Array(PREFIX.length + name.length);
    key.set(PREFIX);
    key.set(name, PREFIX.length);
    if (this.#store.get(key) !== undefined) return;
    this.#store.write([{ key, value }]);
    this.#count += 1;
  }
}

import {
  contentBytes,
  type Hasher,
  type ReplicaId,
  type StateChunk,
  type StateChunkFault,
  type StateChunkItem,
} from "@quorate/protocol";
import { digestOfSealed, isBucket, keysOf, sealed, sealedEntries, unpackedPage } from "@quorate/state-tree";
import type { OpenBucket, OpenPage } from "./open-page.ts";
import type { AskedItem, AskedRequest } from "./request-book.ts";

/** Something that came, and is proven. */
export type ProvenPart =
  | { readonly type: "page"; readonly open: OpenPage; readonly page: Uint8Array }
  | { readonly type: "whole"; readonly open: OpenPage; readonly bucket: WholeBucket }
  | { readonly type: "entry"; readonly open: OpenBucket; readonly index: number; readonly record: Uint8Array };

/** A bucket of the target with its entries as they will be stored, by their places; undefined for those the donor has not. */
export interface WholeBucket {
  readonly page: Uint8Array;
  readonly keys: readonly Uint8Array[];
  readonly records: readonly (Uint8Array | undefined)[];
  /** What it took on the way. */
  readonly bytes: number;
}

/** What a chunk brings. What was proven before a fault was found is good all the same. */
export interface ChunkJudgement {
  readonly parts: readonly ProvenPart[];
  /** The donor has nothing for these. */
  readonly missing: readonly (OpenPage | OpenBucket)[];
  readonly fault: StateChunkFault | undefined;
  /** Donors that said of a part that it has another size than it has. */
  readonly liars: readonly ReplicaId[];
}

export interface ChunkJudgeOptions {
  readonly hasher: Hasher;
  readonly chunkBytesMax: number;
  /** Whether a page is the one that its parent, or the certificate, names. */
  readonly isPage: (open: OpenPage, page: Uint8Array) => boolean;
}

/** More than any page takes when it is packed: 64 leaves with keys of some 1,030 bytes, or 256 digests. */
const PACKED_PAGE_BYTES_MAX: number = 96 * 1024;

/** Judges an answer by its request and by the digests that are known; notes what it says did not fit. */
export function judgeChunk(options: ChunkJudgeOptions, asked: AskedRequest, chunk: StateChunk): ChunkJudgement {
  return new Judgement(options, asked).run(chunk);
}

class Judgement {
  readonly #o: ChunkJudgeOptions;
  readonly #asked: AskedRequest;
  readonly #parts: ProvenPart[] = [];
  readonly #missing: (OpenPage | OpenBucket)[] = [];
  readonly #liars: ReplicaId[] = [];

  constructor(options: ChunkJudgeOptions, asked: AskedRequest) {
    this.#o = options;
    this.#asked = asked;
  }

  run(chunk: StateChunk): ChunkJudgement {
    const fault = this.#fault(chunk);
    return { parts: this.#parts, missing: this.#missing, liars: this.#liars, fault };
  }

  #fault({ seq, items, left }: StateChunk): StateChunkFault | undefined {
    const { request, items: askedItems } = this.#asked;
    if (seq !== request.seq || items.length > askedItems.length) return "state-chunk.other-than-asked";
    const bytes = contentBytes(items);
    if (bytes > request.bytesMax) return "state-chunk.oversized";
    let next: AskedItem | undefined = askedItems[0];
    for (const [at, item] of items.entries()) {
      const askedItem = askedItems[at];
      // Only the last item may be shorter than asked.
      if (askedItem === undefined || next !== askedItem) return "state-chunk.other-than-asked";
      const answered = this.#item(askedItem, item);
      if (typeof answered === "string") return answered;
      next = restOf(askedItem, answered) ?? askedItems[at + 1];
    }
    if ((next === undefined) !== (left === 0)) return "state-chunk.incomplete";
    return next === undefined ? undefined : this.#unanswered(next, bytes, left);
  }

  /** What the donor says of the first thing that did not fit behind so many bytes. */
  #unanswered(next: AskedItem, bytes: number, left: number): StateChunkFault | undefined {
    const { request, to } = this.#asked;
    if (bytes + left <= request.bytesMax) return "state-chunk.incomplete";
    if (left > this.#o.chunkBytesMax) return "state-chunk.false-size";
    // No page is longer by itself, and with its values it is never sent where that is more than was asked for.
    const isPage = next.type === "page";
    if (isPage && left > Math.max(request.bytesMax, PACKED_PAGE_BYTES_MAX)) return "state-chunk.false-size";
    // What did not fit behind others with all its values says nothing of the page alone.
    if (next.type === "page" && next.open.isBare && left <= request.bytesMax) return undefined;
    const index = next.type === "page" ? undefined : next.indexes[0];
    next.open.tooLarge = { from: to, index, bytes: left };
    return undefined;
  }

  /** How many parts of an item are answered, or what is wrong with the answer. */
  #item(asked: AskedItem, item: StateChunkItem): number | StateChunkFault {
    if (item.type === "missing") {
      this.#missing.push(asked.open);
      return Number.POSITIVE_INFINITY;
    }
    if (asked.type === "page" && item.type === "page") return this.#page(asked.open, item.page);
    if (asked.type === "page" && item.type === "whole" && asked.open.isBare) return this.#whole(asked.open, item);
    if (asked.type === "values" && item.type === "values") return this.#values(asked.open, asked.indexes, item);
    return "state-chunk.other-than-asked";
  }

  #page(open: OpenPage, packed: Uint8Array): number | StateChunkFault {
    const page = this.#provenPage(open, packed);
    if (page === undefined) return "state-chunk.wrong-page";
    this.#parts.push({ type: "page", open, page });
    return 1;
  }

  #whole(open: OpenPage, item: Extract<StateChunkItem, { readonly type: "whole" }>): number | StateChunkFault {
    const page = this.#provenPage(open, item.page);
    if (page === undefined) return "state-chunk.wrong-page";
    const keys = isBucket(page) ? keysOf(page) : [];
    const values = valuesByPlace(item, keys.length);
    if (values === undefined) return "state-chunk.other-than-asked";
    const records = sealedEntries(this.#o.hasher, page, keys, values);
    if (records === undefined) return "state-chunk.wrong-value";
    if (item.missing.length > 0) this.#missing.push(open);
    this.#parts.push({ type: "whole", open, bucket: { page, keys, records, bytes: contentBytes([item]) } });
    return 1;
  }

  #provenPage(open: OpenPage, packed: Uint8Array): Uint8Array | undefined {
    const page = unpackedPage(this.#o.hasher, open.prefix, packed);
    if (page === undefined || !this.#o.isPage(open, page)) return undefined;
    this.#checkSize(open, undefined, packed.length);
    return page;
  }

  #values(
    open: OpenBucket,
    indexes: readonly number[],
    { values, missing }: Extract<StateChunkItem, { readonly type: "values" }>,
  ): number | StateChunkFault {
    const answered = values.length + missing.length;
    if (answered === 0 || answered > indexes.length) return "state-chunk.other-than-asked";
    if (missing.length > 0) this.#missing.push(open);
    let [nextMissing, nextValue] = [0, 0];
    for (let place = 0; place < answered; place++) {
      if (missing[nextMissing] === place) {
        nextMissing++;
        continue;
      }
      const value = values[nextValue++];
      const index = indexes[place];
      const leaf = index === undefined ? undefined : open.leaves[index];
      if (value === undefined || index === undefined || leaf === undefined) return "state-chunk.other-than-asked";
      const record = sealed(this.#o.hasher, leaf.key, value);
      if (digestOfSealed(record) !== leaf.digest) return "state-chunk.wrong-value";
      this.#checkSize(open, index, value.length);
      this.#parts.push({ type: "entry", open, index, record });
    }
    return nextMissing === missing.length ? answered : "state-chunk.other-than-asked";
  }

  #checkSize({ tooLarge }: OpenPage | OpenBucket, index: number | undefined, bytes: number): void {
    if (tooLarge !== undefined && tooLarge.index === index && tooLarge.bytes !== bytes) this.#liars.push(tooLarge.from);
  }
}

/** The value at each of so many places; undefined if the answer is about more of them, or about fewer. */
function valuesByPlace(
  { values, missing }: Extract<StateChunkItem, { readonly type: "whole" }>,
  places: number,
): readonly (Uint8Array | undefined)[] | undefined {
  if (values.length + missing.length !== places || (missing.at(-1) ?? -1) >= places) return undefined;
  if (missing.length === 0) return values;
  const gaps = new Set(missing);
  let next = 0;
  return Array.from({ length: places }, (_, place) => (gaps.has(place) ? undefined : values[next++]));
}

/** What of an item is not answered by its first parts. */
function restOf(item: AskedItem, answered: number): AskedItem | undefined {
  if (item.type === "page" || answered >= item.indexes.length) return undefined;
  return { ...item, indexes: item.indexes.slice(answered) };
}

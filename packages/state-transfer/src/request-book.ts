import {
  FETCH_STATE_ITEMS_MAX,
  type FetchState,
  type FetchStateItem,
  type ReplicaId,
  type SequenceNumber,
} from "@quorate/protocol";
import type { OpenBucket, OpenPage } from "./open-page.ts";

/** One item of a request, and what it is for. */
export type AskedItem =
  | { readonly type: "page"; readonly open: OpenPage }
  | { readonly type: "values"; readonly open: OpenBucket; readonly indexes: readonly number[] };

/** A request that is not answered. */
export interface AskedRequest {
  readonly to: ReplicaId;
  readonly request: FetchState;
  readonly items: readonly AskedItem[];
  readonly atMs: number;
  readonly untilMs: number;
  /** The answer came then and is not read yet: nobody is waited for. */
  readonly arrivedAtMs?: number;
}

export interface RequestBookOptions {
  /** The most content of an answer, unless a single value is larger. */
  readonly bytesMax: number;
  /** Answers may come deflated. */
  readonly takesDeflated: boolean;
}

/** What a page takes, about: for how many are asked for at once. */
const PAGE_BYTES = 2048;
/** What a whole page takes before any has come, and how much the last one counts. */
const FIRST_WHOLE_BYTES = 4096;
const WHOLE_WEIGHT = 1 / 16;
/** What a value takes before any has come. */
const FIRST_VALUE_BYTES = 256;
/** Requests of the past whose late answers are nobody's fault. */
const FORMER_MAX = 256;

/** The requests that are not answered, and what there is to ask for next. */
export class RequestBook {
  readonly #options: RequestBookOptions;
  readonly #asked = new Map<number, AskedRequest>();
  /** Requests that were given up, with whom was asked. */
  readonly #former = new Map<number, ReplicaId>();
  #first = 0;
  #next = 0;
  #values = 1;
  #valueBytes = FIRST_VALUE_BYTES;
  #wholeBytes = FIRST_WHOLE_BYTES;

  constructor(options: RequestBookOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#asked.size === 0;
  }

  /** @param first the number of the first request: greater than those of earlier runs, whose answers may still come. */
  start(first: number): void {
    this.#first = first;
    this.#next = first;
  }

  /** A request to a donor for what is wanted and it may have; undefined if there is nothing. */
  ask(
    to: ReplicaId,
    seq: SequenceNumber,
    wanted: Iterable<OpenPage | OpenBucket>,
    times: { readonly atMs: number; readonly untilMs: number },
  ): FetchState | undefined {
    const large = this.#largeItem(to, wanted);
    const items = large === undefined ? this.#items(to, wanted) : [large.item];
    if (items.length === 0) return undefined;
    const bytesMax = Math.max(this.#options.bytesMax, large?.bytes ?? 0);
    const { takesDeflated } = this.#options;
    const request: FetchState = { request: this.#next++, seq, bytesMax, takesDeflated, items: items.map(itemOf) };
    for (const item of items) mark(item);
    this.#asked.set(request.request, { to, request, items, ...times });
    return request;
  }

  /** The request that this donor answers, which is answered now; `"former"` for one of an earlier run or given up. */
  take(from: ReplicaId, request: number): AskedRequest | "former" | undefined {
    const asked = this.find(from, request);
    if (asked === "former") this.#former.delete(request);
    else if (asked !== undefined) this.#asked.delete(request);
    return asked;
  }

  /** The same, and it is still to be answered. */
  find(from: ReplicaId, request: number): AskedRequest | "former" | undefined {
    const asked = this.#asked.get(request);
    if (asked?.to === from) return asked;
    return request < this.#first || this.#former.get(request) === from ? "former" : undefined;
  }

  /** The answer of this donor is here, and can be read later only. */
  arrive(from: ReplicaId, request: number, atMs: number): void {
    const asked = this.find(from, request);
    if (asked !== undefined && asked !== "former") this.#asked.set(request, { ...asked, arrivedAtMs: atMs });
  }

  /** Gives up what is overdue, or asked of somebody; those requests. What they were for is wanted again. */
  giveUp(isGivenUp: (asked: AskedRequest) => boolean): AskedRequest[] {
    const givenUp = [...this.#asked.values()].filter(isGivenUp);
    for (const asked of givenUp) {
      const { request } = asked.request;
      this.#asked.delete(request);
      this.#former.set(request, asked.to);
      for (const item of asked.items) unmark(item);
    }
    for (const request of this.#former.keys()) {
      if (this.#former.size <= FORMER_MAX) break;
      this.#former.delete(request);
    }
    return givenUp;
  }

  onValue(bytes: number): void {
    this.#values++;
    this.#valueBytes += bytes;
  }

  /** A page came that was asked for with all its values. */
  onWhole(bytes: number): void {
    this.#wholeBytes += WHOLE_WEIGHT * (bytes - this.#wholeBytes);
  }

  /** Something that did not fit before is asked for alone, with room for it. */
  #largeItem(
    to: ReplicaId,
    wanted: Iterable<OpenPage | OpenBucket>,
  ): { readonly item: AskedItem; readonly bytes: number } | undefined {
    for (const open of wanted) {
      const { tooLarge } = open;
      if (tooLarge === undefined || tooLarge.bytes <= this.#options.bytesMax || open.notAt.has(to)) continue;
      const { index, bytes } = tooLarge;
      if (open.type === "page" && !open.isAsked) return { item: { type: "page", open }, bytes };
      if (open.type === "bucket" && index !== undefined && open.wanted.has(index))
        return { item: { type: "values", open, indexes: [index] }, bytes };
    }
    return undefined;
  }

  #items(to: ReplicaId, wanted: Iterable<OpenPage | OpenBucket>): AskedItem[] {
    const items: AskedItem[] = [];
    let bytes = 0;
    for (const open of wanted) {
      if (bytes >= this.#options.bytesMax || items.length >= FETCH_STATE_ITEMS_MAX) break;
      const item = open.notAt.has(to) ? undefined : this.#itemOf(open, this.#options.bytesMax - bytes);
      if (item === undefined) continue;
      items.push(item);
      bytes += this.#bytesOf(item);
    }
    return items;
  }

  /** What nobody is asked for, of values as many as there is room for. */
  #itemOf(open: OpenPage | OpenBucket, room: number): AskedItem | undefined {
    if (open.type === "page") return open.isAsked ? undefined : { type: "page", open };
    const indexes = [...open.wanted].sort((a, b) => a - b).slice(0, Math.ceil(room / this.#bytesOfValue));
    return indexes.length === 0 ? undefined : { type: "values", open, indexes };
  }

  /** What an answer takes, about. */
  #bytesOf(item: AskedItem): number {
    if (item.type === "values") return item.indexes.length * this.#bytesOfValue;
    return item.open.isBare ? this.#wholeBytes : PAGE_BYTES;
  }

  get #bytesOfValue(): number {
    return Math.max(1, this.#valueBytes / this.#values);
  }
}

function itemOf(item: AskedItem): FetchStateItem {
  const { prefix } = item.open;
  if (item.type === "page") return { type: item.open.isBare ? "whole" : "page", prefix };
  return { type: "values", prefix, indexes: item.indexes };
}

function mark(item: AskedItem): void {
  if (item.type === "page") item.open.isAsked = true;
  else
    for (const index of item.indexes) {
      item.open.wanted.delete(index);
      item.open.asked.add(index);
    }
}

/** What of an item has not come is wanted again. */
export function unmark(item: AskedItem): void {
  if (item.type === "page") item.open.isAsked = false;
  else for (const index of item.indexes) if (item.open.asked.delete(index)) item.open.wanted.add(index);
}

import type { FetchState, StateChunk, StateChunkItem } from "@quorate/protocol";
import { changesOf, correctDonor, type DonorModel, type Sent, Stores, seqOf } from "./transfer-model.ts";

type Mutate = (chunk: StateChunk, request: FetchState, n: number) => StateChunk | undefined;

/** Answers as a correct donor, then changes what it sends. */
function changing(mutate: Mutate): (stores: Stores, seed: number) => DonorModel {
  return (stores, seed) => {
    const correct = correctDonor(stores, 10);
    let n = seed;
    return (request, atMs) =>
      correct(request, atMs).flatMap((sent): Sent[] => {
        const chunk = sent.chunk === undefined ? undefined : mutate(sent.chunk, request, n++);
        return chunk === undefined ? [] : [{ ...sent, chunk }];
      });
  };
}

function flipped(bytes: Uint8Array, n: number): Uint8Array {
  const copy = bytes.slice();
  if (copy.length > 0) copy[n % copy.length]! ^= 1 << (n & 7);
  return copy;
}

function withFlip(item: StateChunkItem, n: number): StateChunkItem {
  if (item.type === "page") return { ...item, page: flipped(item.page, n) };
  if (item.type === "missing") return item;
  return { ...item, values: item.values.map((value, i) => (i === n % item.values.length ? flipped(value, n) : value)) };
}

/** An older state, that of which it says it is the target. */
const outdated = (stores: Stores): DonorModel => {
  const entries = new Map<string, Uint8Array>();
  for (const [name] of [...stores.state.entries].slice(0, 50)) entries.set(name, Uint8Array.of(1));
  const older = new Stores();
  const tree = older.tree();
  older.change(tree, changesOf(entries));
  older.checkpoint(tree, stores.tree().last!.seq);
  return correctDonor(older);
};

/** Donors that do not do what they should, by what they do. */
export const LIARS: Readonly<Record<string, (stores: Stores, seed: number) => DonorModel>> = {
  flips: changing((chunk, _, n) => ({
    ...chunk,
    items: chunk.items.map((item, i) => (i === n % chunk.items.length ? withFlip(item, n) : item)),
  })),
  "flips sometimes": changing((chunk, _, n) =>
    n % 5 === 0 ? { ...chunk, items: chunk.items.map((item) => withFlip(item, n)) } : chunk,
  ),
  swaps: changing((chunk) => ({ ...chunk, items: [...chunk.items].reverse() })),
  outdated,
  truncates: changing((chunk) => ({ ...chunk, items: chunk.items.slice(0, -1), left: 0 })),
  "cuts values": changing((chunk) => ({
    ...chunk,
    items: chunk.items.map((item) => (item.type === "values" ? { ...item, values: item.values.slice(1) } : item)),
  })),
  "one item a chunk": changing((chunk) => ({ ...chunk, items: chunk.items.slice(0, 1), left: 900_000 })),
  "nothing in a chunk": changing((chunk) => ({ ...chunk, items: [], left: 1 })),
  "too much": changing((chunk) => ({
    ...chunk,
    items: chunk.items.map((item) => (item.type === "page" ? { ...item, page: new Uint8Array(300_000) } : item)),
  })),
  endless: (stores) => {
    const correct = correctDonor(stores);
    return (request, atMs) => {
      const [first] = correct(request, atMs);
      return Array.from({ length: 20 }, (_, i) => ({ ...first!, afterMs: 10 + i }));
    };
  },
  silent: () => () => [],
  slow: (stores) => correctDonor(stores, 60_000),
  dripping: (stores) => correctDonor(stores, 4_900),
  "silent at the end": (stores) => {
    const correct = correctDonor(stores);
    let answers = 0;
    return (request, atMs) => (++answers > 3 ? [] : correct(request, atMs));
  },
  "has nothing": changing((chunk) => ({ ...chunk, items: chunk.items.map(() => ({ type: "missing" })), left: 0 })),
  "has no values": changing((chunk) => ({
    ...chunk,
    items: chunk.items.map((item) =>
      item.type === "values"
        ? {
            ...item,
            values: [],
            missing: Array.from({ length: item.values.length + item.missing.length }, (_, i) => i),
          }
        : item,
    ),
  })),
  unavailable: () => () => [{ isUnavailable: true, afterMs: 5 }],
  "of another request": changing((chunk) => ({ ...chunk, request: chunk.request + 1 })),
  "of another checkpoint": changing((chunk) => ({ ...chunk, seq: seqOf(chunk.seq - 1) })),
};

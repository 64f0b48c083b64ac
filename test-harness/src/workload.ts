import { decodeKvOperation, encodeKvOperation, type KvOperation } from "@quorate/kv";
import { type StateQuery, utf8 } from "@quorate/protocol";
import type { Prng } from "./prng.ts";

/** Counters that all clients increment and nothing else touches. */
export const COUNTERS = 3;

/** Keys that hold texts, most of the time. */
const TEXTS = 3;
/** Many enough that one which is read mostly tells who wrote it, few enough that a guess may be right. */
const VALUES = 20;

/** The key of a text. */
function textKey(text: number): Uint8Array {
  return utf8(`key/${text}`);
}

/** The key of a counter. */
function counterKey(counter: number): Uint8Array {
  return utf8(`counter/${counter}`);
}

/** A read of a counter. */
export function readCounter(counter: number): Uint8Array {
  return encodeKvOperation({ type: "get", key: counterKey(counter) });
}

/** Reads of all keys that hold texts. */
export function readTexts(): readonly Uint8Array[] {
  return Array.from({ length: TEXTS }, (_, i) => encodeKvOperation({ type: "get", key: textKey(i) }));
}

/** One operation: many increments of the shared counters, the others meet on few keys; reads enough to notice what is wrong. */
export function drawOperation(prng: Prng): Uint8Array {
  if (prng.chance(0.4)) return encodeKvOperation(drawIncrement(prng));
  return prng.chance(0.15) ? readCounter(prng.integer(0, COUNTERS - 1)) : encodeKvOperation(drawOther(prng));
}

/** A stale read of one or some keys, mostly such as are written, or of a range. */
export function drawStaleRead(prng: Prng): StateQuery {
  const keys: [Uint8Array, ...Uint8Array[]] = [
    counterKey(prng.integer(0, COUNTERS - 1)),
    textKey(prng.integer(0, TEXTS - 1)),
    utf8("never written"),
  ];
  if (prng.chance(0.3)) return { type: "range", from: utf8("c"), to: utf8("key0"), limit: prng.integer(1, 8) };
  return { type: "keys", keys: prng.chance(0.5) ? keys : [prng.pick(keys)] };
}

/** Which counter an operation increments, if any, and by how much. */
export function parseOperation(operation: Uint8Array): { readonly counter: number | undefined; readonly by: bigint } {
  const parsed = decodeKvOperation(operation);
  if (parsed.type !== "increment") return { counter: undefined, by: 0n };
  return { counter: counterOf(parsed.key), by: parsed.by };
}

/** Which counter has this key, if any. */
export function counterOf(key: Uint8Array): number | undefined {
  const text = String.fromCharCode(...key);
  return Array.from({ length: COUNTERS }, (_, i) => i).find((i) => text === `counter/${i}`);
}

function drawIncrement(prng: Prng): KvOperation {
  return { type: "increment", key: counterKey(prng.integer(0, COUNTERS - 1)), by: BigInt(prng.integer(1, 9)) };
}

function drawOther(prng: Prng): KvOperation {
  const key = textKey(prng.integer(0, TEXTS - 1));
  const value = utf8(`value ${prng.integer(0, VALUES - 1)}`);
  switch (prng.integer(0, 8)) {
    case 0:
    case 1:
      return { type: "put", key, value };
    case 2:
      return { type: "delete", key };
    case 3:
      return { type: "compare-and-swap", key, expected: prng.chance(0.5) ? value : undefined, next: value };
    case 4:
      return { type: "range", from: utf8("key/"), to: utf8("key0"), limit: 3 };
    // Fails where the key holds text: an operation that throws is executed too.
    case 5:
      return { type: "increment", key, by: 1n };
    default:
      return { type: "get", key };
  }
}

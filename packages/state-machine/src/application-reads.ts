import {
  copyBytes,
  invariant,
  type ProvenEntry,
  type ProvenValue,
  proofBytes,
  type StateQuery,
} from "@quorate/protocol";
import type { Snapshot } from "@quorate/state-tree";
import { APPLICATION_END, APPLICATION_START, applicationKey } from "./state-keys.ts";

/** How a read is kept within bounds. */
export interface ReadBounds {
  /** What the service shows, by its own keys. */
  readonly isReadable: (key: Uint8Array) => boolean;
  /** Keys, values and proofs together; one entry of a range may have more. */
  readonly bytesMax: number;
}

/** What a query came to; see `StateRead`. */
export type FoundEntries =
  | { readonly type: "values"; readonly values: readonly ProvenValue[] }
  | { readonly type: "entries"; readonly entries: readonly ProvenEntry[]; readonly next: Uint8Array | undefined };
/** Or why to nothing; see `ReadRefusal`. */
export type ApplicationRead = FoundEntries | "not-readable" | "too-large";

/** The most entries that a range passes over because they are not to be seen. */
const UNREADABLE_MAX = 1_024;

/** Reads the service's part of a state at a checkpoint, with proofs of what it says; see `StateRead`. @throws StateDamage */
export function readApplication(snapshot: Snapshot, query: StateQuery, bounds: ReadBounds): ApplicationRead {
  return query.type === "keys" ? readKeys(snapshot, query.keys, bounds) : readRange(snapshot, query, bounds);
}

/** All of them or none: an answer in part would have to be put together with one of another checkpoint. */
function readKeys(
  snapshot: Snapshot,
  keys: readonly Uint8Array[],
  { isReadable, bytesMax }: ReadBounds,
): ApplicationRead {
  if (!keys.every(isReadable)) return "not-readable";
  const values: ProvenValue[] = [];
  let bytes = 0;
  for (const key of keys) {
    const whole = applicationKey(key);
    const value = snapshot.get(whole);
    const proof = snapshot.prove(whole);
    bytes += (value?.length ?? 0) + proofBytes(proof);
    if (bytes > bytesMax && keys.length > 1) return "too-large";
    values.push({ value: value && copyBytes(value), proof });
  }
  return { type: "values", values };
}

function readRange(
  snapshot: Snapshot,
  { from, to, limit }: Extract<StateQuery, { readonly type: "range" }>,
  { isReadable, bytesMax }: ReadBounds,
): ApplicationRead {
  invariant(limit >= 1, "state-machine.read-limit", { limit });
  const entries: ProvenEntry[] = [];
  let bytes = 0;
  let unreadable = 0;
  for (const [whole, value] of snapshot.range(applicationKey(from), to ? applicationKey(to) : APPLICATION_END)) {
    const key = copyBytes(whole.subarray(APPLICATION_START.length));
    if (!isReadable(key)) {
      if (++unreadable > UNREADABLE_MAX) return "not-readable";
      continue;
    }
    // Where it goes on is said by a key that may be seen.
    if (entries.length === limit) return { type: "entries", entries, next: key };
    const proof = snapshot.prove(whole);
    bytes += key.length + value.length + proofBytes(proof);
    if (bytes > bytesMax && entries.length > 0) return { type: "entries", entries, next: key };
    entries.push({ key, value: copyBytes(value), proof });
  }
  return { type: "entries", entries, next: undefined };
}

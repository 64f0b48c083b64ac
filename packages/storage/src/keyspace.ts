import { allocateBytes, type Change, compareBytes, invariant, type OrderedStore } from "@quorate/protocol";
import { KEY_BYTES_MAX } from "./ports.ts";

/** The one ordered map below a whole store; every part of the store has the keys that start with its prefix. */
export type Keyspace = OrderedStore;

/** The first byte of every key. Part of the format: never change one, never give one twice. */
export const PREFIX = {
  meta: 0x6d,
  logMark: 0x6e,
  history: 0x68,
  historyTally: 0x67,
  local: 0x70,
  state: 0x73,
  bulk: 0x62,
  /** Behind all others. */
  last: 0x74,
} as const;

/** Longer keys are rare. */
const READ_KEY_BYTES = 128;

/** `bytes` behind a prefix. */
function prefixed(prefix: number, bytes: Uint8Array): Uint8Array {
  const key = allocateBytes(bytes.length + 1);
  key[0] = prefix;
  key.set(bytes, 1);
  return key;
}

/** The part of a keyspace behind one prefix, as a store of its own. */
export class Partition implements OrderedStore {
  readonly #keyspace: Keyspace;
  readonly #prefix: number;
  /** A key that is read by is forgotten at once: one view for each length is made once. */
  readonly #readKey: Uint8Array = Buffer.allocUnsafeSlow(READ_KEY_BYTES);
  readonly #readKeys = new Array<Uint8Array | undefined>(READ_KEY_BYTES + 1);

  constructor(keyspace: Keyspace, prefix: number) {
    this.#keyspace = keyspace;
    this.#prefix = prefix;
    this.#readKey[0] = prefix;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#keyspace.get(this.#keyToRead(key));
  }

  *range(from: Uint8Array, to: Uint8Array | undefined): Iterable<readonly [Uint8Array, Uint8Array]> {
    if (to !== undefined && compareBytes(from, to) >= 0) return;
    for (const [key, value] of this.#keyspace.range(prefixed(this.#prefix, from), this.#end(to)))
      yield [key.subarray(1), value];
  }

  *keys(from: Uint8Array, to: Uint8Array | undefined): Iterable<Uint8Array> {
    if (to !== undefined && compareBytes(from, to) >= 0) return;
    for (const key of this.#keyspace.keys(prefixed(this.#prefix, from), this.#end(to))) yield key.subarray(1);
  }

  write(changes: readonly Change[]): void {
    this.#keyspace.write(this.place(changes));
  }

  /** The changes as the keyspace has them. */
  place(changes: readonly Change[]): Change[] {
    return changes.map(({ key, value }) => ({ key: this.#key(key), value }));
  }

  #end(to: Uint8Array | undefined): Uint8Array {
    return to === undefined ? Uint8Array.of(this.#prefix + 1) : prefixed(this.#prefix, to);
  }

  #keyToRead(key: Uint8Array): Uint8Array {
    const length = key.length + 1;
    if (length > READ_KEY_BYTES) return this.#key(key);
    const view = this.#readKeys[length] ?? this.#readKey.subarray(0, length);
    this.#readKeys[length] = view;
    for (let i = 1; i < length; i++) view[i] = key[i - 1] ?? 0;
    return view;
  }

  #key(key: Uint8Array): Uint8Array {
    invariant(key.length <= KEY_BYTES_MAX, "storage.key-too-long", { length: key.length, max: KEY_BYTES_MAX });
    return prefixed(this.#prefix, key);
  }
}

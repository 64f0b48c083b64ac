import { bytesToHex, type Change, hexToBytes, type KeyReader } from "@quorate/protocol";

/** The plainest ordered map there is. */
export class TestEntries implements KeyReader {
  readonly #entries = new Map<string, Uint8Array>();

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#entries.get(bytesToHex(key));
  }
  *range(from: Uint8Array, to: Uint8Array | undefined): Generator<readonly [Uint8Array, Uint8Array]> {
    const [low, high] = [bytesToHex(from), to === undefined ? undefined : bytesToHex(to)];
    const names = [...this.#entries.keys()].filter((name) => name >= low && (high === undefined || name < high));
    for (const name of names.sort()) {
      const value = this.#entries.get(name);
      if (value !== undefined) yield [hexToBytes(name), value];
    }
  }
  *keys(from: Uint8Array, to: Uint8Array | undefined): Generator<Uint8Array> {
    for (const [key] of this.range(from, to)) yield key;
  }
  write(changes: readonly Change[]): void {
    for (const { key, value } of changes) {
      if (value === undefined) this.#entries.delete(bytesToHex(key));
      else this.#entries.set(bytesToHex(key), value);
    }
  }
}

import { bytesToHex, type Change, hexToBytes, type KeyReader } from "@quorate/protocol";
import type { ExecutionChanges, ExecutionStore } from "@quorate/state-machine";

/** The plainest ordered map there is. Its reads fail while it is told to. */
export class OrderedMemory implements KeyReader {
  readonly entries: Map<string, Uint8Array> = new Map<string, Uint8Array>();

  isFailing = false;

  get(key: Uint8Array): Uint8Array | undefined {
    if (this.isFailing) throw new Error("the disk is gone");
    return this.entries.get(bytesToHex(key));
  }
  *range(from: Uint8Array, to: Uint8Array | undefined): Generator<readonly [Uint8Array, Uint8Array]> {
    for (const key of this.keys(from, to)) {
      const value = this.get(key);
      if (value !== undefined) yield [key, value];
    }
  }
  *keys(from: Uint8Array, to: Uint8Array | undefined): Generator<Uint8Array> {
    const [low, high] = [bytesToHex(from), to === undefined ? undefined : bytesToHex(to)];
    const names = [...this.entries.keys()].filter((name) => name >= low && (high === undefined || name < high));
    yield* names.sort().map(hexToBytes);
  }
  write(changes: readonly Change[]): void {
    for (const { key, value } of changes) {
      if (value === undefined) this.entries.delete(bytesToHex(key));
      else this.entries.set(bytesToHex(key), value);
    }
  }
}

/** A store in memory. */
export class MemoryStore implements ExecutionStore {
  readonly state: OrderedMemory = new OrderedMemory();
  readonly local: OrderedMemory = new OrderedMemory();

  writeAtomically({ state, local }: ExecutionChanges): void {
    this.state.write(state);
    this.local.write(local);
  }

  /** What a crash leaves behind when everything written was durable. */
  copy(): MemoryStore {
    const copy = new MemoryStore();
    for (const [key, value] of this.state.entries) copy.state.entries.set(key, value.slice());
    for (const [key, value] of this.local.entries) copy.local.entries.set(key, value.slice());
    return copy;
  }
}

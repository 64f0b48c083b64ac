import type { ReplicaStore } from "../ports.ts";
import type { StorageError } from "../storage-error.ts";

/** The words of a test framework; mocha's fit. */
export interface Suite {
  describe(title: string, body: () => void): unknown;
  it(title: string, body: () => Promise<void>): unknown;
}

/** An implementation under test. */
export interface StoreSubject {
  readonly name: string;
  /** A new and empty store, whose flushes complete by themselves. */
  create(options: { readonly historyBytesMax?: number }): Promise<ReplicaStore>;
  /** Closes the store and opens it again. */
  reopen(store: ReplicaStore): Promise<ReplicaStore>;
  /** Cuts the power and opens what is left; left out where only another process can do that. */
  readonly crash?: (store: ReplicaStore) => Promise<ReplicaStore>;
}

/** Resolves with what a flush called back. */
export function flushed(store: ReplicaStore): Promise<StorageError | undefined> {
  return new Promise((resolve) => store.flush(resolve));
}

/** The bytes of a Latin-1 text. */
export function bytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "latin1"));
}

/** Bytes as Latin-1 text. */
export function text(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : Buffer.from(value).toString("latin1");
}

import type { Change, KeyReader, OrderedReader } from "@quorate/protocol";

/** A group of changes that becomes durable as a whole or not at all (protocol rule 8.3). */
export interface ExecutionChanges {
  readonly state: readonly Change[];
  readonly local: readonly Change[];
}

/**
 * Where a replica keeps what execution made: the replicated state, equal at all correct replicas, and its own notes
 * (signed outputs, the pages of the state's tree and what undoes changes of it). The storage package provides it.
 */
export interface ExecutionStore {
  readonly state: OrderedReader;
  readonly local: KeyReader;
  /** Applies both groups as one. Reads see it at once, durable or not. */
  writeAtomically(changes: ExecutionChanges): void;
}

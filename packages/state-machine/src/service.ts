import type { Digest, Epoch, Member, PublicKey, SequenceNumber, TimestampMs } from "@quorate/protocol";

/** Reads of a service's part of the replicated state. What is returned is the caller's own copy. */
export interface StateReader {
  get(key: Uint8Array): Uint8Array | undefined;
  /**
   * Entries with `from ≤ key < to` in ascending order of bytes; `to` undefined means to the end. Writes made while it is
   * read are seen at keys that it has not passed yet.
   */
  range(from: Uint8Array, to: Uint8Array | undefined): Iterable<readonly [key: Uint8Array, value: Uint8Array]>;
}

/**
 * A service's part of the replicated state. It belongs to one operation: what the operation wrote is undone when it
 * throws, and nothing may be used after it has returned.
 *
 * Every method throws a `StateAccessError` for a key longer than `STATE_KEY_BYTES_MAX`, a value longer than the
 * genesis limit `requestBytesMax`, more than `OPERATION_CHANGES_MAX` changes in one operation, or use after the end.
 */
export interface StateStore extends StateReader {
  put(key: Uint8Array, value: Uint8Array): void;
  delete(key: Uint8Array): void;
}

/** What an operation may know about its surroundings: the same at every replica (protocol rule 4.7). */
export interface ExecutionContext {
  readonly seq: SequenceNumber;
  /** The agreed time. Never goes back; equal for all operations of a batch. */
  readonly timestampMs: TimestampMs;
  /** Agreed randomness, another for each operation. The primary can influence it by what it orders: no lottery. */
  readonly seed: Digest;
  /** The key that signed the request. */
  readonly client: PublicKey;
}

/**
 * A replicated service. `execute` must be a function of its arguments alone: no clock, randomness, I/O, or memory of its
 * own, and recursion bounded, for where a stack ends differs between machines.
 *
 * An operation that throws is *executed as failed*: the state is as before it and the result is the message of the
 * error, cut at `FAILURE_MESSAGE_BYTES_MAX`. Errors of the language itself (`TypeError`, `RangeError`, …) give only their
 * name, because their wording differs between engines.
 */
export interface Service {
  execute(operation: Uint8Array, state: StateStore, context: ExecutionContext): Uint8Array;
  /**
   * For services that hold something beside the state, which has to follow it: `plainService` is one. Called when execution
   * begins on a state that this service did not bring about itself, or may not have: at a start, after a state transfer.
   */
  open?(state: StateReader): void;
  /**
   * The members change. Called once for each change, in the last batch of the old members and after its operations, so at the
   * same place in the order everywhere. What is written is part of the batch; one that throws has changed nothing.
   */
  onMembership?(membership: ServiceMembership, state: StateStore): void;
  /**
   * Whether a client may see the entry at a key of this service's state, with its proof, at a stable checkpoint: a stale read
   * (protocol rule 6.2), which no operation is executed for. Without this, nobody may see any. A function of its arguments.
   *
   * It decides what is handed out, and is no wall between clients: a proof has digests of up to 63 other entries, by which a
   * reader can check what it guesses of them.
   */
  readable?(key: Uint8Array, client: PublicKey): boolean;
  /** The operation executed last is executed as failed: nothing of it may remain. */
  undo?(): void;
  /** The operations of a batch have been executed. What is written here is part of the batch; nothing may be thrown. */
  finishBatch?(state: StateStore, limits: StateLimits): void;
}

/** Who the replicas are from the next batch on. */
export interface ServiceMembership {
  readonly epoch: Epoch;
  /** Ascending by id. */
  readonly members: readonly Member[];
  /** The last batch of the members before. */
  readonly seq: SequenceNumber;
  /** Its agreed time. */
  readonly timestampMs: TimestampMs;
}

/** What `StateStore` takes. */
export interface StateLimits {
  readonly valueBytesMax: number;
}

export { STATE_KEY_BYTES_MAX } from "@quorate/protocol";

/** The most puts and deletes of one operation. */
export const OPERATION_CHANGES_MAX = 65_536;

/** A service broke a rule of `StateStore`. Uncaught, it fails the operation and nothing else. */
export class StateAccessError extends Error {
  readonly code: "state.key-too-long" | "state.value-too-long" | "state.too-many-changes" | "state.closed";

  constructor(code: StateAccessError["code"], message: string) {
    super(message);
    this.name = "StateAccessError";
    this.code = code;
  }
}

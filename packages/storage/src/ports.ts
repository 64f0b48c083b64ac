import type { Change, Digest, OrderedStore, SequenceNumber } from "@quorate/protocol";
import type { StorageError } from "./storage-error.ts";

/** One record as it was appended. */
export interface LogEntry {
  readonly seq: SequenceNumber;
  readonly record: Uint8Array;
}

/** The promises this replica has made (protocol rule 8.1), kept until a durable checkpoint covers them. */
export interface DurableLog {
  /** Adds a record; several may share a sequence number. It is a promise only after the next `flushLog` has called back. */
  append(seq: SequenceNumber, record: Uint8Array): void;
  /** Drops every record with a sequence number `≤ upTo`. */
  cut(upTo: SequenceNumber): void;
  /**
   * All records, ascending by sequence number, then in the order of their appends. Consume it before the next turn.
   *
   * @throws StorageError `storage.damaged` for a record that is not what was appended, and when one has vanished.
   */
  entries(): Iterable<LogEntry>;
}

/** Committed batches below the log, kept by bytes for replicas that lag (protocol rule 9.3). */
export interface History {
  /** Stores the entry of `seq`, replacing an earlier one. */
  put(seq: SequenceNumber, entry: Uint8Array): void;
  /**
   * The entry of `seq`; undefined if it was never put or has been trimmed.
   *
   * @throws StorageError `storage.damaged` if it is not what was put.
   */
  get(seq: SequenceNumber): Uint8Array | undefined;
  /** The lowest sequence number held. */
  readonly first: SequenceNumber | undefined;
  /** The highest sequence number held. */
  readonly last: SequenceNumber | undefined;
  /** Bytes of all entries held. */
  readonly bytes: number;
  /**
   * Drops the oldest entries with a number `< below` while more than the store's `historyBytesMax` bytes are held, and at most
   * `TRIM_ENTRIES_MAX` of them and `TRIM_BYTES_MAX` bytes at a call, or one that is longer: what is too much after that is for
   * later calls, so that none holds the event loop for long. Where more than half of these bytes have come since the last call,
   * both grow with it, so that what is too much comes to an end.
   */
  trim(below: SequenceNumber): void;
  /**
   * Drops everything: what comes next does not follow what is held. It is given no more from then on; its bytes go with the next
   * calls of `trim`, part by part.
   */
  clear(): void;
}

/** Called once: with nothing when all is durable, or with the reason why it is not and never will be. */
export type FlushDone = (failure: StorageError | undefined) => void;

/** Changes of the two parts that a replica writes in one group. */
export interface GroupChanges {
  readonly state: readonly Change[];
  readonly local: readonly Change[];
}

/**
 * Many entries, in an order that is not that of their keys, on their way into `state` and `local`. They wait in sorted runs and go
 * there in one merge, in the order of their keys: taken as they come, each of them would cost a page of an ordered store.
 *
 * A stream of atomic groups of its own. A crash leaves a prefix of it, at least what the last successful `flush` covered, and
 * with a group all that was written to the store before it; how much is left of what was written after it says nothing
 * about the group. No read shows what waits here.
 */
export interface BulkLoad {
  /** Whether nothing waits, of this life or of an earlier one. What an earlier one left is settled before anything is added. */
  readonly isEmpty: boolean;
  /** Whether so much waits that it should be settled before more comes. */
  readonly isFull: boolean;
  add(changes: GroupChanges): void;
  /** As `ReplicaStore.flush`, for all that was added and written before. */
  flush(done: FlushDone): void;
  /**
   * Moves all that was added to where it belongs, in parts, and calls back when that is durable and nothing waits. A crash in
   * between leaves all of it waiting. Of several changes of a key the last one counts; nothing else may write to these keys
   * meanwhile, and nothing is added. Who asks while it is under way is called back at its end.
   */
  settle(done: FlushDone): void;
}

/**
 * Everything one replica keeps, in two domains: the log, and the rest, which is history, state and local. Each is an
 * ordered stream of atomic write groups, and each call that writes is a group. After a crash a prefix of each stream is
 * there, never a part of a group, and at least what the last successful flush covered; how far one stream got says
 * nothing about the other. Reads see all writes at once. Bytes handed in or out must not be modified afterwards. Ranges
 * must be consumed before the next turn of the event loop.
 */
export interface ReplicaStore {
  /**
   * The nonce with which the store was made after another of this replica had been lost; undefined for its first one. It
   * was durable before the store was opened (protocol rule 8.5).
   */
  readonly lossNonce: Digest | undefined;
  readonly log: DurableLog;
  readonly history: History;
  /** The replicated state. Keys of at most `KEY_BYTES_MAX` bytes. */
  readonly state: OrderedStore;
  /** What this replica keeps for itself beside the state: its outputs, its marks, its evidence. */
  readonly local: OrderedStore;
  /** Writes to `state` and `local` in one group: applied number and state are one unit (protocol rule 8.3). */
  writeAtomically(changes: GroupChanges): void;
  readonly bulk: BulkLoad;
  /**
   * Calls back once everything appended to the log and cut from it before this call is durable, or with the failure;
   * never during the call. The rest may be durable later: what it holds can be made again from promises (protocol rule
   * 8.3). Flushes are grouped: calls while one is running share the next. A failed flush of either domain is final:
   * every later one of both fails the same. Whoever writes without ever flushing makes the store hold it in memory.
   */
  flushLog(done: FlushDone): void;
  /** Like `flushLog`, for everything written before this call in both domains. */
  flush(done: FlushDone): void;
  /** Makes everything durable that is not, but what waits in `bulk` without a flush; then lets go of the files. Nothing may be called afterwards but flushes. */
  close(): Promise<void>;
}

/** The longest key of `state` and `local`, in bytes: what LMDB holds less the prefix of this format. */
export const KEY_BYTES_MAX = 1977;

/** See `History.trim`. */
export const TRIM_ENTRIES_MAX = 2_048;
export const TRIM_BYTES_MAX: number = 4 * 1024 * 1024;

/** How many bytes of history are kept unless said otherwise (protocol rule 9.3). */
export const HISTORY_BYTES_MAX: number = 256 * 1024 * 1024;

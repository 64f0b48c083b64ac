import type { ReplicaStore } from "@quorate/storage";
import type { FlushTimes } from "./flush-times.ts";
import type { CrashKind } from "./simulated-files.ts";

/** One replica's disk on the virtual clock: flushes take time, and a power cut loses what was not flushed. */
export interface SimulatedDisk {
  readonly times: FlushTimes;
  /** What it holds, as long as its replica lives; undefined once it is lost. */
  readonly store: ReplicaStore | undefined;
  /** No write succeeds while it is. */
  isFull: boolean;
  /** What it held is damaged, and its replica has found out: it must not run on it, but can on another one, mute. */
  readonly isLost: boolean;
  /** It was found to be somebody else's: its replica does not start, until its operator does something about it. */
  readonly isRefused: boolean;
  /**
   * A replica begins to live on it; undefined when it finds that it is damaged or somebody else's.
   *
   * @throws Violation for damage that is not found, and for a disk that is refused without damage.
   */
  open(): ReplicaStore | undefined;
  /**
   * What it holds was refused when a replica began to live on it.
   *
   * @throws Violation if nothing is damaged, and whatever is no StorageError.
   */
  refuse(error: unknown): void;
  /**
   * Its replica ends without a word.
   *
   * @param keepsState nothing of history, state and local is lost.
   */
  crash(kind: CrashKind, keepsState?: boolean): void;
  /** The next flush fails, and with it the disk until the replica restarts. */
  failNextFlush(): void;
}

import { invariant } from "@quorate/protocol";
import { lastMark } from "./flush-marks.ts";
import { FlushDomains } from "./flushing.ts";
import { checkMeta, encodeMeta, META_KEY, type StoreIdentity } from "./identity.ts";
import { KeyspaceStore } from "./keyspace-store.ts";
import type { LogFiles } from "./log-files.ts";
import type { LogId } from "./log-group.ts";
import { decodeMark, encodeMark, MARK_KEY } from "./log-mark.ts";
import { type DurableEntries, MemoryKeyspace, type MemoryPower } from "./memory-keyspace.ts";
import { type DurableSpool, MemorySpoolFile } from "./memory-spool-file.ts";
import { orderedText } from "./ordered-map.ts";
import { HISTORY_BYTES_MAX } from "./ports.ts";
import { type SegmentSizes, WriteAheadLog } from "./write-ahead-log.ts";

/** What a store on files is opened with. */
export interface FileStoreOptions {
  readonly identity: StoreIdentity;
  readonly files: LogFiles;
  /** What `formatFileStore` made, and earlier lives left. */
  readonly entries: DurableEntries;
  /** What earlier lives left of entries on their way. */
  readonly spool: DurableSpool;
  /** Takes each completion of a flush of the rest and runs it once, later, in the order given. */
  readonly schedule: (complete: () => void) => void;
  /** Small ones make small files; as in production unless given. */
  readonly sizes?: SegmentSizes;
  /** Bytes of history that `trim` leaves; `HISTORY_BYTES_MAX` unless given. */
  readonly historyBytesMax?: number;
}

/** The entries of a store in which nothing has been written; its log is an empty first segment. */
export function formatFileStore(identity: StoreIdentity, logId: LogId): DurableEntries {
  const entry = { key: META_KEY, value: encodeMeta(identity, { logId, lossNonce: undefined }) };
  return new Map([[orderedText(META_KEY), entry]]);
}

/**
 * How many groups of the log its marks and the rest of a store say were durable: fewer than that is damage, not a crash.
 *
 * @param marks what the file of the log's marks holds.
 */
export function markedGroups(entries: DurableEntries, marks: Uint8Array, logId: LogId): number {
  return Math.max(decodeMark(entries.get(orderedText(MARK_KEY))?.value).number, lastMark(marks, logId).number);
}

/**
 * The production write-ahead log over whatever files, with history, state and local in memory beside it: for a simulator
 * that breaks disks. Deterministic if the files are.
 */
export class FileStore extends KeyspaceStore {
  readonly #log: WriteAheadLog;
  readonly #rest: MemoryKeyspace;
  readonly #power: Power;
  readonly #spool: MemorySpoolFile;

  /** @throws StorageError as `openStore` does, for the same reasons. */
  constructor(options: FileStoreOptions) {
    const { identity, files, entries, schedule, sizes } = options;
    const read = (key: Uint8Array): Uint8Array | undefined => entries.get(orderedText(key))?.value;
    const { logId, lossNonce } = checkMeta(files.place, read(META_KEY), identity);
    const mark = decodeMark(read(MARK_KEY));
    const log = new WriteAheadLog({ files, logId, mark, ...(sizes === undefined ? {} : { sizes }) });
    const power = new Power(schedule);
    let marked = mark.number;
    const rest = new MemoryKeyspace(entries, power, () => {
      const { flushed } = log;
      if (flushed.number === marked) return undefined;
      marked = flushed.number;
      return { key: MARK_KEY, value: encodeMark(flushed) };
    });
    const close = async (): Promise<void> => {
      log.seal();
      await new Promise<void>((resolve) => log.flush(() => resolve()));
      await new Promise<void>((resolve) => rest.flush(() => resolve()));
      await log.close();
    };
    const domains = new FlushDomains({ log, rest, later: (task) => files.later(task), close });
    const file = new MemorySpoolFile(options.spool, power);
    super({
      ...{ log, keyspace: rest, domains, lossNonce },
      spool: { file, store: logId, later: (task) => power.schedule(task) },
      historyBytesMax: options.historyBytesMax ?? HISTORY_BYTES_MAX,
    });
    this.#spool = file;
    this.#log = log;
    this.#rest = rest;
    this.#power = power;
  }

  /** Groups of the log that are durable, over all lives. */
  get flushedGroups(): number {
    return this.#log.flushed.number;
  }

  /** Groups of history, state and local that a crash would lose. */
  get unflushedGroups(): number {
    return this.#rest.unflushedGroups;
  }

  /** Bytes of the spool that a crash may lose. */
  get unflushedSpoolBytes(): number {
    return this.#spool.appending;
  }

  /**
   * Cuts the power: of the rest the first groups are kept, of what is being appended to the spool the first bytes. What is left of
   * the files is their owner's to say.
   */
  crash(groupsKept: number, spoolBytesKept = 0): void {
    this.#rest.keep(groupsKept);
    this.#spool.keep(spoolBytesKept);
    this.#power.isOn = false;
  }
}

class Power implements MemoryPower {
  readonly isFailing = false;
  readonly isClosed = false;
  isOn = true;
  readonly #schedule: (complete: () => void) => void;

  constructor(schedule: (complete: () => void) => void) {
    this.#schedule = schedule;
  }

  schedule(complete: () => void): void {
    this.#schedule(() => {
      if (this.isOn) complete();
    });
  }

  checkOpen(): void {
    invariant(this.isOn, "storage.written-after-close");
  }
}

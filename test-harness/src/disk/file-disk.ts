import { sequenceNumber } from "@quorate/protocol";
import {
  type LogEntry,
  type ReplicaStore,
  StorageError,
  type StorageErrorCode,
  type StoreIdentity,
} from "@quorate/storage";
import { type DurableSpool, FileStore, formatFileStore, type LogFiles, markedGroups } from "@quorate/storage/memory";
import { demand } from "../checkers/checker.ts";
import type { Marks } from "../marks.ts";
import type { Prng } from "../prng.ts";
import { type DiskContent, type DiskDamage, damageDisk, HARMLESS_DAMAGES } from "./disk-damage.ts";
import type { FlushTimes } from "./flush-times.ts";
import { LogWitness } from "./log-witness.ts";
import { readableEntry } from "./readable-entry.ts";
import type { SimulatedDisk } from "./simulated-disk.ts";
import { type CrashKind, SimulatedFiles } from "./simulated-files.ts";

const LOG_ID_BYTES = 16;
/** Those that a replica takes for the loss of its disk, after which it comes back with another one. */
const LOSSES: readonly StorageErrorCode[] = ["storage.damaged", "storage.not-initialized"];
/** Small, so that a run has several segments. */
const SIZES = { segmentBytes: 24 * 1024, growthBytes: 2 * 1024 };
const HISTORY_PREFIX = 0x68;
const COMMIT_AFTER_MS = 500;
/** How often damage to the log is aimed at what was written. */
const AIMED = 0.8;

/** What a disk of files stands on. */
export interface FileDiskOptions {
  /** Of the replica, for messages. */
  readonly name: string;
  readonly identity: StoreIdentity;
  readonly times: FlushTimes;
  readonly prng: Prng;
  readonly marks: Marks;
  /** Puts something between the log and its files, for tests that plant a bug. */
  readonly files?: ((files: LogFiles) => LogFiles) | undefined;
}

/**
 * A disk of bytes under the production write-ahead log: power cuts tear what is being written, and what lies there can be
 * damaged. A witness sees what was written, and judges at each start what is found: all that was durable, or an error.
 */
export class FileDisk implements SimulatedDisk {
  readonly times: FlushTimes;
  readonly #options: FileDiskOptions;
  readonly #files: SimulatedFiles;
  readonly #logId: Uint8Array;
  readonly #witness = new LogWitness();
  #entries: DiskContent["entries"];
  readonly #spool: DurableSpool = { bytes: Buffer.alloc(0) };
  #store: FileStore | undefined;
  #watched: ReplicaStore | undefined;
  #flushedGroups = 0;
  #crashedBy: CrashKind | undefined;
  #damage: DiskDamage | undefined;
  #damagedKey: Uint8Array | undefined;
  #state: "whole" | "lost" | "refused" = "whole";

  constructor(options: FileDiskOptions) {
    const { name, identity, times, prng, marks } = options;
    this.#options = options;
    this.times = times;
    this.#logId = prng.bytes(LOG_ID_BYTES);
    this.#entries = formatFileStore(identity, this.#logId);
    this.#files = new SimulatedFiles({
      place: `disk of ${name}`,
      prng: prng.fork("files"),
      marks,
      schedule: times.schedule,
      soon: (task) => times.after(0, task),
      onWrite: () => this.#witness.onWrite(),
      onDurable: () => this.#witness.onDurable(),
    });
  }

  get store(): ReplicaStore | undefined {
    return this.#watched;
  }
  get isLost(): boolean {
    return this.#state === "lost";
  }
  get isRefused(): boolean {
    return this.#state === "refused";
  }
  get isFull(): boolean {
    return this.#files.isFull;
  }
  set isFull(isFull: boolean) {
    this.#files.isFull = isFull;
  }

  open(): ReplicaStore | undefined {
    if (this.#state !== "whole") return undefined;
    const { identity, times, files = (same: LogFiles): LogFiles => same } = this.#options;
    const { historyBytesMax, schedule } = times;
    const disk = { files: files(this.#files), entries: this.#entries, spool: this.#spool };
    const given = { identity, ...disk, schedule, historyBytesMax };
    try {
      const store = new FileStore({ ...given, sizes: SIZES });
      const entries = [...store.log.entries()];
      this.#probe(store);
      if (!this.#isWhole(entries)) return undefined;
      if (this.#crashedBy === "kill" && store.flushedGroups > this.#flushedGroups)
        this.#options.marks.add("disk: group of a killed process taken over");
      if (!store.bulk.isEmpty) this.#options.marks.add("disk: entries on their way found");
      this.#witness.begin(store.flushedGroups);
      this.#store = store;
      this.#commitLazily(store);
      this.#watched = watchedStore(store, this.#witness);
      return this.#watched;
    } catch (error) {
      this.refuse(error);
      return undefined;
    }
  }

  refuse(error: unknown): void {
    if (!(error instanceof StorageError)) throw error;
    const { identity, marks } = this.#options;
    const { code, message } = error;
    demand(this.#isHarmed, "storage.refused-without-damage", { ...identity, code, message });
    marks.add(`disk: damage found, ${code}`);
    this.#become(LOSSES.includes(code) ? "lost" : "refused");
  }

  crash(kind: CrashKind, keepsState = false): void {
    const { prng, marks, identity } = this.#options;
    const store = this.#store;
    if (store !== undefined) {
      const { unflushedGroups } = store;
      const drawn = prng.chance(0.5) ? prng.integer(0, unflushedGroups) : 0;
      const rest = keepsState ? unflushedGroups : drawn;
      if (rest < unflushedGroups) marks.add("disk: unflushed state lost");
      if (rest > 0) marks.add("disk: unflushed state kept");
      this.#flushedGroups = store.flushedGroups;
      const { unflushedSpoolBytes } = store;
      const spoolBytes = unflushedSpoolBytes > 0 && prng.chance(0.5) ? prng.integer(0, unflushedSpoolBytes) : 0;
      if (unflushedSpoolBytes > 0) marks.add("disk: entries on their way lost");
      store.crash(rest, spoolBytes);
      const [flushed, marked] = [this.#flushedGroups, this.#markedGroups];
      // The operating system keeps the marks of a killed process: they say all that counts, what it had found included.
      demand(kind === "power-cut" || marked >= flushed, "storage.flush-unmarked", { ...identity, flushed, marked });
    }
    this.#crashedBy = kind;
    this.#files.crash(kind);
    this.times.restart();
    this.#store = undefined;
  }

  failNextFlush(): void {
    this.#files.failNextWrite();
  }

  /**
   * Damages what lies on it; its replica is down.
   *
   * @param aimed how probable it is that damage to the log hits what was written.
   */
  damage(damage: DiskDamage, other: FileDisk, aimed: number = AIMED): void {
    const { marks, prng } = this.#options;
    marks.add(`disk: ${damage}`);
    if (!this.#isHarmed) this.#damage = damage;
    const content = this.#content;
    const key = damageDisk(damage, content, { other: other.#content, prng, aimed });
    this.#damagedKey = key ?? this.#damagedKey;
    this.#files.contents = content.segments;
    this.#entries = content.entries;
  }

  /** How many groups the marks on it say were flushed. */
  get #markedGroups(): number {
    return markedGroups(this.#entries, this.#files.marks.content, this.#logId);
  }

  /** Whether anything has happened that can excuse a loss. */
  get #isHarmed(): boolean {
    return this.#damage !== undefined && !HARMLESS_DAMAGES.includes(this.#damage);
  }

  get #content(): DiskContent {
    return { segments: this.#files.contents, entries: this.#entries, marks: this.#files.marks };
  }

  /** As in production, the rest becomes durable by itself, and with it the mark that says how far the log was. */
  #commitLazily(store: FileStore): void {
    this.times.after(COMMIT_AFTER_MS, () => {
      if (this.#store !== store) return;
      store.flush(() => undefined);
      this.#commitLazily(store);
    });
  }

  /**
   * Reads what was damaged in the history, as a peer that lacks it would ask for: it is refused, never given. The disk is
   * good for a replica all the same, as long as the replica itself does not need the entry.
   */
  #probe(store: FileStore): void {
    const key = this.#damagedKey;
    if (key?.[0] !== HISTORY_PREFIX) return;
    const seq = sequenceNumber(Number(Buffer.from(key).readBigUInt64BE(1)));
    const entry = readableEntry(store.history, seq);
    demand(entry === undefined, "storage.damage-served", { ...this.#options.identity, seq });
    this.#options.marks.add("disk: damage found, in the history only");
  }

  /**
   * Whether all that was durable is there. Damage to the last durable groups cannot be told from a write cut short as long
   * as neither the database nor the marks say that they were durable (decision 0025); nothing else may be lost without an
   * error.
   */
  #isWhole(entries: readonly LogEntry[]): boolean {
    const { marks, identity } = this.#options;
    const lacks = this.#witness.lackedBy(entries);
    if (lacks === 0) {
      if (this.#damagedKey !== undefined) return true;
      if (this.#damage !== undefined) marks.add("disk: damage where nothing was");
      this.#damage = undefined;
      return true;
    }
    const marked = this.#markedGroups;
    const flushed = this.#flushedGroups;
    const isTail = lacks !== undefined && flushed - lacks >= marked;
    demand(this.#isHarmed && isTail, "storage.promises-lost", {
      ...identity,
      damage: this.#damage,
      lacks,
      flushed,
      marked,
    });
    marks.add("disk: damage behind the mark, taken for a torn write");
    this.#become("lost");
    return false;
  }

  #become(state: "lost" | "refused"): void {
    this.#state = state;
    this.#store = undefined;
    this.#watched = undefined;
  }
}

function watchedStore(store: FileStore, witness: LogWitness): ReplicaStore {
  const { lossNonce, history, state, local, bulk } = store;
  return {
    lossNonce,
    log: witness.watch(store.log),
    history,
    state,
    local,
    bulk,
    writeAtomically: (changes) => store.writeAtomically(changes),
    flushLog: (done) => store.flushLog(done),
    flush: (done) => store.flush(done),
    close: () => store.close(),
  };
}

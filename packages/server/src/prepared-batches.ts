import type { SequenceNumber, VerifiedBatch, VerifiedPreparedCertificate } from "@quorate/protocol";
import type { VerifiedLogRecord } from "@quorate/replica";
import { type LogEntry, StorageError, type StoreReader } from "@quorate/storage";
import type { Judges } from "./data-reader.ts";
import { RecoveryError, readLogRecord } from "./disk-recovery.ts";

/** A batch that the write-ahead log says prepared. */
export interface PreparedBatch {
  readonly seq: SequenceNumber;
  readonly certificate: VerifiedPreparedCertificate;
  readonly batch: VerifiedBatch;
}

/** Damage to the write-ahead log; without a number when it is to the log as a whole. */
export interface LogProblem {
  readonly seq: SequenceNumber | undefined;
  readonly problem: string;
}

/** What a write-ahead log says of batches: each that prepared, with the certificate of its highest view. */
export class PreparedBatches {
  readonly #bodies = new Map<string, VerifiedBatch>();
  readonly #prepared = new Map<SequenceNumber, PreparedBatch>();
  readonly #problems: LogProblem[] = [];

  constructor(store: Pick<StoreReader, "openLog">, judges: Judges) {
    try {
      for (const entry of store.openLog().entries()) this.#read(entry, judges);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.#problems.push({ seq: undefined, problem: error.message });
    }
  }

  get problems(): readonly LogProblem[] {
    return this.#problems;
  }

  /** Ascending. */
  get sorted(): PreparedBatch[] {
    return [...this.#prepared.values()].sort((a, b) => a.seq - b.seq);
  }

  #read(entry: LogEntry, { codec, verifier, epochs }: Judges): void {
    try {
      const record = readLogRecord(entry, codec, verifier, epochs);
      if (record !== undefined) this.#add(entry.seq, record);
    } catch (error) {
      if (!(error instanceof RecoveryError)) throw error;
      this.#problems.push({ seq: entry.seq, problem: error.message });
    }
  }

  #add(seq: SequenceNumber, record: VerifiedLogRecord): void {
    if (record.type === "pre-prepared") this.#bodies.set(`${seq} ${record.batch.digest}`, record.batch);
    if (record.type !== "prepared") return;
    const { view, digest } = record.certificate.prePrepare.message;
    const batch = this.#bodies.get(`${seq} ${digest}`);
    const known = this.#prepared.get(seq)?.certificate.prePrepare.message.view ?? -1;
    if (batch !== undefined && view > known) this.#prepared.set(seq, { seq, certificate: record.certificate, batch });
  }
}

import type { Codec, Decoded } from "@quorate/codec";
import { EpochVerifier, type Verifier } from "@quorate/crypto";
import {
  assertNever,
  type LogRecord,
  type Membership,
  type Memberships,
  nextSequenceNumber,
  type Prepare,
  placeOf,
  type SequenceNumber,
  type VerifiedCommittedEntry,
  type VerifiedEnvelope,
  type VerifiedPreparedCertificate,
} from "@quorate/protocol";
import type { RecoveredDisk, VerifiedLogRecord } from "@quorate/replica";
import type { LogEntry, ReplicaStore } from "@quorate/storage";

/** The own disk holds what this replica cannot have written: damage, another format, or somebody else's data. */
export class RecoveryError extends Error {
  readonly code = "recovery.unreadable";

  constructor(message: string) {
    super(message);
    this.name = "RecoveryError";
  }
}

/** The parts of a store that a replica recovers from. */
export interface DiskSource extends Pick<ReplicaStore, "lossNonce"> {
  readonly log: Pick<ReplicaStore["log"], "entries">;
  readonly history: Pick<ReplicaStore["history"], "get">;
}

/**
 * Reads what the disk holds, as strictly as what others send: every signature is verified again. What was promised in epochs
 * that are over is left out: it binds nobody any more.
 *
 * @throws RecoveryError or StorageError when anything is not what was written.
 */
export function readDisk(
  store: DiskSource,
  codec: Codec,
  verifier: Verifier,
  epochs: Memberships,
  executed: SequenceNumber,
): RecoveredDisk {
  const records: VerifiedLogRecord[] = [];
  for (const entry of store.log.entries()) {
    const record = readLogRecord(entry, codec, verifier, epochs);
    if (record !== undefined) records.push(record);
  }
  const committed: VerifiedCommittedEntry[] = [];
  // A state below what the log calls stable is no ground to start from, and the history up to there may be long.
  if (records.some((record) => record.type === "stable" && record.checkpoint.seq > executed))
    return { records, executed, committed, lossNonce: store.lossNonce };
  for (let seq = nextSequenceNumber(executed); ; seq = nextSequenceNumber(seq)) {
    const entry = readHistoryEntry(store, codec, verifier, epochs, seq);
    if (entry === undefined) break;
    committed.push(entry);
  }
  return { records, executed, committed, lossNonce: store.lossNonce };
}

/**
 * Reads one entry of the own history, as strictly as what others send; undefined if there is none.
 *
 * @throws RecoveryError or StorageError when it is not what was written.
 */
export function readHistoryEntry(
  store: Pick<DiskSource, "history">,
  codec: Codec,
  verifier: Verifier,
  epochs: Memberships,
  seq: SequenceNumber,
): VerifiedCommittedEntry | undefined {
  const bytes = store.history.get(seq);
  if (bytes === undefined) return undefined;
  const entry = decodedOrThrow(codec.decodeCommittedEntry(bytes), `history entry ${seq}`);
  if (entry.certificate.seq !== seq)
    throw new RecoveryError(`history entry ${seq} belongs to number ${entry.certificate.seq}`);
  const verified = new EpochVerifier(verifier, epochs).verifyCommittedEntry(entry);
  if (verified === undefined) throw new RecoveryError(`history entry ${seq} has a certificate that is not valid`);
  return verified;
}

/**
 * Reads one record of the log; undefined for a promise of an epoch that is over.
 *
 * @throws RecoveryError when it is not what a correct replica has written.
 */
export function readLogRecord(
  { seq, record }: LogEntry,
  codec: Codec,
  verifier: Verifier,
  { membership }: Memberships,
): VerifiedLogRecord | undefined {
  const value = decodedOrThrow(codec.decodeLogRecord(record), `log record ${seq}`);
  const place = placeOf(value);
  if (place.seq !== seq) throw new RecoveryError(`log record ${seq} (${value.type}) belongs to number ${place.seq}`);
  const { epoch = membership.epoch } = place;
  if (epoch > membership.epoch)
    throw new RecoveryError(`log record ${seq} (${value.type}) is of epoch ${epoch}, which is not known here`);
  // Promises of an epoch that is over bind nobody. Whoever was released in one had never come to a later one before its loss.
  if (epoch < membership.epoch && value.type !== "released") return undefined;
  const verified = verifyRecord(value, verifier, membership);
  if (verified !== undefined) return verified;
  throw new RecoveryError(`log record ${seq} (${value.type}) has a signature or digest that is not valid`);
}

function decodedOrThrow<T>(decoded: Decoded<T>, what: string): T {
  if (decoded.ok) return decoded.value;
  throw new RecoveryError(`${what} does not decode: ${JSON.stringify(decoded.error)}`);
}

function verifyRecord(record: LogRecord, verifier: Verifier, membership: Membership): VerifiedLogRecord | undefined {
  switch (record.type) {
    case "stable": {
      const checkpoint = verifier.verifyCheckpointCertificate(record.checkpoint, membership);
      return checkpoint && { type: "stable", checkpoint };
    }
    case "pre-prepared": {
      const envelope = verifier.verifyEnvelope(record.envelope, membership);
      const batch = verifier.verifyBatch(record.batch);
      // The signatures cover all of the batch but its time.
      if (batch?.digest !== record.envelope.message.digest) return undefined;
      return envelope && { type: "pre-prepared", envelope, batch };
    }
    case "prepared": {
      const certificate = verifier.verifyPreparedCertificate(record.certificate, membership);
      const prepares = certificate && preparesOf(certificate, verifier, membership);
      return certificate && prepares && { type: "prepared", certificate, prepares };
    }
    case "view-change": {
      const viewChange = verifier.verifyViewChange(record.viewChange, membership);
      return viewChange && { type: "view-change", viewChange };
    }
    case "new-view": {
      const newView = verifier.verifyNewView(record.newView, membership);
      return newView && { type: "new-view", newView };
    }
    case "mute": {
      const replies = record.replies.map((reply) => verifier.verifyReplyStable(reply, membership));
      const verified = replies.filter((reply) => reply !== undefined);
      return verified.length === replies.length ? { type: "mute", replies: verified } : undefined;
    }
    case "released":
      // A word of its own disk to itself: it makes no difference to anyone else, and has no signature.
      return { type: "released", nonce: record.nonce };
    default:
      return assertNever(record);
  }
}

/** The PREPAREs that the certificate stands for, each verified. */
function preparesOf(
  certificate: VerifiedPreparedCertificate,
  verifier: Verifier,
  membership: Membership,
): VerifiedEnvelope<Prepare>[] | undefined {
  const { epoch, view, seq, digest } = certificate.prePrepare.message;
  const prepares: VerifiedEnvelope<Prepare>[] = [];
  for (const { from, signature } of certificate.prepares) {
    const message: Prepare = { type: "prepare", epoch, view, seq, digest };
    const envelope = verifier.verifyEnvelope({ from, message, signature }, membership);
    if (envelope === undefined) return undefined;
    prepares.push(envelope);
  }
  return prepares;
}

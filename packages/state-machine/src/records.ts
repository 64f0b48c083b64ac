/** The values of the replicated state's own parts: fixed fields, one encoding for one value. */
import {
  bytesToHex,
  type ClusterId,
  type Digest,
  invariant,
  type OperationResult,
  PreimageWriter,
  type PublicKey,
  RESULT_STATUS_CODES,
  RecordReader,
  type RequestNumber,
  type ResultStatus,
  type SequenceNumber,
  type SessionId,
  type TimestampMs,
} from "@quorate/protocol";

/** How far execution has come, and the counts that its bounds need. */
export interface Progress {
  readonly cluster: ClusterId;
  readonly executed: SequenceNumber;
  readonly historyDigest: Digest;
  /** The hash chain over all statements (protocol rule 9.5). */
  readonly executionDigest: Digest;
  readonly timestampMs: TimestampMs;
  /** Open sessions of all clients. */
  readonly sessions: number;
  /** Nonces of all clients that are remembered. */
  readonly nonces: number;
  /** The number of the last checkpoint (protocol rule 9.1). */
  readonly lastCheckpoint: SequenceNumber;
}

/** An open session. */
export interface Session {
  readonly id: SessionId;
  readonly client: PublicKey;
  /** The number that executes next; the window below it is remembered. */
  readonly expected: RequestNumber;
  /** When it was opened or last executed a request. */
  readonly usedAt: SequenceNumber;
  /** The `usedAt` under which the index of sessions by use knows it; brought up to date when eviction looks. */
  readonly indexedAt: SequenceNumber;
  /** Whether the nonce that opened it is still remembered. */
  readonly isNonceRemembered: boolean;
}

/** The reply to an executed request, without its statement. */
export interface CachedReply {
  readonly number: RequestNumber;
  readonly requestDigest: Digest;
  readonly resultDigest: Digest;
  readonly results: readonly OperationResult[];
}

/** An executed registration. */
export interface RememberedNonce {
  readonly lastValid: SequenceNumber;
  readonly session: SessionId;
}

/** What counts against a client key's quota. */
export interface ClientUse {
  /** Open sessions. */
  readonly sessions: number;
  /** Those of them whose nonce is still remembered. */
  readonly fresh: number;
  /** Remembered nonces whose session was evicted. */
  readonly orphans: number;
  /** When its least recently used session was used, as far as the index of clients knows. */
  readonly indexedAt: SequenceNumber;
}

const HASH = 32;
const STATUS_BY_CODE: ReadonlyMap<number, ResultStatus> = new Map(
  (Object.keys(RESULT_STATUS_CODES) as ResultStatus[]).map((status) => [RESULT_STATUS_CODES[status], status]),
);

export function encodeProgress(p: Progress): Uint8Array {
  return new PreimageWriter(3 * HASH + 32)
    .hex32(p.cluster)
    .u64(p.executed)
    .hex32(p.historyDigest)
    .hex32(p.executionDigest)
    .u64(p.timestampMs)
    .u32(p.sessions)
    .u32(p.nonces)
    .u64(p.lastCheckpoint)
    .finish();
}
export function decodeProgress(bytes: Uint8Array): Progress {
  const reader = new RecordReader(bytes);
  const progress: Progress = {
    cluster: reader.hex32() as ClusterId,
    executed: reader.u64() as SequenceNumber,
    historyDigest: reader.hex32() as Digest,
    executionDigest: reader.hex32() as Digest,
    timestampMs: reader.u64() as TimestampMs,
    sessions: reader.u32(),
    nonces: reader.u32(),
    lastCheckpoint: reader.u64() as SequenceNumber,
  };
  reader.finish();
  return progress;
}

export function encodeSession(s: Session): Uint8Array {
  return new PreimageWriter(HASH + 25)
    .hex32(s.client)
    .u64(s.expected)
    .u64(s.usedAt)
    .u64(s.indexedAt)
    .u8(s.isNonceRemembered ? 1 : 0)
    .finish();
}
export function decodeSession(id: SessionId, bytes: Uint8Array): Session {
  const reader = new RecordReader(bytes);
  const session: Session = {
    id,
    client: reader.hex32() as PublicKey,
    expected: reader.u64() as RequestNumber,
    usedAt: reader.u64() as SequenceNumber,
    indexedAt: reader.u64() as SequenceNumber,
    isNonceRemembered: reader.u8() === 1,
  };
  reader.finish();
  return session;
}

export function encodeReply(reply: CachedReply): Uint8Array {
  const writer = new PreimageWriter(8 + 2 * HASH + resultsSize(reply.results))
    .u64(reply.number)
    .hex32(reply.requestDigest)
    .hex32(reply.resultDigest);
  return writeResults(writer, reply.results).finish();
}
export function decodeReply(bytes: Uint8Array): CachedReply {
  const reader = new RecordReader(bytes);
  const reply: CachedReply = {
    number: reader.u64() as RequestNumber,
    requestDigest: reader.hex32() as Digest,
    resultDigest: reader.hex32() as Digest,
    results: readResults(reader),
  };
  reader.finish();
  return reply;
}

export function encodeNonce(nonce: RememberedNonce): Uint8Array {
  return new PreimageWriter(8 + HASH).u64(nonce.lastValid).hex32(nonce.session).finish();
}
export function decodeNonce(bytes: Uint8Array): RememberedNonce {
  const reader = new RecordReader(bytes);
  const nonce: RememberedNonce = { lastValid: reader.u64() as SequenceNumber, session: reader.hex32() as SessionId };
  reader.finish();
  return nonce;
}

export function encodeClientUse(use: ClientUse): Uint8Array {
  return new PreimageWriter(20).u32(use.sessions).u32(use.fresh).u32(use.orphans).u64(use.indexedAt).finish();
}
export function decodeClientUse(bytes: Uint8Array): ClientUse {
  const reader = new RecordReader(bytes);
  const use: ClientUse = {
    sessions: reader.u32(),
    fresh: reader.u32(),
    orphans: reader.u32(),
    indexedAt: reader.u64() as SequenceNumber,
  };
  reader.finish();
  return use;
}

/** Bytes that `writeResults` takes. */
export function resultsSize(results: readonly OperationResult[]): number {
  let size = 4;
  for (const { value } of results) size += 5 + value.length;
  return size;
}
export function writeResults(writer: PreimageWriter, results: readonly OperationResult[]): PreimageWriter {
  writer.u32(results.length);
  for (const { status, value } of results) writer.u8(RESULT_STATUS_CODES[status]).sized(value);
  return writer;
}
export function readResults(reader: RecordReader): readonly OperationResult[] {
  return Array.from({ length: reader.u32() }, () => {
    const code = reader.u8();
    const status = STATUS_BY_CODE.get(code);
    invariant(status !== undefined, "record.status", { code });
    return { status, value: reader.sized() };
  });
}

/** The session id in the last 32 bytes of an index key. */
export function sessionOfIndexKey(key: Uint8Array): SessionId {
  return bytesToHex(key.subarray(key.length - HASH)) as SessionId;
}
/** The client key in the last 32 bytes of an index key. */
export function clientOfIndexKey(key: Uint8Array): PublicKey {
  return bytesToHex(key.subarray(key.length - HASH)) as PublicKey;
}

import type { EpochLink, FetchEpochs } from "./epoch-link.ts";
import type { Digest, Epoch, ReplicaId, RequestNumber, SequenceNumber, SessionId, ViewNumber } from "./ids.ts";
import type { FetchClaim, JoinClaim, NoClaimReason } from "./reconfiguration.ts";
import type { Request } from "./request.ts";
import type { ReadState, StateRead } from "./state-read.ts";

/**
 * How one operation ended. `ok` and `failed` come from the service (`failed`: it threw, the state is as before it).
 * `postponed`: the results before it filled the request's reply; neither it nor any operation after it in the request
 * ran, and the client submits them again. The first operation of a request is never postponed.
 * The others are judgements on the whole request; such an output has exactly one result and no operation ran.
 */
export type ResultStatus =
  | "ok"
  | "failed"
  | "postponed"
  | "number-reused"
  | "too-old"
  | "session-unknown"
  | "client-not-admitted"
  | "registration-expired"
  | "registration-too-far"
  | "registration-quota"
  | "checkpoint-not-permitted"
  | "checkpoint-too-soon"
  | "checkpoint-superseded"
  | "checkpoint-too-far"
  /** See `ReconfigurationRefusal`. */
  | "reconfiguration-refused";

/** The byte of each status in a result's preimage and on the wire; append only. */
export const RESULT_STATUS_CODES: Readonly<Record<ResultStatus, number>> = {
  ok: 0,
  failed: 1,
  postponed: 2,
  "number-reused": 16,
  "too-old": 17,
  "session-unknown": 18,
  "client-not-admitted": 19,
  "registration-expired": 20,
  "registration-too-far": 21,
  "registration-quota": 22,
  "checkpoint-not-permitted": 23,
  "checkpoint-too-soon": 24,
  "checkpoint-superseded": 25,
  "checkpoint-too-far": 26,
  "reconfiguration-refused": 27,
};

/**
 * The most bytes of a `failed` result's message; a longer one is cut. With the rule that the `ok` results of one
 * request sum to at most `resultBytesMax`, every reply fits a frame whose size is known beforehand.
 */
export const FAILURE_MESSAGE_BYTES_MAX = 256;

/** The result of one operation. */
export interface OperationResult {
  readonly status: ResultStatus;
  /**
   * What the service returned; for `failed` a UTF-8 message; for a registration the 32 bytes of the session id; for an
   * ordered checkpoint the number of the last checkpoint, see `checkpointNumberOf`; for a reconfiguration the epoch that it
   * begins and where, see `bytesToAcceptedChange`, or why it was refused, see `bytesToRefusal`.
   */
  readonly value: Uint8Array;
}

/** A leaf of a batch's outputs tree: one per request that had an output (protocol rule 5.1). */
export interface OutputLeaf {
  /** For a registration: the session it opened, or zeros when it was refused. For what is in no session: zeros. */
  readonly session: SessionId;
  /** 0 for what is in no session. */
  readonly number: RequestNumber;
  readonly requestDigest: Digest;
  /** Root of the Merkle tree over the request's operation results. */
  readonly resultDigest: Digest;
}

/** What each replica signs once per executed batch. The same bytes at every correct replica: no view, no replica id. */
export interface Statement {
  readonly epoch: Epoch;
  readonly seq: SequenceNumber;
  /** Hash chain over all executed batches up to `seq`. */
  readonly historyDigest: Digest;
  /** Root of the Merkle tree over the batch's output leaves. */
  readonly outputsRoot: Digest;
}

/** A Merkle path: the siblings from the leaf up, and where the leaf stands. */
export interface MerklePath {
  readonly index: number;
  readonly size: number;
  readonly siblings: readonly Digest[];
}

/** One replica's answer to one request: results, their path, and the signed statement it leads to. */
export interface Reply {
  readonly from: ReplicaId;
  readonly statement: Statement;
  /** Over `statementPreimage`. */
  readonly signature: Uint8Array;
  readonly session: SessionId;
  readonly number: RequestNumber;
  readonly requestDigest: Digest;
  readonly results: readonly OperationResult[];
  readonly path: MerklePath;
  /** A hint, not signed for: the replica's view, so that clients find the primary. */
  readonly view: ViewNumber;
}

/** f+1 signatures of distinct members over one statement, with one request's results and path: verifiable offline. */
export interface Receipt {
  readonly statement: Statement;
  readonly signatures: readonly { readonly from: ReplicaId; readonly signature: Uint8Array }[];
  readonly session: SessionId;
  readonly number: RequestNumber;
  readonly requestDigest: Digest;
  readonly results: readonly OperationResult[];
  readonly path: MerklePath;
}

/** Why a replica did not take a client's request on. A hint of one replica, believed by nobody. */
export type RefusalCode = "overloaded";

/** Frames from a client to a replica. */
export type ClientFrame =
  | { readonly type: "request"; readonly request: Request }
  | { readonly type: "fetch-epochs"; readonly fetch: FetchEpochs }
  | { readonly type: "read-state"; readonly read: ReadState }
  | { readonly type: "fetch-claim"; readonly fetch: FetchClaim };

/** Frames from a replica to a client. */
export type ServerFrame =
  | { readonly type: "reply"; readonly reply: Reply }
  | { readonly type: "refused"; readonly requestDigest: Digest; readonly code: RefusalCode }
  /** The answer to `fetch-epochs`; links prove themselves. */
  | { readonly type: "epoch-links"; readonly links: readonly EpochLink[] }
  /** The answer to `read-state`; it proves itself. */
  | { readonly type: "state-read"; readonly read: StateRead }
  /** The answers to `fetch-claim`; a claim proves itself. */
  | { readonly type: "join-claim"; readonly claim: JoinClaim }
  | { readonly type: "no-claim"; readonly reason: NoClaimReason }
  /** After the handshake: unsigned hints for a start. */
  | {
      readonly type: "welcome";
      readonly epoch: Epoch;
      readonly view: ViewNumber;
      readonly executed: SequenceNumber;
    };

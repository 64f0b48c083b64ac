import type { Digest, PublicKey, RequestNumber, SequenceNumber, SessionId } from "./ids.ts";

/**
 * Where a request stands in the executed state of one replica; the state machine judges it, the queue of `pbft-core`
 * acts on it. It is a forecast: execution judges (protocol rule 3.5).
 */
export type RequestStanding =
  /** It would execute right now. */
  | { readonly type: "executable" }
  /**
   * It would be ordered only to be refused with an output: below the window, a number reused, a session that this
   * replica does not know, an expired registration, a client that is not admitted, a checkpoint too soon after another. Its own client may have that; whoever
   * else passes it on may be replaying it, and has a small share.
   */
  | { readonly type: "refusable" }
  /** Its session expects a lower number first (protocol rule 3.3). */
  | { readonly type: "ahead"; readonly expected: RequestNumber }
  /** It has its output, and the reply can be made from what is kept. */
  | { readonly type: "answered" }
  /** It has its output but the statement is gone: it is ordered once more for a new statement (protocol rule 3.6). */
  | { readonly type: "answer-lost" };

/** Which number a session expects next. The client is its owner: nobody moves the queue of another's session. */
export interface SessionProgress {
  readonly client: PublicKey;
  readonly session: SessionId;
  readonly expected: RequestNumber;
}

/** A session that is no longer open, and its owner. */
export interface EvictedSession {
  readonly client: PublicKey;
  readonly session: SessionId;
}

/** A request that the primary was held to, and that has its output now. */
export interface ServedRequest {
  readonly client: PublicKey;
  /** When its clock began here (protocol rule 7.4). */
  readonly sinceMs: number;
}

/** What executing a batch changed for the requests that wait. */
export interface ExecutionProgress {
  /** Digests of the batch's requests that have their output now. Those without (a number ahead) stay pending. */
  readonly answered: readonly Digest[];
  /** The sessions that the batch touched and the number each expects next. */
  readonly sessions: readonly SessionProgress[];
  /** The sessions that the batch evicted: what waits of them would only be refused. */
  readonly evicted: readonly EvictedSession[];
  /** The number of the last checkpoint: what was asked for above a lower number would only be refused. */
  readonly lastCheckpoint: SequenceNumber;
}

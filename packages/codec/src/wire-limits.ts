import {
  ADDRESS_BYTES_MAX,
  APPROVALS_MAX,
  BATCH_RECONFIGURATIONS_MAX,
  CONFIGURATION_BYTES_MAX,
  EPOCH_LINKS_MAX,
  EXCERPT_GROUP_BYTES,
  EXCERPT_HEAD_BYTES,
  FAILURE_MESSAGE_BYTES_MAX,
  FETCH_STATE_ITEMS_MAX,
  FETCH_STATE_VALUES_MAX,
  type Genesis,
  MEMBERS_MAX,
  PROOF_SLOTS_BYTES_MAX,
  STATE_BUCKET_VALUES_MAX,
  STATE_KEY_BYTES_MAX,
  STATE_PREFIX_BYTES_MAX,
  STATE_PROOF_EXCERPTS_MAX,
  STATE_READ_KEYS_MAX,
  STATUS_LACKS_MAX,
  stateChunkBytesMax,
  stateReadBytesMax,
  windowSizeMaxOf,
} from "@quorate/protocol";
import type { ScanLimits } from "./pre-scan.ts";

/** The most siblings of a Merkle path: a tree has at most 2^31 leaves. */
export const PATH_SIBLINGS_MAX = 31;
/** The bounds of everything that is decoded, and so of everything that may be sent. All are inclusive. */
export interface WireLimits {
  /** Requests in one batch. */
  readonly batchRequestsMax: number;
  /** Sum of the operation bytes of one batch. */
  readonly batchBytesMax: number;
  /** Operations of one batch. */
  readonly batchOperationsMax: number;
  /** Operations in one request, and results in one reply. */
  readonly requestOperationsMax: number;
  /** Sum of the operation bytes of one request. */
  readonly requestBytesMax: number;
  /** Bytes of one result. */
  readonly resultBytesMax: number;
  /** Sum of the result bytes of one reply: `resultBytesMax + requestOperationsMax · FAILURE_MESSAGE_BYTES_MAX`. */
  readonly replyBytesMax: number;
  /**
   * Signatures of one certificate or receipt: `MEMBERS_MAX` rather than the members of genesis, because a cluster
   * grows and its old logs must stay readable. Whether the signers are members is judged by the certificate's epoch.
   */
  readonly membersMax: number;
  /** Content of one chunk of the state. */
  readonly stateChunkBytesMax: number;
  /** Keys, values and proofs of one answer to a read. */
  readonly stateReadBytesMax: number;
  /** The greatest L of the cluster: claims of a VIEW-CHANGE and proposals of a NEW-VIEW. */
  readonly windowSizeMax: number;
  readonly replicaFrame: ScanLimits;
  readonly clientFrame: ScanLimits;
  readonly serverFrame: ScanLimits;
  readonly logRecord: ScanLimits;
  readonly committedEntry: ScanLimits;
  readonly checkpointCertificate: ScanLimits;
  readonly epochLink: ScanLimits;
  readonly receipt: ScanLimits;
  readonly evidence: ScanLimits;
  /** The largest frame between replicas: what the transport allows a replica's link. */
  readonly replicaFrameBytesMax: number;
  /** The largest frame of a client. */
  readonly clientFrameBytesMax: number;
  /** The largest frame to a client. */
  readonly serverFrameBytesMax: number;
}

/**
 * The limits that follow from a genesis document, in every epoch of its cluster: the formulas of `docs/wire.md`.
 */
export function wireLimitsOf(genesis: Pick<Genesis, "limits">): WireLimits {
  const { batchRequestsMax, batchBytesMax, batchOperationsMax } = genesis.limits;
  const { requestOperationsMax, requestBytesMax, resultBytesMax } = genesis.limits;
  const replyBytesMax = resultBytesMax + requestOperationsMax * FAILURE_MESSAGE_BYTES_MAX;
  const request = greatest(requestCost(requestOperationsMax, requestBytesMax), RECONFIGURATION);
  const batch = batchCost(genesis.limits);
  const entry = tuple(UINT, batch, COMMIT_CERTIFICATE);
  const prePrepare = tuple(UINT, ENVELOPE, batch);
  const reply = replyCost(requestOperationsMax, replyBytesMax);
  const windowSizeMax = windowSizeMaxOf(genesis.limits);
  const views = viewCosts(windowSizeMax);
  const replicaFrame = greatest(
    prePrepare,
    tuple(UINT, ENVELOPE),
    tuple(UINT, request),
    tuple(UINT, entry),
    tuple(UINT, views.justifiedViewChange),
    tuple(UINT, views.justifiedNewView),
    tuple(UINT, REPLY_STABLE),
    tuple(UINT, FETCH_STATE),
    tuple(UINT, chunkCost(stateChunkBytesMax(genesis.limits))),
    tuple(UINT, EPOCH_LINKS),
  );
  const clientFrame = greatest(tuple(UINT, request), tuple(UINT, READ_STATE));
  const serverFrame = greatest(
    tuple(UINT, reply),
    tuple(UINT, EPOCH_LINKS),
    tuple(UINT, tuple(CHANGE, SIGNATURE)),
    tuple(UINT, stateReadCost(stateReadBytesMax(genesis.limits))),
  );
  return {
    batchRequestsMax,
    batchBytesMax,
    batchOperationsMax,
    requestOperationsMax,
    requestBytesMax,
    resultBytesMax,
    replyBytesMax,
    membersMax: MEMBERS_MAX,
    stateChunkBytesMax: stateChunkBytesMax(genesis.limits),
    stateReadBytesMax: stateReadBytesMax(genesis.limits),
    windowSizeMax,
    replicaFrame,
    clientFrame,
    serverFrame,
    logRecord: greatest(
      prePrepare,
      tuple(UINT, PREPARED_CERTIFICATE),
      tuple(UINT, CHECKPOINT_CERTIFICATE),
      tuple(UINT, UINT, views.justifiedViewChange),
      tuple(UINT, UINT, views.justifiedNewView),
      tuple(UINT, UINT, list(MEMBERS_MAX, REPLY_STABLE)),
    ),
    committedEntry: entry,
    checkpointCertificate: CHECKPOINT_CERTIFICATE,
    epochLink: EPOCH_LINK,
    receipt: tuple(reply, SIGNATURES),
    evidence: greatest(
      tuple(UINT, ENVELOPE, ENVELOPE),
      tuple(UINT, views.viewChange, views.viewChange),
      tuple(UINT, views.newView, views.newView),
      tuple(UINT, views.newView, list(MEMBERS_MAX, views.viewChange)),
    ),
    replicaFrameBytesMax: replicaFrame.bytesMax,
    clientFrameBytesMax: clientFrame.bytesMax,
    serverFrameBytesMax: serverFrame.bytesMax,
  };
}

/** An array of a length that the shape fixes: its header is one byte, and no shape has 24 fields. */
function tuple(...parts: readonly ScanLimits[]): ScanLimits {
  return sum({ bytesMax: 1, itemsMax: 1, elementsMax: parts.length }, ...parts);
}
/** An array of at most `count` equal elements; the header of a list is five bytes at most. */
function list(count: number, element: ScanLimits): ScanLimits {
  const elementsMax = Math.max(count, element.elementsMax);
  return { bytesMax: 5 + count * element.bytesMax, itemsMax: 1 + count * element.itemsMax, elementsMax };
}
/**
 * `count` byte strings of `bytes` in all, and the header of their list. A header is one byte, and never more than one
 * further byte for each 24 of content.
 */
function strings(count: number, bytes: number): ScanLimits {
  return { bytesMax: 5 + count + bytes + Math.floor(bytes / 24), itemsMax: 1 + count, elementsMax: count };
}
/** One byte string; its header is five bytes at most. */
function bytes(length: number): ScanLimits {
  return { bytesMax: 5 + length, itemsMax: 1, elementsMax: 0 };
}
function sum(...parts: readonly ScanLimits[]): ScanLimits {
  let bytesMax = 0;
  let itemsMax = 0;
  let elementsMax = 0;
  for (const part of parts) {
    bytesMax += part.bytesMax;
    itemsMax += part.itemsMax;
    elementsMax = Math.max(elementsMax, part.elementsMax);
  }
  return { bytesMax, itemsMax, elementsMax };
}
function greatest(...parts: readonly ScanLimits[]): ScanLimits {
  return {
    bytesMax: Math.max(...parts.map((part) => part.bytesMax)),
    itemsMax: Math.max(...parts.map((part) => part.itemsMax)),
    elementsMax: Math.max(...parts.map((part) => part.elementsMax)),
  };
}

const UINT: ScanLimits = { bytesMax: 9, itemsMax: 1, elementsMax: 0 };
const HASH: ScanLimits = { bytesMax: 34, itemsMax: 1, elementsMax: 0 };
const SIGNATURE: ScanLimits = { bytesMax: 66, itemsMax: 1, elementsMax: 0 };
const SIGNATURES = list(MEMBERS_MAX, tuple(UINT, SIGNATURE));
const STATUS = tuple(
  ...[UINT, UINT, UINT, UINT, UINT, UINT],
  list(STATUS_LACKS_MAX, tuple(UINT, UINT)),
  UINT,
  list(MEMBERS_MAX, UINT),
);
/** Of any message but VIEW-CHANGE and NEW-VIEW. */
const ENVELOPE = enveloped(STATUS);
const PREPARED_CERTIFICATE = tuple(enveloped(tuple(UINT, UINT, UINT, UINT, HASH)), SIGNATURES);
const COMMIT_CERTIFICATE = tuple(UINT, UINT, UINT, HASH, SIGNATURES);
const CHECKPOINT_CERTIFICATE = tuple(UINT, UINT, UINT, HASH, SIGNATURES);
const REPLY_STABLE = tuple(ENVELOPE, CHECKPOINT_CERTIFICATE);

/** Of a change: a new member, or other admins. */
const CHANGE = greatest(
  tuple(UINT, UINT, HASH, bytes(ADDRESS_BYTES_MAX), UINT, HASH),
  tuple(UINT, UINT, list(APPROVALS_MAX, HASH)),
);
const RECONFIGURATION = tuple(
  ...[UINT, HASH, UINT, HASH],
  CHANGE,
  list(APPROVALS_MAX, tuple(HASH, SIGNATURE)),
  list(1, SIGNATURE),
  SIGNATURE,
);
const STATE_PROOF = tuple(
  list(STATE_PROOF_EXCERPTS_MAX, tuple(bytes(EXCERPT_HEAD_BYTES), bytes(EXCERPT_GROUP_BYTES))),
  list(1, bytes(PROOF_SLOTS_BYTES_MAX)),
);
const EPOCH_LINK = tuple(UINT, CHECKPOINT_CERTIFICATE, bytes(CONFIGURATION_BYTES_MAX), STATE_PROOF);
const EPOCH_LINKS = list(EPOCH_LINKS_MAX, EPOCH_LINK);

const STATE_KEY = bytes(STATE_KEY_BYTES_MAX);
const READ_STATE = tuple(
  UINT,
  greatest(tuple(UINT, list(STATE_READ_KEYS_MAX, STATE_KEY)), tuple(UINT, STATE_KEY, list(1, STATE_KEY), UINT)),
);
/** An entry of an answer, without the bytes of its key, its value and its proof. */
const READ_ENTRY = tuple(
  bytes(0),
  list(1, bytes(0)),
  tuple(list(STATE_PROOF_EXCERPTS_MAX, tuple(bytes(0), bytes(0))), list(1, bytes(0))),
);

/** The values are spread over the items: no list holds more than those of one bucket. */
const VALUES_ASKED: ScanLimits = {
  bytesMax: FETCH_STATE_VALUES_MAX * UINT.bytesMax,
  itemsMax: FETCH_STATE_VALUES_MAX,
  elementsMax: STATE_BUCKET_VALUES_MAX,
};
const FETCH_STATE = tuple(
  ...[UINT, UINT, UINT, UINT],
  list(FETCH_STATE_ITEMS_MAX, tuple(UINT, strings(1, STATE_PREFIX_BYTES_MAX), list(0, UINT))),
  VALUES_ASKED,
);

function enveloped(message: ScanLimits): ScanLimits {
  return tuple(UINT, SIGNATURE, message);
}

/** What a view change costs: envelopes of the two messages, and the messages with their proofs. */
function viewCosts(
  windowSize: number,
): Readonly<Record<"viewChange" | "newView" | "justifiedViewChange" | "justifiedNewView", ScanLimits>> {
  const claims = list(windowSize, tuple(UINT, UINT, HASH));
  const viewChange = enveloped(tuple(UINT, UINT, UINT, UINT, HASH, claims));
  const references = list(MEMBERS_MAX, tuple(UINT, HASH));
  const newView = enveloped(tuple(UINT, UINT, UINT, references, UINT, list(windowSize, HASH)));
  const certificates = list(windowSize, PREPARED_CERTIFICATE);
  return {
    viewChange,
    newView,
    justifiedViewChange: tuple(viewChange, CHECKPOINT_CERTIFICATE, certificates),
    justifiedNewView: tuple(
      newView,
      list(MEMBERS_MAX, viewChange),
      CHECKPOINT_CERTIFICATE,
      certificates,
      list(windowSize, SIGNATURE),
    ),
  };
}

/** Places of what is missing, and pages and values. */
function chunkCost(bytes: number): ScanLimits {
  const heads = list(FETCH_STATE_ITEMS_MAX, tuple(UINT, list(0, UINT), list(0, UINT)));
  const contents = strings(FETCH_STATE_ITEMS_MAX + FETCH_STATE_VALUES_MAX, bytes);
  return tuple(UINT, UINT, heads, VALUES_ASKED, { ...contents, elementsMax: STATE_BUCKET_VALUES_MAX }, UINT);
}

/** Keys, values and proofs share `content` bytes. */
function stateReadCost(content: number): ScanLimits {
  const contents = { bytesMax: content, itemsMax: 0, elementsMax: 0 };
  const entries = sum(list(STATE_READ_KEYS_MAX, READ_ENTRY), contents);
  return tuple(UINT, UINT, CHECKPOINT_CERTIFICATE, entries, list(1, STATE_KEY));
}

function requestCost(operations: number, bytes: number): ScanLimits {
  return tuple(UINT, HASH, HASH, UINT, strings(operations, bytes), SIGNATURE);
}

function batchCost(limits: Genesis["limits"]): ScanLimits {
  const heads = list(limits.batchRequestsMax, requestCost(0, 0));
  const operations = strings(limits.batchOperationsMax, limits.batchBytesMax);
  const changes = list(Math.min(limits.batchRequestsMax, BATCH_RECONFIGURATIONS_MAX), RECONFIGURATION);
  // They are spread over the requests: no list holds more than one request's. Reconfigurations have no operations, and room of
  // their own beside that of all requests.
  return tuple(UINT, heads, { ...operations, elementsMax: limits.requestOperationsMax }, changes);
}

function replyCost(results: number, bytes: number): ScanLimits {
  const statement = tuple(UINT, UINT, HASH, HASH);
  const path = tuple(UINT, UINT, list(PATH_SIBLINGS_MAX, HASH));
  const result = sum(list(results, tuple(UINT)), strings(results, bytes));
  return tuple(UINT, statement, SIGNATURE, HASH, UINT, HASH, result, path, UINT);
}

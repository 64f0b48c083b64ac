/**
 * Receipts, judged by whoever has the genesis document and nothing else: no sockets, no client, the same in Node and in a browser.
 *
 * @packageDocumentation
 */
import { createReceiptCodec, wireLimitsOf } from "@quorate/codec";
import { clusterIdOf, createNobleBackend, createNobleHasher, type ReceiptFault, Verifier } from "@quorate/crypto";
import {
  checkGenesis,
  type Digest,
  type Epoch,
  type Genesis,
  type OperationResult,
  type ReplicaId,
  type RequestNumber,
  type SequenceNumber,
  type SessionId,
} from "@quorate/protocol";
import {
  decodeReceiptProof,
  describeChainFault,
  type ReceiptFileFault,
  type ReceiptProof,
  type ReceiptProofFault,
  receiptProofFault,
} from "@quorate/reconfiguration";

export type { Genesis } from "@quorate/protocol";

/** Why a receipt proves nothing: the part that is wrong, and how. */
export type ReceiptRefusal = ReceiptProofFault | { readonly part: "file"; readonly fault: ReceiptFileFault };

/** What f+1 members of an epoch, hence a correct one, have signed. */
export interface ProvenOutput {
  readonly epoch: Epoch;
  /** Where the request was executed. */
  readonly seq: SequenceNumber;
  readonly session: SessionId;
  readonly number: RequestNumber;
  /** Of the signed request, which names its operations. */
  readonly requestDigest: Digest;
  /** Of all operations of the request, in their order. */
  readonly results: readonly OperationResult[];
  /** Ascending. */
  readonly signers: readonly ReplicaId[];
}

/** What a receipt is worth. */
export type ReceiptVerdict =
  | ({ readonly valid: true } & ProvenOutput)
  | {
      readonly valid: false;
      readonly reason: ReceiptRefusal;
      /** The same for people. */
      readonly message: string;
    };

/**
 * Judges the bytes of a receipt (`receipt.toBytes()` of a client), which may come from anybody, by the genesis document alone.
 *
 * @throws GenesisError for an inconsistent genesis document.
 */
export function verifyReceipt(bytes: Uint8Array, genesis: Genesis): ReceiptVerdict {
  checkGenesis(genesis);
  const hasher = createNobleHasher();
  const cluster = clusterIdOf(hasher, genesis);
  const proof = decodeReceiptProof(bytes, cluster, createReceiptCodec(wireLimitsOf(genesis)));
  if (typeof proof === "string") return refused({ part: "file", fault: proof });
  const verifier = new Verifier({ backend: createNobleBackend(), hasher, cluster });
  const fault = receiptProofFault(proof, genesis, { cluster, hasher, verifier });
  return fault === undefined ? proven(proof) : refused(fault);
}

function proven({ receipt }: ReceiptProof): ReceiptVerdict {
  const { statement, signatures, session, number, requestDigest, results } = receipt;
  const { epoch, seq } = statement;
  const signers = signatures.map(({ from }) => from).sort((a, b) => a - b);
  return { valid: true, epoch, seq, session, number, requestDigest, results, signers };
}

function refused(reason: ReceiptRefusal): ReceiptVerdict {
  return { valid: false, reason, message: describeReceiptRefusal(reason) };
}

const FILE_FAULTS: Readonly<Record<ReceiptFileFault, string>> = {
  "not-a-receipt": "this is no receipt, or one of another version",
  "other-cluster": "it is of another cluster than this genesis document",
  "bad-length": "it is cut off, or its parts are not as long as it says",
  "malformed-receipt": "its receipt is malformed",
  "malformed-link": "one of its links is malformed",
};

const RECEIPT_FAULTS: Readonly<Record<ReceiptFault | "out-of-epoch", string>> = {
  "out-of-epoch": "its number is none that its epoch has had",
  "wrong-epoch": "it is signed for another epoch",
  "signed-twice": "a member has signed it twice",
  "too-few-signatures": "fewer than f+1 members have signed it",
  stranger: "somebody signed it who was no member in its epoch",
  "other-results": "its results, its request or its place are not those that were signed",
  "bad-signature": "a signature is not that of the member",
  malformed: "it has no bytes that anyone could have signed",
};

/** In words, a sentence without its end. */
function describeReceiptRefusal(reason: ReceiptRefusal): string {
  switch (reason.part) {
    case "file":
      return FILE_FAULTS[reason.fault];
    case "links":
      return describeChainFault(reason);
    case "receipt":
      return RECEIPT_FAULTS[reason.fault];
  }
}

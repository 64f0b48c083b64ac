import {
  type ClusterId,
  equalBytes,
  type Hasher,
  type Membership,
  memberOf,
  outputLeafPreimage,
  type Receipt,
  type ReplicaId,
  type Reply,
  type Statement,
  statementPreimage,
  type VerifiedReply,
  weakQuorumSize,
} from "@quorate/protocol";
import { sealVerified } from "@quorate/protocol/verification";
import { BoundedCache } from "./bounded-cache.ts";
import { outputLeafOf } from "./digests.ts";
import { rootFromPath } from "./merkle.ts";
import type { VerifierOptions } from "./request-verifier.ts";
import type { SignatureBackend } from "./signature-backend.ts";

/** Why a receipt proves nothing. */
export type ReceiptFault =
  | "wrong-epoch"
  | "signed-twice"
  | "too-few-signatures"
  /** Somebody signed who is no member of its epoch. */
  | "stranger"
  /** Its results, or the request or the place that it names, do not lead to the statement that was signed. */
  | "other-results"
  | "bad-signature"
  /** It has no bytes that anyone could have signed. */
  | "malformed";

/** Remembered statements unless the options say otherwise. */
const VERIFIED_STATEMENTS_MAX = 16_384;

/** Verifies what replicas sign towards clients: one statement per batch, which all replies of that batch lead to. */
export class OutputVerifier {
  readonly #backend: SignatureBackend;
  readonly #hasher: Hasher;
  readonly #cluster: ClusterId;
  /** (public key, statement) → the signature that was found valid; only that very signature is vouched for. */
  readonly #signatures: BoundedCache<string, Uint8Array>;

  constructor({ backend, hasher, cluster, statementsMax = VERIFIED_STATEMENTS_MAX }: VerifierOptions) {
    this.#backend = backend;
    this.#hasher = hasher;
    this.#cluster = cluster;
    this.#signatures = new BoundedCache(statementsMax);
  }

  verifyReply(reply: Reply, membership: Membership): VerifiedReply | undefined {
    const { from, statement, signature } = reply;
    if (!this.#leadsToItsStatement(reply)) return undefined;
    return this.#isStatementSigned(from, statement, signature, membership) ? sealVerified(reply) : undefined;
  }

  receiptFault(receipt: Receipt, membership: Membership): ReceiptFault | undefined {
    const { statement, signatures } = receipt;
    if (statement.epoch !== membership.epoch) return "wrong-epoch";
    const signers = new Set(signatures.map(({ from }) => from));
    if (signers.size !== signatures.length) return "signed-twice";
    if (signers.size < weakQuorumSize(membership)) return "too-few-signatures";
    if (signatures.some(({ from }) => memberOf(membership, from) === undefined)) return "stranger";
    if (!this.#leadsToItsStatement(receipt)) return "other-results";
    const isSigned = signatures.every(({ from, signature }) =>
      this.#isStatementSigned(from, statement, signature, membership),
    );
    return isSigned ? undefined : "bad-signature";
  }

  /** Results → leaf → path → outputs root: hashing only, so it comes before the signature. */
  #leadsToItsStatement(output: Reply | Receipt): boolean {
    if (output.results.length === 0) return false;
    const leaf = outputLeafPreimage(outputLeafOf(this.#hasher, output));
    return rootFromPath(this.#hasher, leaf, output.path) === output.statement.outputsRoot;
  }

  #isStatementSigned(from: ReplicaId, statement: Statement, signature: Uint8Array, membership: Membership): boolean {
    const member = memberOf(membership, from);
    if (member === undefined || statement.epoch !== membership.epoch) return false;
    const preimage = statementPreimage(this.#cluster, statement);
    const key = `${member.publicKey}${this.#hasher.digest(preimage)}`;
    const known = this.#signatures.get(key);
    if (known !== undefined && equalBytes(known, signature)) return true;
    if (!this.#backend.verify(member.publicKey, preimage, signature)) return false;
    this.#signatures.set(key, new Uint8Array(signature));
    return true;
  }
}

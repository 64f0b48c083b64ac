import {
  approvalPreimage,
  type Batch,
  type ClusterId,
  type Digest,
  equalBytes,
  type Hasher,
  type PublicKey,
  possessedKeyOf,
  possessionPreimage,
  type ReconfigurationRequest,
  type Request,
  type VerifiedBatch,
  type VerifiedRequest,
} from "@quorate/protocol";
import { sealVerified } from "@quorate/protocol/verification";
import { BoundedCache } from "./bounded-cache.ts";
import { batchDigest, requestPreimage } from "./digests.ts";
import type { SignatureBackend } from "./signature-backend.ts";

/** What every verifier of signed values stands on. */
export interface VerifierOptions {
  readonly backend: SignatureBackend;
  readonly hasher: Hasher;
  readonly cluster: ClusterId;
  /** Requests whose verdict is remembered. */
  readonly requestsMax?: number;
  /** Signed statements whose verdict is remembered. */
  readonly statementsMax?: number;
  /** Certificates whose verdict is remembered, of each kind. */
  readonly provenMax?: number;
}

/** Remembered requests unless the options say otherwise: some seconds of a busy cluster, about 200 bytes each. */
const VERIFIED_REQUESTS_MAX = 65_536;

/** A request with what its client signs. */
interface SignedContent {
  readonly request: Request;
  readonly preimage: Uint8Array;
  readonly digest: Digest;
}

/** Verifies client signatures, once per request whether it comes alone, in a batch or both. */
export class RequestVerifier {
  readonly #backend: SignatureBackend;
  readonly #hasher: Hasher;
  readonly #cluster: ClusterId;
  /**
   * Request digest → the signature that was found valid for it. The digest covers the whole content, and only the very
   * signature that was verified is vouched for: another one for the same content has to be verified itself. The request
   * is not kept, so an entry is small whatever the client sent.
   */
  readonly #signatures: BoundedCache<Digest, Uint8Array>;

  constructor({ backend, hasher, cluster, requestsMax = VERIFIED_REQUESTS_MAX }: VerifierOptions) {
    this.#backend = backend;
    this.#hasher = hasher;
    this.#cluster = cluster;
    this.#signatures = new BoundedCache(requestsMax);
  }

  verifyRequest(request: Request): VerifiedRequest | undefined {
    return this.#verify(this.#digest(request));
  }

  /** See `Verifier.verifyBatch`. */
  verifyBatch(batch: Batch, expected?: Digest): VerifiedBatch | undefined {
    const { timestampMs } = batch;
    const digested = batch.requests.map((request) => this.#digest(request));
    const digests = digested.map((request) => request.digest);
    const digest = batchDigest(this.#hasher, this.#cluster, timestampMs, digests);
    if (expected !== undefined && digest !== expected) return undefined;
    const requests: VerifiedRequest[] = [];
    for (const request of digested) {
      const verified = this.#verify(request);
      if (verified === undefined) return undefined;
      requests.push(verified);
    }
    return sealVerified({ digest, timestampMs, requests, batch });
  }

  #digest(request: Request): SignedContent {
    const preimage = requestPreimage(this.#hasher, this.#cluster, request);
    return { request, preimage, digest: this.#hasher.digest(preimage) };
  }

  #verify(content: SignedContent): VerifiedRequest | undefined {
    const { request, preimage, digest } = content;
    const { client, signature } = request;
    if (request.type === "reconfiguration") return this.#verifyReconfiguration(request, content);
    if (!this.#isRemembered(digest, signature)) {
      if (!this.#backend.verify(client, preimage, signature)) return undefined;
      this.#signatures.set(digest, new Uint8Array(signature));
    }
    return sealVerified({ request, digest });
  }

  /**
   * All signatures in it, each time: the digest covers none of them, so that a verdict by digest would vouch for approvals that
   * nobody gave. Execution trusts them, for a batch with a certificate is executed without a look at signatures.
   */
  #verifyReconfiguration(
    request: ReconfigurationRequest,
    { preimage, digest }: SignedContent,
  ): VerifiedRequest | undefined {
    const { client, signature, approvals, possession, change } = request;
    if (!this.#backend.verify(client, preimage, signature)) return undefined;
    const possessed = possessedKeyOf(change);
    if (possessed === undefined ? possession.length > 0 : !this.#isPossessed(possessed, request)) return undefined;
    if (!isAscending(approvals.map(({ key }) => key))) return undefined;
    const approved = approvalPreimage(this.#cluster, request);
    const isApproved = approvals.every((approval) => this.#backend.verify(approval.key, approved, approval.signature));
    return isApproved ? sealVerified({ request, digest }) : undefined;
  }

  #isPossessed(key: PublicKey, request: ReconfigurationRequest): boolean {
    return this.#backend.verify(key, possessionPreimage(this.#cluster, request), request.possession);
  }

  #isRemembered(digest: Digest, signature: Uint8Array): boolean {
    const known = this.#signatures.get(digest);
    return known !== undefined && equalBytes(known, signature);
  }
}

function isAscending(keys: readonly PublicKey[]): boolean {
  return keys.every((key, index) => index === 0 || (keys[index - 1] ?? "") < key);
}

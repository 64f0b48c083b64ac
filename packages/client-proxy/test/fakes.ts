import { createHash } from "node:crypto";
import {
  bytesToHex,
  type ClientSigner,
  checkpointNumberToBytes,
  checkpointRequestPreimage,
  clusterId,
  type Digest,
  digest,
  epochNumber,
  hexToBytes,
  type OperationResult,
  operationsPreimage,
  operationsRequestPreimage,
  type PublicKey,
  publicKey,
  type ReplicaId,
  type Reply,
  type Request,
  type RequestNumber,
  reconfigurationRequestPreimage,
  registrationRequestPreimage,
  requestNumber,
  type SequenceNumber,
  type SessionId,
  sequenceNumber,
  sessionId,
  type VerifiedReply,
  viewNumber,
} from "@quorate/protocol";
import { sealVerified } from "@quorate/protocol/verification";

const CLUSTER = clusterId("cc".repeat(32));
const SIGNATURE = new Uint8Array(64);
export const NO_SESSION: SessionId = sessionId("00".repeat(32));

export function sha256(bytes: Uint8Array | string): Digest {
  return digest(createHash("sha256").update(bytes).digest("hex"));
}

const digests = new WeakMap<Request, Digest>();

export function requestDigestOf(request: Request): Digest {
  let known = digests.get(request);
  if (known === undefined) {
    known = sha256(preimageOf(request));
    digests.set(request, known);
  }
  return known;
}

function preimageOf(request: Request): Uint8Array {
  if (request.type === "registration") return registrationRequestPreimage(CLUSTER, request);
  if (request.type === "checkpoint") return checkpointRequestPreimage(CLUSTER, request);
  if (request.type === "reconfiguration") return reconfigurationRequestPreimage(CLUSTER, request);
  return operationsRequestPreimage(CLUSTER, request, sha256(operationsPreimage(request.operations)));
}

/** Signs nothing: the core never looks at a signature. */
export class FakeSigner implements ClientSigner {
  readonly publicKey: PublicKey = publicKey("aa".repeat(32));

  signOperations(r: Parameters<ClientSigner["signOperations"]>[0]): ReturnType<ClientSigner["signOperations"]> {
    return this.#seal({ type: "operations", client: this.publicKey, ...r, signature: SIGNATURE });
  }
  signRegistration(r: Parameters<ClientSigner["signRegistration"]>[0]): ReturnType<ClientSigner["signRegistration"]> {
    return this.#seal({ type: "registration", client: this.publicKey, ...r, signature: SIGNATURE });
  }
  signCheckpoint(r: Parameters<ClientSigner["signCheckpoint"]>[0]): ReturnType<ClientSigner["signCheckpoint"]> {
    return this.#seal({ type: "checkpoint", client: this.publicKey, ...r, signature: SIGNATURE });
  }
  signReconfiguration(
    r: Parameters<ClientSigner["signReconfiguration"]>[0],
  ): ReturnType<ClientSigner["signReconfiguration"]> {
    return this.#seal({ ...r, type: "reconfiguration", client: this.publicKey, signature: SIGNATURE });
  }
  approve(): ReturnType<ClientSigner["approve"]> {
    return { key: this.publicKey, signature: SIGNATURE };
  }
  #seal(request: Request): ReturnType<ClientSigner["signOperations"]> {
    return sealVerified({ request, digest: requestDigestOf(request) });
  }
}

/** What the correct members of a cluster agree on about one request. */
export interface Executed {
  readonly seq: SequenceNumber;
  readonly session: SessionId;
  readonly number: RequestNumber;
  readonly requestDigest: Digest;
  readonly results: readonly OperationResult[];
}

export function ok(value: Uint8Array): OperationResult {
  return { status: "ok", value };
}

/** The reply of one member; the statement's digests follow from the place and the results. */
export function replyOf(
  from: ReplicaId,
  executed: Executed,
  lie: { view?: number; epoch?: number } = {},
): VerifiedReply {
  const { seq, ...leaf } = executed;
  const content = leaf.results.map((result) => result.status + bytesToHex(result.value)).join();
  const reply: Reply = {
    from,
    statement: {
      epoch: epochNumber(lie.epoch ?? 0),
      seq,
      historyDigest: sha256(`history ${seq}`),
      outputsRoot: sha256(`${seq} ${leaf.session} ${leaf.number} ${leaf.requestDigest} ${content}`),
    },
    signature: new Uint8Array(64).fill(from),
    ...leaf,
    path: { index: 0, size: 1, siblings: [] },
    view: viewNumber(lie.view ?? 0),
  };
  return sealVerified(reply);
}

/** What all correct members do: executes in order, once; operations echo. */
export class FakeExecution {
  #seq = 0;
  readonly #expected = new Map<SessionId, number>();
  readonly #executed = new Map<Digest, Executed>();
  /** Every operation that ran, in order, as hex. */
  readonly log: string[] = [];
  /** Operations of one request whose results fit into its reply. */
  resultsMax: number = Number.POSITIVE_INFINITY;
  lastCheckpoint = 0;

  get seq(): number {
    return this.#seq;
  }
  skip(numbers: number): void {
    this.#seq += numbers;
  }
  evict(): void {
    this.#expected.clear();
    this.#executed.clear();
  }

  /** Undefined for a number ahead, which has no output. */
  execute(request: Request): Executed | undefined {
    const requestDigest = requestDigestOf(request);
    const known = this.#executed.get(requestDigest);
    if (known !== undefined) return known;
    const seq = sequenceNumber(++this.#seq);
    const executed = this.#perform(seq, requestDigest, request);
    if (executed !== undefined) this.#executed.set(requestDigest, executed);
    return executed;
  }

  #perform(seq: SequenceNumber, requestDigest: Digest, request: Request): Executed | undefined {
    if (request.type === "registration") return this.#register(seq, requestDigest, request.lastValid);
    if (request.type === "checkpoint") return this.#orderCheckpoint(seq, requestDigest, request.above);
    if (request.type === "reconfiguration") throw new Error("nobody changes the members of this cluster");
    return this.#run(seq, requestDigest, request);
  }

  /** At once, whatever the distance from the last. */
  #orderCheckpoint(seq: SequenceNumber, requestDigest: Digest, above: number): Executed {
    const isThere = this.lastCheckpoint > above;
    if (!isThere) this.lastCheckpoint = seq;
    const status = isThere ? "checkpoint-superseded" : "ok";
    const results = [{ status, value: checkpointNumberToBytes(sequenceNumber(this.lastCheckpoint)) }] as const;
    return { seq, session: NO_SESSION, number: requestNumber(0), requestDigest, results };
  }

  /** As after protocol rule 3.6: the cached output at a later number. */
  again(executed: Executed): Executed {
    return { ...executed, seq: sequenceNumber(++this.#seq) };
  }

  #register(seq: SequenceNumber, requestDigest: Digest, lastValid: number): Executed {
    const number = requestNumber(0);
    if (lastValid < seq) {
      const results = [{ status: "registration-expired", value: new Uint8Array(0) }] as const;
      return { seq, session: NO_SESSION, number, requestDigest, results };
    }
    const session = sessionId(sha256(`session ${seq}`));
    this.#expected.set(session, 1);
    return { seq, session, number, requestDigest, results: [ok(hexToBytes(session))] };
  }

  #run(
    seq: SequenceNumber,
    requestDigest: Digest,
    { session, number, operations }: Extract<Request, { type: "operations" }>,
  ): Executed | undefined {
    const expected = this.#expected.get(session);
    if (expected === undefined) {
      const results = [{ status: "session-unknown", value: new Uint8Array(0) }] as const;
      return { seq, session, number, requestDigest, results };
    }
    if (number !== expected) return undefined;
    this.#expected.set(session, number + 1);
    const ran = operations.slice(0, this.resultsMax);
    for (const operation of ran) this.log.push(bytesToHex(operation));
    const postponed = operations
      .slice(ran.length)
      .map(() => ({ status: "postponed", value: new Uint8Array(0) }) as const);
    return { seq, session, number, requestDigest, results: [...ran.map(ok), ...postponed] };
  }
}

import { resultDigestOf } from "@quorate/crypto";
import {
  assertNever,
  type CheckpointRequest,
  type Digest,
  type DigestedRequest,
  type Hasher,
  hexToBytes,
  type Limits,
  type OperationResult,
  type OperationsRequest,
  type PublicKey,
  type ReconfigurationRequest,
  type RegistrationRequest,
  type ResultStatus,
  requestNumber,
  sessionId,
} from "@quorate/protocol";
import type { ConfigurationBatch } from "./committed-configuration.ts";
import { isInWindow, readReply } from "./committed-sessions.ts";
import { type OperationSurroundings, POSTPONED, runOperation } from "./operation.ts";
import type { CheckpointPlace, CheckpointRule } from "./ordered-checkpoint.ts";
import type { KeptLeaf } from "./output-record.ts";
import type { CachedReply, Session } from "./records.ts";
import type { SessionTable } from "./session-table.ts";

/** A request's output: its leaf, and the results that the leaf stands for. */
export interface RequestOutput {
  readonly client: PublicKey;
  readonly leaf: KeptLeaf;
  readonly results: readonly OperationResult[];
}

/** What judging and executing the requests of one batch needs. */
export interface RequestExecutionOptions {
  readonly table: SessionTable;
  readonly surroundings: OperationSurroundings;
  readonly limits: Limits;
  readonly hasher: Hasher;
  readonly configuration: ConfigurationBatch;
  readonly checkpointRule: CheckpointRule;
  readonly checkpointPlace: CheckpointPlace;
}

const NOTHING = new Uint8Array(0);
const NO_SESSION = sessionId("0".repeat(64));
/** Of what is in no session. */
const NO_NUMBER = requestNumber(0);

/** Judges and executes the requests of one batch in their order (protocol rules 3.2, 3.3, 3.5 and 9.1). */
export class RequestExecution {
  readonly #o: RequestExecutionOptions;
  #hasOrderedCheckpoint = false;

  constructor(options: RequestExecutionOptions) {
    this.#o = options;
  }

  /** Whether one of the requests makes the batch a checkpoint. */
  get hasOrderedCheckpoint(): boolean {
    return this.#hasOrderedCheckpoint;
  }

  /** The output of the request at `index`; undefined for a number ahead of its session, which has no effect. */
  execute({ request, digest }: DigestedRequest, index: number): RequestOutput | undefined {
    switch (request.type) {
      case "operations":
        return this.#operate(request, digest, index);
      case "registration":
        return this.#register(request, digest, index);
      case "checkpoint":
        return this.#orderCheckpoint(request, digest);
      case "reconfiguration":
        return this.#reconfigure(request, digest);
      default:
        return assertNever(request);
    }
  }

  #orderCheckpoint(request: CheckpointRequest, requestDigest: Digest): RequestOutput {
    const { hasher, checkpointRule, checkpointPlace } = this.#o;
    const result = checkpointRule.resultOf(request, checkpointPlace);
    if (result.status === "ok") this.#hasOrderedCheckpoint = true;
    return outputOf(hasher, request, requestDigest, result);
  }

  #reconfigure(request: ReconfigurationRequest, requestDigest: Digest): RequestOutput {
    const { hasher, configuration, surroundings } = this.#o;
    return outputOf(hasher, request, requestDigest, configuration.execute(request, surroundings.overlay));
  }

  #register(request: RegistrationRequest, requestDigest: Digest, index: number): RequestOutput {
    const { table, hasher, configuration } = this.#o;
    const { client } = request;
    const outcome = configuration.isAdmitted(client)
      ? table.register(request, index)
      : { status: "client-not-admitted" as const };
    const isOpen = outcome.status === "ok";
    const results = [{ status: outcome.status, value: isOpen ? hexToBytes(outcome.session) : NOTHING }];
    const session = isOpen ? outcome.session : NO_SESSION;
    const resultDigest = resultDigestOf(hasher, results);
    const leaf = { session, number: NO_NUMBER, requestDigest, resultDigest, inline: results };
    return { client, leaf, results };
  }

  #operate(request: OperationsRequest, requestDigest: Digest, index: number): RequestOutput | undefined {
    const { table, limits, surroundings, configuration } = this.#o;
    const { client, number } = request;
    if (!configuration.isAdmitted(client)) return this.#refuse(request, requestDigest, "client-not-admitted");
    const session = table.find(request.session);
    if (session?.client !== client) return this.#refuse(request, requestDigest, "session-unknown");
    if (number > session.expected) return undefined;
    if (number === session.expected) return this.#run(session, request, requestDigest, index);
    if (!isInWindow(session, number, limits.sessionWindow)) return this.#refuse(request, requestDigest, "too-old");
    const reply = readReply(surroundings.overlay, session.id, number, limits.sessionWindow);
    return reply.requestDigest === requestDigest
      ? executed(request, reply)
      : this.#refuse(request, requestDigest, "number-reused");
  }

  #run(session: Session, request: OperationsRequest, requestDigest: Digest, index: number): RequestOutput | undefined {
    const { table, limits, hasher, surroundings } = this.#o;
    const results: OperationResult[] = [];
    const bytesMax = limits.resultBytesMax;
    let bytesLeft = bytesMax;
    let isFull = false;
    request.operations.forEach((operation, operationIndex) => {
      const place = { client: request.client, requestIndex: index, operationIndex };
      const result = isFull ? POSTPONED : runOperation(surroundings, place, operation, { bytesLeft, bytesMax });
      if (result.status === "ok") bytesLeft -= result.value.length;
      // One client's operations execute in the order issued: nothing overtakes a postponed one within its request.
      if (result.status === "postponed") isFull = true;
      results.push(result);
    });
    const resultDigest = resultDigestOf(hasher, results);
    const reply: CachedReply = { number: request.number, requestDigest, resultDigest, results };
    table.advance(session, reply);
    return executed(request, reply);
  }

  #refuse(request: OperationsRequest, requestDigest: Digest, status: ResultStatus): RequestOutput {
    const { client, session, number } = request;
    const results = [{ status, value: NOTHING }];
    const resultDigest = resultDigestOf(this.#o.hasher, results);
    return { client, leaf: { session, number, requestDigest, resultDigest, inline: results }, results };
  }
}

/** Of what is in no session. */
function outputOf(
  hasher: Hasher,
  { client }: CheckpointRequest | ReconfigurationRequest,
  requestDigest: Digest,
  result: OperationResult,
): RequestOutput {
  const results = [result];
  const resultDigest = resultDigestOf(hasher, results);
  const leaf = { session: NO_SESSION, number: NO_NUMBER, requestDigest, resultDigest, inline: results };
  return { client, leaf, results };
}

function executed({ client, session }: OperationsRequest, reply: CachedReply): RequestOutput {
  const { number, requestDigest, resultDigest, results } = reply;
  return { client, leaf: { session, number, requestDigest, resultDigest, inline: undefined }, results };
}

import { createClientSigner } from "@quorate/crypto";
import { encodeKvOperation } from "@quorate/kv";
import {
  bytesToHex,
  type ClientSigner,
  digest,
  type PublicKey,
  type Request,
  requestNumber,
  type ServerFrame,
  type SessionId,
  sequenceNumber,
  utf8,
  type VerifiedRequest,
} from "@quorate/protocol";
import { MUTATED } from "./mutations/coverage.ts";
import { REQUEST_MUTATIONS } from "./mutations/frames.ts";
import { Mutator } from "./mutations/mutator.ts";
import type { Prng } from "./prng.ts";
import { nameOperation } from "./recording-service.ts";
import type { Arrival } from "./wire.ts";
import type { World } from "./world.ts";

/** Request numbers it uses: few, so that they meet. */
const NUMBER_MAX = 12;
const OWN_NUMBER_MAX = 3;
/** How many of its requests have something wrong in them that it did not think of. */
const MUTATION_RATE = 0.2;
/** Sessions of others that it remembers to abuse. */
const SESSIONS_MAX = 16;

/**
 * A client that keeps to no rule but that of its key: numbers that jump, go back and are used for several requests,
 * different ones to different replicas, sessions of others, registrations without end, checkpoints that it may not order, and
 * signatures that are none.
 */
export class FaultyClient {
  readonly index: number;
  readonly publicKey: PublicKey;
  readonly #world: World;
  readonly #prng: Prng;
  readonly #signer: ClientSigner;
  readonly #mutator: Mutator<Request>;
  readonly #sessions: SessionId[] = [];
  readonly #sent: Request[] = [];
  /** The session that it opened last. */
  #own: SessionId | undefined;
  #calls = 0;

  constructor(world: World, index: number, prng: Prng) {
    const { backend, hasher, cluster, clientSeeds } = world.cluster;
    this.index = index;
    this.#world = world;
    this.#prng = prng;
    this.#mutator = new Mutator(REQUEST_MUTATIONS, prng);
    const seed = clientSeeds[index] ?? new Uint8Array(0);
    this.#signer = createClientSigner({ backend, hasher, cluster, seed });
    this.publicKey = this.#signer.publicKey;
  }

  /** Does one bad thing. */
  act(): void {
    const request = this.#drawRequest();
    const { network, wire, receive, marks } = this.#world;
    for (const to of this.#world.epochs().membership.members) {
      if (this.#prng.chance(0.3)) continue;
      const drawn = this.#prng.chance(0.2) ? this.#drawRequest() : request;
      const sent = this.#prng.chance(MUTATION_RATE) ? this.#mutate(drawn) : drawn;
      const arrival = wire.hostileClientFrame({ type: "request", request: sent });
      marks.add("faulty client: request");
      if (arrival === undefined) {
        marks.add("faulty client: frame that does not decode");
        continue;
      }
      network.send(`c${this.index}`, `r${to.id}`, () => receive.clientFrame(to.id, this.index, arrival));
    }
  }

  /** Learns from anyone: it believes the first reply. */
  onServerFrame(arrival: Arrival<ServerFrame>): void {
    const frame = arrival();
    if (frame.type !== "reply") return;
    const { session, number, results } = frame.reply;
    this.#world.marks.add(`faulty client: ${results[0]?.status}`);
    if (number !== 0 || results[0]?.status !== "ok") return;
    this.learn(session);
    this.#own = session;
  }

  /** A session to use, its own or not. */
  learn(session: SessionId): void {
    if (this.#sessions.includes(session)) return;
    if (this.#sessions.length === SESSIONS_MAX) this.#sessions.shift();
    this.#sessions.push(session);
  }

  #drawRequest(): Request {
    const [first, ...others] = this.#sessions;
    if (first === undefined || this.#prng.chance(0.15)) return this.#drawRegistration();
    if (this.#prng.chance(0.05)) return this.#drawCheckpoint();
    const again = this.#sent[this.#prng.integer(0, Math.max(0, this.#sent.length - 1))];
    if (again !== undefined && this.#prng.chance(0.2)) return again;
    const call = this.#calls++;
    const operation = encodeKvOperation({ type: "put", key: utf8("key/faulty"), value: utf8(`${call}`) });
    for (const checker of this.#world.checkers) checker.onSubmitted?.(this.index, call, operation);
    // In its own session it soon says two things under one number; in others' it is not heard.
    const isOwn = this.#own !== undefined && this.#prng.chance(0.5);
    const session = isOwn ? (this.#own ?? first) : this.#prng.pick([first, ...others]);
    const number = requestNumber(this.#prng.integer(1, isOwn ? OWN_NUMBER_MAX : NUMBER_MAX));
    const operations = [nameOperation({ client: this.index, call }, operation)];
    return this.#sign(this.#signer.signOperations({ session, number, operations }).request);
  }

  /** With one thing wrong, under a signature that is right again, if it is one that it may give. */
  #mutate(request: Request): Request {
    const mutated = this.#mutator.mutate(request.type, request);
    if (mutated === undefined) return request;
    const { value, path } = mutated;
    this.#world.marks.add(`faulty client: ${MUTATED}${path}`);
    // The names of operations are the test's, not the protocol's: no client signs another's.
    const isSigned = value.client === this.publicKey && !path.includes("[]") && !path.endsWith("signature");
    if (!isSigned || this.#prng.chance(0.3)) return value;
    const { request: resigned } = this.#resign(value);
    for (const checker of this.#world.checkers) checker.onRequest?.(this.index, resigned);
    return resigned;
  }

  #resign(request: Request): VerifiedRequest {
    switch (request.type) {
      case "operations":
        return this.#signer.signOperations(request);
      case "registration":
        return this.#signer.signRegistration(request);
      case "checkpoint":
        return this.#signer.signCheckpoint(request);
      case "reconfiguration":
        return this.#signer.signReconfiguration(request);
    }
  }

  /** Above what is executed, about, or far ahead. */
  #drawCheckpoint(): Request {
    const above = sequenceNumber(this.#prng.pick([this.#prng.integer(0, 100), 2 ** 50]));
    return this.#sign(this.#signer.signCheckpoint({ epoch: this.#world.epochs().epoch, above }).request);
  }

  #drawRegistration(): Request {
    const nonce = digest(bytesToHex(this.#prng.bytes(32)));
    const lastValid = sequenceNumber(this.#prng.pick([0, 20, 200, 2 ** 50]));
    return this.#sign(this.#signer.signRegistration({ nonce, lastValid }).request);
  }

  #sign(request: Request): Request {
    if (this.#prng.chance(0.1)) return { ...request, signature: request.signature.map((byte) => byte ^ 1) };
    for (const checker of this.#world.checkers) checker.onRequest?.(this.index, request);
    this.#sent.push(request);
    return request;
  }
}

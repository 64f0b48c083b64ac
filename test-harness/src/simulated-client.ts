import {
  type CallOutcome,
  ClientCore,
  type ClientEffect,
  type ClientEvent,
  type ClientTimer,
} from "@quorate/client-proxy";
import { createClientSigner, EpochVerifier, Verifier } from "@quorate/crypto";
import {
  bytesToHex,
  type ClientFrame,
  digest,
  type Membership,
  type PublicKey,
  replicaId,
  type ServerFrame,
  type SessionId,
} from "@quorate/protocol";
import { EpochChain } from "@quorate/reconfiguration";
import { describeFrame } from "./describe-frame.ts";
import { drawn } from "./drawn.ts";
import { EPOCH_MARKS } from "./epoch-marks.ts";
import type { SimulationOptions } from "./options.ts";
import type { Plant } from "./plant.ts";
import type { Prng } from "./prng.ts";
import { nameOperation } from "./recording-service.ts";
import type { Scheduled } from "./virtual-clock.ts";
import type { Arrival } from "./wire.ts";
import type { World } from "./world.ts";

type Untimed<E> = E extends ClientEvent ? Omit<E, "atMs"> : never;

/** A call's patience; far beyond the end of any run unless given. */
const DEADLINE_MS = 600_000;

/** A caller whose call failed comes back within so long: often before its request is answered. It may be impatient again. */
const RETRY_WITHIN_MS = [5, 50, 300] as const;
const RETRY_PATIENCE_MS = 200;

/** How full everything is, is looked at after so many events. */
const FILLS_EVERY = 16;

/** A production `ClientCore` over simulated links and clock, with one session. */
export class SimulatedClient {
  readonly index: number;
  readonly end: string;
  readonly publicKey: PublicKey;
  readonly #world: World;
  readonly #core: ClientCore;
  /** It knows genesis, and what its core has come to. */
  readonly #chain: EpochChain;
  /** Replicas to which there is a link, members or not. */
  readonly #up = new Set<number>();
  readonly #verifier: Verifier;
  readonly #timers = new Map<ClientTimer, Scheduled>();
  /** Frames sent, to tell the first time from the next. */
  readonly #sent = new WeakMap<ClientFrame, Set<number>>();
  readonly #outcomes = new Map<number, CallOutcome>();
  /** Calls that were retried and have no result. */
  readonly #retried = new Set<number>();
  readonly #plant: Plant;
  readonly #retries: { readonly prng: Prng; readonly chance: number };
  #calls = 0;
  #steps = 0;
  #session: SessionId | undefined;
  #followed = 0;

  constructor(world: World, index: number, options: SimulationOptions, prng: Prng, plant: Plant) {
    const { backend, hasher, cluster, clientSeeds, genesis } = world.cluster;
    this.index = index;
    this.end = `c${index}`;
    this.#world = world;
    this.#plant = plant;
    const seed = clientSeeds[index] ?? new Uint8Array(0);
    const signer = createClientSigner({ backend, hasher, cluster, seed });
    this.publicKey = signer.publicKey;
    this.#verifier = new Verifier({ backend, hasher, cluster, requestsMax: 16, statementsMax: 64 });
    this.#chain = new EpochChain({ hasher, cluster, verifier: this.#verifier }, genesis);
    this.#retries = { prng: prng.fork("retries"), chance: options.retries };
    const nonces = prng.fork("nonces");
    this.#core = new ClientCore({
      signer,
      chain: this.#chain,
      limits: genesis.limits,
      nextNonce: () => digest(bytesToHex(nonces.bytes(32))),
      requestsOutstandingMax: options.requestsOutstandingMax,
      resendAfterMs: options.resendAfterMs,
      resendAfterMaxMs: 4 * options.resendAfterMs,
    });
  }

  /** Whether all calls are settled, and nothing of this client is on its way any more. */
  get isQuiet(): boolean {
    const { waitingOperations, requestsOutstanding } = this.#core.occupancy;
    return this.isSettled && waitingOperations === 0 && requestsOutstanding === 0;
  }
  /** Whether all calls have ended, one way or the other. */
  get isSettled(): boolean {
    return this.#outcomes.size === this.#calls;
  }
  /** Whether it believes any result. */
  get hasResults(): boolean {
    return [...this.#outcomes.values()].some(({ type }) => type === "result");
  }
  /** One line for reports. */
  get status(): string {
    const { waitingOperations, sentOperations, requestsOutstanding } = this.#core.occupancy;
    const settled = `${this.#outcomes.size} of ${this.#calls} settled`;
    return `${this.end} ${settled}, ${waitingOperations} wait, ${sentOperations} sent in ${requestsOutstanding} requests`;
  }

  /** The session of its last request, for others to abuse. */
  get session(): SessionId | undefined {
    return this.#session;
  }

  outcomeOf(call: number): CallOutcome | undefined {
    return this.#outcomes.get(call);
  }

  /** Hands an operation to the core. Returns the number of the call. */
  submit(operation: Uint8Array, timeoutMs: number = DEADLINE_MS): number {
    const call = this.#calls++;
    this.#world.note(`${this.end} submits ${call}`);
    for (const checker of this.#world.checkers) checker.onSubmitted?.(this.index, call, operation);
    const named = nameOperation({ client: this.index, call }, operation);
    this.#step({ type: "submit", call, operation: named, timeoutMs });
    return call;
  }

  /** Waits again for a call that failed with unknown effect. */
  retry(call: number, timeoutMs: number = DEADLINE_MS): void {
    this.#world.note(`${this.end} retries ${call}`);
    this.#outcomes.delete(call);
    this.#step({ type: "retry", call, timeoutMs });
  }

  cancel(call: number): void {
    this.#step({ type: "cancel", call });
  }

  onLink(replica: number, isUp: boolean): void {
    this.#world.note(`${this.end} link to r${replica} ${isUp ? "up" : "down"}`);
    if (isUp) this.#up.add(replica);
    else this.#up.delete(replica);
    this.#step({ type: isUp ? "link-up" : "link-down", replica: replicaId(replica) });
  }

  onServerFrame(from: number, arrival: Arrival<ServerFrame>): void {
    const frame = arrival();
    this.#world.note(`${this.end} < r${from} ${describeFrame(frame)}`);
    if (frame.type === "reply") return this.#onReply(from, frame.reply);
    if (frame.type === "state-read") return;
    // No client asks for a claim.
    if (frame.type === "join-claim" || frame.type === "no-claim") return;
    this.#step({ ...frame, from: replicaId(from) });
  }

  #onReply(from: number, reply: Extract<ServerFrame, { type: "reply" }>["reply"]): void {
    const { epoch } = reply.statement;
    if (epoch > this.#chain.epoch) return this.#step({ type: "epoch-told", from: replicaId(from), epoch });
    if (reply.from !== from || !this.#core.wants(reply)) return this.#world.marks.add("client: reply not needed");
    const verified = new EpochVerifier(this.#verifier, this.#chain).verifyReply(reply);
    if (verified === undefined) return this.#world.marks.add("client: reply refused");
    for (const counted of this.#plant.replies?.(verified) ?? [verified]) this.#step({ type: "reply", reply: counted });
  }

  #step(event: Untimed<ClientEvent>): void {
    // Like a runner's, its clock has whole milliseconds.
    const effects = this.#core.step({ ...event, atMs: Math.floor(this.#world.clock.nowMs) } as ClientEvent);
    for (const effect of effects) this.#perform(effect);
    if (this.#steps++ % FILLS_EVERY === 0) this.#tellFills();
  }

  #tellFills(): void {
    const { fills } = this.#core;
    try {
      for (const checker of this.#world.checkers) checker.onFills?.(this.end, fills);
    } catch (violation) {
      this.#world.fail(violation);
    }
  }

  #perform(effect: ClientEffect): void {
    switch (effect.type) {
      case "send":
        return this.#send(effect.to, effect.frame);
      case "members":
        return this.#onMembers(effect.membership);
      case "start-timer": {
        const { timer, token } = effect;
        this.#timers.get(timer)?.cancel();
        const fire = (): void => this.#step({ type: "timeout", timer, token });
        this.#timers.set(timer, this.#world.clock.after(effect.afterMs, fire));
        return;
      }
      case "cancel-timer":
        return this.#timers.get(effect.timer)?.cancel();
      case "settle":
        return this.#settle(effect.call, effect.outcome);
    }
  }

  /** As a runner that dials them: whoever is there is linked in its next turn. */
  #onMembers({ epoch, members }: Membership): void {
    this.#world.note(`${this.end} follows e${epoch}`);
    if (epoch > this.#followed + 1) this.#world.marks.add(EPOCH_MARKS.clientBehind);
    this.#followed = epoch;
    this.#world.clock.after(0, () => {
      for (const { id } of members) if (this.#up.has(id)) this.#step({ type: "link-up", replica: id });
    });
  }

  #send(to: number, frame: ClientFrame): void {
    const { network, wire, receive } = this.#world;
    this.#world.note(`${this.end} > r${to} ${describeFrame(frame)}`);
    if (frame.type === "request") this.#onSent(to, frame);
    const arrival = wire.clientFrame(frame);
    const arrive = drawn(this.#world, this.end, `r${to}`, frame.type, frame);
    network.send(this.end, `r${to}`, () => {
      arrive();
      receive.clientFrame(to, this.index, arrival);
    });
  }

  #onSent(to: number, frame: Extract<ClientFrame, { type: "request" }>): void {
    const { marks, checkers } = this.#world;
    if (frame.request.type === "operations") this.#session = frame.request.session;
    const receivers = this.#sent.get(frame) ?? new Set();
    if (receivers.has(to)) marks.add("client: request sent again");
    else if (receivers.size > 0) marks.add("client: request sent to another");
    receivers.add(to);
    this.#sent.set(frame, receivers);
    if (receivers.size === 1) for (const checker of checkers) checker.onRequest?.(this.index, frame.request);
  }

  #settle(call: number, outcome: CallOutcome): void {
    const { marks, checkers } = this.#world;
    const kind =
      outcome.type === "result" ? outcome.result.status : `${outcome.failure.code} ${outcome.failure.effect}`;
    this.#world.note(`${this.end} settled ${call} ${kind}`);
    marks.add(`settled: ${kind}`);
    if (outcome.type === "result" && outcome.receipt !== undefined) this.#verifyReceipt(call, outcome.receipt);
    if (this.#outcomes.has(call)) this.#world.fail(new Error(`${this.end} settled call ${call} twice`));
    this.#outcomes.set(call, outcome);
    try {
      for (const checker of checkers) checker.onSettled?.(this.index, call, outcome);
    } catch (violation) {
      this.#world.fail(violation);
    }
    if (outcome.type === "result") {
      if (this.#retried.delete(call)) marks.add("client: result of a retry");
    } else if (outcome.failure.effect === "unknown") this.#planRetry(call);
  }

  #planRetry(call: number): void {
    const { prng, chance } = this.#retries;
    if (!prng.chance(chance)) return;
    const patienceMs = prng.chance(0.3) ? prng.integer(1, RETRY_PATIENCE_MS) : DEADLINE_MS;
    this.#retried.add(call);
    this.#world.clock.after(prng.between(0, prng.pick<number>(RETRY_WITHIN_MS)), () => this.retry(call, patienceMs));
  }

  #verifyReceipt(call: number, receipt: Parameters<Verifier["verifyReceipt"]>[0]): void {
    if (!new EpochVerifier(this.#verifier, this.#chain).verifyReceipt(receipt))
      this.#world.fail(new Error(`${this.end}: the receipt of call ${call} does not verify`));
  }
}

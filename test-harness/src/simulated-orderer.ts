import {
  type CallOutcome,
  type ClientEffect,
  createCheckpointOrder,
  type SessionlessCore,
  type SessionlessEvent,
} from "@quorate/client-proxy";
import { createClientSigner, EpochVerifier, Verifier } from "@quorate/crypto";
import {
  type ClientFrame,
  type ClientSigner,
  type Membership,
  type PublicKey,
  type Receipt,
  replicaId,
  type ServerFrame,
} from "@quorate/protocol";
import { EpochChain } from "@quorate/reconfiguration";
import type { CheckpointOrderer } from "./checkpoint-orders.ts";
import { describeFrame } from "./describe-frame.ts";
import { drawn } from "./drawn.ts";
import type { SimulationOptions } from "./options.ts";
import type { Scheduled } from "./virtual-clock.ts";
import type { Arrival } from "./wire.ts";
import type { World } from "./world.ts";

type Untimed<E> = E extends SessionlessEvent ? Omit<E, "atMs"> : never;

/** A faulty primary may let an order wait that would only be refused by now: nobody holds it to that. */
const DEADLINE_MS = 8_000;

/** One order under way, and its timers. */
interface OpenOrder {
  readonly core: SessionlessCore;
  /** Its own: a core sees of no epoch that another one has come to. */
  readonly chain: EpochChain;
  readonly timers: Map<string, Scheduled>;
  readonly isRepeated: boolean;
}

/** An admin or a member who orders checkpoints: production cores over simulated links, one for each order. */
export class SimulatedOrderer {
  readonly index: number;
  readonly end: string;
  readonly publicKey: PublicKey;
  readonly #world: World;
  readonly #options: SimulationOptions;
  readonly #orderer: CheckpointOrderer;
  readonly #signer: ClientSigner;
  readonly #verifier: Verifier;
  readonly #welcomes = new Map<number, Extract<ServerFrame, { type: "welcome" }>>();
  readonly #open = new Set<OpenOrder>();
  readonly #told = new WeakSet<ClientFrame>();
  /** Replicas to which there is a link, members or not. */
  readonly #up = new Set<number>();

  constructor(world: World, index: number, options: SimulationOptions, orderer: CheckpointOrderer) {
    const { backend, hasher, cluster, clientSeeds } = world.cluster;
    this.index = index;
    this.end = `c${index}`;
    this.#world = world;
    this.#options = options;
    this.#orderer = orderer;
    const seed = clientSeeds[index] ?? new Uint8Array(0);
    this.#signer = createClientSigner({ backend, hasher, cluster, seed });
    this.publicKey = this.#signer.publicKey;
    this.#verifier = new Verifier({ backend, hasher, cluster, requestsMax: 16, statementsMax: 64 });
  }

  /** Whether nothing that it ordered waits for an answer. */
  get isQuiet(): boolean {
    return this.#open.size === 0;
  }
  /** One line for reports. */
  get status(): string {
    return `${this.end} (${this.#orderer}) waits for ${this.#open.size} checkpoints`;
  }

  /** Orders a checkpoint, over the links that are up; and another one when it is there, if it is to be repeated. */
  order(isRepeated: boolean): void {
    const { cluster, hasher, genesis } = this.#world.cluster;
    const { resendAfterMs } = this.#options;
    const chain = new EpochChain({ hasher, cluster, verifier: this.#verifier }, genesis);
    const core = createCheckpointOrder({
      signer: this.#signer,
      chain,
      resendAfterMs,
      resendAfterMaxMs: 4 * resendAfterMs,
    });
    const open = { core, chain, timers: new Map<string, Scheduled>(), isRepeated };
    this.#open.add(open);
    this.#world.note(`${this.end} orders a checkpoint`);
    this.#step(open, { type: "order", timeoutMs: DEADLINE_MS });
    for (const [from, welcome] of this.#welcomes) this.#step(open, { ...welcome, from: replicaId(from) });
  }

  onLink(replica: number, isUp: boolean): void {
    if (isUp) this.#up.add(replica);
    else this.#up.delete(replica);
    if (!isUp) this.#welcomes.delete(replica);
    for (const open of [...this.#open])
      this.#step(open, { type: isUp ? "link-up" : "link-down", replica: replicaId(replica) });
  }

  onServerFrame(from: number, arrival: Arrival<ServerFrame>): void {
    // A replica does not answer a link that seems to come from itself.
    if (from === this.#orderer) return;
    const frame = arrival();
    this.#world.note(`${this.end} < r${from} ${describeFrame(frame)}`);
    if (frame.type === "welcome") this.#welcomes.set(from, frame);
    for (const open of [...this.#open]) this.#onFrame(open, from, frame);
  }

  #onFrame(open: OpenOrder, from: number, frame: ServerFrame): void {
    // Orders read nothing.
    if (frame.type === "state-read") return;
    // No orderer asks for a claim: it signs for whoever joins itself.
    if (frame.type === "join-claim" || frame.type === "no-claim") return;
    if (frame.type !== "reply") return this.#step(open, { ...frame, from: replicaId(from) });
    const { epoch } = frame.reply.statement;
    if (epoch > open.chain.epoch) return this.#step(open, { type: "epoch-told", from: replicaId(from), epoch });
    if (frame.reply.from !== from || !open.core.wants(frame.reply)) return;
    const reply = new EpochVerifier(this.#verifier, open.chain).verifyReply(frame.reply);
    if (reply !== undefined) this.#step(open, { type: "reply", reply });
  }

  #step(open: OpenOrder, event: Untimed<SessionlessEvent>): void {
    const atMs = Math.floor(this.#world.clock.nowMs);
    for (const effect of open.core.step({ ...event, atMs } as SessionlessEvent)) this.#perform(open, effect);
  }

  #perform(open: OpenOrder, effect: ClientEffect): void {
    switch (effect.type) {
      case "send":
        return this.#send(effect.to, effect.frame);
      case "members":
        return this.#onMembers(open, effect.membership);
      case "start-timer": {
        const { timer, token, afterMs } = effect;
        open.timers.get(timer)?.cancel();
        const fire = (): void => this.#step(open, { type: "timeout", timer, token });
        open.timers.set(timer, this.#world.clock.after(afterMs, fire));
        return;
      }
      case "cancel-timer":
        return open.timers.get(effect.timer)?.cancel();
      case "settle":
        return this.#settle(open, effect.outcome);
    }
  }

  #onMembers(open: OpenOrder, { members }: Membership): void {
    this.#world.clock.after(0, () => {
      for (const { id } of members) if (this.#up.has(id)) this.#step(open, { type: "link-up", replica: id });
    });
  }

  #send(to: number, frame: ClientFrame): void {
    if (to === this.#orderer) return;
    const { network, wire, receive, checkers, note } = this.#world;
    note(`${this.end} > r${to} ${describeFrame(frame)}`);
    if (frame.type === "request" && !this.#told.has(frame))
      for (const checker of checkers) checker.onRequest?.(this.index, frame.request);
    this.#told.add(frame);
    const arrival = wire.clientFrame(frame);
    const arrive = drawn(this.#world, this.end, `r${to}`, frame.type, frame);
    network.send(this.end, `r${to}`, () => {
      arrive();
      receive.clientFrame(to, this.index, arrival);
    });
  }

  #settle(open: OpenOrder, outcome: CallOutcome): void {
    this.#open.delete(open);
    const { marks, note } = this.#world;
    const kind = outcome.type === "result" ? outcome.result.status : reasonOf(outcome.failure);
    note(`${this.end} ordered a checkpoint: ${kind}`);
    marks.add(`ordered checkpoint: ${kind}`);
    // Its key is an admin's, unless others took its place, or a member's, whatever the replica of that member does.
    if (kind === "checkpoint-not-permitted" && this.#isPermittedForGood)
      this.#world.fail(new Error(`${this.#orderer} may not order a checkpoint`));
    if (outcome.type !== "result") return;
    if (open.isRepeated) this.order(false);
    if (outcome.receipt !== undefined) this.#verifyReceipt(open, outcome.receipt);
  }

  get #isPermittedForGood(): boolean {
    return this.#options.changes.every((change) => {
      if (this.#orderer === "admin") return change.type !== "admins";
      const isOfMember = change.type === "leave" || change.type === "rotate-key";
      return !isOfMember || change.replica !== this.#orderer;
    });
  }

  #verifyReceipt({ chain }: OpenOrder, receipt: Receipt): void {
    if (!new EpochVerifier(this.#verifier, chain).verifyReceipt(receipt))
      this.#world.fail(new Error(`${this.end}: the receipt of a checkpoint does not verify`));
  }
}

function reasonOf(failure: Extract<CallOutcome, { type: "failed" }>["failure"]): string {
  return failure.code === "client.checkpoint-refused" ? failure.reason : failure.code;
}

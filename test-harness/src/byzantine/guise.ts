import {
  type ClientFrame,
  type ClusterId,
  digest,
  type Epoch,
  type ReplicaFrame,
  type ReplicaId,
  type ServerFrame,
} from "@quorate/protocol";
import { type ByzantineBehaviour, createByzantineActor } from "../byzantine.ts";
import type { Prng } from "../prng.ts";
import type { SimulatedKeys } from "../simulated-keys.ts";
import type { Arrival } from "../wire.ts";
import type { World } from "../world.ts";
import { type ByzantineActor, HONEST } from "./actor.ts";

/** A frame as it leaves: what the receiver gets, and how much later. */
export interface Outgoing {
  readonly frame: ReplicaFrame;
  readonly arrival: Arrival<ReplicaFrame>;
  readonly delayMs: number;
}

/** The same for a client. */
export interface OutgoingToClient {
  readonly frame: ServerFrame;
  readonly arrival: Arrival<ServerFrame>;
}

/** Another cluster, in which the same keys are used. */
const FOREIGN_CLUSTER = digest("f".repeat(64)) as string as ClusterId;

/** Whose guise it is. */
export interface GuiseOptions {
  readonly keys: SimulatedKeys;
  readonly prng: Prng;
  readonly behaviour: ByzantineBehaviour | undefined;
  /** In which the replica inside is. */
  readonly epoch: () => Epoch;
}

/** What stands between a replica and the world: nothing, or an actor that rewrites what it says. */
export class Guise {
  readonly #world: World;
  readonly #o: GuiseOptions;
  /** A new one for each epoch: it knows whom it lies to. */
  #actor: { readonly epoch: Epoch; readonly actor: ByzantineActor } | undefined;

  constructor(world: World, options: GuiseOptions) {
    this.#world = world;
    this.#o = options;
  }

  get #lies(): ByzantineActor | undefined {
    const { behaviour, epoch } = this.#o;
    if (behaviour === undefined) return undefined;
    const now = epoch();
    if (this.#actor?.epoch !== now) this.#actor = { epoch: now, actor: this.#actorIn(now, behaviour) };
    return this.#actor.actor;
  }

  /** One that is no member has nothing to lie with. */
  #actorIn(epoch: Epoch, behaviour: ByzantineBehaviour): ByzantineActor {
    const { genesis, hasher, cluster } = this.#world.cluster;
    const { keys, prng } = this.#o;
    const membership = this.#world.membershipAt(epoch);
    const signer = keys.signerIn(membership);
    const foreignSigner = keys.foreignSignerIn(membership, FOREIGN_CLUSTER);
    if (signer === undefined || foreignSigner === undefined) return HONEST;
    const { checkpointInterval, windowSize } = this.#world.epochs().configurationAt(epoch) ?? genesis;
    return createByzantineActor(behaviour, {
      self: signer.self,
      signer,
      foreignSigner,
      hasher,
      cluster,
      membership,
      checkpointInterval,
      windowSize,
      viewChangeMs: genesis.timeouts.viewChangeMs,
      prng,
      nowMs: () => this.#world.clock.nowMs,
      mark: (name) => this.#world.marks.add(`byzantine: ${name}`),
    });
  }

  /** Whether the replica inside gets to hear this. */
  hears(frame: ReplicaFrame | ClientFrame): boolean {
    const isHeard = this.#lies?.hears(frame) ?? true;
    if (!isHeard) this.#deviated();
    return isHeard;
  }

  fromReplica(frame: ReplicaFrame): void {
    this.#lies?.fromReplica(frame);
  }

  toReplica(to: ReplicaId, frame: ReplicaFrame): readonly Outgoing[] {
    const { wire } = this.#world;
    const actor = this.#lies;
    if (actor === undefined) return [{ frame, arrival: wire.replicaFrame(frame), delayMs: 0 }];
    const sent = actor.toReplica(to, frame);
    if (sent.length !== 1 || sent[0] !== frame) this.#deviated();
    return sent.flatMap((one) => {
      const delayMs = actor.delayMs(one);
      if (delayMs > 0) this.#deviated();
      const arrival = one === frame ? wire.replicaFrame(one) : wire.hostileReplicaFrame(one);
      // What does not decode closes the link in production, and nothing else.
      if (arrival === undefined) this.#world.marks.add("byzantine: frame that does not decode");
      return arrival === undefined ? [] : [{ frame: one, arrival, delayMs }];
    });
  }

  toClient(frame: ServerFrame): readonly OutgoingToClient[] {
    const { wire } = this.#world;
    const sent = this.#lies?.toClient(frame) ?? [frame];
    if (sent.length !== 1 || sent[0] !== frame) this.#deviated();
    return sent.flatMap((one) => {
      const arrival = one === frame ? wire.serverFrame(one) : wire.hostileServerFrame(one);
      if (arrival === undefined) this.#world.marks.add("byzantine: frame to a client that does not decode");
      return arrival === undefined ? [] : [{ frame: one, arrival }];
    });
  }

  #deviated(): void {
    this.#world.marks.add(`byzantine: ${this.#o.behaviour}`);
  }
}

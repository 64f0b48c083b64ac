import { createReplicaSigner } from "@quorate/crypto";
import {
  type ClientFrame,
  type ClusterId,
  digest,
  type ReplicaFrame,
  type ReplicaId,
  type ServerFrame,
  type Signer,
} from "@quorate/protocol";
import { type ByzantineBehaviour, createByzantineActor } from "../byzantine.ts";
import type { Prng } from "../prng.ts";
import type { Arrival } from "../wire.ts";
import type { World } from "../world.ts";
import type { ByzantineActor } from "./actor.ts";

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

/** What stands between a replica and the world: nothing, or an actor that rewrites what it says. */
export class Guise {
  readonly #world: World;
  readonly #actor: ByzantineActor | undefined;
  readonly #behaviour: ByzantineBehaviour | undefined;

  constructor(world: World, id: number, signer: Signer, prng: Prng, behaviour: ByzantineBehaviour | undefined) {
    this.#world = world;
    this.#behaviour = behaviour;
    if (behaviour === undefined) return;
    const { backend, genesis, hasher, cluster, membership, replicaSeeds } = world.cluster;
    const { checkpointInterval, windowSize, timeouts } = genesis;
    const seed = replicaSeeds[id] ?? new Uint8Array(0);
    this.#actor = createByzantineActor(behaviour, {
      self: signer.self,
      signer,
      foreignSigner: createReplicaSigner({ backend, seed, self: signer.self, cluster: FOREIGN_CLUSTER }),
      hasher,
      cluster,
      membership,
      checkpointInterval,
      windowSize,
      viewChangeMs: timeouts.viewChangeMs,
      prng,
      nowMs: () => world.clock.nowMs,
      mark: (name) => world.marks.add(`byzantine: ${name}`),
    });
  }

  /** Whether the replica inside gets to hear this. */
  hears(frame: ReplicaFrame | ClientFrame): boolean {
    const isHeard = this.#actor?.hears(frame) ?? true;
    if (!isHeard) this.#deviated();
    return isHeard;
  }

  fromReplica(frame: ReplicaFrame): void {
    this.#actor?.fromReplica(frame);
  }

  toReplica(to: ReplicaId, frame: ReplicaFrame): readonly Outgoing[] {
    const { wire } = this.#world;
    if (this.#actor === undefined) return [{ frame, arrival: wire.replicaFrame(frame), delayMs: 0 }];
    const sent = this.#actor.toReplica(to, frame);
    if (sent.length !== 1 || sent[0] !== frame) this.#deviated();
    return sent.flatMap((one) => {
      const delayMs = this.#actor?.delayMs(one) ?? 0;
      if (delayMs > 0) this.#deviated();
      const arrival = one === frame ? wire.replicaFrame(one) : wire.hostileReplicaFrame(one);
      // What does not decode closes the link in production, and nothing else.
      if (arrival === undefined) this.#world.marks.add("byzantine: frame that does not decode");
      return arrival === undefined ? [] : [{ frame: one, arrival, delayMs }];
    });
  }

  toClient(frame: ServerFrame): readonly OutgoingToClient[] {
    const { wire } = this.#world;
    const sent = this.#actor?.toClient(frame) ?? [frame];
    if (sent.length !== 1 || sent[0] !== frame) this.#deviated();
    return sent.flatMap((one) => {
      const arrival = one === frame ? wire.serverFrame(one) : wire.hostileServerFrame(one);
      if (arrival === undefined) this.#world.marks.add("byzantine: frame to a client that does not decode");
      return arrival === undefined ? [] : [{ frame: one, arrival }];
    });
  }

  #deviated(): void {
    this.#world.marks.add(`byzantine: ${this.#behaviour}`);
  }
}

import {
  type CheckpointClaim,
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
import type { ByzantineActor } from "./actor.ts";
import { liesAsObserver } from "./observers.ts";

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
  /** As which it is a member, or would be one. */
  readonly id: ReplicaId;
  readonly keys: SimulatedKeys;
  readonly prng: Prng;
  readonly behaviour: ByzantineBehaviour | undefined;
  /** In which the replica inside is. */
  readonly epoch: () => Epoch;
}

/** How one lies in one epoch. */
interface Lies {
  readonly epoch: Epoch;
  readonly actor: ByzantineActor;
  /** Of what it does that a correct one does not. */
  readonly mark: string;
}

/** What stands between a replica and the world: nothing, or an actor that rewrites what it says. */
export class Guise {
  readonly #world: World;
  readonly #o: GuiseOptions;
  /** A new one for each epoch: it knows whom it lies to. */
  #current: Lies | undefined;

  constructor(world: World, options: GuiseOptions) {
    this.#world = world;
    this.#o = options;
  }

  get #lies(): ByzantineActor | undefined {
    const { behaviour, epoch } = this.#o;
    if (behaviour === undefined) return undefined;
    const now = epoch();
    if (this.#current?.epoch !== now) this.#current = this.#liesIn(now, behaviour);
    return this.#current.actor;
  }

  /** One that is no member lies in its own way, whatever it does as a member. */
  #liesIn(epoch: Epoch, behaviour: ByzantineBehaviour): Lies {
    const { genesis, hasher, cluster } = this.#world.cluster;
    const { id, keys, prng } = this.#o;
    const membership = this.#world.membershipAt(epoch);
    const signer = keys.signerIn(membership);
    const foreignSigner = keys.foreignSignerIn(membership, FOREIGN_CLUSTER);
    const { checkpointInterval, windowSize } = this.#world.epochs().configurationAt(epoch) ?? genesis;
    const mark = (name: string): void => this.#world.marks.add(`byzantine: ${name}`);
    if (signer === undefined || foreignSigner === undefined) {
      const actor = liesAsObserver({ signer: keys.signerAs(id), hasher, checkpointInterval, prng, mark, epoch });
      return { epoch, actor, mark: "byzantine: lies as an observer" };
    }
    const actor = createByzantineActor(behaviour, {
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
      mark,
    });
    return { epoch, actor, mark: `byzantine: ${behaviour}` };
  }

  /** As whoever orders that it joins hears it. */
  claim(truth: CheckpointClaim): CheckpointClaim {
    return this.#lies?.claim(truth) ?? truth;
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
    if (this.#current !== undefined) this.#world.marks.add(this.#current.mark);
  }
}

import { type ReadOutcome, StateReading, type StateReadingEffect, type StateReadingEvent } from "@quorate/client-proxy";
import { Verifier } from "@quorate/crypto";
import {
  type ClientFrame,
  type PublicKey,
  type ReplicaId,
  replicaId,
  type ServerFrame,
  type StateQuery,
} from "@quorate/protocol";
import { EpochChain } from "@quorate/reconfiguration";
import { isApplicationProven } from "@quorate/state-machine";
import type { StaleReadsChecker } from "./checkers/stale-reads.ts";
import { describeFrame } from "./describe-frame.ts";
import type { Prng } from "./prng.ts";
import type { Scheduled } from "./virtual-clock.ts";
import type { Arrival } from "./wire.ts";
import { drawStaleRead } from "./workload.ts";
import type { World } from "./world.ts";

type Untimed<E> = E extends unknown ? Omit<E, "atMs"> : never;

/** Far beyond the end of any run: what is asked for is answered in the end. */
const DEADLINE_MS = 600_000;

/** The production `StateReading` over simulated links and clock: reads from time to time, of whoever answers. */
export class SimulatedReader {
  readonly index: number;
  readonly end: string;
  readonly publicKey: PublicKey;
  readonly #world: World;
  readonly #chain: EpochChain;
  readonly #reading: StateReading;
  readonly #prng: Prng;
  readonly #checker: StaleReadsChecker;
  readonly #open = new Map<number, StateQuery>();
  #timer: Scheduled | undefined;
  #calls = 0;

  constructor(world: World, index: number, prng: Prng, checker: StaleReadsChecker) {
    const { backend, hasher, cluster, genesis, clientSeeds } = world.cluster;
    this.index = index;
    this.end = `c${index}`;
    this.#world = world;
    this.#prng = prng;
    this.#checker = checker;
    this.publicKey = backend.publicKeyOf(clientSeeds[index] ?? new Uint8Array(0));
    const verifier = new Verifier({ backend, hasher, cluster });
    this.#chain = new EpochChain({ hasher, cluster, verifier }, genesis);
    const draws = prng.fork("choices");
    this.#reading = new StateReading({
      chain: this.#chain,
      choose: (count) => draws.integer(0, count - 1),
      isCertified: (certificate, membership) =>
        verifier.verifyCheckpointCertificate(certificate, membership) !== undefined,
      isProven: (stateRoot, key, value, proof) =>
        isApplicationProven({ hasher, cluster, stateRoot }, key, value, proof),
      silenceMs: 100,
      pauseMaxMs: 400,
      defaultTimeoutMs: DEADLINE_MS,
    });
  }

  /** Whether everything that it asked for is answered. */
  get isQuiet(): boolean {
    return this.#open.size === 0;
  }
  /** One line for reports. */
  get status(): string {
    return `${this.end} waits for ${this.#open.size} of ${this.#calls} stale reads`;
  }

  read(): void {
    const call = this.#calls++;
    const query = drawStaleRead(this.#prng);
    this.#world.note(`${this.end} reads ${call}, ${query.type}`);
    this.#open.set(call, query);
    this.#step({ type: "read", call, read: { query } });
  }

  onLink(replica: number, isUp: boolean): void {
    this.#step({ type: isUp ? "source-up" : "source-down", source: replicaId(replica) });
  }

  onServerFrame(from: number, arrival: Arrival<ServerFrame>): void {
    const frame = arrival();
    this.#world.note(`${this.end} < r${from} ${describeFrame(frame)}`);
    if (frame.type === "state-read") this.#step({ type: "state-read", from: replicaId(from), read: frame.read });
    if (frame.type !== "epoch-links") return;
    for (const link of frame.links) this.#chain.add(link);
    this.#step({ type: "epoch" });
  }

  #step(event: Untimed<StateReadingEvent>): void {
    const atMs = Math.floor(this.#world.clock.nowMs);
    for (const effect of this.#reading.step({ ...event, atMs } as StateReadingEvent)) this.#perform(effect);
  }

  #perform(effect: StateReadingEffect): void {
    switch (effect.type) {
      case "send":
        return this.#send(effect.to as ReplicaId, effect.frame);
      case "epoch-told":
        return this.#send(effect.from as ReplicaId, { type: "fetch-epochs", fetch: { above: this.#chain.epoch } });
      case "start-timer": {
        const { token } = effect;
        this.#timer?.cancel();
        this.#timer = this.#world.clock.after(effect.afterMs, () => this.#step({ type: "timeout", token }));
        return;
      }
      case "cancel-timer":
        return this.#timer?.cancel();
      case "settle":
        return this.#settle(effect.call, effect.outcome);
    }
  }

  #send(to: ReplicaId, frame: ClientFrame): void {
    const { network, wire, receive } = this.#world;
    this.#world.note(`${this.end} > r${to} ${describeFrame(frame)}`);
    const arrival = wire.clientFrame(frame);
    network.send(this.end, `r${to}`, () => receive.clientFrame(to, this.index, arrival));
  }

  #settle(call: number, outcome: ReadOutcome): void {
    const { marks } = this.#world;
    const query = this.#open.get(call);
    this.#open.delete(call);
    const { refused } = outcome.type === "read" ? outcome.read : outcome;
    for (const fault of refused.values()) marks.add(`stale read: ${fault}`);
    try {
      if (query === undefined) throw new Error(`${this.end} settled read ${call} twice`);
      if (outcome.type === "failed") throw new Error(`${this.end}: stale read ${call} came to ${outcome.code}`);
      const { seq } = outcome.read.certificate;
      this.#world.note(`${this.end} read ${call} of n${seq}`);
      marks.add(`stale read: ${outcome.read.answer.type}`);
      this.#checker.onStaleRead(this.index, query, outcome.read);
    } catch (violation) {
      this.#world.fail(violation);
    }
  }
}

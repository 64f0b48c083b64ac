import {
  type CheckpointCertificate,
  type FetchState,
  isObserverPeer,
  type ReplicaId,
  type SequenceNumber,
  stateChunkBytesMax,
} from "@quorate/protocol";
import type { Executor } from "@quorate/state-machine";
import { type DonorLimits, StateDonor } from "@quorate/state-transfer";
import { ChunkDeflater } from "./chunk-deflater.ts";
import type { HostOptions } from "./host-options.ts";

/**
 * For all peers together, and what one replica gets from all others together: a gigabyte in less than half a minute. All that is
 * faster is taken from the ordering where they share their machines.
 */
const SERVED = { bytesPerSecond: 48 * 1024 * 1024, burstBytes: 24 * 1024 * 1024 } as const;
/** So many requests of a peer wait for its share: as many as a replica has unanswered. */
const WAITING_MAX = 4;

/**
 * Each other member has a share of its own, so that no other's questions use it up (protocol rule 13.1). All observers together have one
 * more: there is enough for all as long as one member at least fetches nothing.
 */
function shareOf({ bytesPerSecond, burstBytes }: typeof SERVED, others: number): DonorLimits["rate"] {
  return { bytesPerSecond: Math.floor(bytesPerSecond / others), burstBytes: Math.floor(burstBytes / others) };
}

interface WaitingRequest {
  readonly request: FetchState;
  readonly stable: CheckpointCertificate;
}

/** What the host around it is for. */
export interface ServedStateHost {
  readonly nowMs: () => number;
  readonly onThrown: (error: unknown) => void;
}

/**
 * Gives others the state at the checkpoints that are kept here (protocol rule 10.1). Who asks for more than its share waits for
 * it, and what has waited is answered one request a turn, with all else in between.
 */
export class ServedState {
  readonly #options: Pick<HostOptions, "ports" | "observer">;
  readonly #executor: Pick<Executor, "snapshotAt">;
  readonly #host: ServedStateHost;
  readonly #donor: StateDonor;
  readonly #deflater: ChunkDeflater;
  /** Bounded by n, `PEERS_BY_KEY_MAX` and `WAITING_MAX`; the peer that was answered last is the last. */
  readonly #waiting = new Map<ReplicaId, WaitingRequest[]>();
  #isWaking = false;

  constructor(options: HostOptions, executor: Pick<Executor, "snapshotAt">, host: ServedStateHost) {
    this.#options = options;
    this.#executor = executor;
    this.#host = host;
    const { hasher, genesis, epochs } = options;
    this.#deflater = new ChunkDeflater(options);
    this.#donor = new StateDonor({
      hasher,
      chunkBytesMax: stateChunkBytesMax(genesis.limits),
      limits: { ratePerPeer: shareOf(SERVED, epochs.membership.members.length - 1), rate: SERVED },
    });
  }

  /** Checkpoints that are being fetched. */
  pinned(atMs: number): readonly SequenceNumber[] {
    return this.#donor.pinned(atMs);
  }

  /** Nothing is sent any more. */
  stop(): void {
    this.#waiting.clear();
    this.#options.ports.cancelTimer("serve");
    this.#deflater.stop();
  }

  /** @param stable what is kept here for certain: whoever asks for something else learns of it. */
  answer(peer: ReplicaId, request: FetchState, stable: CheckpointCertificate): void {
    const waiting = this.#waiting.get(peer) ?? [];
    if (!this.#isAnyoneBefore(peer) && this.#donor.opensInMs(peer, this.#host.nowMs()) === 0)
      return this.#serve(peer, { request, stable });
    if (waiting.length === WAITING_MAX) {
      this.#options.observer.onRejection?.({ code: "fetch.over-budget", from: peer });
      return;
    }
    waiting.push({ request, stable });
    this.#waiting.set(peer, waiting);
    this.#wake();
  }

  /** Whether what this peer asks for has to wait for what was asked for before out of the same share: all observers have one. */
  #isAnyoneBefore(peer: ReplicaId): boolean {
    return this.#waiting.has(peer) || (isObserverPeer(peer) && [...this.#waiting.keys()].some(isObserverPeer));
  }

  /** One answer, to who has its share and has waited longest. */
  #serveNext(): void {
    const atMs = this.#host.nowMs();
    for (const [peer, waiting] of this.#waiting) {
      if (this.#donor.opensInMs(peer, atMs) > 0) continue;
      this.#waiting.delete(peer);
      const next = waiting.shift();
      if (waiting.length > 0) this.#waiting.set(peer, waiting);
      if (next !== undefined) this.#serve(peer, next);
      break;
    }
    this.#wake();
  }

  #wake(): void {
    if (this.#isWaking || this.#waiting.size === 0) return;
    this.#isWaking = true;
    const atMs = this.#host.nowMs();
    const inMs = Math.min(...[...this.#waiting.keys()].map((peer) => this.#donor.opensInMs(peer, atMs)));
    this.#options.ports.startTimer("serve", inMs, () => {
      this.#isWaking = false;
      try {
        this.#serveNext();
      } catch (error) {
        this.#host.onThrown(error);
      }
    });
  }

  #serve(peer: ReplicaId, { request, stable }: WaitingRequest): void {
    const { ports, observer } = this.#options;
    const snapshotAt = this.#executor.snapshotAt.bind(this.#executor);
    const { answer, damages } = this.#donor.answer(request, snapshotAt, stable.seq, this.#host.nowMs(), peer);
    for (const damage of damages) observer.onStateDamaged?.(damage);
    switch (answer.type) {
      case "chunk":
        return this.#deflater.send(peer, answer.chunk, request.takesDeflated);
      case "unavailable":
        ports.sendToReplica(peer, { type: "state-unavailable", unavailable: answer.unavailable });
        if (stable.signatures.length > 0) ports.sendToReplica(peer, { type: "stable-checkpoint", checkpoint: stable });
        return;
      case "over-budget":
        return observer.onRejection?.({ code: "fetch.over-budget", from: peer });
    }
  }
}

import {
  type CheckpointCertificate,
  type FetchState,
  type ReplicaId,
  type SequenceNumber,
  stateChunkBytesMax,
} from "@quorate/protocol";
import type { Executor } from "@quorate/state-machine";
import { type DonorLimits, StateDonor } from "@quorate/state-transfer";
import { ChunkDeflater } from "./chunk-deflater.ts";
import type { HostOptions } from "./host-options.ts";

/** For all peers together: a gigabyte from three donors in a quarter of a minute, and this replica goes on ordering. */
const SERVED = { bytesPerSecond: 96 * 1024 * 1024, burstBytes: 24 * 1024 * 1024 } as const;

/** Each peer has a share of its own, so that no other's questions use it up (protocol rule 13.1). */
function shareOf({ bytesPerSecond, burstBytes }: typeof SERVED, peers: number): DonorLimits["rate"] {
  return { bytesPerSecond: Math.floor(bytesPerSecond / peers), burstBytes: Math.floor(burstBytes / peers) };
}

/** Gives others the state at the checkpoints that are kept here (protocol rule 10.1). */
export class ServedState {
  readonly #options: Pick<HostOptions, "ports" | "observer">;
  readonly #executor: Pick<Executor, "snapshotAt">;
  readonly #donor: StateDonor;
  readonly #deflater: ChunkDeflater;

  constructor(options: HostOptions, executor: Pick<Executor, "snapshotAt">) {
    this.#options = options;
    this.#executor = executor;
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
    this.#deflater.stop();
  }

  /** @param stable what is kept here for certain: whoever asks for something else learns of it. */
  answer(peer: ReplicaId, request: FetchState, stable: CheckpointCertificate, atMs: number): void {
    const { ports, observer } = this.#options;
    const snapshotAt = this.#executor.snapshotAt.bind(this.#executor);
    const { answer, damages } = this.#donor.answer(request, snapshotAt, stable.seq, atMs, peer);
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

import {
  type CheckpointCertificate,
  type FetchState,
  type ReplicaId,
  type SequenceNumber,
  stateChunkBytesMax,
} from "@quorate/protocol";
import type { Executor } from "@quorate/state-machine";
import { StateDonor } from "@quorate/state-transfer";
import type { HostOptions } from "./host-options.ts";

/** Gives others the state at the checkpoints that are kept here (protocol rule 10.1). */
export class ServedState {
  readonly #options: Pick<HostOptions, "ports" | "observer">;
  readonly #executor: Pick<Executor, "snapshotAt">;
  readonly #donor: StateDonor;

  constructor(options: HostOptions, executor: Pick<Executor, "snapshotAt">) {
    this.#options = options;
    this.#executor = executor;
    const { hasher, genesis } = options;
    this.#donor = new StateDonor({ hasher, chunkBytesMax: stateChunkBytesMax(genesis.limits) });
  }

  /** Checkpoints that are being fetched. */
  pinned(atMs: number): readonly SequenceNumber[] {
    return this.#donor.pinned(atMs);
  }

  /** @param stable what is kept here for certain: whoever asks for something else learns of it. */
  answer(peer: ReplicaId, request: FetchState, stable: CheckpointCertificate, atMs: number): void {
    const { ports, observer } = this.#options;
    const snapshotAt = this.#executor.snapshotAt.bind(this.#executor);
    const { answer, damages } = this.#donor.answer(request, snapshotAt, stable.seq, atMs, peer);
    for (const damage of damages) observer.onStateDamaged?.(damage);
    switch (answer.type) {
      case "chunk":
        return ports.sendToReplica(peer, { type: "state-chunk", chunk: answer.chunk });
      case "unavailable":
        ports.sendToReplica(peer, { type: "state-unavailable", unavailable: answer.unavailable });
        if (stable.signatures.length > 0) ports.sendToReplica(peer, { type: "stable-checkpoint", checkpoint: stable });
        return;
      case "over-budget":
        return observer.onRejection?.({ code: "fetch.over-budget", from: peer });
    }
  }
}

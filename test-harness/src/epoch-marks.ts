import { nullBatchDigest } from "@quorate/crypto";
import { type Digest, epochOfFrame, type ReplicaFrame } from "@quorate/protocol";
import type { ReplicaStatus } from "@quorate/replica";
import type { ReplicaRunner, ViewTurn } from "@quorate/server/host";
import type { Marks } from "./marks.ts";
import type { World } from "./world.ts";

/** What must have happened around the turns of epochs, in a large campaign. */
export const EPOCH_MARKS = {
  begun: "epoch: begun",
  viewLeft: "epoch: view left on the way to the activation",
  crash: "epoch: crash on the way to the activation",
  nullBatch: "epoch: null batch on the way to the activation",
  transfer: "epoch: state transfer across an activation",
  linkLearned: "epoch: link learned of another",
  frameKept: "epoch: frame of the next one came early",
  requestKept: "epoch: request kept for the next one",
  quarantine: "epoch: begun in quarantine",
  repair: "epoch: begun while a repair waits",
  joined: "epoch: observer became a member",
  left: "epoch: member became an observer",
  rejoined: "epoch: mute member votes in the next one",
  rotated: "epoch: old key gone",
  clientBehind: "client: several epochs behind",
} as const;

/** Counts what happens to one replica around the turns of its epochs, from what it shows. */
export class EpochMarks {
  readonly #marks: Marks;
  readonly #nullDigest: Digest;
  #fetchesSince: number | undefined;
  #hasTurned = false;
  /** Before the turn. */
  #before: Pick<ReplicaStatus, "observer" | "mute"> | undefined;

  constructor({ marks, cluster }: World) {
    this.#marks = marks;
    this.#nullDigest = nullBatchDigest(cluster.hasher, cluster.cluster);
  }

  onArrival({ status }: ReplicaRunner, frame: ReplicaFrame): void {
    if ((epochOfFrame(frame) ?? 0) > status.epoch) this.#marks.add(EPOCH_MARKS.frameKept);
  }

  /** @param before the latest epoch that it knew before this frame. */
  onFrame({ epochs }: ReplicaRunner, before: number): void {
    if (epochs.epoch > before) this.#marks.add(EPOCH_MARKS.linkLearned);
  }

  onViewChange(turn: ViewTurn, host: ReplicaRunner | undefined): void {
    if (turn.type === "started" && isOnTheWay(host)) this.#marks.add(EPOCH_MARKS.viewLeft);
  }

  onCrash(host: ReplicaRunner | undefined): void {
    if (isOnTheWay(host)) this.#marks.add(EPOCH_MARKS.crash);
    this.#fetchesSince = undefined;
    this.#hasTurned = false;
  }

  onExecuted(digest: string, host: ReplicaRunner): void {
    if (digest === this.#nullDigest && isOnTheWay(host)) this.#marks.add(EPOCH_MARKS.nullBatch);
  }

  onEpoch(host: ReplicaRunner | undefined): void {
    this.#marks.add(EPOCH_MARKS.begun);
    if (host?.quarantine !== undefined) this.#marks.add(EPOCH_MARKS.quarantine);
    if (host?.repair !== undefined) this.#marks.add(EPOCH_MARKS.repair);
    if (host !== undefined) this.#onRole(host.status);
    this.#hasTurned = true;
  }

  #onRole({ observer, mute }: ReplicaStatus): void {
    const before = this.#before;
    this.#before = { observer, mute };
    if (before === undefined) return;
    if (before.observer !== undefined && observer === undefined) this.#marks.add(EPOCH_MARKS.joined);
    if (before.observer === undefined && observer !== undefined) this.#marks.add(EPOCH_MARKS.left);
    if (before.mute !== undefined && mute === undefined && observer === undefined)
      this.#marks.add(EPOCH_MARKS.rejoined);
  }

  /** The key before is erased. */
  onKeyGone(): void {
    this.#marks.add(EPOCH_MARKS.rotated);
  }

  onTransferStarted(host: ReplicaRunner | undefined): void {
    this.#fetchesSince = host?.status.epoch;
  }
  onTransferred(host: ReplicaRunner | undefined): void {
    if (host !== undefined && host.status.epoch > (this.#fetchesSince ?? host.status.epoch))
      this.#marks.add(EPOCH_MARKS.transfer);
    this.#fetchesSince = undefined;
  }

  /** @param cause a request that has just come is none that was kept. */
  afterStep(host: ReplicaRunner, status: ReplicaStatus, cause: string): void {
    this.#before = status;
    if (!this.#hasTurned) return;
    this.#hasTurned = false;
    const isAnyPending = host.fills.some(({ of, size }) => of === "pending requests" && size > 0);
    if (isAnyPending && cause !== "request") this.#marks.add(EPOCH_MARKS.requestKept);
  }
}

/** A change is executed, and not yet in force. */
function isOnTheWay(host: ReplicaRunner | undefined): boolean {
  return host !== undefined && !host.isInstalling && host.status.activation !== undefined;
}

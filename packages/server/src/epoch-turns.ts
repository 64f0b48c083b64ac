import {
  type CheckpointCertificate,
  type Epoch,
  type EpochLink,
  invariant,
  type ReplicaId,
  type Request,
} from "@quorate/protocol";
import { writeEpochLink } from "./epoch-records.ts";
import type { StageOptions } from "./host-options.ts";
import type { Installation } from "./installation-record.ts";
import { withinReach } from "./log-reach.ts";
import type { ReplicaHost } from "./replica-host.ts";

/** What is kept while a replica goes from one epoch to the next. */
export interface TurnOfEpochs {
  /** It waits to be ordered, and is worth as much in the next epoch. */
  keepRequest(request: Request): void;
  /** The next epoch has begun. */
  onBegun(): void;
}

/** What the stages of a replica are to the turns of its epochs. */
export interface TurnedStages {
  readonly host: ReplicaHost | undefined;
  /** What is brought here. */
  readonly installation: Installation | undefined;
  /** The state is here, and level with the votes. */
  readonly hasState: boolean;
  /** It stands still, or is about to install: what comes after that is made of what is known by then. */
  readonly isResting: boolean;
  /** It goes from one stage to the next on a flush of its own, and makes the next host of what is known then. */
  readonly isBetweenStages: boolean;
  /** Ends what lives in the epoch that is over: the host and what is executed beside it. */
  endVoting(): void;
  endInstalling(): void;
  /** A host, or the repair of what it needs, on what lies on the disk; who it is, the latest epoch says. */
  begin(): void;
  start(): void;
  install(installation: Installation): void;
  /** Runs `next` when all that was written is durable, and every link that is known by then. */
  flushed(next: () => void): void;
}

/**
 * How a replica goes from one epoch to the next (decision 0041): by a restart of its host, on the link of the chain. In each it is
 * who its keys say: a member, by this key or another, or an observer (decision 0044).
 */
export class EpochTurns {
  readonly #o: StageOptions;
  readonly #stages: TurnedStages;
  readonly #turn: TurnOfEpochs;
  /** Between the end of a host and the beginning of the next. */
  #isTurning = false;
  /** Known at the start, or told since. */
  #toldEpoch: Epoch;

  constructor(options: StageOptions, stages: TurnedStages, turn: TurnOfEpochs) {
    this.#o = options;
    this.#stages = stages;
    this.#turn = turn;
    this.#toldEpoch = options.epochs.epoch;
  }

  get isTurning(): boolean {
    return this.#isTurning;
  }

  /**
   * Epochs have begun without this replica. What it lacks of its own may be in the others' histories, and it comes to the end of it
   * by itself; of an epoch before the last only the state helps.
   */
  onEpochsKnown(peer: ReplicaId): void {
    const stages = this.#stages;
    // Nothing is said in an epoch before its link is durable.
    stages.flushed(() => {
      const { epoch, link } = this.#o.epochs;
      if (link === undefined || this.#isTurning || stages.host?.epoch === epoch) return;
      if (stages.isBetweenStages) return this.tell();
      if (stages.hasState && stages.host?.epoch === epoch - 1)
        stages.host.onReplicaFrame(peer, { type: "stable-checkpoint", checkpoint: link.certificate });
      else this.#beginAgain(link.certificate);
    });
  }

  /** This replica has come to the end of its epoch, and has the state to begin the next with. */
  onEpochOver(link: EpochLink): void {
    const { epochs, store, codec } = this.#o;
    const stages = this.#stages;
    const waiting = [...(stages.host?.pendingRequests ?? [])];
    const verdict = epochs.add(link);
    invariant(verdict === "added" || verdict === "known", "runner.own-link", { verdict });
    if (verdict === "added") writeEpochLink(store.local, codec, link);
    stages.endVoting();
    this.#isTurning = true;
    for (const request of waiting) this.#turn.keepRequest(request);
    stages.flushed(() => this.#beginEpoch());
  }

  /** From what lies on the disk, in the latest epoch that is known. */
  #beginAgain(start: CheckpointCertificate): void {
    const stages = this.#stages;
    this.tell();
    if (stages.isResting) return;
    const { installation } = stages;
    stages.endInstalling();
    stages.endVoting();
    if (installation === undefined) return this.#beginEpoch();
    const target = installation.target.seq > start.seq ? installation.target : start;
    stages.install(withinReach({ ...installation, target }, this.#o));
    this.#turn.onBegun();
  }

  #beginEpoch(): void {
    this.#isTurning = false;
    this.#stages.begin();
    this.tell();
    this.#stages.start();
    this.#turn.onBegun();
  }

  /** Of the latest epoch that is known, once. */
  tell(): void {
    const { epochs, observer } = this.#o;
    if (this.#toldEpoch === epochs.epoch) return;
    this.#toldEpoch = epochs.epoch;
    observer.onEpoch?.(epochs.membership);
  }
}

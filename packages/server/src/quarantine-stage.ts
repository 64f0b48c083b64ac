import { type CheckpointCertificate, type ReplicaFrame, type ReplicaId, sequenceNumber } from "@quorate/protocol";
import type { Departure } from "./departure.ts";
import type { StageOptions } from "./host-options.ts";
import { type Installation, writeInstallation } from "./installation-record.ts";
import { withinReach } from "./log-reach.ts";
import { noteQuarantine } from "./note-quarantine.ts";
import { Quarantine, type QuarantineOptions, type QuarantineStatus } from "./quarantine.ts";
import { type QuarantineRecord, readQuarantine, writeQuarantine } from "./quarantine-record.ts";

/** What is known when a quarantine begins; nothing after a restart. */
type Ground = Pick<QuarantineOptions, "known" | "preferred" | "isRestart">;

const AFTER_A_RESTART: Ground = { known: undefined, preferred: sequenceNumber(0), isRestart: true };

/** From being found wrong to the repair: keeps on the disk that the replica stands still, and that it does so no more. */
export class QuarantineStage {
  readonly #options: StageOptions;
  readonly #install: (installation: Installation) => void;
  /** Undefined while the replica does not stand still. */
  #quarantine: Quarantine | undefined;
  #isStopped = false;

  /** @param install there is something to repair the state towards; what is to be installed is on the disk. */
  constructor(options: StageOptions, install: (installation: Installation) => void) {
    this.#options = options;
    this.#install = install;
  }

  get status(): QuarantineStatus | undefined {
    return this.#quarantine?.status;
  }
  get isUnderWay(): boolean {
    return this.#quarantine !== undefined;
  }

  /** @returns whether the store is that of a replica that stands still: it does so again, once it is started. */
  resume(): boolean {
    const record = readQuarantine(this.#options.store.local);
    if (record?.isWaiting === true) this.#quarantine = this.#newQuarantine(record, AFTER_A_RESTART);
    return this.isUnderWay;
  }

  /** A host has ended because others contradict it, or because it is damaged and no certificate is known. */
  enter({ target: known, quarantine }: Departure): void {
    const { store, observer } = this.#options;
    const preferred = quarantine?.lastCheckpoint ?? sequenceNumber(0);
    const record = noteQuarantine(store.local, quarantine);
    this.#quarantine = this.#newQuarantine(record, { known, preferred, isRestart: false });
    if (quarantine !== undefined) observer.onQuarantined?.(quarantine.contradiction, this.#quarantine.status);
    this.start();
  }

  start(): void {
    this.#quarantine?.start();
  }
  stop(): void {
    this.#isStopped = true;
    this.#quarantine?.stop();
  }

  /** See `ReplicaHost.onReplicaFrame`; undefined while it does not stand still. */
  onReplicaFrame(peer: ReplicaId, frame: ReplicaFrame): boolean | undefined {
    return this.#quarantine?.onReplicaFrame(peer, frame);
  }

  #newQuarantine(record: QuarantineRecord, ground: Ground): Quarantine {
    const { observer } = this.#options;
    return new Quarantine({
      ...this.#options,
      record,
      ...ground,
      onRejection: (rejection) => observer.onRejection?.(rejection),
      onTarget: (target) => this.#repair(record, target),
      onFatal: (error) => observer.onFatal(error),
    });
  }

  #repair(record: QuarantineRecord, target: CheckpointCertificate): void {
    if (this.#isStopped) return;
    const { store, codec } = this.#options;
    this.#quarantine = undefined;
    const installation = withinReach({ target, distrustsEntries: true }, this.#options);
    // In this order: between the two an installation goes before a quarantine.
    writeInstallation(store.local, codec, installation);
    writeQuarantine(store.local, { ...record, isWaiting: false });
    this.#install(installation);
  }
}

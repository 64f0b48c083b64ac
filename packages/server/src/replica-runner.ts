import {
  type CheckpointCertificate,
  type ClientFrame,
  type Fill,
  genesisMembership,
  InvariantViolation,
  type PublicKey,
  primaryOf,
  type ReplicaFrame,
  type ReplicaId,
  type SequenceNumber,
  type ServerFrame,
  sequenceNumber,
  viewNumber,
} from "@quorate/protocol";
import type { ReplicaStatus } from "@quorate/replica";
import { StateError } from "@quorate/state-machine";
import type { FetchProgress } from "@quorate/state-transfer";
import { StateDamage } from "@quorate/state-tree";
import type { KeptEvidence } from "./evidence-shelf.ts";
import type { HostOptions } from "./host-options.ts";
import { type Installation, readInstallation, writeInstallation } from "./installation-record.ts";
import type { HandOverAnswer } from "./ports.ts";
import { Quarantine, type QuarantineOptions, type QuarantineStatus } from "./quarantine.ts";
import { type QuarantineRecord, readQuarantine, writeQuarantine } from "./quarantine-record.ts";
import { type Departure, ReplicaHost } from "./replica-host.ts";
import { StateInstaller } from "./state-installer.ts";

/** What `status` says while the state is brought here. */
export interface TransferStatus extends Omit<FetchProgress, "differing"> {
  /** How many keys differed so far. */
  readonly differing: number;
  /** What is here of the leaves that the target has, in hundredths; undefined before that is known. */
  readonly percent: number | undefined;
}

/**
 * Runs a replica on its store: as a `ReplicaHost` while the state there is whole, as a `StateInstaller` while it is brought to a
 * checkpoint of the others, and as a `Quarantine` while it is wrong and there is no such checkpoint yet. From one to the other it
 * goes as through a crash and a restart: by what the store holds, and nothing else, so that a real crash at any moment is no case
 * of its own.
 */
export class ReplicaRunner {
  readonly #options: HostOptions;
  #host: ReplicaHost | undefined;
  #installer: StateInstaller | undefined;
  #quarantine: Quarantine | undefined;
  #status: ReplicaStatus;
  #isStopped = false;

  /** @throws what `ReplicaHost` throws. */
  constructor(options: HostOptions) {
    this.#options = options;
    this.#status = unknownStatus(options);
    const installation = readInstallation(options.store.local, options.codec);
    const record = readQuarantine(options.store.local);
    if (installation !== undefined) this.#installer = this.#newInstaller(notBelowLog(installation, options));
    else if (record?.isWaiting === true) this.#quarantine = this.#newQuarantine(record, { isRestart: true });
    else this.#host = this.#newHostOrRepair(true);
  }

  /** Where it stands; while it installs, where it stood before. */
  get status(): ReplicaStatus {
    return this.#host?.status ?? this.#status;
  }
  /** The state is being brought here, or is to be: there is no replica that orders, executes or votes. */
  get isInstalling(): boolean {
    return this.#host === undefined;
  }
  /** It was found to be wrong, and stands still until there is something to repair it towards. */
  get quarantine(): QuarantineStatus | undefined {
    return this.#quarantine?.status;
  }
  /** What is brought here; undefined while the state is whole. */
  get transfer(): TransferStatus | undefined {
    const progress = this.#installer?.progress;
    if (progress === undefined) return undefined;
    const { leaves, leavesSkipped, leavesFetched } = progress;
    const percent = leaves && Math.floor((100 * (leavesSkipped + leavesFetched)) / leaves);
    return { ...progress, differing: progress.differing.count, percent };
  }
  /** See `ReplicaHost.digests`; undefined while there is no state. */
  get digests(): ReplicaHost["digests"] | undefined {
    return this.#host?.digests;
  }
  /** See `ReplicaHost.stateDigests`; undefined while there is no state. */
  get stateDigests(): ReplicaHost["stateDigests"] | undefined {
    return this.#host?.stateDigests;
  }
  /** See `ReplicaHost.audited`; undefined while there is no state. */
  get audited(): ReplicaHost["audited"] | undefined {
    return this.#host?.audited;
  }
  /** See `ReplicaHost.lastCheckpoint`; undefined while there is no state. */
  get lastCheckpoint(): number | undefined {
    return this.#host?.lastCheckpoint;
  }
  get fills(): readonly Fill[] {
    return this.#host?.fills ?? [];
  }
  get evidenceCount(): number {
    return this.#host?.evidenceCount ?? 0;
  }
  get evidenceDropped(): number {
    return this.#host?.evidenceDropped ?? 0;
  }
  get gatedEffects(): number {
    return this.#host?.gatedEffects ?? 0;
  }
  keptEvidence(): Iterable<KeptEvidence> {
    return this.#host?.keptEvidence() ?? [];
  }
  /** See `ReplicaHost.trace`; undefined while it installs. */
  trace(failure: Error, madeBy: string): ReturnType<ReplicaHost["trace"]> | undefined {
    return this.#host?.trace(failure, madeBy);
  }

  /** To be called once, when frames can be sent. */
  start(): void {
    // A host may find at its start that it has to install, and has then begun with that.
    this.#host?.start();
    this.#installer?.start();
    this.#quarantine?.start();
  }

  /** See `ReplicaHost.onReplicaFrame`. */
  onReplicaFrame(peer: ReplicaId, frame: ReplicaFrame): boolean {
    if (this.#host !== undefined) return this.#host.onReplicaFrame(peer, frame);
    return (this.#installer ?? this.#quarantine)?.onReplicaFrame(peer, frame) ?? true;
  }

  /** See `ReplicaHost.onClientFrame`; while it installs, clients are left to the others. */
  onClientFrame(client: PublicKey, frame: ClientFrame): boolean {
    return this.#host?.onClientFrame(client, frame) ?? true;
  }

  /** See `ReplicaHost.askHandOver`. */
  askHandOver(): HandOverAnswer {
    const { view, target, primary } = this.#status;
    return this.#host?.askHandOver() ?? { isAsked: false, view, target, primary };
  }

  /** See `ReplicaHost.welcome`. */
  welcome(): ServerFrame {
    const { view, executed } = this.#status;
    const { epoch } = genesisMembership(this.#options.genesis);
    return this.#host?.welcome() ?? { type: "welcome", epoch, view, executed };
  }

  /** Nothing happens any more; what was not flushed is not spoken. */
  stop(): void {
    this.#isStopped = true;
    this.#host?.stop();
    this.#installer?.stop();
    this.#quarantine?.stop();
  }

  /**
   * What execution reads at a start may be damaged as everything else, or less than what the log says is stable: the log says to
   * what it can be repaired, and before the first stable checkpoint nothing does.
   */
  #newHostOrRepair(isRestart: boolean): ReplicaHost | undefined {
    try {
      return new ReplicaHost(this.#options, (departure) => this.#depart(departure));
    } catch (error) {
      if (!isRepairable(error)) throw error;
      const target = stableInLog(this.#options);
      if (target === undefined) this.#quarantine = this.#newQuarantine(this.#quarantined(), { isRestart });
      else this.#installer = this.#newInstaller({ target, distrustsEntries: true });
      return undefined;
    }
  }

  /** Notes that it stands still, durably before a repair begins, since all is one stream of writes. */
  #quarantined(upTo: number = 0): QuarantineRecord {
    const { local } = this.#options.store;
    const before = readQuarantine(local);
    const record = {
      upTo: sequenceNumber(Math.max(upTo, before?.upTo ?? 0)),
      attempts: (before?.attempts ?? 0) + 1,
      isWaiting: true,
    };
    writeQuarantine(local, record);
    return record;
  }

  #newQuarantine(
    record: QuarantineRecord,
    { known, preferred = sequenceNumber(0), isRestart = false }: Partial<QuarantineGround>,
  ): Quarantine {
    const { signer, observer } = this.#options;
    return new Quarantine({
      ...this.#options,
      self: signer.self,
      record,
      known,
      preferred,
      isRestart,
      onRejection: (rejection) => observer.onRejection?.(rejection),
      onTarget: (target) => this.#repair(record, target),
      onFatal: (error) => observer.onFatal(error),
    });
  }

  #newInstaller(installation: Installation): StateInstaller {
    const { observer, signer } = this.#options;
    return new StateInstaller({
      ...this.#options,
      self: signer.self,
      installation,
      onRejection: (rejection) => observer.onRejection?.(rejection),
      onInstalled: (progress) => this.#onInstalled(progress),
      onFatal: (error) => observer.onFatal(error),
    });
  }

  #depart({ target, distrustsEntries, quarantine }: Departure): void {
    const { observer, ports } = this.#options;
    if (this.#isStopped || this.#host === undefined) return;
    this.#status = this.#host.status;
    this.#host.stop();
    this.#host = undefined;
    for (const timer of HOST_TIMERS) ports.cancelTimer(timer);
    if (quarantine === undefined && target !== undefined) return this.#install({ target, distrustsEntries });
    this.#quarantine = this.#newQuarantine(this.#quarantined(quarantine?.upTo), {
      known: target,
      preferred: quarantine?.lastCheckpoint,
    });
    if (quarantine !== undefined) observer.onQuarantined?.(quarantine.contradiction, this.#quarantine.status);
    this.#quarantine.start();
  }

  #repair(record: QuarantineRecord, target: CheckpointCertificate): void {
    if (this.#isStopped) return;
    const { store, codec } = this.#options;
    this.#quarantine = undefined;
    const installation = notBelowLog({ target, distrustsEntries: true }, this.#options);
    // In this order: between the two an installation goes before a quarantine.
    writeInstallation(store.local, codec, installation);
    writeQuarantine(store.local, { ...record, isWaiting: false });
    this.#install(installation);
  }

  #install(installation: Installation): void {
    this.#options.observer.onTransferStarted?.(installation);
    this.#installer = this.#newInstaller(installation);
    this.#installer.start();
  }

  #onInstalled(progress: FetchProgress): void {
    const { observer } = this.#options;
    if (this.#isStopped) return;
    this.#installer = undefined;
    try {
      this.#host = this.#newHostOrRepair(false);
    } catch (error) {
      return observer.onFatal(error instanceof Error ? error : new Error(String(error)));
    }
    if (this.#host !== undefined) observer.onTransferred?.(progress, this.#host.status);
    this.start();
  }
}

/** What is known when a quarantine begins; nothing after a restart. */
type QuarantineGround = Pick<QuarantineOptions, "known" | "isRestart"> & {
  readonly preferred: SequenceNumber | undefined;
};

/** None was left. */
const NO_VIEWS_LEFT = { failed: 0, joined: 0, slow: 0, unfair: 0, "handed-over": 0, rotated: 0 } as const;
const HOST_TIMERS = ["status", "clock-wait", "fetch", "progress", "view-change"] as const;

/** The state is damaged, or a crash left it below what the log calls stable. */
function isRepairable(error: unknown): boolean {
  if (error instanceof StateDamage) return true;
  if (error instanceof StateError) return error.code === "state.damaged";
  return error instanceof InvariantViolation && error.code === "recovery.state-below-stable";
}

/** What the log calls stable cannot be gone back from. */
function notBelowLog(installation: Installation, options: HostOptions): Installation {
  const stable = stableInLog(options);
  return stable !== undefined && stable.seq > installation.target.seq
    ? { ...installation, target: stable }
    : installation;
}

/** The stable checkpoint that the log starts from; undefined for that of genesis. */
function stableInLog({ store, codec, verifier, genesis }: HostOptions): CheckpointCertificate | undefined {
  const stable = [...store.log.entries()].flatMap(({ record }) => {
    const decoded = codec.decodeLogRecord(record);
    return decoded.ok && decoded.value.type === "stable" ? [decoded.value.checkpoint] : [];
  });
  const last = stable.sort((a, b) => a.seq - b.seq).at(-1);
  return last && verifier.verifyCheckpointCertificate(last, genesisMembership(genesis));
}

/** Of a replica that comes back in the middle of an installation: it knows nothing of where it stood. */
function unknownStatus({ genesis }: HostOptions): ReplicaStatus {
  const view = viewNumber(0);
  return {
    view,
    target: view,
    timeOutMs: genesis.timeouts.viewChangeMs,
    primary: primaryOf(genesisMembership(genesis), view),
    executed: sequenceNumber(0),
    lowWatermark: sequenceNumber(0),
    highWatermark: sequenceNumber(0),
    pendingRequests: 0,
    viewsLeft: NO_VIEWS_LEFT,
    isStranded: true,
    mute: undefined,
    divergent: [],
  };
}

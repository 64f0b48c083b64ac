import {
  assertNever,
  type CheckpointCertificate,
  type ClientFrame,
  type Fill,
  genesisMembership,
  invariant,
  type PublicKey,
  type ReplicaFrame,
  type ReplicaId,
  type SequenceNumber,
  type ServerFrame,
  sequenceNumber,
  type TimerName,
} from "@quorate/protocol";
import type { ReplicaStatus } from "@quorate/replica";
import type { FetchProgress } from "@quorate/state-transfer";
import type { RunningBackup } from "./backup/state-backup.ts";
import { CatchUp, type CatchUpEnd, type CatchUpOptions } from "./catch-up.ts";
import { DamageCount, RecurringDamage } from "./damage-count.ts";
import type { KeptEvidence } from "./evidence-shelf.ts";
import type { HostOptions } from "./host-options.ts";
import { DEFAULT_HOST_SETTINGS } from "./host-settings.ts";
import { type Installation, readInstallation, writeInstallation } from "./installation-record.ts";
import { leadsTo, stableInLog, withinReach } from "./log-reach.ts";
import type { HandOverAnswer } from "./ports.ts";
import { Quarantine, type QuarantineOptions, type QuarantineStatus } from "./quarantine.ts";
import { type QuarantineRecord, readQuarantine, writeQuarantine } from "./quarantine-record.ts";
import { raiseLog } from "./raise-log.ts";
import { isBelowStable, isMissing, isRepairable } from "./repairable.ts";
import { type Departure, ReplicaHost, type StateDigests } from "./replica-host.ts";
import { genesisTarget } from "./replica-setup.ts";
import { StateInstaller } from "./state-installer.ts";
import { unknownStatus } from "./unknown-status.ts";

/** What `status` says while the state is brought here. */
export interface TransferStatus extends Omit<FetchProgress, "differing"> {
  /** How many keys differed so far. */
  readonly differing: number;
  /** What is here of the leaves that the target has, in hundredths; undefined before that is known. */
  readonly percent: number | undefined;
  /** It votes in ordering and view changes meanwhile (protocol rule 10.2). */
  readonly isVoting: boolean;
}

/** What `status` says of a replica that stands still because its state was damaged again and again. */
export interface RepairStatus {
  /** The repair that is waited for is the so-manyth in a row. */
  readonly attempt: number;
  /** It began to wait for so long. */
  readonly pauseMs: number;
}

/** An installation that has not begun, and how long it is waited for. */
interface PendingInstallation extends RepairStatus {
  readonly installation: Installation;
}

/**
 * Runs a replica on its store. While the state there is whole it is a `ReplicaHost`. While it is brought to a checkpoint of the
 * others a `StateInstaller` does that, and as soon as what votes rest on is proven, a host votes beside it, with execution put off;
 * then a `CatchUp` executes what those votes decided. While the state is wrong and there is no checkpoint to bring it to yet, it is a
 * `Quarantine`. From one to the next it goes as through a crash and a restart: by what the store holds, and nothing else, so that a
 * real crash at any moment is no case of its own.
 */
export class ReplicaRunner {
  readonly #options: HostOptions;
  /** With the state, or voting while that is brought here. */
  #host: ReplicaHost | undefined;
  #installer: StateInstaller | undefined;
  #catchUp: CatchUp | undefined;
  /** What was installed last, for as long as this replica catches up. */
  #installed: FetchProgress | undefined;
  #quarantine: Quarantine | undefined;
  #pending: PendingInstallation | undefined;
  readonly #damages: DamageCount;
  #isStarted = false;
  #status: ReplicaStatus;
  #isStopped = false;

  /** @throws what `ReplicaHost` throws. */
  constructor(options: HostOptions) {
    this.#options = options;
    this.#status = unknownStatus(options);
    const { damageForgottenMs } = { ...DEFAULT_HOST_SETTINGS, ...options.settings };
    const installation = readInstallation(options.store.local, options.codec);
    this.#damages = new DamageCount({
      store: options.store.local,
      nowMs: () => options.ports.nowMs(),
      forgottenAfterMs: damageForgottenMs,
      isUnderRepair: installation !== undefined,
    });
    const record = readQuarantine(options.store.local);
    if (installation !== undefined) this.#pend(withinReach(installation, options), this.#damages.pauseAtStartMs);
    else if (record?.isWaiting === true) this.#quarantine = this.#newQuarantine(record, { isRestart: true });
    else this.#hostOrRepair();
  }

  /** Where it stands; while it installs and does not vote, where it stood before. */
  get status(): ReplicaStatus {
    return this.#host?.status ?? this.#status;
  }
  /**
   * The state is being brought here, or is to be, or what was ordered meanwhile is executed: it answers nobody, and votes only
   * where `transfer` says so.
   */
  get isInstalling(): boolean {
    return this.#host === undefined || this.#installer !== undefined || this.#catchUp !== undefined;
  }
  /** It was found to be wrong, and stands still until there is something to repair it towards. */
  get quarantine(): QuarantineStatus | undefined {
    return this.#quarantine?.status;
  }
  /** Its state is damaged, and is repaired after a pause, because that was so before. */
  get repair(): RepairStatus | undefined {
    const { attempt, pauseMs } = this.#pending ?? { attempt: 0, pauseMs: 0 };
    return pauseMs > 0 ? { attempt, pauseMs } : undefined;
  }
  /** Repairs of damage in a row. */
  get repairs(): number {
    return this.#damages.repairs;
  }
  /** What is brought here; undefined while the state is whole and level with the votes. */
  get transfer(): TransferStatus | undefined {
    const progress = this.#installer?.progress ?? this.#installed;
    if (progress === undefined) return undefined;
    const { leaves, leavesSkipped, leavesFetched } = progress;
    const percent = leaves && Math.floor((100 * (leavesSkipped + leavesFetched)) / leaves);
    const isVoting = this.#host !== undefined && this.#host.status.mute === undefined;
    return { ...progress, differing: progress.differing.count, percent, isVoting };
  }
  /** See `ReplicaHost.digests`; undefined while there is no state. */
  get digests(): ReplicaHost["digests"] | undefined {
    return this.#host?.digests;
  }
  /** See `ReplicaHost.stateDigests`; undefined while there is no state. */
  get stateDigests(): StateDigests | undefined {
    return this.#catchUp?.digests ?? this.#host?.stateDigests;
  }
  /** See `ReplicaHost.audited`; undefined while there is no state. */
  get audited(): ReplicaHost["audited"] | undefined {
    return this.#host?.audited;
  }
  /** See `ReplicaHost.lastCheckpoint`; undefined while there is no state, or one that lags behind. */
  get lastCheckpoint(): number | undefined {
    return this.isInstalling ? undefined : this.#host?.lastCheckpoint;
  }
  /** The last number that is part of the state; undefined while that is brought here. */
  get stateExecuted(): SequenceNumber | undefined {
    if (this.#installer !== undefined) return undefined;
    return this.#catchUp?.executed ?? this.#host?.executed;
  }
  get fills(): readonly Fill[] {
    return this.#host?.fills ?? [];
  }
  /** See `ReplicaHost.scrubbed`. */
  get scrubbed(): number {
    return this.#host?.scrubbed ?? 0;
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
    this.#isStarted = true;
    // A host may find at its start that it has to install, and has then begun with that.
    const [pending, catchUp, quarantine] = [this.#pending, this.#catchUp, this.#quarantine];
    if (catchUp !== undefined && this.#host !== undefined) this.#options.observer.onVoting?.(this.#host.stable.seq);
    this.#host?.start();
    if (pending !== undefined) this.#awaitPause(pending);
    catchUp?.start();
    quarantine?.start();
  }

  /** See `ReplicaHost.onReplicaFrame`. */
  onReplicaFrame(peer: ReplicaId, frame: ReplicaFrame): boolean {
    switch (frame.type) {
      case "state-chunk":
      case "deflated-chunk":
      case "state-unavailable":
        if (this.#installer !== undefined) return this.#installer.onReplicaFrame(peer, frame);
        break;
      case "stable-checkpoint":
      case "below-history":
        if (this.#installer?.onReplicaFrame(peer, frame) === false) return false;
        break;
      default:
    }
    return (this.#host ?? this.#quarantine)?.onReplicaFrame(peer, frame) ?? true;
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

  /** See `ReplicaHost.openBackup`. */
  openBackup(): RunningBackup | undefined {
    return this.#host?.openBackup();
  }

  /** Nothing happens any more; what was not flushed is not spoken. */
  stop(): void {
    this.#isStopped = true;
    this.#host?.stop();
    this.#installer?.stop();
    this.#catchUp?.stop();
    this.#quarantine?.stop();
    if (this.#pending !== undefined) this.#options.ports.cancelTimer("install");
  }

  /**
   * A host on the state that is here. What execution reads at a start may be damaged as everything else, or less than what the log
   * says is stable: then what is missing is in the history, or the log says to what the state can be repaired.
   */
  #hostOrRepair(): void {
    this.#orRepair(() => {
      try {
        this.#host = this.#newHost();
      } catch (error) {
        if (!isBelowStable(error) || !this.#catchUpFromHistory()) throw error;
      }
    });
  }

  #orRepair(begin: () => void): void {
    try {
      begin();
    } catch (error) {
      if (!isRepairable(error)) throw error;
      const target = stableInLog(this.#options) ?? genesisTarget(this.#options);
      this.#endHost();
      // What a crash left behind is less than the log says, and not wrong; what is not there yet is no damage either.
      if (isBelowStable(error)) this.#pend({ target, distrustsEntries: false });
      else if (isMissing(error)) this.#pend({ target, distrustsEntries: true });
      else this.#pendRepair({ target, distrustsEntries: true }, error);
    }
  }

  #pend(installation: Installation, pauseMs = 0): void {
    this.#pending = { installation, attempt: this.#damages.repairs, pauseMs };
  }

  /**
   * Damage was found. What comes again after each repair is that of a disk or a memory that no repair mends, so each is waited for
   * longer, and in the end there is none. A start has one more, for whoever started the process may have mended it.
   */
  #pendRepair(installation: Installation, damage: Error): void {
    const { store, codec, observer } = this.#options;
    // In the stream of the state's writes, as the count: a restart goes on with it.
    writeInstallation(store.local, codec, installation);
    const repair = this.#damages.found();
    const pauseMs = this.#isStarted ? repair.pauseMs : this.#damages.pauseAtStartMs;
    observer.onRepair?.({ ...repair, pauseMs }, damage);
    if (pauseMs !== undefined) this.#pending = { installation, attempt: repair.attempt, pauseMs };
    else this.#flushed(() => this.#die(new RecurringDamage(repair.attempt - 1, damage)));
  }

  #awaitPause({ installation, pauseMs }: PendingInstallation): void {
    if (pauseMs === 0) return this.#install(installation);
    this.#options.ports.startTimer("install", pauseMs, () => {
      if (!this.#isStopped) this.#guarded(() => this.#install(installation));
    });
  }

  /** @returns whether the history leads from the state that is here to what the log calls stable. */
  #catchUpFromHistory(): boolean {
    const stable = stableInLog(this.#options);
    if (stable === undefined) return false;
    const catchUp = new CatchUp(this.#catchUpOptions());
    if (!leadsTo(this.#options.store, catchUp.executed, stable.seq)) return false;
    this.#host = this.#newHost(stable);
    this.#catchUp = catchUp;
    return true;
  }

  #catchUpOptions(): CatchUpOptions {
    return {
      ...this.#options,
      votes: () => {
        invariant(this.#host !== undefined, "runner.catches-up-with-nothing");
        return this.#host;
      },
      onProgress: () => this.#host?.countExecuted(),
      onEnd: (end) => this.#onCaughtUp(end),
      onFatal: (error) => this.#die(error),
    };
  }

  /** @param stable what the log calls stable, if the state is not here, or less. */
  #newHost(stable?: CheckpointCertificate): ReplicaHost {
    const awaited = stable && {
      stable,
      executed: () => this.#catchUp?.executed,
      votesMax: () => this.#catchUp?.votesMax ?? Number.POSITIVE_INFINITY,
    };
    return new ReplicaHost(this.#options, (departure) => this.#depart(departure), awaited);
  }

  /** Notes that it stands still, durably before a repair begins, since all is one stream of writes. */
  #quarantined({ upTo, statementsUpTo }: SaidSoFar = SAID_NOTHING): QuarantineRecord {
    const { local } = this.#options.store;
    const before = readQuarantine(local);
    const record = {
      upTo: sequenceNumber(Math.max(upTo, before?.upTo ?? 0)),
      statementsUpTo: sequenceNumber(Math.max(statementsUpTo, before?.statementsUpTo ?? 0)),
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
      onVotesFounded: (target) => this.#vote(target),
      raiseLog: (target, done) => this.#raiseLog(target, done),
      onRejection: (rejection) => observer.onRejection?.(rejection),
      onInstalled: (progress) => this.#onInstalled(progress),
      onFatal: (error) => this.#die(error),
    });
  }

  /** A host has come to its end: what it lacks only the state of others can give. */
  #depart({ target, distrustsEntries, quarantine, damage }: Departure): void {
    const { observer } = this.#options;
    if (this.#isStopped || this.#host === undefined) return;
    this.#endHost();
    this.#endCatchUp();
    if (quarantine === undefined && target !== undefined) {
      if (damage === undefined) return this.#install({ target, distrustsEntries });
      this.#pendRepair({ target, distrustsEntries }, damage);
      if (this.#pending !== undefined) this.#awaitPause(this.#pending);
      return;
    }
    this.#quarantine = this.#newQuarantine(this.#quarantined(quarantine), {
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
    const installation = withinReach({ target, distrustsEntries: true }, this.#options);
    // In this order: between the two an installation goes before a quarantine.
    writeInstallation(store.local, codec, installation);
    writeQuarantine(store.local, { ...record, isWaiting: false });
    this.#install(installation);
  }

  #install(installation: Installation): void {
    if (this.#installer !== undefined) {
      this.#installer.supersede(installation.target);
      if (this.#installer.isFounded) this.#vote(this.#installer.installation.target);
      return;
    }
    this.#pending = undefined;
    this.#options.observer.onTransferStarted?.(installation);
    this.#installer = this.#newInstaller(installation);
    this.#installer.start();
  }

  /**
   * From here on this replica votes again (protocol rule 10.2). Not one whose own state was found wrong: before it is told from
   * what, it says nothing.
   */
  #vote(target: CheckpointCertificate): void {
    const installer = this.#installer;
    const isToVote = (): boolean =>
      // What is voted for above genesis rests on no certificate: it votes when it has the state.
      target.seq > 0 &&
      // One that votes already is ended where it is behind: from the target it goes on at once.
      (this.#host === undefined || this.#host.executed < target.seq) &&
      this.#installer === installer &&
      installer?.installation.target.seq === target.seq &&
      !installer.installation.distrustsEntries;
    if (!isToVote()) return;
    // The record of the installation must be there before the log says more than the state is.
    this.#flushed(() => {
      if (!isToVote()) return;
      this.#raiseLog(target, () => {
        if (!isToVote()) return;
        this.#startVoting(stableInLog(this.#options));
      });
    });
  }

  #startVoting(stable: CheckpointCertificate | undefined): void {
    this.#host = this.#newHost(stable);
    this.#options.observer.onVoting?.(this.#host.stable.seq);
    this.#host.start();
  }

  #raiseLog(target: CheckpointCertificate, done: () => void): void {
    const { store, codec } = this.#options;
    // What the votes have come to leads on from the target.
    if (this.#host !== undefined && this.#host.executed >= target.seq) return done();
    if (this.#host !== undefined) this.#endHost();
    // The log starts from genesis without saying so, and nothing in it is below.
    if (target.seq > 0 && (stableInLog(this.#options)?.seq ?? 0) <= target.seq) raiseLog(store, codec, target);
    this.#flushed(done);
  }

  #flushed(next: () => void): void {
    const { store } = this.#options;
    store.flush((failure) => {
      if (this.#isStopped) return;
      if (failure !== undefined) return this.#die(failure);
      this.#guarded(next);
    });
  }

  #onInstalled(progress: FetchProgress): void {
    if (this.#isStopped) return;
    this.#installer = undefined;
    this.#damages.repaired();
    if (this.#host !== undefined) return this.#guarded(() => this.#onStateHere(progress));
    // One that has voted may have left what is not durable; see `#onCaughtUp`.
    this.#flushed(() => this.#onStateHere(progress));
  }

  #onStateHere(progress: FetchProgress): void {
    const isVoting = this.#host !== undefined;
    if (isVoting) this.#orRepair(() => (this.#catchUp = new CatchUp(this.#catchUpOptions())));
    else this.#hostOrRepair();
    const executed = this.stateExecuted;
    if (executed !== undefined) this.#options.observer.onTransferred?.(progress, { ...this.status, executed });
    if (this.#catchUp !== undefined) this.#installed = progress;
    if (isVoting && this.#catchUp !== undefined) this.#catchUp.start();
    else this.start();
  }

  #onCaughtUp(end: CatchUpEnd): void {
    const { observer } = this.#options;
    if (this.#isStopped || this.#host === undefined) return;
    const { stable } = this.#host;
    this.#endCatchUp();
    this.#guarded(() => {
      switch (end.type) {
        case "cut-short":
          this.#options.store.history.clear();
          return this.#onLevel();
        case "level":
          return this.#onLevel();
        case "gap":
          return this.#depart({ target: stable, distrustsEntries: false, quarantine: undefined, damage: end.damage });
        case "damaged":
          observer.onStateDamaged?.(end.damage);
          return this.#depart({ target: stable, distrustsEntries: true, quarantine: undefined, damage: end.damage });
        case "contradicted":
          return this.#depart({ target: stable, distrustsEntries: true, quarantine: end.quarantine });
        default:
          return assertNever(end);
      }
    });
  }

  #onLevel(): void {
    this.#endHost();
    // What the log and the state hold may be in memory only, and the next host speaks of it as of what is durable.
    this.#flushed(() => {
      this.#hostOrRepair();
      if (!this.isInstalling) this.#options.observer.onLevel?.(this.status);
      this.start();
    });
  }

  #endHost(): void {
    this.#status = this.status;
    this.#host?.stop();
    this.#host = undefined;
    for (const timer of [...REPLICA_TIMERS, "serve", "scrub"] as const) this.#options.ports.cancelTimer(timer);
  }

  #endCatchUp(): void {
    this.#catchUp?.stop();
    this.#catchUp = undefined;
    this.#installed = undefined;
  }

  #guarded(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#die(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Nothing speaks for a replica of which a part has failed. */
  #die(error: Error): void {
    this.stop();
    this.#options.observer.onFatal(error);
  }
}

type SaidSoFar = Pick<QuarantineRecord, "upTo" | "statementsUpTo">;
const SAID_NOTHING: SaidSoFar = { upTo: sequenceNumber(0), statementsUpTo: sequenceNumber(0) };

/** What is known when a quarantine begins; nothing after a restart. */
type QuarantineGround = Pick<QuarantineOptions, "known" | "isRestart"> & {
  readonly preferred: SequenceNumber | undefined;
};

/** All of them, or it does not compile. */
const ALL_REPLICA_TIMERS: Readonly<Record<TimerName, true>> = {
  status: true,
  "clock-wait": true,
  fetch: true,
  progress: true,
  "view-change": true,
};
const REPLICA_TIMERS = Object.keys(ALL_REPLICA_TIMERS) as readonly TimerName[];

import {
  assertNever,
  type CheckpointCertificate,
  type Epoch,
  invariant,
  type ReplicaId,
  type SequenceNumber,
} from "@quorate/protocol";
import type { ReplicaStatus } from "@quorate/replica";
import type { FetchProgress } from "@quorate/state-transfer";
import { CatchUp, type CatchUpEnd, type CatchUpOptions } from "./catch-up.ts";
import type { Departure } from "./departure.ts";
import type { EpochDamage } from "./epoch-records.ts";
import { EpochTurns, type TurnedStages, type TurnOfEpochs } from "./epoch-turns.ts";
import type { HostOptions, StageOptions } from "./host-options.ts";
import { type Installation, readInstallation } from "./installation-record.ts";
import { leadsTo, stableInLog, withinReach } from "./log-reach.ts";
import { PendingInstallation } from "./pending-installation.ts";
import { QuarantineStage } from "./quarantine-stage.ts";
import { isBelowStable, isMissing, isRepairable } from "./repairable.ts";
import { ReplicaHost } from "./replica-host.ts";
import { signerIn } from "./replica-keys.ts";
import { startTarget } from "./replica-setup.ts";
import { REPLICA_TIMERS } from "./replica-timers.ts";
import { StateInstaller } from "./state-installer.ts";
import { unknownStatus } from "./unknown-status.ts";
import { type StagesAhead, VotesAhead } from "./votes-ahead.ts";

/**
 * What a replica is from one time to the next. While the state on its store is whole it is a `ReplicaHost`. While it is brought to a
 * checkpoint of the others a `StateInstaller` does that, and as soon as what votes rest on is proven, a host votes beside it, with
 * execution put off; then a `CatchUp` executes what those votes decided. While the state is wrong and there is no checkpoint to bring
 * it to yet, it is a `Quarantine`. From one to the next it goes as through a crash and a restart: by what the store holds, and
 * nothing else, so that a real crash at any moment is no case of its own.
 */
export class ReplicaStages {
  readonly #options: StageOptions;
  #host: ReplicaHost | undefined;
  #installer: StateInstaller | undefined;
  #catchUp: CatchUp | undefined;
  #installed: FetchProgress | undefined;
  readonly #quarantine: QuarantineStage;
  /** Its installation is under way, or in front of it. */
  readonly #pending: PendingInstallation;
  readonly #turn: TurnOfEpochs;
  readonly #turns: EpochTurns;
  readonly #ahead: VotesAhead;
  /** The link that leads to it is damaged here: nothing is said before it has come from others. */
  #awaitedEpoch: Epoch | undefined;
  #isStarted = false;
  #isStopped = false;
  #status: ReplicaStatus;

  /**
   * @param damage of the links of later epochs than those that are known.
   * @throws what `ReplicaHost` throws.
   */
  constructor(options: StageOptions, turn: TurnOfEpochs, damage?: EpochDamage) {
    this.#options = options;
    this.#turn = turn;
    const seen = this.#seen();
    this.#turns = new EpochTurns(options, seen, turn);
    this.#ahead = new VotesAhead(options, seen);
    this.#status = unknownStatus(options);
    const installation = readInstallation(options.store.local, options.codec);
    this.#pending = new PendingInstallation(options, installation !== undefined);
    this.#quarantine = new QuarantineStage(options, (repair) => this.#install(repair));
    this.#awaitedEpoch = damage?.last;
    if (damage === undefined) this.#begin(installation);
    else options.observer.onEpochsDamaged?.(damage);
  }

  /** With the state, or voting while that is brought here. */
  get host(): ReplicaHost | undefined {
    return this.#host;
  }
  get installer(): StateInstaller | undefined {
    return this.#installer;
  }
  get catchUp(): CatchUp | undefined {
    return this.#catchUp;
  }
  /** What was installed last, for as long as this replica catches up. */
  get installed(): FetchProgress | undefined {
    return this.#installed;
  }
  get quarantine(): Pick<QuarantineStage, "status" | "onReplicaFrame"> {
    return this.#quarantine;
  }
  get pending(): Pick<PendingInstallation, "status" | "repairs"> {
    return this.#pending;
  }
  /** That the host lives in, or the latest that is known. */
  get epoch(): Epoch {
    return this.#host?.epoch ?? this.#options.epochs.epoch;
  }
  /** It goes from one epoch to the next: what comes meanwhile is to be kept for that. */
  get isTurning(): boolean {
    return this.#turns.isTurning;
  }
  /** Where it stood when it had a host last; see `ReplicaRunner.status`. */
  get lastStatus(): ReplicaStatus {
    return this.#status;
  }
  get status(): ReplicaStatus {
    return this.#host?.status ?? this.#status;
  }
  get isInstalling(): boolean {
    return this.#host === undefined || this.#installer !== undefined || this.#catchUp !== undefined;
  }
  get stateExecuted(): SequenceNumber | undefined {
    if (this.#installer !== undefined) return undefined;
    return this.#catchUp?.executed ?? this.#host?.executed;
  }

  /** To be called once, when frames can be sent. */
  start(): void {
    this.#isStarted = true;
    // A host may find at its start that it has to install, and has then begun with that.
    const [isPending, catchUp] = [this.#pending.next !== undefined, this.#catchUp];
    const isQuarantined = this.#quarantine.isUnderWay;
    if (catchUp !== undefined && this.#host !== undefined) this.#options.observer.onVoting?.(this.#host.stable.seq);
    this.#host?.start();
    if (isPending) this.#installWhenDue();
    catchUp?.start();
    if (isQuarantined) this.#quarantine.start();
  }

  /** Nothing happens any more; what was not flushed is not spoken. */
  stop(): void {
    this.#isStopped = true;
    this.#host?.stop();
    this.#installer?.stop();
    this.#catchUp?.stop();
    this.#quarantine.stop();
    this.#pending.stop();
  }

  /** As what lies on the disk says. */
  #begin(installation: Installation | undefined): void {
    if (installation !== undefined) this.#pending.putAgain(installation);
    else if (!this.#quarantine.resume()) this.#hostOrRepair();
  }

  /** What was damaged has come from others, so far. In an epoch before the last one it may contradict what it has said in that. */
  #beginWithLinks(): void {
    const { epochs, store, codec } = this.#options;
    this.#flushed(() => {
      if (this.#awaitedEpoch === undefined || epochs.epoch < this.#awaitedEpoch) return;
      this.#awaitedEpoch = undefined;
      this.#begin(readInstallation(store.local, codec));
      this.#turns.tell();
      this.start();
      this.#turn.onBegun();
    });
  }

  /** See `EpochTurns`. */
  onEpochsKnown(peer: ReplicaId): void {
    if (this.#awaitedEpoch !== undefined) return this.#beginWithLinks();
    this.#turns.onEpochsKnown(peer);
  }

  /** As its turns of epochs and its votes ahead see it. */
  #seen(): TurnedStages & StagesAhead {
    const isResting = (): boolean => this.#quarantine.isUnderWay || this.#pending.next !== undefined;
    const stages = this;
    return {
      get host() {
        return stages.#host;
      },
      get installer() {
        return stages.#installer;
      },
      get installation() {
        return stages.#installer?.installation;
      },
      get hasState() {
        return stages.#installer === undefined && stages.#catchUp === undefined;
      },
      get isResting() {
        return isResting();
      },
      get isBetweenStages() {
        return stages.#host === undefined && stages.#installer === undefined && !isResting();
      },
      endVoting: () => {
        this.#endHost();
        this.#endCatchUp();
      },
      endInstalling: () => {
        this.#installer?.stop();
        this.#installer = undefined;
      },
      begin: () => this.#hostOrRepair(),
      start: () => this.start(),
      install: (installation) => this.#install(installation),
      flushed: (next) => this.#flushed(next),
      endHost: () => this.#endHost(),
      startVoting: (stable) => this.#startVoting(stable),
    };
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
      const target = stableInLog(this.#options) ?? startTarget(this.#options);
      this.#endHost();
      // What a crash left behind is less than the log says, and not wrong; what is not there yet is no damage either.
      if (isBelowStable(error)) this.#pending.put({ target, distrustsEntries: false });
      else if (isMissing(error)) this.#pending.put({ target, distrustsEntries: true });
      else this.#pendRepair({ target, distrustsEntries: true }, error);
    }
  }

  /** Damage was found. */
  #pendRepair(installation: Installation, damage: Error): void {
    const end = this.#pending.putRepair(installation, damage, !this.#isStarted);
    if (end !== undefined) this.#flushed(() => this.#die(end));
  }

  #installWhenDue(): void {
    const { next } = this.#pending;
    if (next === undefined) return;
    const { installation, pauseMs } = next;
    // An epoch may have begun since it was put, in the pause too: what that begins with is stable from then on.
    const begin = (): void => this.#install(withinReach(installation, this.#options));
    if (pauseMs === 0) return begin();
    this.#options.ports.startTimer("install", pauseMs, () => {
      if (!this.#isStopped) this.#guarded(begin);
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

  /** Who it is, is for the epoch to say in which its next part lives. */
  get #hostOptions(): HostOptions {
    const { keys, ...options } = this.#options;
    return { ...options, signer: signerIn(keys, options.epochs.membership) };
  }

  #catchUpOptions(): CatchUpOptions {
    return {
      ...this.#hostOptions,
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
    const host = new ReplicaHost(this.#hostOptions, (departure) => this.#depart(departure), awaited);
    // It has rejoined: the host before was mute, and this one never was.
    if (this.#status.mute !== undefined && host.status.mute === undefined) this.#options.observer.onMute?.(undefined);
    return host;
  }

  #newInstaller(installation: Installation): StateInstaller {
    const { observer, keys, epochs } = this.#options;
    return new StateInstaller({
      ...this.#options,
      self: signerIn(keys, epochs.membership).self,
      installation,
      onVotesFounded: (target) => this.#ahead.vote(target),
      raiseLog: (target, done) => this.#ahead.raiseLog(target, done),
      onRejection: (rejection) => observer.onRejection?.(rejection),
      onInstalled: (progress) => this.#onInstalled(progress),
      onFatal: (error) => this.#die(error),
    });
  }

  /** A host has come to its end: what it lacks only the state of others can give, or its epoch is over. */
  #depart(departure: Departure): void {
    if (this.#isStopped || this.#host === undefined) return;
    const { distrustsEntries, quarantine, damage, link } = departure;
    // What an epoch begins with has no signatures here, and the log needs what can be proven.
    const target = departure.target?.signatures.length === 0 ? startTarget(this.#options) : departure.target;
    if (link !== undefined) return this.#guarded(() => this.#turns.onEpochOver(link));
    this.#endHost();
    this.#endCatchUp();
    if (quarantine === undefined && target !== undefined) {
      if (damage === undefined) return this.#install({ target, distrustsEntries });
      this.#pendRepair({ target, distrustsEntries }, damage);
      return this.#installWhenDue();
    }
    this.#quarantine.enter(departure);
  }

  #install(installation: Installation): void {
    if (this.#installer !== undefined) {
      this.#installer.supersede(installation.target);
      if (this.#installer.isFounded) this.#ahead.vote(this.#installer.installation.target);
      return;
    }
    this.#pending.take();
    this.#options.observer.onTransferStarted?.(installation);
    this.#installer = this.#newInstaller(installation);
    this.#installer.start();
  }

  #startVoting(stable: CheckpointCertificate | undefined): void {
    this.#host = this.#newHost(stable);
    this.#options.observer.onVoting?.(this.#host.stable.seq);
    this.#host.start();
  }

  /** What comes next may be a host in the latest epoch that is known, of which the link must be durable as well. */
  #flushed(next: () => void): void {
    const { store, epochs } = this.#options;
    const { epoch: covered } = epochs;
    store.flush((failure) => {
      if (this.#isStopped) return;
      if (failure !== undefined) return this.#die(failure);
      if (epochs.epoch !== covered) return this.#flushed(next);
      this.#guarded(next);
    });
  }

  #onInstalled(progress: FetchProgress): void {
    if (this.#isStopped) return;
    this.#installer = undefined;
    this.#pending.onInstalled();
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
    this.#turn.onBegun();
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
      this.#turn.onBegun();
    });
  }

  #endHost(): void {
    this.#status = this.status;
    this.#host?.stop();
    this.#host = undefined;
    for (const timer of [...REPLICA_TIMERS, "serve", "read", "scrub"] as const) this.#options.ports.cancelTimer(timer);
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

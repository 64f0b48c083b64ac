import {
  assertNever,
  type CheckpointClaim,
  type ClientFrame,
  type Epoch,
  type EpochLink,
  epochNumber,
  epochOfFrame,
  type Fill,
  isObserverPeer,
  type Membership,
  memberOf,
  type PublicKey,
  type ReadState,
  type ReplicaFrame,
  type ReplicaId,
  type SequenceNumber,
  type ServerFrame,
} from "@quorate/protocol";
import type { EpochChain } from "@quorate/reconfiguration";
import type { ReplicaStatus } from "@quorate/replica";
import type { FetchProgress } from "@quorate/state-transfer";
import type { RunningBackup } from "./backup/state-backup.ts";
import { EpochBacklog } from "./epoch-backlog.ts";
import { EpochExchange } from "./epoch-exchange.ts";
import { EpochDamage, readEpochs } from "./epoch-records.ts";
import type { KeptEvidence } from "./evidence-shelf.ts";
import type { RunnerOptions, StageOptions } from "./host-options.ts";
import type { StateDigests } from "./host-state.ts";
import { JoinClaims } from "./join-claims.ts";
import type { RepairStatus } from "./pending-installation.ts";
import type { HandOverAnswer } from "./ports.ts";
import type { QuarantineStatus } from "./quarantine.ts";
import type { ReplicaHost } from "./replica-host.ts";
import { ReplicaStages } from "./replica-stages.ts";

/** What `status` says while the state is brought here. */
export interface TransferStatus extends Omit<FetchProgress, "differing"> {
  /** How many keys differed so far. */
  readonly differing: number;
  /** What is here of the leaves that the target has, in hundredths; undefined before that is known. */
  readonly percent: number | undefined;
  /** It votes in ordering and view changes meanwhile (protocol rule 10.2). */
  readonly isVoting: boolean;
}

/** Runs a replica on its store: what the world says to it and asks of it, whatever it is at the moment (`ReplicaStages`). */
export class ReplicaRunner {
  readonly #options: StageOptions;
  readonly #backlog = new EpochBacklog();
  readonly #exchange: EpochExchange;
  readonly #claims: JoinClaims | undefined;
  readonly #stages: ReplicaStages;

  /** @throws what `ReplicaHost` throws. */
  constructor(given: RunnerOptions) {
    const { epochs, damage } = knownEpochs(given);
    const options = { ...given, epochs };
    this.#options = options;
    this.#exchange = new EpochExchange(options);
    const { claimant, ports } = options;
    this.#claims =
      claimant &&
      new JoinClaims({
        claimant,
        epochs: () => epochs,
        stable: () => this.stableCheckpoint,
        loss: options.store.lossNonce,
        nowMs: () => ports.monotonicMs(),
      });
    this.#stages = new ReplicaStages(
      options,
      {
        keepRequest: (request) => this.#backlog.keepRequest(request.client, { type: "request", request }),
        onBegun: () => this.#backlog.release(this),
      },
      damage,
    );
  }

  /** See `ReplicaStages.host`. */
  get #host(): ReplicaHost | undefined {
    return this.#stages.host;
  }

  /** Where it stands; while it installs and does not vote, where it stood before. */
  get status(): ReplicaStatus {
    return this.#stages.status;
  }
  /**
   * The state is being brought here, or is to be, or what was ordered meanwhile is executed: it answers nobody, and votes only
   * where `transfer` says so.
   */
  get isInstalling(): boolean {
    return this.#stages.isInstalling;
  }
  /** It was found to be wrong, and stands still until there is something to repair it towards. */
  get quarantine(): QuarantineStatus | undefined {
    return this.#stages.quarantine.status;
  }
  /** Its state is damaged, and is repaired after a pause, because that was so before. */
  get repair(): RepairStatus | undefined {
    return this.#stages.pending.status;
  }
  /** Repairs of damage in a row. */
  get repairs(): number {
    return this.#stages.pending.repairs;
  }
  /** What is brought here; undefined while the state is whole and level with the votes. */
  get transfer(): TransferStatus | undefined {
    const { installer, installed } = this.#stages;
    const progress = installer?.progress ?? installed;
    if (progress === undefined) return undefined;
    const { leaves, leavesSkipped, leavesFetched } = progress;
    const percent = leaves && Math.floor((100 * (leavesSkipped + leavesFetched)) / leaves);
    const { status: votes } = this.#host ?? {};
    const isVoting = votes !== undefined && votes.mute === undefined && votes.observer === undefined;
    return { ...progress, differing: progress.differing.count, percent, isVoting };
  }
  /** See `ReplicaHost.digests`; undefined while there is no state. */
  get digests(): ReplicaHost["digests"] | undefined {
    return this.#host?.digests;
  }
  /** See `ReplicaHost.stateDigests`; undefined while there is no state. */
  get stateDigests(): StateDigests | undefined {
    return this.#stages.catchUp?.digests ?? this.#host?.stateDigests;
  }
  /** See `ReplicaHost.audited`; undefined while there is no state. */
  get audited(): ReplicaHost["audited"] | undefined {
    return this.#host?.audited;
  }
  /** See `ReplicaHost.pendingChange`; undefined while there is no state. */
  get pendingChange(): ReplicaHost["pendingChange"] {
    return this.#host?.pendingChange;
  }
  /** The last stable checkpoint whose state is here; undefined while there is none but that of genesis. */
  get stableCheckpoint(): CheckpointClaim | undefined {
    const { seq, stateRoot } = (this.isInstalling ? undefined : this.#host?.stable) ?? {};
    return seq === undefined || stateRoot === undefined || seq === 0 ? undefined : { seq, stateRoot };
  }
  /** See `ReplicaHost.lastCheckpoint`; undefined while there is no state, or one that lags behind. */
  get lastCheckpoint(): number | undefined {
    return this.isInstalling ? undefined : this.#host?.lastCheckpoint;
  }
  /** The last number that is part of the state; undefined while that is brought here. */
  get stateExecuted(): SequenceNumber | undefined {
    return this.#stages.stateExecuted;
  }
  get fills(): readonly Fill[] {
    return [...(this.#host?.fills ?? []), this.#backlog.fill];
  }
  /** The epoch that it is in: the latest that is known, or one before it. */
  get epoch(): Epoch {
    return this.#stages.epoch;
  }
  /** The epochs that are known here. */
  get epochs(): EpochChain {
    return this.#options.epochs;
  }
  /**
   * Whether a client may connect at all. Admins and members may open no session where they are not listed, but order a checkpoint
   * or a change (protocol rules 9.1 and 11.1).
   */
  isClientAdmitted(client: PublicKey): boolean {
    const { admins, members } = this.#options.epochs.configuration;
    const isKnown = admins.keys.includes(client) || members.some(({ publicKey }) => publicKey === client);
    return isKnown || (this.#host?.isClientAdmitted(client) ?? true);
  }
  /** Whether it is no member of the epoch that it is in, or of the latest that is known, and follows. */
  get isObserver(): boolean {
    return this.#options.keys.signerIn(this.#membership) === undefined;
  }
  /**
   * Whether it was a member once, is none any more, and may be stopped: f+1 members of the epoch that it is in, so one that is correct,
   * have begun it, and nobody needs what a member of the one before has.
   */
  get mayStop(): boolean {
    const { observer } = this.status;
    if (observer === undefined || observer.members < observer.membersNeeded) return false;
    const { epochs, keys } = this.#options;
    for (let epoch = this.#stages.epoch - 1; epoch >= 0; epoch--) {
      const membership = epochs.membershipAt(epochNumber(epoch));
      if (membership !== undefined && keys.signerIn(membership) !== undefined) return true;
    }
    return false;
  }
  get #membership(): Membership {
    const { epochs } = this.#options;
    return epochs.membershipAt(this.#stages.epoch) ?? epochs.membership;
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
    this.#stages.start();
  }

  /** See `ReplicaHost.onReplicaFrame`. */
  onReplicaFrame(peer: ReplicaId, frame: ReplicaFrame): boolean {
    const { isTurning, epoch } = this.#stages;
    if (isTurning) {
      // Observers ask again.
      if (!isObserverPeer(peer)) this.#backlog.keepFrame(peer, frame);
      return true;
    }
    const ofFrame = epochOfFrame(frame) ?? epoch;
    if (ofFrame > epoch) return this.#onLaterEpoch(peer, ofFrame, frame);
    if (ofFrame < epoch) return this.#onEarlierEpoch(peer, ofFrame, frame);
    // Whoever was a member in the epoch before may still have its link.
    if (memberOf(this.#membership, peer) === undefined && !provesItself(frame))
      return this.#onWordOfObserver(peer, frame);
    return this.#onFrame(peer, frame);
  }

  #onFrame(peer: ReplicaId, frame: ReplicaFrame): boolean {
    const { installer, quarantine } = this.#stages;
    switch (frame.type) {
      case "fetch-epochs":
        this.#exchange.answer(peer, frame.fetch.above);
        return true;
      case "epoch-links":
        return this.#onLinks(peer, frame.links);
      case "state-chunk":
      case "deflated-chunk":
      case "state-unavailable":
        if (installer !== undefined) return installer.onReplicaFrame(peer, frame);
        break;
      case "stable-checkpoint":
      case "below-history":
        if (installer?.onReplicaFrame(peer, frame) === false) return false;
        break;
      default:
    }
    return (this.#host ?? quarantine).onReplicaFrame(peer, frame) ?? true;
  }

  /**
   * What only members say. One that was a member in an epoch before this one may not know yet that it is over: what it says as such
   * costs it no link.
   */
  #onWordOfObserver(peer: ReplicaId, frame: ReplicaFrame): boolean {
    const { epochs, observer } = this.#options;
    const isLate = frame.type === "request" || epochs.epoch > this.#stages.epoch;
    observer.onRejection?.({ from: peer, code: isLate ? "ingress.redundant" : "observer.speaks" });
    return isLate;
  }

  /** It is kept for when the epoch is reached; who is not known as a member yet says it again then. */
  #onLaterEpoch(peer: ReplicaId, epoch: Epoch, frame: ReplicaFrame): boolean {
    if (!isObserverPeer(peer)) this.#backlog.keepFrame(peer, frame);
    if (epoch > this.#options.epochs.epoch) this.#exchange.ask(peer);
    return true;
  }

  /** Whatever it was, it is answered with what its sender lacks (protocol rule 11.3). */
  #onEarlierEpoch(peer: ReplicaId, epoch: Epoch, frame: ReplicaFrame): boolean {
    this.#options.observer.onRejection?.({ from: peer, code: "epoch.other", epoch });
    this.#exchange.answer(peer, epoch);
    return this.#host?.onEarlierEpoch(peer, frame) ?? true;
  }

  #onLinks(peer: ReplicaId, links: readonly EpochLink[]): boolean {
    const outcome = this.#exchange.onLinks(peer, links);
    if (outcome === "junk") return false;
    if (outcome) this.#stages.onEpochsKnown(peer);
    return true;
  }

  /** See `ReplicaHost.onClientRequest`; while it installs, clients are left to the others. */
  onClientFrame(client: PublicKey, frame: ClientFrame): boolean {
    switch (frame.type) {
      case "request":
        if (!this.#stages.isTurning) return this.#host?.onClientRequest(client, frame.request) ?? true;
        this.#backlog.keepRequest(client, frame);
        return true;
      case "fetch-epochs":
        this.#exchange.onClient(client, frame.fetch.above);
        return true;
      case "read-state":
        this.#onStateRead(client, frame.read);
        return true;
      case "fetch-claim": {
        const answer = this.#claims?.answer(client, frame.fetch);
        if (answer !== undefined) this.#options.ports.sendToClient(client, answer);
        return true;
      }
      default:
        return assertNever(frame);
    }
  }

  #onStateRead(client: PublicKey, read: ReadState): void {
    if (this.#host?.onStateRead(client, read) === true) return;
    const unavailable = { id: read.id, type: "unavailable", reason: "no-state" } as const;
    this.#options.ports.sendToClient(client, { type: "state-read", read: unavailable });
  }

  /** See `ReplicaHost.askHandOver`. */
  askHandOver(): HandOverAnswer {
    const { view, target, primary } = this.#stages.lastStatus;
    return this.#host?.askHandOver() ?? { isAsked: false, view, target, primary };
  }

  /** See `ReplicaHost.welcome`. */
  welcome(): ServerFrame {
    const { view, executed } = this.#stages.lastStatus;
    const { epoch } = this.#options.epochs;
    return this.#host?.welcome() ?? { type: "welcome", epoch, view, executed };
  }

  /** See `ReplicaHost.openBackup`. */
  openBackup(): RunningBackup | undefined {
    return this.#host?.openBackup();
  }

  /** Nothing happens any more; what was not flushed is not spoken. */
  stop(): void {
    this.#exchange.stop();
    this.#stages.stop();
  }
}

/** Where a link is damaged, the epochs before it. */
function knownEpochs(given: RunnerOptions): { readonly epochs: EpochChain; readonly damage: EpochDamage | undefined } {
  try {
    return { epochs: readEpochs(given.store.local, given), damage: undefined };
  } catch (damage) {
    if (!(damage instanceof EpochDamage)) throw damage;
    return { epochs: damage.known, damage };
  }
}

/** Questions, and what is as convincing from anyone, by digest or certificate; all else is the word of members. */
function provesItself(frame: ReplicaFrame): boolean {
  switch (frame.type) {
    case "fetch-epochs":
    case "epoch-links":
    case "fetch-history":
    case "committed":
    case "stable-checkpoint":
    case "below-history":
    case "batch-body":
    case "fetch-state":
    case "state-chunk":
    case "deflated-chunk":
    case "state-unavailable":
      return true;
    case "pre-prepare":
    case "signed":
    case "request":
    case "view-change":
    case "new-view":
    case "query-stable":
    case "reply-stable":
      return false;
    default:
      return assertNever(frame);
  }
}

import type {
  Contradiction,
  Divergence,
  Evidence,
  Membership,
  OutOfEpoch,
  PublicKey,
  Rejection,
  ReplicaFrame,
  ReplicaId,
  SequenceNumber,
  ServerFrame,
  TimerName,
  ViewNumber,
} from "@quorate/protocol";
import type { JudgedChange } from "@quorate/reconfiguration";
import type { LeaveCause, MuteStatus, ReplicaStatus } from "@quorate/replica";
import type { FetchProgress } from "@quorate/state-transfer";
import type { ScrubSlice, StateDamage } from "@quorate/state-tree";
import type { StorageError } from "@quorate/storage";
import type { DamageRepair } from "./damage-count.ts";
import type { RecoveryError } from "./disk-recovery.ts";
import type { EpochDamage } from "./epoch-records.ts";
import type { Installation } from "./installation-record.ts";
import type { QuarantineStatus } from "./quarantine.ts";

/** The timers of a replica, those of bringing its state to it, of serving it to others and to clients, and the scrubber's. */
export type HostTimer = TimerName | "install" | "serve" | "read" | "tell-epochs" | "scrub";

/** The world around a `ReplicaHost`, real or simulated. Nothing here calls back before it returns. */
export interface HostPorts {
  /** Wall-clock milliseconds; the host keeps them from going back. */
  nowMs(): number;
  /** Milliseconds of a clock that never goes back. */
  monotonicMs(): number;
  /** Best effort: what is lost is asked for again. */
  sendToReplica(to: ReplicaId, frame: ReplicaFrame): void;
  /** To every replica of `to`; the frame is the same object, so it needs to be encoded once. */
  sendToReplicas(to: readonly ReplicaId[], frame: ReplicaFrame): void;
  /** To every observer that is linked here; the frame is the same object, as above. */
  sendToObservers(frame: ReplicaFrame): void;
  /** To every link of this client; nothing happens when there is none. */
  sendToClient(client: PublicKey, frame: ServerFrame): void;
  /** Starts a timer, replacing the one of this name; `fire` is called once, later, unless it is replaced or cancelled. */
  startTimer(timer: HostTimer, afterMs: number, fire: () => void): void;
  cancelTimer(timer: HostTimer): void;
}

/** What the host tells about itself; for logs, metrics and checkers. */
export interface HostObserver {
  /** A batch was executed. */
  onExecuted?(executed: ExecutedBatch): void;
  /** The reconfigurations of one batch were executed: accepted, or refused. Told again where the batch is executed again, after a repair. */
  onChanges?(changes: readonly JudgedChange[]): void;
  /** The low watermark moved. */
  onStable?(seq: number): void;
  onEvidence?(evidence: Evidence): void;
  onViewChange?(turn: ViewTurn): void;
  /** Mute after the loss of its disk, the replica knows more of what it waits for; undefined: it votes again. */
  onMute?(mute: MuteStatus | undefined): void;
  /** It is no member of its epoch, and f+1 members are in it: they do without it. Once in an epoch, and again after a restart. */
  onDispensable?(): void;
  /** The log was flushed; `tookMs` since that was asked for. */
  onLogFlushed?(tookMs: number): void;
  onRejection?(rejection: IngressRejection): void;
  /** An entry of the own history is not what was written, and was not given to a peer, nor executed; peers' are told of once. */
  onHistoryDamaged?(damage: StorageError | RecoveryError): void;
  /** The replica has left its part in the cluster to bring its state to that of the others. */
  onTransferStarted?(installation: Installation): void;
  /**
   * While its state is brought here the replica votes, above this checkpoint, which a quorum vouches for: told when that begins,
   * and each time it moves up (protocol rule 10.2).
   */
  onVoting?(stable: SequenceNumber): void;
  /** The state is here, and the replica goes on from it; `status` is where it stands now, with what is executed of it. */
  onTransferred?(progress: FetchProgress, status: ReplicaStatus): void;
  /** What was ordered while the state was brought here is executed, too: the replica is as it was before. */
  onLevel?(status: ReplicaStatus): void;
  /** A part of the own state is damaged: what a peer fetched, and was not given to it, or what was about to be used. */
  onStateDamaged?(damage: StateDamage): void;
  /** The state or what leads to it is damaged, and is to be repaired, after a pause if that was so before. */
  onRepair?(repair: DamageRepair, damage: Error): void;
  /** The scrubber looked at a part of the state, and found nothing. */
  onScrubbed?(slice: ScrubSlice): void;
  /** It found something, which `onStateDamaged` tells. */
  onScrubFound?(): void;
  /** A new epoch has begun here: what it fixes, and the last number before it (protocol rule 11.2). */
  onEpoch?(membership: Membership): void;
  /** A link of the epoch chain is damaged: the replica says nothing before it has it from others, for it may have spoken in that epoch. */
  onEpochsDamaged?(damage: EpochDamage): void;
  /** The replica is wrong, says nothing more, and is to be repaired. */
  onQuarantined?(contradiction: Contradiction, quarantine: QuarantineStatus): void;
  /** Another member is wrong. */
  onDivergence?(divergence: Divergence): void;
  /** The replica cannot go on: a broken invariant or a failed flush. Called once; nothing happens afterwards. */
  onFatal(error: Error): void;
}

/** What came of asking a replica to hand over; where it stood when it was asked. */
export interface HandOverAnswer {
  /** It was the primary of the view that it was in, and has asked the others to relieve it. */
  readonly isAsked: boolean;
  readonly view: number;
  /** Above `view` while it is between two views. */
  readonly target: number;
  /** Of `view`. */
  readonly primary: ReplicaId;
}
/** A view was given up for another one, or one was entered. */
export type ViewTurn =
  | { readonly type: "started"; readonly target: ViewNumber; readonly cause: LeaveCause | "followed" }
  | { readonly type: "entered"; readonly view: ViewNumber };

/** For observers: what one batch was. */
export interface ExecutedBatch {
  readonly seq: number;
  readonly batchDigest: string;
  readonly historyDigest: string;
  readonly requests: number;
  /** Sessions that gave way to those that it opened. */
  readonly sessionsEvicted: number;
  /** The state after it is a checkpoint. */
  readonly isCheckpoint: boolean;
}

/** Input that was dropped before, in or after `step`, counted by code. */
export type IngressRejection =
  | Rejection
  /** It asked for an entry that the own disk has changed. */
  | { readonly from: ReplicaId; readonly code: "history.damaged"; readonly seq: SequenceNumber }
  | { readonly from: ReplicaId; readonly code: "state-transfer.unexpected" }
  /** One that is no member in this epoch, and says something of it that is for members to say. */
  | { readonly from: ReplicaId; readonly code: "observer.speaks" }
  /** It asks for links of the epoch chain more often than anyone needs them, or sent one that proves nothing. */
  | { readonly from: ReplicaId; readonly code: "epochs.over-budget" | "epochs.bad-link" }
  /** What it rests on is certified for a number that was never for that epoch to certify. */
  | ({ readonly from: ReplicaId; readonly code: "ingress.out-of-epoch" } & OutOfEpoch)
  | {
      readonly from: ReplicaId | PublicKey;
      readonly code:
        | "ingress.bad-signature"
        | "ingress.bad-batch"
        | "ingress.bad-certificate"
        | "ingress.bad-view-change"
        | "ingress.bad-new-view"
        | "ingress.bad-reply-stable"
        | "ingress.foreign-vote"
        | "ingress.foreign-request"
        | "ingress.over-budget"
        | "ingress.redundant";
    };

import type { OrderingOptions, RestoredOrdering } from "@quorate/pbft-core";
import type {
  Digest,
  Divergence,
  Epoch,
  ReplicaId,
  SequenceNumber,
  Signer,
  VerifiedCommittedEntry,
  ViewChangeComposer,
  ViewNumber,
} from "@quorate/protocol";
import type { LeaveCause, RestoredViews, ViewChangingOptions } from "@quorate/view-change";
import type { MuteStatus, RestoredMuteness } from "./muteness.ts";

export interface ReplicaOptions
  extends Omit<OrderingOptions, "signer" | "windowSize" | "isMute">,
    Pick<ViewChangingOptions, "viewChangeMs" | "viewChangeMaxMs"> {
  /** Its `self` is `NO_MEMBER` where this replica is no member of its epoch, and observes. */
  readonly signer: Signer;
  readonly viewChangeComposer: ViewChangeComposer;
  /** K of genesis. */
  readonly checkpointInterval: number;
  /** L of genesis. */
  readonly windowSize: number;
  /** How often a replica that has work says where it stands. */
  readonly statusIntervalMs: number;
}

/** What the disk held, verified again; see `recover`. */
export interface Recovery {
  /** The last number whose effects are in the state. */
  readonly executed: SequenceNumber;
  readonly executionDigest?: Digest | undefined;
  /** See `RecoveredDisk.activation`. */
  readonly activation?: SequenceNumber | undefined;
  /** See `RecoveredDisk.silentUpTo`. */
  readonly silentUpTo?: SequenceNumber | undefined;
  /** See `RecoveredDisk.outputsSilentUpTo`. */
  readonly outputsSilentUpTo?: SequenceNumber | undefined;
  readonly ordering: RestoredOrdering;
  readonly views: RestoredViews;
  /** Committed entries of the own history above `executed`. */
  readonly committed: readonly VerifiedCommittedEntry[];
  /** Undefined unless the disk was lost once. */
  readonly muteness?: RestoredMuteness | undefined;
  /** The state at `executed` is being brought to this replica, see `RecoveredDisk`. */
  readonly awaitsState?: boolean | undefined;
}

/** What one that is no member can tell of where the members stand. */
export interface ObserverStatus {
  /** That have said something signed in this epoch, and how many suffice: f+1, of whom one is correct. */
  readonly members: number;
  readonly membersNeeded: number;
  /** How many checkpoint intervals lie between its last stable checkpoint and the highest of which it has the members' certificate. */
  readonly checkpointsBehind: number;
}

/** Where a replica stands, for `status` and metrics. */
export interface ReplicaStatus {
  readonly epoch: Epoch;
  /** The last number of the epoch; undefined while no change waits for its activation (protocol rule 11.2). */
  readonly activation: SequenceNumber | undefined;
  /** The view entered last. */
  readonly view: ViewNumber;
  /** The view it moves to; equal to `view` while it orders. */
  readonly target: ViewNumber;
  /** How long a request may wait in this view, in milliseconds. */
  readonly timeOutMs: number;
  readonly primary: ReplicaId;
  readonly executed: SequenceNumber;
  readonly lowWatermark: SequenceNumber;
  readonly highWatermark: SequenceNumber;
  readonly pendingRequests: number;
  /** How many views were left since the start, and why. */
  readonly viewsLeft: Readonly<Record<LeaveCause, number>>;
  /** The gap to the others has left their histories. */
  readonly isStranded: boolean;
  /** It lost its disk and does not vote yet; undefined otherwise. */
  readonly mute: MuteStatus | undefined;
  /** It is no member of its epoch: it follows, and says nothing that is signed. Undefined of a member. */
  readonly observer: ObserverStatus | undefined;
  /** Members that say something else than this replica and a quorum, or f others (protocol rule 9.5). */
  readonly divergent: readonly Divergence[];
}

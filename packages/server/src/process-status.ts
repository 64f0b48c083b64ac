import type { ClusterId, PublicKey, ReplicaId } from "@quorate/protocol";
import type { PendingChange } from "@quorate/reconfiguration";
import type { MuteStatus, ReplicaStatus } from "@quorate/replica";
import type { BackupFault } from "./backup/stream-backup.ts";
import type { KnownMembers } from "./known-members.ts";
import type { RepairStatus } from "./pending-installation.ts";
import type { QuarantineStatus } from "./quarantine.ts";
import type { ClientOutputStatus, PeerStatus } from "./replica-links.ts";
import type { TransferStatus } from "./replica-runner.ts";

/** What `quorate status` shows of one replica. */
export interface ProcessStatus extends ClientOutputStatus {
  readonly cluster: ClusterId;
  /** The first key of the replica, by which its folder is known. */
  readonly owner: PublicKey;
  /** Its id in the latest epoch that it knows; null: it is no member, and observes. */
  readonly replica: ReplicaId | null;
  readonly pid: number;
  readonly role: "primary" | "backup" | "observer";
  /** It was a member, is none any more, and nobody needs it any more. */
  readonly mayStop: boolean;
  /** The one that it is in. */
  readonly epoch: number;
  /** The latest that it knows, proven from genesis on: `epoch`, or the one to come. */
  readonly membership: KnownMembers;
  /** A change that is ordered there, and not in force yet. */
  readonly pendingChange: PendingChange | undefined;
  /** The view entered last. */
  readonly view: number;
  /** The view it moves to; equal to `view` while it orders. */
  readonly target: number;
  /** How long a request may wait in this view, in milliseconds. */
  readonly timeOutMs: number;
  readonly primary: ReplicaId;
  readonly executed: number;
  readonly lowWatermark: number;
  readonly highWatermark: number;
  readonly pendingRequests: number;
  /** How many views were left since it started, by cause. */
  readonly viewsLeft: ReplicaStatus["viewsLeft"];
  readonly isStranded: boolean;
  /** Where the members stand, as far as one that is none can tell; undefined of a member. */
  readonly observer: ReplicaStatus["observer"];
  /** It lost its disk and does not vote yet. */
  readonly mute: MuteStatus | undefined;
  /** What is brought here of the others' state; undefined while the own is whole. */
  readonly transfer: TransferStatus | undefined;
  /** Its state is damaged again, and is repaired after a pause. */
  readonly repair: RepairStatus | undefined;
  /** Others contradict it, and it stands still until there is something to repair it towards. */
  readonly quarantine: QuarantineStatus | undefined;
  /** Why the last backup was cut short; undefined once one has been given whole since. */
  readonly backupFault: BackupFault | undefined;
  readonly peers: readonly PeerStatus[];
  readonly clients: number;
  /** Observers that follow this replica. */
  readonly observers: number;
  readonly uptimeMs: number;
  readonly durability: string;
  readonly signatures: string;
  /** Of what was executed, and of what was put out by it; empty while the state is brought here. */
  readonly historyDigest: string;
  readonly executionDigest: string;
  readonly evidence: number;
  /** The scrubber's round since the process started, how much of it is done (0 to 1), and how often it found damage. */
  readonly scrub: { readonly round: number; readonly position: number; readonly findings: number };
  /** Dropped inputs by reason. */
  readonly rejections: Readonly<Record<string, number>>;
}

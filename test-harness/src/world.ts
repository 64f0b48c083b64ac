import type {
  CheckpointClaim,
  ClientFrame,
  Digest,
  Epoch,
  Membership,
  PublicKey,
  ReplicaFrame,
  ServerFrame,
} from "@quorate/protocol";
import type { EpochChain } from "@quorate/reconfiguration";
import type { ReplicaStore } from "@quorate/storage";
import type { Checker } from "./checkers/checker.ts";
import type { SimulatedCluster } from "./cluster.ts";
import type { Marks } from "./marks.ts";
import type { Network } from "./network.ts";
import type { SimulatedKeys } from "./simulated-keys.ts";
import type { SpaceTime } from "./space-time.ts";
import type { Trace } from "./trace.ts";
import type { VirtualClock } from "./virtual-clock.ts";
import type { Arrival, Wire } from "./wire.ts";

/** A replica, as others of a run see it. */
export interface WorldReplica {
  readonly isUp: boolean;
  readonly keys: SimulatedKeys;
  /** Its disk; undefined when it is lost. */
  readonly store: Pick<ReplicaStore, "lossNonce"> | undefined;
  /** What it says to be its last stable checkpoint; undefined while it is down or its state is brought to it. */
  claim(): CheckpointClaim | undefined;
}

/** Whoever sent a frame: its link was opened with the keys that it had then, which may be others when the frame arrives. */
export interface SendingReplica {
  readonly id: number;
  readonly keys: readonly PublicKey[];
}

/** What replicas and clients of one simulation live in. */
export interface World {
  readonly cluster: SimulatedCluster;
  readonly clock: VirtualClock;
  readonly network: Network;
  readonly wire: Wire;
  readonly marks: Marks;
  readonly trace: Trace;
  readonly checkers: readonly Checker[];
  /** Records the run for a picture of it, when one is wanted. */
  readonly spaceTime: SpaceTime | undefined;
  /** The epochs that any replica has come to. */
  epochs(): EpochChain;
  /** The members of one of them, the same object for everyone. */
  membershipAt(epoch: Epoch): Membership;
  /** Whose end answers to this key go to; undefined where nobody has it. */
  clientOf(key: PublicKey): number | undefined;
  /** By their numbers: members of genesis, then joiners. */
  replicas(): readonly WorldReplica[];
  /** Every committed entry that a correct replica has put into its history, which may keep little of it. */
  readonly archive: Map<number, Uint8Array>;
  /** Of the states at checkpoints, as correct replicas computed them. */
  readonly roots: Map<number, Digest>;
  /** Adds a line to the trace, with the time. */
  note(line: string): void;
  /** The run has failed; the first error counts. */
  fail(error: unknown): void;
  /** A replica would close the link to this client, whose frame no correct client sends. */
  onClientRefused(client: number): void;
  /** The receiving ends. */
  readonly receive: {
    replicaFrame(to: number, from: SendingReplica, frame: Arrival<ReplicaFrame>): void;
    /** @param key over whose link it comes; that of the client unless given. */
    clientFrame(to: number, client: number, frame: Arrival<ClientFrame>, key?: PublicKey): void;
    serverFrame(client: number, from: number, frame: Arrival<ServerFrame>): void;
  };
}

/** Virtual milliseconds since the start are wall-clock milliseconds since this. */
export const EPOCH_MS = 1_700_000_000_000;

import type { ReplicaFrame, VerifiedReply } from "@quorate/protocol";
import type { Compressor, HostObserver } from "@quorate/server/host";
import type { Service } from "@quorate/state-machine";
import type { ReplicaStore } from "@quorate/storage";
import type { LogFiles, MemoryStore } from "@quorate/storage/memory";
import type { SimulatedBackup } from "./simulated-backup.ts";

/** Bugs that a test builds into a simulation around the production code, to see that a checker finds them. */
export interface Plant {
  /** What is left of a store after a crash; `crashed` is what should be, `createEmpty` makes one without anything. */
  readonly recoveredStore?: (crashed: MemoryStore, createEmpty: () => MemoryStore) => MemoryStore;
  /** A replica whose disk was lost takes the new one for its first, and votes. */
  readonly forgetsLosses?: boolean;
  /** The files of the log, where a run has files. */
  readonly files?: (files: LogFiles) => LogFiles;
  /** The store that a replica sees; `later` runs a task after the current one. */
  readonly store?: (store: ReplicaStore, later: (task: () => void) => void) => ReplicaStore;
  /** The service of all replicas, below what records its executions: bugs that the record takes for truth. */
  readonly inner?: (service: Service) => Service;
  /** No bug: the cluster starts from the state that another one had. On disks without files. */
  readonly restored?: SimulatedBackup;
  /** No bug: so many clients read the state at stable checkpoints, so often each. Nobody may be faulty among the other clients. */
  readonly staleReads?: { readonly readers: number; readonly reads: number };
  /** From this number on the service is deterministic nowhere: what a replica does inside is no measure of another one. */
  readonly wrongFrom?: number;
  /** The service of one replica. */
  readonly service?: (service: Service, replica: number) => Service;
  /** What deflates the chunks of one replica, and inflates those of others; then all of them have one. */
  readonly compressor?: (compressor: Compressor, replica: number) => Compressor;
  /** What a replica's observers hear of an execution. */
  readonly onExecuted?: (tell: NonNullable<HostObserver["onExecuted"]>) => NonNullable<HostObserver["onExecuted"]>;
  /** Frames that replicas never send. */
  readonly withholds?: (frame: ReplicaFrame) => boolean;
  /** Frames that one replica does not get to hear. */
  readonly isDeafTo?: (frame: ReplicaFrame, replica: number) => boolean;
  /** What a client makes of one reply. */
  readonly replies?: (reply: VerifiedReply) => readonly VerifiedReply[];
}

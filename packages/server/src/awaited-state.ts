import type { CheckpointCertificate, SequenceNumber } from "@quorate/protocol";

/** The state is not here, or behind the votes: the replica votes, and leaves execution for later (protocol rule 10.2). */
export interface AwaitedState {
  /** What the log calls stable. */
  readonly stable: CheckpointCertificate;
  /** What is executed of it; undefined while it is not here. */
  readonly executed: () => SequenceNumber | undefined;
  /** How far the votes may go at the moment. When that moves up, `ReplicaHost.countExecuted` is called. */
  readonly votesMax: () => number;
}

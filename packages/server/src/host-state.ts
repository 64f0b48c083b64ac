import type {
  CheckpointCertificate,
  Digest,
  EpochLink,
  FetchState,
  PublicKey,
  ReadState,
  ReplicaId,
  SequenceNumber,
} from "@quorate/protocol";
import type { PendingChange } from "@quorate/reconfiguration";
import type { Replica } from "@quorate/replica";
import type { OwnAudit } from "./audit-document.ts";
import type { RunningBackup } from "./backup/state-backup.ts";
import type { HostExecution } from "./host-execution.ts";

/** What identifies the state and all that was executed to come to it. */
export interface StateDigests {
  readonly stateRoot: string;
  readonly historyDigest: string;
}

/** What was executed, and what was put out by it, in one digest each. */
export interface ExecutionDigests {
  readonly historyDigest: Digest;
  readonly executionDigest: Digest;
}

/**
 * Everything of a host that rests on the state. A host has it (`PresentState`), or votes while it is brought here
 * (`AbsentState`, protocol rule 10.2); which of the two holds for as long as the host lives.
 */
export interface HostState {
  readonly execution: HostExecution;
  /** Undefined without a state, as all that could only be said of one. */
  readonly digests: ExecutionDigests | undefined;
  /** After the last executed batch. Costs what changed. */
  readonly stateDigests: StateDigests | undefined;
  /** How much of its round the scrubber has done, from 0 to 1. */
  readonly scrubbed: number;
  /** What requests are worth is known by their sessions, which are part of the state. */
  readonly takesRequests: boolean;

  /** The last number of the epoch, as far as is known: where a change is ordered, or may be. */
  readonly activation: SequenceNumber | undefined;

  /** A change that is ordered and not in force yet; undefined where there is none, and without a state. */
  readonly pendingChange: PendingChange | undefined;

  /** The link of the chain that the state at a stable activation makes with its certificate (protocol rule 11.3). */
  epochLink(certificate: CheckpointCertificate): EpochLink;
  /** What is compared with the other replicas: the own part of an audit. */
  audited(replica: Pick<Replica, "stable" | "recentOutputs">): OwnAudit | undefined;
  /** A peer asks for a part of the state. */
  serve(peer: ReplicaId, fetch: FetchState, stable: CheckpointCertificate): void;
  /**
   * A client reads the state at the last stable checkpoint.
   *
   * @returns false where there is no state.
   */
  read(client: PublicKey, read: ReadState, stable: () => CheckpointCertificate): boolean;
  /** Checkpoints that others fetch, which are kept although they are old. */
  pinned(atMs: number): readonly SequenceNumber[];
  /** The state at `stable` as a backup, one at a time; undefined when there is none to be had. */
  openBackup(stable: CheckpointCertificate): RunningBackup | undefined;
  /** The votes may have come further: to be called after each turn of steps. */
  onVotes(votes: Pick<Replica, "certified" | "stable" | "executed">): void;
  /** The log was cut below this checkpoint. */
  onStable(seq: SequenceNumber): void;
  /** To be called once, after the replica's own start. */
  start(): void;
  /** Nothing is sent any more. */
  stop(): void;
}

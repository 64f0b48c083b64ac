import {
  type CheckpointCertificate,
  type EpochLink,
  type FetchState,
  invariant,
  type Membership,
  type PublicKey,
  type ReadState,
  type ReplicaId,
  type SequenceNumber,
} from "@quorate/protocol";
import { CONFIGURATION_KEY, type PendingChange } from "@quorate/reconfiguration";
import type { Replica } from "@quorate/replica";
import { Executor } from "@quorate/state-machine";
import type { OwnAudit } from "./audit-document.ts";
import { BackupSlot } from "./backup/backup-slot.ts";
import type { RunningBackup } from "./backup/state-backup.ts";
import type { HostOptions } from "./host-options.ts";
import { DEFAULT_HOST_SETTINGS } from "./host-settings.ts";
import type { ExecutionDigests, HostState, StateDigests } from "./host-state.ts";
import type { PastQuarantine } from "./past-quarantine.ts";
import { Scrubber } from "./scrubber.ts";
import { ServedState } from "./served-state.ts";
import { StateReads } from "./state-reads.ts";

export interface PresentStateOptions extends HostOptions {
  readonly membership: Membership;
  readonly quarantine: PastQuarantine;
  /** Why the replica can give no more of a backup, in one line; undefined while it can. */
  readonly endedBy: () => string | undefined;
  readonly nowMs: () => number;
  /** What was thrown as the state was read, outside of a step. */
  readonly onThrown: (error: unknown) => void;
}

/** The state of a host that has it: executed on, given to others, looked through for damage, saved. */
export class PresentState implements HostState {
  readonly execution: Executor;
  readonly takesRequests = true;
  readonly #o: PresentStateOptions;
  readonly #donor: ServedState;
  readonly #reads: StateReads;
  readonly #backup: BackupSlot;
  readonly #scrubber: Scrubber;

  constructor(options: PresentStateOptions) {
    this.#o = options;
    const { scrubBytesPerSecond: bytesPerSecond } = { ...DEFAULT_HOST_SETTINGS, ...options.settings };
    this.execution = new Executor({
      ...options,
      signsIn: options.membership.epoch,
      silentUpTo: options.quarantine.statementsUpTo,
    });
    this.#donor = new ServedState(options, this.execution, options);
    this.#reads = new StateReads(options, this.execution);
    this.#backup = new BackupSlot(options);
    this.#scrubber = new Scrubber({ ...options, executor: this.execution, bytesPerSecond });
  }

  get pendingChange(): PendingChange | undefined {
    return this.execution.pendingChange;
  }
  get digests(): ExecutionDigests {
    const { historyDigest, executionDigest } = this.execution;
    return { historyDigest, executionDigest };
  }
  get stateDigests(): StateDigests {
    return { stateRoot: this.execution.stateRoot(), historyDigest: this.execution.historyDigest };
  }
  /** The batch that ends the epoch may be executed before it is stable: then it was the last that this host executes. */
  get activation(): SequenceNumber | undefined {
    const { configuration, activation, executed } = this.execution;
    return configuration.epoch > this.#o.membership.epoch ? executed : activation;
  }
  get scrubbed(): number {
    return this.execution.scrubbed;
  }

  epochLink(certificate: CheckpointCertificate): EpochLink {
    const { seq } = certificate;
    const snapshot = this.execution.snapshotAt(seq);
    const record = snapshot?.get(CONFIGURATION_KEY);
    invariant(snapshot !== undefined && record !== undefined, "host.activation-not-kept", { seq });
    return { certificate, record, proof: snapshot.prove(CONFIGURATION_KEY) };
  }

  audited({ stable, recentOutputs }: Pick<Replica, "stable" | "recentOutputs">): OwnAudit {
    const { executed, lastCheckpoint } = this.execution;
    const { seq, stateRoot } = stable;
    return {
      executed,
      ...this.digests,
      stateRoot: this.execution.stateRoot(),
      stable: { seq, stateRoot },
      lastCheckpoint,
      outputs: recentOutputs,
      silentUpTo: this.#o.quarantine.upTo ?? 0,
    };
  }

  serve(peer: ReplicaId, fetch: FetchState, stable: CheckpointCertificate): void {
    this.#donor.answer(peer, fetch, stable);
  }
  read(client: PublicKey, read: ReadState, stable: () => CheckpointCertificate): boolean {
    this.#reads.ask(client, read, stable);
    return true;
  }
  pinned(atMs: number): readonly SequenceNumber[] {
    return [...this.#donor.pinned(atMs), ...this.#backup.pinned];
  }
  openBackup(stable: CheckpointCertificate): RunningBackup | undefined {
    return this.#backup.open(stable, this.execution.snapshotAt(stable.seq));
  }

  onVotes(): void {
    // What is executed here says by itself how far the votes may go.
  }
  onStable(seq: SequenceNumber): void {
    this.#o.quarantine.onStable(seq);
    this.#o.observer.onStable?.(seq);
  }

  start(): void {
    this.#scrubber.start();
  }
  stop(): void {
    this.#donor.stop();
    this.#reads.stop();
  }
}

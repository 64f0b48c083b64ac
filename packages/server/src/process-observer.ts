import {
  accusedOf,
  type Contradiction,
  type Divergence,
  type Evidence,
  type Membership,
  type SequenceNumber,
} from "@quorate/protocol";
import type { JudgedChange } from "@quorate/reconfiguration";
import { isVerdict, type MuteStatus, type ReplicaStatus } from "@quorate/replica";
import type { FetchProgress } from "@quorate/state-transfer";
import type { ScrubSlice } from "@quorate/state-tree";
import type { Logger } from "pino";
import { AuditLog } from "./audit-log.ts";
import { ChangeLog } from "./change-log.ts";
import type { DamageRepair } from "./damage-count.ts";
import type { EpochDamage } from "./epoch-records.ts";
import type { Installation } from "./installation-record.ts";
import type { ExecutedBatch, HostObserver, IngressRejection, ViewTurn } from "./ports.ts";
import type { QuarantineStatus } from "./quarantine.ts";
import type { ReplicaCounters } from "./replica-counters.ts";
import { TransferLog } from "./transfer-log.ts";

export interface ProcessObserverOptions {
  readonly log: Logger;
  readonly counters: ReplicaCounters;
  readonly status: () => ReplicaStatus;
  /** Milliseconds of a clock that does not go back. */
  readonly nowMs: () => number;
  /** The members may have changed. */
  readonly onEpoch: () => void;
  readonly onStable: () => void;
  readonly onFatal: (error: Error) => void;
}

/** Turns what a host tells about itself into what operators see of it: counters, and lines of the log. */
export class ProcessObserver implements HostObserver {
  readonly #o: ProcessObserverOptions;
  readonly #audit: AuditLog;
  readonly #changes: ChangeLog;
  readonly #transfer: TransferLog;
  #executed: { readonly seq: number; readonly atMs: number } | undefined;

  constructor(options: ProcessObserverOptions) {
    this.#o = options;
    this.#audit = new AuditLog(options.log);
    this.#changes = new ChangeLog(options.log);
    this.#transfer = new TransferLog(options.log);
  }

  onExecuted(executed: ExecutedBatch): void {
    this.#executed = { seq: executed.seq, atMs: this.#o.nowMs() };
    this.#o.counters.onExecuted(executed);
  }
  onStable(seq: number): void {
    this.#o.counters.onStable();
    this.#o.onStable();
    this.#o.log.debug({ seq }, "stable checkpoint");
  }
  onChanges(changes: readonly JudgedChange[]): void {
    this.#changes.onChanges(changes);
  }
  onEpoch(membership: Membership): void {
    const { counters, nowMs } = this.#o;
    counters.onEpoch();
    this.#o.onEpoch();
    // One that was brought there by the state of others has made nobody wait.
    const last = this.#executed;
    const pauseMs = last !== undefined && last.seq === membership.start?.seq ? nowMs() - last.atMs : undefined;
    if (pauseMs !== undefined) counters.onEpochPause(pauseMs);
    this.#changes.onEpoch(membership, pauseMs);
  }
  onLogFlushed(tookMs: number): void {
    this.#o.counters.onLogFlushed(tookMs);
  }
  onEvidence(evidence: Evidence): void {
    this.#o.log.warn({ from: accusedOf(evidence) }, `${evidence.type}: evidence kept`);
  }
  onRejection(rejection: IngressRejection): void {
    this.#o.counters.onRejection(rejection);
    this.#o.log.debug(rejection, "input dropped");
  }

  onViewChange(turn: ViewTurn): void {
    const { log, counters } = this.#o;
    counters.onViewChange(turn);
    if (turn.type === "entered") return log.info({ view: turn.view }, "view entered");
    const { target, cause } = turn;
    // Those who come after others say nothing that the others do not say.
    const level = cause === "failed" || isVerdict(cause) ? "warn" : "info";
    log[level]({ target, cause }, "view given up");
  }

  onMute(mute: MuteStatus | undefined): void {
    const { log, status } = this.#o;
    if (mute === undefined) return log.warn("mute no more: this replica votes again");
    const { lowWatermark: stable, view } = status();
    log.warn(
      {
        replies: `${mute.replies} of ${mute.repliesNeeded}`,
        checkpoint: mute.checkpoint,
        stable,
        from: mute.view,
        view,
      },
      "mute: its disk was lost; it votes again when this checkpoint is stable here, from this view on",
    );
  }

  onEpochsDamaged({ message, known, last }: EpochDamage): void {
    this.#o.log.warn(
      { known: known.epoch, last },
      `${message}; this replica is silent until others have given it what is missing`,
    );
  }
  onTransferStarted(installation: Installation): void {
    this.#transfer.onStarted(installation);
  }
  onVoting(stable: SequenceNumber): void {
    this.#transfer.onVoting(stable);
  }
  onTransferred(progress: FetchProgress, { executed }: ReplicaStatus): void {
    this.#o.counters.onTransferred(progress);
    this.#transfer.onTransferred(progress, executed);
  }
  onStateDamaged(damage: Error): void {
    this.#o.counters.onStateDamaged();
    this.#transfer.onStateDamaged(damage);
  }
  onHistoryDamaged(damage: Error): void {
    this.#transfer.onHistoryDamaged(damage);
  }
  onRepair(repair: DamageRepair, damage: Error): void {
    this.#o.counters.onRepair();
    this.#transfer.onRepair(repair, damage);
  }

  onScrubbed(slice: ScrubSlice): void {
    const { log, counters } = this.#o;
    counters.onScrubbed(slice);
    const { scrubRounds: rounds, scrubbedEntries: entries } = counters;
    if (slice.isRoundOver) log.debug({ rounds, entries }, "the scrubber has looked at the whole state");
  }
  onScrubFound(): void {
    this.#o.counters.onScrubFound();
  }

  onDivergence(divergence: Divergence): void {
    this.#o.counters.onDivergence();
    this.#audit.onDivergence(divergence);
  }
  onQuarantined(contradiction: Contradiction, quarantine: QuarantineStatus): void {
    this.#o.counters.onQuarantined();
    this.#audit.onQuarantined(contradiction, quarantine);
  }

  onFatal(error: Error): void {
    this.#o.onFatal(error);
  }
}

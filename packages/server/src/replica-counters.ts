import type { FetchProgress } from "@quorate/state-transfer";
import type { ScrubSlice } from "@quorate/state-tree";
import type { ExecutedBatch, HostObserver, IngressRejection, ViewTurn } from "./ports.ts";

/** Every reason to drop an input; the compiler sees to it that none is missing. */
export const REJECTION_CODES: Readonly<Record<IngressRejection["code"], true>> = {
  "membership.stranger": true,
  "epoch.other": true,
  "epoch.over": true,
  "view.past": true,
  "view.over": true,
  "window.below": true,
  "window.above": true,
  "pre-prepare.not-from-primary": true,
  "pre-prepare.digest-mismatch": true,
  "pre-prepare.empty-batch": true,
  "prepare.from-primary": true,
  "vote.conflicting": true,
  "checkpoint.conflicting": true,
  "checkpoint.displaced": true,
  "observer.not-for-this-one": true,
  "observer.speaks": true,
  "backlog.full": true,
  "gate.full": true,
  "request.queue-full": true,
  "request.displaced": true,
  "body.not-asked-for": true,
  "committed.not-asked-for": true,
  "status.over-budget": true,
  "fetch.over-budget": true,
  "fetch.not-here": true,
  "history.damaged": true,
  "view-change.past": true,
  "view-change.malformed": true,
  "view-change.conflicting": true,
  "new-view.past": true,
  "new-view.malformed": true,
  "new-view.conflicting": true,
  "hand-over.not-from-primary": true,
  "hand-over.other-view": true,
  "hand-over.not-primary": true,
  "query-stable.over-budget": true,
  "query-stable.too-much": true,
  "query-stable.not-for-this-one": true,
  "reply-stable.not-asked-for": true,
  "state-chunk.not-asked-for": true,
  "state-chunk.other-than-asked": true,
  "state-chunk.oversized": true,
  "state-chunk.bad-deflate": true,
  "state-chunk.incomplete": true,
  "state-chunk.false-size": true,
  "state-chunk.wrong-page": true,
  "state-chunk.wrong-value": true,
  "state-transfer.unexpected": true,
  "epochs.over-budget": true,
  "epochs.bad-link": true,
  "ingress.bad-signature": true,
  "ingress.bad-batch": true,
  "ingress.bad-certificate": true,
  "ingress.bad-view-change": true,
  "ingress.bad-new-view": true,
  "ingress.bad-reply-stable": true,
  "ingress.foreign-vote": true,
  "ingress.foreign-request": true,
  "ingress.out-of-epoch": true,
  "ingress.over-budget": true,
  "ingress.redundant": true,
};

/** What has happened in a replica since its process started: an observer that counts. */
export class ReplicaCounters
  implements
    Required<
      Omit<
        HostObserver,
        | "onChanges"
        | "onDispensable"
        | "onEpochsDamaged"
        | "onEvidence"
        | "onFatal"
        | "onHistoryDamaged"
        | "onLevel"
        | "onMute"
        | "onTransferStarted"
        | "onVoting"
      >
    >
{
  readonly #rejections = new Map<string, number>(Object.keys(REJECTION_CODES).map((code) => [code, 0]));
  executedBatches = 0;
  executedRequests = 0;
  sessionsEvicted = 0;
  stableCheckpoints = 0;
  viewChangesStarted = 0;
  viewsEntered = 0;
  logFlushes = 0;
  logFlushMs = 0;
  stateTransfers = 0;
  stateTransferBytes = 0;
  stateTransferWireBytes = 0;
  stateTransferChunksRejected = 0;
  stateDamages = 0;
  repairs = 0;
  scrubRounds = 0;
  scrubbedEntries = 0;
  scrubbedBytes = 0;
  scrubFindings = 0;
  epochsBegun = 0;
  /** From the execution of the last batch of an epoch to the begin of the next one, all together, where this replica executed that batch. */
  epochPauseMs = 0;
  quarantines = 0;
  divergences = 0;

  /** Dropped inputs by reason, ascending; those that never happened have 0. */
  get rejections(): readonly (readonly [code: string, count: number])[] {
    return [...this.#rejections].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  onExecuted({ requests, sessionsEvicted }: ExecutedBatch): void {
    this.executedBatches += 1;
    this.executedRequests += requests;
    this.sessionsEvicted += sessionsEvicted;
  }
  onStable(): void {
    this.stableCheckpoints += 1;
  }
  onRejection({ code }: IngressRejection): void {
    this.#rejections.set(code, (this.#rejections.get(code) ?? 0) + 1);
  }
  onViewChange({ type }: ViewTurn): void {
    if (type === "started") this.viewChangesStarted += 1;
    else this.viewsEntered += 1;
  }
  onTransferred({ bytesReceived, bytesOnWire, chunksRejected }: FetchProgress): void {
    this.stateTransfers += 1;
    this.stateTransferBytes += bytesReceived;
    this.stateTransferWireBytes += bytesOnWire;
    this.stateTransferChunksRejected += chunksRejected;
  }
  onStateDamaged(): void {
    this.stateDamages += 1;
  }
  onRepair(): void {
    this.repairs += 1;
  }
  onScrubbed({ entries, bytes, isRoundOver }: ScrubSlice): void {
    this.scrubbedEntries += entries;
    this.scrubbedBytes += bytes;
    if (isRoundOver) this.scrubRounds += 1;
  }
  onEpoch(): void {
    this.epochsBegun += 1;
  }
  onEpochPause(tookMs: number): void {
    this.epochPauseMs += tookMs;
  }
  onScrubFound(): void {
    this.scrubFindings += 1;
  }
  onQuarantined(): void {
    this.quarantines += 1;
  }
  onDivergence(): void {
    this.divergences += 1;
  }
  onLogFlushed(tookMs: number): void {
    this.logFlushes += 1;
    this.logFlushMs += tookMs;
  }
}

import {
  assertNever,
  type Effect,
  type ReplicaId,
  type SequenceNumber,
  type Status,
  weakQuorumSize,
} from "@quorate/protocol";
import { ServingBudget } from "@quorate/state-transfer";
import type { ReplicaEvent } from "./events.ts";
import type { ObserverStatus, ReplicaOptions } from "./replica-options.ts";
import type { StatusExchange } from "./status-exchange.ts";
import type { SubProtocols } from "./sub-protocols.ts";

/** Whether a replica that is no member has anything to do with it: with what others have decided, and what it does itself. */
export function isForObservers(event: ReplicaEvent): boolean {
  switch (event.type) {
    case "message":
      return event.envelope.message.type === "status" || event.envelope.message.type === "checkpoint";
    case "start":
    case "timeout":
    case "hand-over-asked":
    case "committed":
    case "certificate":
    case "executed":
    case "state-durable":
      return true;
    case "request":
    case "batch-body":
    case "view-change":
    case "new-view":
    case "query-stable":
    case "reply-stable":
      return false;
    default:
      return assertNever(event);
  }
}

type ObservingParts = Pick<SubProtocols, "membership" | "ordering" | "gapFiller" | "checkpointing">;

/**
 * The exchange of one that is no member: it hears where the members stand, and asks one of them for what it lacks, without a
 * signature. It says nothing of itself, and what others ask of it concerns its host, which has the history (decision 0044).
 */
export class Observing implements Pick<StatusExchange, keyof StatusExchange> {
  readonly #parts: ObservingParts;
  readonly #checkpointInterval: number;
  readonly #intervalMs: number;
  readonly #budget: ServingBudget;
  /** Members that have said something in this epoch. */
  readonly #heard = new Set<ReplicaId>();
  #token = 0;

  constructor(
    parts: ObservingParts,
    { statusIntervalMs, checkpointInterval }: Pick<ReplicaOptions, "statusIntervalMs" | "checkpointInterval">,
  ) {
    this.#parts = parts;
    this.#checkpointInterval = checkpointInterval;
    this.#intervalMs = statusIntervalMs;
    this.#budget = new ServingBudget({ burst: 4, refillMs: statusIntervalMs / 2 });
  }

  get status(): ObserverStatus {
    const { membership, checkpointing } = this.#parts;
    const behind = checkpointing.certified.seq - checkpointing.stable.seq;
    return {
      members: this.#heard.size,
      membersNeeded: weakQuorumSize(membership),
      checkpointsBehind: Math.ceil(behind / this.#checkpointInterval),
    };
  }

  start(_executed: SequenceNumber, out: Effect[]): void {
    this.#startTimer(out);
  }
  isDue(token: number): boolean {
    return token === this.#token;
  }
  onTick(_executed: SequenceNumber, out: Effect[]): void {
    this.#parts.gapFiller.onTick(this.#parts.ordering.lastDelivered, out);
    this.#startTimer(out);
  }
  onNewView(): void {
    // It is in no view.
  }

  onStatus(from: ReplicaId, { executed }: Status, _own: SequenceNumber, atMs: number, out: Effect[]): void {
    if (!this.#budget.take(from, atMs)) {
      out.push({ type: "rejected", rejection: { code: "status.over-budget", from } });
      return;
    }
    this.#heard.add(from);
    this.#parts.gapFiller.onStatus(from, executed, this.#parts.ordering.lastDelivered, out);
  }
  onFetchBatch(from: ReplicaId, _fetch: unknown, _atMs: number, out: Effect[]): void {
    refuse(from, out);
  }
  onFetchCommitted(from: ReplicaId, _fetch: unknown, _atMs: number, out: Effect[]): void {
    refuse(from, out);
  }

  #startTimer(out: Effect[]): void {
    this.#token += 1;
    out.push({ type: "start-timer", timer: "status", token: this.#token, afterMs: this.#intervalMs });
  }
}

/** It is of no use to one that is no member. */
export function refuse(from: ReplicaId | undefined, out: Effect[]): void {
  out.push({ type: "rejected", rejection: { code: "observer.not-for-this-one", from } });
}

import type { ReplicaId } from "@quorate/protocol";
import type { ReplicaStatus } from "@quorate/replica";
import { type Checker, demand, type ExecutionStep } from "./checker.ts";

interface Stand {
  readonly view: number;
  readonly isSettled: boolean;
  readonly timeOutMs: number;
  /** When the view was entered. */
  readonly sinceMs: number;
}

/**
 * A time-out comes down again: when a request of a client, made after a replica had entered its view, is executed there
 * within half of the replica's time-out, then this halves, if it is longer than the first (protocol rule 7.3).
 */
export class TimeOutChecker implements Checker {
  readonly #firstMs: number;
  readonly #nowMs: () => number;
  readonly #hasRightClock: (replica: ReplicaId) => boolean;
  readonly #submittedMs = new Map<string, number>();
  readonly #stands = new Map<ReplicaId, Stand>();
  /** The replica has executed what must bring its time-out down from here. */
  readonly #due = new Map<ReplicaId, number>();

  /** @param hasRightClock of another one's waits nothing is known: its clock measures them. */
  constructor(firstMs: number, nowMs: () => number, hasRightClock: (replica: ReplicaId) => boolean = () => true) {
    this.#firstMs = firstMs;
    this.#nowMs = nowMs;
    this.#hasRightClock = hasRightClock;
  }

  onSubmitted(client: number, call: number): void {
    this.#submittedMs.set(`${client}/${call}`, this.#nowMs());
  }

  onVoting(replica: ReplicaId): void {
    this.onRecovered(replica);
  }

  onRecovered(replica: ReplicaId): void {
    this.#stands.delete(replica);
    this.#due.delete(replica);
  }

  /** What was asked of a batch of several requests, or of none, tells nothing about how long the oldest one waited. */
  onExecuted({ replica, requests, operations }: ExecutionStep): void {
    const stand = this.#stands.get(replica);
    if (stand?.isSettled !== true || stand.timeOutMs <= this.#firstMs || !this.#hasRightClock(replica)) return;
    if (requests !== 1 || operations.length === 0) return;
    const calls = operations.map(({ client, call }) => this.#submittedMs.get(`${client}/${call}`) ?? 0);
    const oldestMs = Math.min(...calls);
    // Asked before the view: it may have been decided in an earlier one, which says nothing about this one.
    if (oldestMs <= stand.sinceMs || this.#nowMs() - oldestMs > stand.timeOutMs / 2 - CLOCK_STEP_MS) return;
    this.#due.set(replica, stand.timeOutMs);
  }

  onStatus(replica: ReplicaId, { view, target, timeOutMs }: ReplicaStatus): void {
    const before = this.#stands.get(replica);
    const due = this.#due.get(replica);
    this.#due.delete(replica);
    const isSettled = view === target;
    if (due !== undefined && isSettled && before?.view === view)
      demand(timeOutMs < due, "time-outs.stay-up", { replica, view, timeOutMs, due });
    const sinceMs = before?.view === view ? before.sinceMs : this.#nowMs();
    this.#stands.set(replica, { view, isSettled, timeOutMs, sinceMs });
  }
}

/** A replica's clock has whole milliseconds. */
const CLOCK_STEP_MS = 1;

import {
  faultThreshold,
  type Membership,
  primaryOf,
  type ReplicaId,
  type ServedRequest,
  type TimestampMs,
  type ViewNumber,
} from "@quorate/protocol";
import { ExpectedThroughput } from "./expected-throughput.ts";
import { JudgingPeriod } from "./judging-period.ts";
import { LATE_IN_A_ROW, LateClients, type OfClient } from "./late-clients.ts";
import { isFailure, isVerdict, type LeaveCause, type Verdict } from "./leave-cause.ts";
import type { TimeOutOptions } from "./time-out.ts";
import { LEAST, ToleratedWait } from "./tolerated-wait.ts";

/** The fewest requests that a period is judged by. */
const REQUESTS_MIN = 3;
/** Bad periods, one after another, that condemn a primary: one may be the network's, or a disk's. */
const BAD_PERIODS = 2;
/** So much of the first time-out without a step, or so many status intervals: this replica itself stood still. */
const STANDSTILL = 1 / 4;
const STANDSTILL_INTERVALS = 3;
/** Who waits for no more than this part of the first time-out is served well enough, however little is asked. */
const AT_ONCE = LEAST / 2;

export interface PrimaryJudgeOptions extends TimeOutOptions {
  /** δ of genesis. */
  readonly clockToleranceMs: number;
  /** A replica that runs takes a step at least so often. */
  readonly statusIntervalMs: number;
}

/** What is judged of a batch. */
export interface JudgedBatch {
  readonly timestampMs: TimestampMs;
  readonly requests: readonly JudgedRequest[];
}

/** A view that was left because others had: it may turn out not to have failed. */
interface Joined {
  readonly view: ViewNumber;
  readonly primary: ReplicaId;
}

interface JudgedRequest extends OfClient {
  readonly request: OfClient["request"] & { readonly operations?: readonly unknown[] };
}

/**
 * Judges a primary that never lets a time-out pass: it is condemned when requests wait for longer than is tolerated, all or
 * one client's, again and again, or when it does far less than others did although work waits all the time (protocol
 * rule 7.4, after Aardvark, NSDI'09). By what the replica saw only, and only what began after a grace period in the
 * view. An error costs a view change and never safety; each makes the next one less likely, so they end.
 */
export class PrimaryJudge {
  readonly #options: PrimaryJudgeOptions;
  readonly #membership: Membership;
  readonly #tolerated: ToleratedWait;
  readonly #throughput: ExpectedThroughput;
  readonly #lateClients = new LateClients();
  #period: JudgingPeriod;
  #before: JudgingPeriod;
  #badInARow = 0;
  /** What waits since before then is not judged. */
  #judgesFromMs = 0;
  #steppedAtMs: number | undefined;
  #joined: Joined | undefined;

  constructor(options: PrimaryJudgeOptions, membership: Membership) {
    this.#options = options;
    this.#membership = membership;
    this.#tolerated = new ToleratedWait(options, faultThreshold(membership) + 1);
    this.#throughput = new ExpectedThroughput(membership.members.length);
    this.#period = this.#periodFrom(0, false);
    this.#before = this.#period;
  }

  /** How long requests may wait again and again, in milliseconds. */
  get toleratedMs(): number {
    return this.#tolerated.currentMs;
  }

  /** A view is entered: its primary has a grace period of one time-out, the first one. */
  onEntered(atMs: number): void {
    this.#countJoined();
    this.#lateClients.clear();
    this.#restart(atMs);
  }

  /**
   * To be called at the end of each step.
   *
   * @param hasWork whether anything waits that the primary is held to.
   */
  onStep(hasWork: boolean, atMs: number): void {
    if (!hasWork) this.#period.isLoaded = false;
    const { viewChangeMs, statusIntervalMs } = this.#options;
    const standstillMs = Math.max(STANDSTILL * viewChangeMs, STANDSTILL_INTERVALS * statusIntervalMs);
    // Stopped, starved of its processor, or just started: the waits of that time say nothing about the primary.
    if (this.#steppedAtMs === undefined || atMs - this.#steppedAtMs > standstillMs) this.#restart(atMs);
    this.#steppedAtMs = atMs;
  }

  /**
   * A batch was executed that was ordered in this view, with this replica's vote.
   *
   * @param served those of its requests that the primary was held to here.
   * @param timeOutMs of the view: where as much is tolerated, waits are its business alone.
   */
  onExecuted(
    { timestampMs, requests }: JudgedBatch,
    served: readonly ServedRequest[],
    atMs: number,
    timeOutMs: number,
  ): Verdict | undefined {
    if (atMs < this.#judgesFromMs) return undefined;
    const { toleratedMs } = this;
    // Repeated lag of the primary's timestamps is slowness too, whoever's clock is wrong (protocol rule 4.7).
    const lagMs = Math.max(0, atMs - timestampMs - this.#options.clockToleranceMs);
    let hasStarved = false;
    const others = requests.length - served.length;
    this.#lateClients.onBatch();
    for (const { client, sinceMs } of served) {
      if (sinceMs < this.#judgesFromMs) continue;
      const waitedMs = atMs - sinceMs;
      this.#period.add(1, Math.max(waitedMs, lagMs), toleratedMs);
      if (waitedMs > toleratedMs && this.#lateClients.onLate(client, sinceMs, atMs)) hasStarved = true;
    }
    this.#lateClients.onServed(requests);
    // Of the others nothing is known but that they came, and went before anyone complained.
    this.#period.add(others, lagMs, toleratedMs);
    // Clients pack what waits into one request: how many there are says little about how much is done.
    for (const { request } of requests) this.#period.operations += request.operations?.length ?? 1;
    const mayJudgeWaits = toleratedMs < timeOutMs;
    if (hasStarved && mayJudgeWaits) return this.#isLateForOthers ? "slow" : "unfair";
    return this.#afterBatch(mayJudgeWaits, atMs);
  }

  /** The view is left. Only one that failed says what its primary could not do. */
  onLeft(view: ViewNumber, cause: LeaveCause | "followed"): void {
    this.#countJoined();
    const primary = primaryOf(this.#membership, view);
    if (cause === "joined") this.#joined = { view, primary };
    else if (isFailure(cause)) this.#tolerated.onLeft(primary, isVerdict(cause));
    this.#throughput.onLeft(isVerdict(cause));
  }

  /** Others were followed out of this view, and it is known now not to have failed. Later than the next entry is too late. */
  onExcused(view: ViewNumber): void {
    if (this.#joined?.view === view) this.#joined = undefined;
  }

  #countJoined(): void {
    if (this.#joined !== undefined) this.#tolerated.onLeft(this.#joined.primary, false);
    this.#joined = undefined;
  }

  #afterBatch(mayJudgeWaits: boolean, atMs: number): Verdict | undefined {
    const period = this.#period;
    if (period.requests < REQUESTS_MIN || atMs - period.beganAtMs < this.#options.viewChangeMs) return undefined;
    const perMs = period.perMs(atMs);
    const isIdling = period.isLoaded && period.isWaiting && perMs < this.#throughput.perMs;
    const isBad = (period.isLate && mayJudgeWaits) || isIdling;
    this.#badInARow = isBad ? this.#badInARow + 1 : 0;
    this.#throughput.onPeriod(perMs);
    this.#tolerated.onPeriod(!isBad && period.isCalm(this.toleratedMs));
    this.#before = period;
    this.#period = this.#periodFrom(atMs, true);
    return this.#badInARow >= BAD_PERIODS ? "slow" : undefined;
  }

  /** Whether others than the client that waited again and again were served no better, as far as there were others. */
  get #isLateForOthers(): boolean {
    const late = this.#before.late + this.#period.late - LATE_IN_A_ROW;
    const requests = this.#before.requests + this.#period.requests - LATE_IN_A_ROW;
    return 2 * late >= requests;
  }

  #restart(atMs: number): void {
    this.#judgesFromMs = atMs + this.#options.viewChangeMs;
    this.#period = this.#periodFrom(this.#judgesFromMs, false);
    this.#before = this.#period;
    this.#badInARow = 0;
  }

  #periodFrom(beganAtMs: number, isLoaded: boolean): JudgingPeriod {
    return new JudgingPeriod(beganAtMs, isLoaded, AT_ONCE * this.#options.viewChangeMs);
  }
}

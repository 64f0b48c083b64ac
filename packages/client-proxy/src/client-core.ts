import {
  assertNever,
  type Digest,
  type Fill,
  invariant,
  type Membership,
  type ReplicaId,
  type Reply,
  type RequestNumber,
  type ResultStatus,
  requestNumber,
  type SessionId,
  type VerifiedReply,
  type VerifiedRequest,
  type ViewNumber,
  weakQuorumSize,
} from "@quorate/protocol";
import { Alarm } from "./alarm.ts";
import { type Call, CallTable } from "./call-table.ts";
import { EpochFollower } from "./epoch-follower.ts";
import type { ClientEffect, ClientEvent } from "./events.ts";
import * as failures from "./failures.ts";
import { OpenRequest } from "./open-request.ts";
import { type ClientOptions, completeOptions } from "./options.ts";
import type { CallOutcome, ClientFailure, FailureEffect } from "./outcome.ts";
import type { AcceptedOutput } from "./output-filter.ts";
import { decideRegistration, selectLastValid } from "./registration.ts";
import { ReplicaHints } from "./replica-hints.ts";
import { RequestTable } from "./request-table.ts";
import { UNCLAIMED_BYTES_MAX, type UnclaimedEnd, UnclaimedEnds } from "./unclaimed-ends.ts";

type SubmitEvent = Extract<ClientEvent, { type: "submit" }>;
type RetryEvent = Extract<ClientEvent, { type: "retry" }>;

/** The one session of a client at a time (protocol rule 3.2). */
type Session =
  /** `wanted`: open one at once; else when a call waits for it. */
  | { readonly type: "none"; readonly wanted: boolean }
  | { readonly type: "opening" }
  | { readonly type: "open"; readonly id: SessionId; readonly next: RequestNumber };

/** Where a client stands: what it knows of its cluster, for people and programs to look at. */
export interface ClientStanding {
  /** Of the latest epoch that is proven. */
  readonly membership: Membership;
  /** As f+1 members say, and who is believed to be the primary: hints. */
  readonly view: ViewNumber;
  readonly primary: ReplicaId;
  /** Members that are linked, ascending. */
  readonly linked: readonly ReplicaId[];
  /** f+1 of them are: without so many there is no answer. */
  readonly isUp: boolean;
}

/** How full a client is; for metrics and tests. Each has a bound that follows from the options. */
export interface ClientOccupancy {
  readonly waitingOperations: number;
  readonly waitingBytes: number;
  /** Calls on the way whose callers still wait. */
  readonly sentOperations: number;
  readonly requestsOutstanding: number;
  readonly repliesHeld: number;
  /** Requests that ended after callers of theirs had given up, remembered for a retry; and the bytes of their results. */
  readonly requestsRemembered: number;
  readonly bytesRemembered: number;
}

/**
 * The client side of the protocol: opens a session, packs waiting operations into signed requests with contiguous
 * numbers, sends them to the believed primary and, after silence, to all; believes what f+1 members signed
 * (OSDI'99 §4.1; protocol rules 3 and 5). Deterministic: equal events, nonces and signatures give equal effects.
 *
 * A call that failed with effect `unknown` may have executed and may still execute: its request keeps its number and
 * is sent on in the background, because no later request of the session executes before it. A `retry` waits for that same
 * request, or is given what became of it, which is remembered for as many requests as the session's window holds: it
 * never leads to a second request, so the operation runs at most once.
 */
export class ClientCore {
  readonly #options: Required<ClientOptions>;
  readonly #hints: ReplicaHints;
  readonly #follower: EpochFollower;
  readonly #calls = new CallTable();
  readonly #requests: RequestTable;
  readonly #ends: UnclaimedEnds;
  readonly #resendAlarm = new Alarm("resend");
  readonly #deadlineAlarm = new Alarm("deadline");
  #session: Session;
  #registrationAttempts = 0;
  #closed = false;
  #nowMs = 0;
  #effects: ClientEffect[] = [];

  /** @throws InvariantViolation for options that contradict each other. */
  constructor(options: ClientOptions) {
    this.#options = completeOptions(options);
    this.#session = { type: "none", wanted: this.#options.sessionAtOnce };
    this.#hints = new ReplicaHints(options.chain.membership);
    this.#follower = new EpochFollower(options.chain, this.#options);
    this.#requests = new RequestTable(this.#options.requestsOutstandingMax);
    this.#ends = new UnclaimedEnds(this.#options.limits.sessionWindow);
  }

  get occupancy(): ClientOccupancy {
    return {
      waitingOperations: this.#calls.waiting,
      waitingBytes: this.#calls.waitingBytes,
      sentOperations: this.#calls.sent,
      requestsOutstanding: this.#requests.size,
      repliesHeld: [...this.#requests.values()].reduce((sum, request) => sum + request.repliesHeld, 0),
      requestsRemembered: this.#ends.requests,
      bytesRemembered: this.#ends.bytes,
    };
  }

  /** The same with its bounds. */
  get fills(): readonly Fill[] {
    const { waitingOperations, waitingBytes, requestsOutstanding, repliesHeld } = this.occupancy;
    const { waitingOperationsMax, waitingBytesMax, requestsOutstandingMax, limits } = this.#options;
    // What was sent and did not run waits again, beyond the bound on what callers may hand in.
    const again = requestsOutstandingMax * limits.requestOperationsMax;
    const bytesAgain = requestsOutstandingMax * limits.requestBytesMax;
    const repliesMax = [...this.#requests.values()].reduce((sum, request) => sum + request.repliesHeldMax, 0);
    return [
      { of: "waiting operations", size: waitingOperations, max: waitingOperationsMax + again },
      { of: "bytes of waiting operations", size: waitingBytes, max: waitingBytesMax + bytesAgain },
      { of: "requests on the way", size: requestsOutstanding, max: requestsOutstandingMax },
      { of: "replies held", size: repliesHeld, max: repliesMax },
      { of: "requests remembered", size: this.#ends.requests, max: limits.sessionWindow },
      { of: "bytes remembered", size: this.#ends.bytes, max: UNCLAIMED_BYTES_MAX },
    ];
  }

  get standing(): ClientStanding {
    const { view, primary, linked } = this.#hints;
    const { membership } = this.#options.chain;
    return { membership, view, primary, linked, isUp: linked.length >= this.#weakQuorum };
  }

  /**
   * Whether a reply could still matter: ask before its signature is verified (protocol rule 13.1). Most of the n
   * replies to a request come after its f+1 and need no verification.
   */
  wants(reply: Pick<Reply, "session" | "number" | "requestDigest" | "from" | "statement">): boolean {
    return this.#requests.answeredBy(reply)?.wants(reply.from, reply.statement.epoch) ?? false;
  }

  /**
   * The digests of the requests on the way: what answers another one changes nothing, whatever else it says, so a runner
   * that can tell from the bytes need not decode it.
   */
  get openDigests(): Iterable<Digest> {
    return this.#requests.digests;
  }

  /** One event in, what is to be done about it out. */
  step(event: ClientEvent): readonly ClientEffect[] {
    return this.stepAll([event]);
  }

  /**
   * Several events that are there at once, as one step. Operations submitted together travel together: a runner that
   * gathers what its callers submit in one turn gets fewer and larger requests.
   */
  stepAll(events: readonly ClientEvent[]): readonly ClientEffect[] {
    for (const event of events) {
      this.#nowMs = Math.max(this.#nowMs, event.atMs);
      this.#on(event);
    }
    if (!this.#closed) this.#advance();
    this.#checkInvariants();
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #on(event: ClientEvent): void {
    if (this.#closed && event.type !== "submit" && event.type !== "retry") return;
    switch (event.type) {
      case "submit":
        return this.#onSubmit(event);
      case "retry":
        return this.#onRetry(event);
      case "reply":
        return this.#onReply(event.reply);
      case "welcome":
        return this.#onWelcome(event);
      case "refused":
        return this.#onRefused(event);
      case "epoch-told":
        return this.#follower.onTold(event.from, event.epoch, this.#nowMs, this.#effects);
      case "epoch-links":
        return this.#onEpochLinks(event);
      case "link-up":
        return this.#onLinkUp(event.replica);
      case "link-down":
        return this.#onLinkDown(event.replica);
      case "turned-away":
        return this.#hints.onTurnedAway(event.replica, event.reason);
      case "timeout":
        return event.timer === "resend" ? this.#onResendTimeout(event.token) : this.#onDeadline(event.token);
      case "cancel":
        return this.#onCancel(event.call);
      case "close":
        return this.#onClose();
      default:
        return assertNever(event);
    }
  }

  #onSubmit({ call, operation, timeoutMs }: SubmitEvent): void {
    const { limits, waitingOperationsMax, waitingBytesMax } = this.#options;
    const { waiting, waitingBytes } = this.#calls;
    if (this.#closed) return this.#refuse(call, failures.closed("none"));
    invariant(!this.#calls.has(call), "client.call-twice", { call });
    if (operation.length > limits.requestBytesMax)
      return this.#refuse(call, failures.operationTooLarge(operation.length, limits.requestBytesMax));
    if (waiting >= waitingOperationsMax || waitingBytes + operation.length > waitingBytesMax)
      return this.#refuse(call, failures.overloaded(waiting, waitingBytes));
    this.#calls.add({ id: call, operation, deadlineAtMs: this.#deadlineIn(timeoutMs) });
  }

  #onRetry({ call, timeoutMs }: RetryEvent): void {
    if (this.#closed) return this.#refuse(call, failures.closed("unknown"));
    invariant(!this.#calls.has(call), "client.call-twice", { call });
    const request = this.#requests.carrying(call);
    if (request !== undefined) return this.#resume(call, request, timeoutMs);
    const end = this.#ends.take(call);
    if (end === undefined) return this.#refuse(call, failures.forgotten());
    if (end.type === "outcome") this.#effects.push({ type: "settle", call, outcome: end.outcome });
    // The reply had no room for it, so it did not run: it is submitted for the first time.
    else this.#onSubmit({ type: "submit", call, operation: end.operation, atMs: this.#nowMs, ...optional(timeoutMs) });
  }

  /** The caller waits again for the request that carries its call. */
  #resume(call: number, request: OpenRequest, timeoutMs: number | undefined): void {
    const operation = request.calls.find(({ id }) => id === call)?.operation;
    invariant(operation !== undefined, "client.call-not-carried", { call });
    this.#calls.addSent({ id: call, operation, deadlineAtMs: this.#deadlineIn(timeoutMs) });
    request.onRetry(this.#nowMs, this.#options.resendAfterMs);
    this.#sendToAll(request);
  }

  /** When a call ends that may take so long; the alarm is set to it. */
  #deadlineIn(timeoutMs: number = this.#options.defaultTimeoutMs): number {
    const deadlineAtMs = this.#nowMs + timeoutMs;
    this.#deadlineAlarm.set(deadlineAtMs, this.#nowMs, this.#effects);
    return deadlineAtMs;
  }

  #onReply(reply: VerifiedReply): void {
    const { from, view, statement } = reply;
    if (statement.epoch === this.#options.chain.epoch && this.#hints.isMember(from))
      this.#hints.onReply(from, view, statement.seq);
    const request = this.#requests.answeredBy(reply);
    if (request === undefined) return;
    const output = request.onReply(reply);
    if (output !== undefined) this.#afterAccepted(request, output);
    else if (request.isDivergent) this.#failAll(request.calls, failures.divergent(request, this.#weakQuorum));
  }

  #onWelcome({ from, epoch, view, executed }: Extract<ClientEvent, { type: "welcome" }>): void {
    if (!this.#hints.isMember(from)) return;
    this.#hints.onWelcome(from, { epoch, view, executed });
    this.#onLinkUp(from);
    this.#follower.onTold(from, epoch, this.#nowMs, this.#effects);
  }

  #onEpochLinks({ from, links }: Extract<ClientEvent, { type: "epoch-links" }>): void {
    if (this.#follower.onLinks(from, links, this.#nowMs, this.#effects)) this.#onEpoch();
  }

  /**
   * The members are others. What is on the way goes to them at once, the same bytes under the same number: whether it was
   * executed before or not, it is executed once.
   */
  #onEpoch(): void {
    const { membership } = this.#options.chain;
    for (const replica of this.#hints.onEpoch(membership)) this.#follower.onLinkDown(replica);
    this.#effects.push({ type: "members", membership });
    for (const request of this.#requests.values()) {
      request.onEpoch();
      this.#sendToAll(request);
    }
  }

  #onRefused({ from, requestDigest, code }: Extract<ClientEvent, { type: "refused" }>): void {
    if (this.#hints.isMember(from)) this.#requests.get(requestDigest)?.onRefused(from, code, this.#nowMs);
  }

  #onLinkUp(replica: ReplicaId): void {
    if (!this.#hints.onLinkUp(replica)) return;
    this.#follower.onLinkUp(replica, this.#nowMs, this.#effects);
    for (const request of this.#requests.values()) this.#send(request, replica);
  }

  /** A primary that is gone starts no clock: the others learn at once what it was sent, and hold it to that. */
  #onLinkDown(replica: ReplicaId): void {
    this.#hints.onLinkDown(replica);
    this.#follower.onLinkDown(replica);
    if (replica !== this.#hints.primary) return;
    for (const request of this.#requests.values()) if (!request.isWithAll) this.#sendToAll(request);
  }

  #onResendTimeout(token: number): void {
    if (!this.#resendAlarm.rings(token)) return;
    this.#follower.askDue(this.#nowMs, this.#effects);
    for (const request of this.#requests.values()) {
      if (request.resendAtMs > this.#nowMs) continue;
      request.onResend(this.#nowMs, this.#options.resendAfterMaxMs);
      request.onSentIn(this.#hints.view);
      this.#sendToAll(request);
    }
  }

  #onDeadline(token: number): void {
    if (!this.#deadlineAlarm.rings(token)) return;
    for (const call of this.#calls.overdue(this.#nowMs)) {
      const effect = this.#calls.isWaiting(call) ? "none" : "unknown";
      const request = this.#requests.carrying(call) ?? this.#requests.lowest;
      this.#fail(call, failures.noQuorum(request, this.#weakQuorum, effect));
    }
    this.#deadlineAlarm.set(this.#calls.earliestDeadline(), this.#nowMs, this.#effects);
  }

  #onCancel(call: number): void {
    this.#fail(call, failures.cancelled(this.#calls.isWaiting(call) ? "none" : "unknown"));
  }

  #onClose(): void {
    this.#closed = true;
    for (const request of this.#requests.values()) this.#failAll(request.calls, failures.closed("unknown"));
    for (const call of this.#calls.waitingIds()) this.#fail(call, failures.closed("none"));
    this.#requests.clear();
    this.#ends.clear();
    this.#session = { type: "none", wanted: false };
    this.#resendAlarm.cancel(this.#effects);
    this.#deadlineAlarm.cancel(this.#effects);
  }

  #afterAccepted(request: OpenRequest, output: AcceptedOutput): void {
    const { reply, receipt } = output;
    this.#requests.delete(request);
    if (request.session === undefined) return this.#afterRegistration(output);
    const status = reply.results[0]?.status ?? "session-unknown";
    if (status !== "ok" && status !== "failed") return this.#afterSessionLost(request, status);
    const postponed: Call[] = [];
    const unclaimed = new Map<number, UnclaimedEnd>();
    for (const [index, call] of request.calls.entries()) {
      const result = reply.results[index];
      invariant(result !== undefined, "client.result-missing", { index });
      const { id, operation } = call;
      const isPostponed = result.status === "postponed";
      const outcome = { type: "result", result, seq: receipt?.statement.seq, index, receipt } as const;
      if (!this.#calls.has(id))
        unclaimed.set(id, isPostponed ? { type: "postponed", operation } : { type: "outcome", outcome });
      else if (isPostponed) postponed.push(call);
      else this.#settle(id, outcome);
    }
    this.#calls.postpone(postponed);
    this.#ends.add(unclaimed, reply.results);
  }

  #settle(call: number, outcome: CallOutcome): void {
    if (this.#calls.remove(call)) this.#effects.push({ type: "settle", call, outcome });
  }

  #afterRegistration(output: AcceptedOutput): void {
    const outcome = decideRegistration(output, this.#registrationAttempts);
    if (outcome.type === "again") {
      this.#session = { type: "none", wanted: true };
      return;
    }
    this.#registrationAttempts = 0;
    if (outcome.type === "opened") {
      this.#session = { type: "open", id: outcome.session, next: requestNumber(1) };
      return;
    }
    this.#session = { type: "none", wanted: false };
    for (const call of this.#calls.waitingIds()) this.#fail(call, outcome.failure);
  }

  /**
   * The cluster judged a request of this session without executing it. What is on the way has an unknown outcome and
   * is never moved to another session; what waits was never part of this one (protocol rule 3.4).
   */
  #afterSessionLost(request: OpenRequest, reason: ResultStatus): void {
    const own = reason === "client-not-admitted" ? failures.notAdmitted("unknown") : failures.sessionEvicted(reason);
    this.#loseAll(request.calls, own);
    for (const { calls } of this.#requests.values()) this.#loseAll(calls, failures.sessionEvicted(reason));
    this.#requests.clear();
    this.#session = { type: "none", wanted: false };
  }

  /** Levels, not edges: whatever happened, sends what may be sent and keeps the timers at what is due. */
  #advance(): void {
    const reason = this.#hints.turnedAway;
    if (reason !== undefined) this.#giveUp(reason === "not-admitted" ? failures.notAdmitted : failures.wrongCluster);
    this.#followPrimary();
    if (this.#hints.isReady && this.#hints.linked.length > 0) {
      if (this.#session.type === "none") this.#register(this.#session.wanted);
      while (this.#session.type === "open" && this.#mayPack(this.#session.next)) this.#pack(this.#session);
    }
    this.#resendAlarm.set(this.#requests.earliestResend(), this.#nowMs, this.#effects);
    this.#resendAlarm.set(this.#follower.dueAtMs, this.#nowMs, this.#effects);
  }

  /** Waiting longer would change nothing. What is on the way is sent on in the background, as after a deadline. */
  #giveUp(failure: (effect: FailureEffect) => ClientFailure): void {
    for (const request of this.#requests.values()) this.#failAll(request.calls, failure("unknown"));
    for (const call of this.#calls.waitingIds()) this.#fail(call, failure("none"));
  }

  /** The view rises only as far as a correct member's, so a liar cannot have us send for ever. */
  #followPrimary(): void {
    const view = this.#hints.view;
    for (const request of this.#requests.values()) {
      if (request.sentInView >= view) continue;
      request.onSentIn(view);
      this.#transmit(request);
    }
  }

  #register(wanted: boolean): void {
    if (!wanted && this.#calls.waiting === 0) return;
    const { signer, limits, nextNonce } = this.#options;
    this.#session = { type: "opening" };
    this.#registrationAttempts++;
    const { executed } = this.#hints;
    const lastValid = selectLastValid(executed, limits.registrationValidityMax, this.#registrationAttempts);
    this.#open(signer.signRegistration({ nonce: nextNonce(), lastValid }), [], requestNumber(0));
  }

  /**
   * The first operation goes at once. While requests are on the way the next one waits until it is at least as large
   * as all of them together: few large requests under load, for each costs every replica a signature.
   */
  #mayPack(next: RequestNumber): boolean {
    const { limits } = this.#options;
    const { lowest } = this.#requests;
    if (this.#calls.waiting === 0 || this.#requests.isFull) return false;
    if (lowest === undefined) return true;
    if (next - lowest.number >= limits.sessionWindow) return false;
    return this.#calls.fillsRequest(limits) || this.#calls.waiting >= this.#requests.operations;
  }

  #pack({ id, next }: Extract<Session, { type: "open" }>): void {
    const calls = this.#calls.pack(this.#options.limits);
    const operations = calls.map((call) => call.operation);
    this.#session = { type: "open", id, next: requestNumber(next + 1) };
    this.#open(this.#options.signer.signOperations({ session: id, number: next, operations }), calls, next);
  }

  #open(signed: VerifiedRequest, calls: readonly Call[], number: RequestNumber): void {
    const { chain, resendAfterMs } = this.#options;
    const sent = { atMs: this.#nowMs, view: this.#hints.view, resendAfterMs };
    const request = new OpenRequest(signed, calls, sent, chain, number);
    this.#requests.add(request);
    this.#transmit(request);
  }

  #transmit(request: OpenRequest): void {
    const { primary, linked } = this.#hints;
    if (linked.includes(primary)) this.#send(request, primary);
    else this.#sendToAll(request);
  }

  #sendToAll(request: OpenRequest): void {
    request.onSentToAll();
    for (const replica of this.#hints.linked) this.#send(request, replica);
  }

  #send(request: OpenRequest, to: ReplicaId): void {
    request.onSent(to);
    this.#effects.push({ type: "send", to, frame: request.frame });
  }

  get #weakQuorum(): number {
    return weakQuorumSize(this.#options.chain.membership);
  }

  #failAll(calls: readonly Call[], failure: ClientFailure): void {
    for (const { id } of calls) this.#fail(id, failure);
  }

  /** As `#failAll`; who comes back for a call of these is told the same. */
  #loseAll(calls: readonly Call[], failure: ClientFailure): void {
    this.#failAll(calls, failure);
    const outcome = { type: "failed", failure } as const;
    this.#ends.add(new Map(calls.map(({ id }) => [id, { type: "outcome", outcome }])), []);
  }

  #fail(call: number, failure: ClientFailure): void {
    if (this.#calls.remove(call)) this.#refuse(call, failure);
  }

  #refuse(call: number, failure: ClientFailure): void {
    this.#effects.push({ type: "settle", call, outcome: { type: "failed", failure } });
  }

  #checkInvariants(): void {
    const { waitingOperationsMax, waitingBytesMax, limits } = this.#options;
    const { waiting, waitingBytes, sent } = this.#calls;
    // What was postponed comes on top: at most as much as was on the way.
    const { requestsOutstandingMax } = this.#options;
    const operationsMax = waitingOperationsMax + requestsOutstandingMax * limits.requestOperationsMax;
    invariant(waiting <= operationsMax, "client.waiting-bound", { waiting });
    const bytesMax = waitingBytesMax + requestsOutstandingMax * limits.requestBytesMax;
    invariant(waitingBytes <= bytesMax, "client.waiting-bytes-bound", { waitingBytes });
    invariant(sent <= this.#requests.operations, "client.sent-without-request", { sent });
    if (this.#session.type === "none") invariant(this.#requests.size === 0, "client.request-without-session");
    if (this.#session.type !== "open") return;
    let previous = Math.max(0, this.#session.next - limits.sessionWindow - 1);
    for (const { number } of this.#requests.values()) {
      invariant(number > previous && number < this.#session.next, "client.number-order", { number, previous });
      previous = number;
    }
  }
}

function optional(timeoutMs: number | undefined): { readonly timeoutMs?: number } {
  return timeoutMs === undefined ? {} : { timeoutMs };
}

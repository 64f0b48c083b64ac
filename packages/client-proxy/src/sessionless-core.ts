import {
  assertNever,
  type Digest,
  type Epoch,
  type ReplicaId,
  type Reply,
  requestNumber,
  type VerifiedReply,
  type VerifiedRequest,
  weakQuorumSize,
} from "@quorate/protocol";
import { Alarm } from "./alarm.ts";
import { type ClientEpochs, EpochFollower } from "./epoch-follower.ts";
import type { ClientEffect, ClientEvent } from "./events.ts";
import * as failures from "./failures.ts";
import { OpenRequest } from "./open-request.ts";
import { CLIENT_DEFAULTS, type ClientOptions } from "./options.ts";
import type { CallOutcome, ClientFailure, FailureEffect } from "./outcome.ts";
import type { AcceptedOutput } from "./output-filter.ts";
import { ReplicaHints } from "./replica-hints.ts";

/** What a core without a session is made of. What is left out is as for a client. */
export interface SessionlessOptions
  extends Partial<Pick<ClientOptions, "resendAfterMs" | "resendAfterMaxMs" | "defaultTimeoutMs">> {
  readonly chain: ClientEpochs;
}

/** What happens to it: as to a client, but that nothing is submitted. `order` comes first, and once. */
export type SessionlessEvent =
  | Exclude<ClientEvent, { readonly type: "submit" | "retry" | "cancel" }>
  | { readonly type: "order"; readonly atMs: number; readonly timeoutMs?: number };

/** What members have said, for a task to decide by. */
export interface Surroundings {
  readonly hints: Pick<ReplicaHints, "isReady" | "linked" | "executed" | "executedMax">;
  /** How many members have shown every link that they had when they were asked. */
  readonly membersHeard: number;
}

/** What a task decides: a request that is to be agreed on from now on, or how it ends. */
export type TaskStep =
  | { readonly type: "ask"; readonly request: VerifiedRequest }
  | { readonly type: "settle"; readonly outcome: CallOutcome };

/** One thing that is wanted of a cluster: it decides, and the core sends, counts, follows the epochs and waits. */
export interface SessionlessTask {
  /** The epoch that is known to come: it is asked for again and again until it is there. Undefined: nobody knows of one. */
  readonly expectedEpoch: Epoch | undefined;
  /** After each event while no request is on the way. */
  begin(surroundings: Surroundings): TaskStep | undefined;
  /** f+1 members of one epoch have answered the request alike. */
  onAnswer(output: AcceptedOutput, surroundings: Surroundings): TaskStep;
  /** A new epoch while the request is on the way. Undefined: the same bytes go to the new members. */
  onEpoch(): TaskStep | undefined;
  /** The deadline came first. */
  lateFailure(request: OpenRequest | undefined, weakQuorum: number, effect: FailureEffect): ClientFailure;
}

/** The call that its end is told by. */
const CALL = 0;

/**
 * The core of a client that wants one thing and needs no session for it: the request names itself what makes it count once. Like
 * `ClientCore` it follows the epochs, sends to whoever is believed to be the primary, to all after silence, and believes f+1
 * members of one epoch.
 */
export class SessionlessCore {
  readonly #task: SessionlessTask;
  readonly #options: SessionlessOptions & Required<Pick<ClientOptions, "resendAfterMs" | "resendAfterMaxMs">>;
  readonly #hints: ReplicaHints;
  readonly #follower: EpochFollower;
  readonly #resendAlarm = new Alarm("resend");
  readonly #deadlineAlarm = new Alarm("deadline");
  #deadlineAtMs: number | undefined;
  #request: OpenRequest | undefined;
  #isSettled = false;
  #nowMs = 0;
  #effects: ClientEffect[] = [];

  constructor(options: SessionlessOptions, task: SessionlessTask) {
    const { resendAfterMs, resendAfterMaxMs } = CLIENT_DEFAULTS;
    this.#task = task;
    this.#options = { resendAfterMs, resendAfterMaxMs, ...options };
    this.#hints = new ReplicaHints(options.chain.membership);
    this.#follower = new EpochFollower(options.chain, this.#options, task.expectedEpoch);
  }

  /** As `ClientCore.wants`. */
  wants(reply: Pick<Reply, "requestDigest" | "number" | "from" | "statement">): boolean {
    return this.#isAnswered(reply) && this.#request?.wants(reply.from, reply.statement.epoch) === true;
  }

  /** As `ClientCore.openDigests`. */
  get openDigests(): Iterable<Digest> {
    return this.#request === undefined ? [] : [this.#request.digest];
  }

  step(event: SessionlessEvent): readonly ClientEffect[] {
    this.#nowMs = Math.max(this.#nowMs, event.atMs);
    if (!this.#isSettled) this.#on(event);
    if (!this.#isSettled) this.#advance();
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #on(event: SessionlessEvent): void {
    switch (event.type) {
      case "order": {
        const { defaultTimeoutMs = CLIENT_DEFAULTS.defaultTimeoutMs } = this.#options;
        this.#deadlineAtMs = this.#nowMs + (event.timeoutMs ?? defaultTimeoutMs);
        return this.#deadlineAlarm.set(this.#deadlineAtMs, this.#nowMs, this.#effects);
      }
      case "reply":
        return this.#onReply(event.reply);
      case "welcome": {
        const { from, epoch, view, executed } = event;
        if (!this.#hints.isMember(from)) return;
        this.#hints.onWelcome(from, { epoch, view, executed });
        this.#onLinkUp(from);
        return this.#follower.onTold(from, epoch, this.#nowMs, this.#effects);
      }
      case "epoch-told":
        return this.#follower.onTold(event.from, event.epoch, this.#nowMs, this.#effects);
      case "epoch-links":
        if (this.#follower.onLinks(event.from, event.links, this.#nowMs, this.#effects)) this.#onEpoch();
        return;
      case "refused":
        if (this.#hints.isMember(event.from) && event.requestDigest === this.#request?.digest)
          this.#request.onRefused(event.from, event.code, this.#nowMs);
        return;
      case "link-up":
        return this.#onLinkUp(event.replica);
      case "link-down":
        this.#hints.onLinkDown(event.replica);
        this.#follower.onLinkDown(event.replica);
        if (event.replica === this.#hints.primary && this.#request?.isWithAll === false) this.#sendToAll();
        return;
      case "turned-away":
        return this.#hints.onTurnedAway(event.replica, event.reason);
      case "timeout":
        return event.timer === "resend" ? this.#onResendTimeout(event.token) : this.#onDeadline(event.token);
      case "close":
        return this.#fail(failures.closed(this.#effect));
      default:
        return assertNever(event);
    }
  }

  #onLinkUp(replica: ReplicaId): void {
    if (!this.#hints.onLinkUp(replica)) return;
    this.#follower.onLinkUp(replica, this.#nowMs, this.#effects);
    this.#send(replica);
  }

  #onEpoch(): void {
    const { membership } = this.#options.chain;
    for (const replica of this.#hints.onEpoch(membership)) this.#follower.onLinkDown(replica);
    this.#effects.push({ type: "members", membership });
    if (this.#request === undefined) return;
    const step = this.#task.onEpoch();
    if (step?.type === "settle") return this.#settle(step.outcome);
    if (step === undefined) this.#request.onEpoch();
    else this.#open(step.request);
    this.#sendToAll();
  }

  #onReply(reply: VerifiedReply): void {
    const { from, statement, view } = reply;
    if (statement.epoch === this.#options.chain.epoch && this.#hints.isMember(from))
      this.#hints.onReply(from, view, statement.seq);
    const request = this.#request;
    if (request === undefined || !this.#isAnswered(reply)) return;
    const output = request.onReply(reply);
    if (output !== undefined) this.#take(this.#task.onAnswer(output, this.#surroundings));
    else if (request.isDivergent) this.#fail(failures.divergent(request, this.#weakQuorum));
  }

  #onResendTimeout(token: number): void {
    if (!this.#resendAlarm.rings(token)) return;
    this.#follower.askDue(this.#nowMs, this.#effects);
    const request = this.#request;
    if (request === undefined || request.resendAtMs > this.#nowMs) return;
    request.onResend(this.#nowMs, this.#options.resendAfterMaxMs);
    request.onSentIn(this.#hints.view);
    this.#sendToAll();
  }

  #onDeadline(token: number): void {
    if (!this.#deadlineAlarm.rings(token)) return;
    if (this.#deadlineAtMs !== undefined && this.#deadlineAtMs <= this.#nowMs)
      return this.#fail(this.#task.lateFailure(this.#request, this.#weakQuorum, this.#effect));
    this.#deadlineAlarm.set(this.#deadlineAtMs, this.#nowMs, this.#effects);
  }

  /** Levels, not edges, as in `ClientCore`. */
  #advance(): void {
    if (this.#deadlineAtMs === undefined) return;
    const reason = this.#hints.turnedAway;
    if (reason !== undefined)
      return this.#fail((reason === "not-admitted" ? failures.notAdmitted : failures.wrongCluster)(this.#effect));
    const first = this.#request === undefined ? this.#task.begin(this.#surroundings) : undefined;
    if (first !== undefined) this.#take(first);
    if (this.#isSettled) return;
    this.#resendAlarm.set(this.#follower.dueAtMs, this.#nowMs, this.#effects);
    const request = this.#request;
    if (request === undefined) return;
    if (request.sentInView < this.#hints.view) {
      request.onSentIn(this.#hints.view);
      this.#transmit();
    }
    this.#resendAlarm.set(request.resendAtMs, this.#nowMs, this.#effects);
  }

  #take(step: TaskStep): void {
    if (step.type === "settle") return this.#settle(step.outcome);
    this.#open(step.request);
    this.#transmit();
  }

  #open(signed: VerifiedRequest): void {
    const { chain, resendAfterMs } = this.#options;
    const sent = { atMs: this.#nowMs, view: this.#hints.view, resendAfterMs };
    this.#request = new OpenRequest(signed, [], sent, chain, requestNumber(0));
  }

  #isAnswered({ requestDigest, number }: Pick<Reply, "requestDigest" | "number">): boolean {
    return requestDigest === this.#request?.digest && number === this.#request.number;
  }

  #transmit(): void {
    const { primary, linked } = this.#hints;
    if (linked.includes(primary)) this.#send(primary);
    else this.#sendToAll();
  }

  #sendToAll(): void {
    this.#request?.onSentToAll();
    for (const replica of this.#hints.linked) this.#send(replica);
  }

  #send(to: ReplicaId): void {
    if (this.#request === undefined) return;
    this.#request.onSent(to);
    this.#effects.push({ type: "send", to, frame: this.#request.frame });
  }

  get #surroundings(): Surroundings {
    return { hints: this.#hints, membersHeard: this.#follower.heard };
  }
  get #weakQuorum(): number {
    return weakQuorumSize(this.#options.chain.membership);
  }
  get #effect(): FailureEffect {
    return this.#request === undefined ? "none" : "unknown";
  }

  #fail(failure: ClientFailure): void {
    this.#settle({ type: "failed", failure });
  }

  #settle(outcome: CallOutcome): void {
    this.#isSettled = true;
    this.#request = undefined;
    this.#resendAlarm.cancel(this.#effects);
    this.#deadlineAlarm.cancel(this.#effects);
    this.#effects.push({ type: "settle", call: CALL, outcome });
  }
}

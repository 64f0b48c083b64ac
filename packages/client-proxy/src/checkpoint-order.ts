import {
  assertNever,
  bytesToCheckpointNumber,
  type ClientSigner,
  checkpointSpacing,
  type Digest,
  type ReplicaId,
  type Reply,
  requestNumber,
  type SequenceNumber,
  sequenceNumber,
  type VerifiedReply,
  weakQuorumSize,
} from "@quorate/protocol";
import { Alarm } from "./alarm.ts";
import { type ClientEpochs, EpochFollower } from "./epoch-follower.ts";
import type { ClientEffect, ClientEvent } from "./events.ts";
import * as failures from "./failures.ts";
import { OpenRequest } from "./open-request.ts";
import type { ClientOptions } from "./options.ts";
import { CLIENT_DEFAULTS } from "./options.ts";
import type { ClientFailure } from "./outcome.ts";
import type { AcceptedOutput } from "./output-filter.ts";
import { ReplicaHints } from "./replica-hints.ts";

/** What an order of a checkpoint is made of. What is left out is as for a client. */
export interface CheckpointOrderOptions
  extends Partial<Pick<ClientOptions, "resendAfterMs" | "resendAfterMaxMs" | "defaultDeadlineMs">> {
  /** With the key of an admin or a member. */
  readonly signer: Pick<ClientSigner, "signCheckpoint">;
  readonly chain: ClientEpochs;
}

/** What happens to an order: as to a client, but that nothing is submitted. `order` comes first, and once. */
export type CheckpointOrderEvent =
  | Exclude<ClientEvent, { readonly type: "submit" | "cancel" }>
  | { readonly type: "order"; readonly atMs: number; readonly deadlineMs?: number };

/** The call that its end is told by. */
const CALL = 0;
/** What the first answer tells is enough for the second request. */
const ATTEMPTS_MAX = 2;

/**
 * Orders one checkpoint (protocol rule 9.1). It needs no session: the request names a number that f+1 members, hence a
 * correct one, say is executed, and asks for a checkpoint above it. If there is one already, and it may have been made
 * before this order, a second request asks for one above that.
 *
 * An order has no effect in another epoch than its own, so in a new one it is signed again, above the same number: if the one
 * before has brought about a checkpoint, that is the answer.
 */
export class CheckpointOrder {
  readonly #options: CheckpointOrderOptions & Required<Pick<ClientOptions, "resendAfterMs" | "resendAfterMaxMs">>;
  readonly #hints: ReplicaHints;
  readonly #follower: EpochFollower;
  readonly #resendAlarm = new Alarm("resend");
  readonly #deadlineAlarm = new Alarm("deadline");
  #deadlineAtMs: number | undefined;
  #request: OpenRequest | undefined;
  /** What its request asks for a checkpoint above. */
  #above: SequenceNumber = sequenceNumber(0);
  #attempts = 0;
  /** The highest number that anyone said was executed when the request was signed. */
  #executedMax = 0;
  #isSettled = false;
  #nowMs = 0;
  #effects: ClientEffect[] = [];

  constructor(options: CheckpointOrderOptions) {
    const { resendAfterMs, resendAfterMaxMs } = CLIENT_DEFAULTS;
    this.#options = { resendAfterMs, resendAfterMaxMs, ...options };
    this.#hints = new ReplicaHints(options.chain.membership);
    this.#follower = new EpochFollower(options.chain, this.#options);
  }

  /** As `ClientCore.wants`. */
  wants(reply: Pick<Reply, "requestDigest" | "number" | "from" | "statement">): boolean {
    return this.#isAnswered(reply) && this.#request?.wants(reply.from, reply.statement.epoch) === true;
  }

  /** As `ClientCore.openDigests`. */
  get openDigests(): Iterable<Digest> {
    return this.#request === undefined ? [] : [this.#request.digest];
  }

  step(event: CheckpointOrderEvent): readonly ClientEffect[] {
    this.#nowMs = Math.max(this.#nowMs, event.atMs);
    if (!this.#isSettled) this.#on(event);
    if (!this.#isSettled) this.#advance();
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #on(event: CheckpointOrderEvent): void {
    switch (event.type) {
      case "order": {
        const { defaultDeadlineMs = CLIENT_DEFAULTS.defaultDeadlineMs } = this.#options;
        this.#deadlineAtMs = this.#nowMs + (event.deadlineMs ?? defaultDeadlineMs);
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
    this.#sign();
    this.#sendToAll();
  }

  #onReply(reply: VerifiedReply): void {
    const { from, statement, view } = reply;
    if (statement.epoch === this.#options.chain.epoch && this.#hints.isMember(from))
      this.#hints.onReply(from, view, statement.seq);
    const request = this.#request;
    if (request === undefined || !this.#isAnswered(reply)) return;
    const output = request.onReply(reply);
    if (output !== undefined) this.#afterAccepted(output);
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
      return this.#fail(failures.noQuorum(this.#request, this.#weakQuorum, this.#effect));
    this.#deadlineAlarm.set(this.#deadlineAtMs, this.#nowMs, this.#effects);
  }

  #afterAccepted({ reply, receipt }: AcceptedOutput): void {
    const [result] = reply.results;
    const number = result && bytesToCheckpointNumber(result.value);
    const isThere = result?.status === "ok" || result?.status === "checkpoint-superseded";
    if (result !== undefined && number !== undefined && isThere) {
      // Made after the order, or asked for with what the first answer told: then it is the one that was ordered.
      if (number > this.#executedMax || this.#attempts === ATTEMPTS_MAX)
        return this.#settle({ type: "result", result, seq: receipt?.statement.seq, index: 0, receipt });
      return this.#ask(sequenceNumber(Math.max(number, this.#hints.executed)));
    }
    const next = number === undefined ? undefined : number + checkpointSpacing(this.#options.chain.configuration);
    this.#fail(failures.checkpointRefused(result?.status ?? "checkpoint-not-permitted", number, next));
  }

  /** Levels, not edges, as in `ClientCore`. */
  #advance(): void {
    if (this.#deadlineAtMs === undefined) return;
    const reason = this.#hints.turnedAway;
    if (reason !== undefined)
      return this.#fail((reason === "not-admitted" ? failures.notAdmitted : failures.wrongCluster)(this.#effect));
    if (this.#request === undefined && this.#hints.isReady && this.#hints.linked.length > 0)
      this.#ask(this.#hints.executed);
    this.#resendAlarm.set(this.#follower.dueAtMs, this.#nowMs, this.#effects);
    const request = this.#request;
    if (request === undefined) return;
    if (request.sentInView < this.#hints.view) {
      request.onSentIn(this.#hints.view);
      this.#transmit();
    }
    this.#resendAlarm.set(request.resendAtMs, this.#nowMs, this.#effects);
  }

  #ask(above: SequenceNumber): void {
    if (this.#attempts++ === 0) this.#executedMax = this.#hints.executedMax;
    this.#above = above;
    this.#sign();
    this.#transmit();
  }

  #sign(): void {
    const { signer, chain, resendAfterMs } = this.#options;
    const signed = signer.signCheckpoint({ epoch: chain.epoch, above: this.#above });
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

  get #weakQuorum(): number {
    return weakQuorumSize(this.#options.chain.membership);
  }
  get #effect(): "none" | "unknown" {
    return this.#request === undefined ? "none" : "unknown";
  }

  #fail(failure: ClientFailure): void {
    this.#settle({ type: "failed", failure });
  }

  #settle(outcome: Extract<ClientEffect, { type: "settle" }>["outcome"]): void {
    this.#isSettled = true;
    this.#request = undefined;
    this.#resendAlarm.cancel(this.#effects);
    this.#deadlineAlarm.cancel(this.#effects);
    this.#effects.push({ type: "settle", call: CALL, outcome });
  }
}

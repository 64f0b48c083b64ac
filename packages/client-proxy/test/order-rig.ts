import type {
  CallOutcome,
  ClientEpochs,
  ClientFailure,
  ClientTimer,
  SessionlessCore,
  SessionlessEvent,
} from "@quorate/client-proxy";
import {
  type EpochLink,
  epochNumber,
  type Membership,
  type OperationResult,
  type ReplicaId,
  type Request,
  requestNumber,
  sequenceNumber,
  viewNumber,
} from "@quorate/protocol";
import { ScriptedEpochs } from "@quorate/reconfiguration/testing";
import { type Executed, NO_SESSION, replyOf, requestDigestOf } from "./fakes.ts";

type Untimed<E> = E extends unknown ? Omit<E, "atMs"> : never;
type Result = Extract<CallOutcome, { type: "result" }>;

/** Runs one core without a session on a virtual clock; the test plays the replicas. */
export class OrderRig<R extends Request> {
  readonly core: SessionlessCore;
  readonly epochs: ScriptedEpochs;
  readonly chain: ClientEpochs;
  readonly ids: readonly ReplicaId[];
  readonly outcomes: CallOutcome[] = [];
  readonly members: Membership[] = [];
  readonly timers: Map<ClientTimer, { readonly token: number; readonly atMs: number }> = new Map();
  sent: { readonly to: ReplicaId; readonly request: R }[] = [];
  /** Questions for links. */
  asked: { readonly to: ReplicaId; readonly above: number }[] = [];
  nowMs = 1_000;

  constructor(make: (chain: ClientEpochs) => SessionlessCore, epochs: ScriptedEpochs = new ScriptedEpochs()) {
    this.epochs = epochs;
    this.chain = epochs.chainAt(0);
    this.ids = this.chain.membership.members.map(({ id }) => id);
    this.core = make(this.chain);
  }

  run(event: Untimed<SessionlessEvent>): void {
    for (const effect of this.core.step({ ...event, atMs: this.nowMs } as SessionlessEvent)) {
      if (effect.type === "settle") this.outcomes.push(effect.outcome);
      if (effect.type === "members") this.members.push(effect.membership);
      if (effect.type === "start-timer")
        this.timers.set(effect.timer, { token: effect.token, atMs: this.nowMs + effect.afterMs });
      if (effect.type === "cancel-timer") this.timers.delete(effect.timer);
      if (effect.type !== "send") continue;
      const { to, frame } = effect;
      if (frame.type === "request") this.sent.push({ to, request: frame.request as R });
      if (frame.type === "fetch-epochs") this.asked.push({ to, above: frame.fetch.above });
    }
  }
  /** Ordered, with all members linked, which say that they have executed this number. */
  begin(executed: number, epoch = 0): this {
    this.run({ type: "order" });
    for (const id of this.ids) this.welcome(id, executed, 0, epoch);
    return this;
  }
  welcome(from: ReplicaId, executed: number, view = 0, epoch = 0): void {
    const hints = { epoch: epochNumber(epoch), view: viewNumber(view), executed: sequenceNumber(executed) };
    this.run({ type: "welcome", from, ...hints });
  }
  links(from: ReplicaId | undefined, links: readonly EpochLink[] = this.epochs.links): void {
    this.run({ type: "epoch-links", from, links });
  }
  pass(ms: number): void {
    const until = this.nowMs + ms;
    for (;;) {
      const [next] = [...this.timers].sort(([, a], [, b]) => a.atMs - b.atMs);
      if (next === undefined || next[1].atMs > until) break;
      const [timer, { token, atMs }] = next;
      this.timers.delete(timer);
      this.nowMs = atMs;
      this.run({ type: "timeout", timer, token });
    }
    this.nowMs = until;
  }
  takeSent(): { readonly to: ReplicaId; readonly request: R }[] {
    const { sent } = this;
    this.sent = [];
    return sent;
  }
  takeAsked(): { readonly to: ReplicaId; readonly above: number }[] {
    const { asked } = this;
    this.asked = [];
    return asked;
  }
  /** The request that was sent since the last look. */
  request(): R {
    const [first] = this.takeSent();
    if (first === undefined) throw new Error("nothing was sent");
    return first.request;
  }
  /** This request, executed at this number of this epoch, ended as this at these members. */
  answer(
    request: R,
    seq: number,
    result: OperationResult,
    members: readonly ReplicaId[] = this.ids,
    epoch?: number,
  ): void {
    const executed: Executed = {
      seq: sequenceNumber(seq),
      session: NO_SESSION,
      number: requestNumber(0),
      requestDigest: requestDigestOf(request),
      results: [result],
    };
    for (const id of members) {
      const reply = replyOf(id, executed, { epoch: epoch ?? ("epoch" in request ? request.epoch : 0) });
      if (this.core.wants(reply)) this.run({ type: "reply", reply });
    }
  }
  get failure(): ClientFailure {
    const [outcome] = this.outcomes;
    if (outcome?.type !== "failed") throw new Error(`it has not failed: ${outcome?.type}`);
    return outcome.failure;
  }
  get result(): Result {
    const [outcome] = this.outcomes;
    if (outcome?.type !== "result") throw new Error(`it has no result: ${outcome?.failure.code}`);
    return outcome;
  }
}

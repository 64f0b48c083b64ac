import {
  type AcceptedChange,
  acceptedChangeToBytes,
  bytesToRefusal,
  invariant,
  type ReconfigurationRequest,
  type VerifiedRequest,
} from "@quorate/protocol";
import { decodeConfiguration, shownChange } from "@quorate/reconfiguration";
import { changeLost, changeNeverDue, changeRefused } from "./change-failures.ts";
import type { ClientEpochs } from "./epoch-follower.ts";
import * as failures from "./failures.ts";
import type { OpenRequest } from "./open-request.ts";
import type { CallOutcome, ClientFailure, FailureEffect } from "./outcome.ts";
import type { AcceptedOutput } from "./output-filter.ts";
import {
  SessionlessCore,
  type SessionlessOptions,
  type SessionlessTask,
  type Surroundings,
  type TaskStep,
} from "./sessionless-core.ts";

/** What an order of a change is made of. */
export interface ChangeOrderOptions extends SessionlessOptions {
  /** A reconfiguration with all its signatures. */
  readonly request: VerifiedRequest;
}

/**
 * A core that orders one reconfiguration (protocol rule 11.1). Its result is what was accepted, see `bytesToAcceptedChange`; it
 * has no receipt where only the chain of epochs tells that the change is in force.
 */
export function createChangeOrder(options: ChangeOrderOptions): SessionlessCore {
  return new SessionlessCore(options, new ChangeOrder(options));
}

/**
 * The same bytes are sent until f+1 members of one epoch have answered alike: a nonce counts once, and another one is for whoever
 * signs to draw. The change has no effect in another epoch than its own. So when that is over without an answer, its successor
 * shows what became of the change; only of those that admit or expel clients it shows nothing.
 */
class ChangeOrder implements SessionlessTask {
  readonly #chain: ClientEpochs;
  readonly #signed: VerifiedRequest;
  readonly #request: ReconfigurationRequest;

  constructor({ request: signed, chain }: ChangeOrderOptions) {
    const { request } = signed;
    invariant(request.type === "reconfiguration", "change-order.request", { type: request.type });
    this.#chain = chain;
    this.#signed = signed;
    this.#request = request;
  }

  get expectedEpoch(): ReconfigurationRequest["epoch"] {
    return this.#request.epoch;
  }

  begin({ hints }: Surroundings): TaskStep | undefined {
    const { epoch } = this.#request;
    // It was signed in an epoch that is over; somebody may have sent it then.
    if (this.#chain.epoch > epoch) return settled(this.#shown() ?? lost(this.#request, "unknown"));
    if (this.#chain.epoch < epoch || !hints.isReady || hints.linked.length === 0) return undefined;
    return { type: "ask", request: this.#signed };
  }

  onAnswer({ reply, receipt }: AcceptedOutput): TaskStep {
    const [result] = reply.results;
    invariant(result !== undefined, "change-order.no-result");
    if (result.status === "ok")
      return settled({ type: "result", result, seq: receipt?.statement.seq, index: 0, receipt });
    const refusal = bytesToRefusal(result.value);
    invariant(refusal !== undefined, "change-order.refusal", { status: result.status });
    // It was sent before its epoch was over, and may have been executed then: nobody remembers that answer any more.
    if (refusal === "epoch-other") return settled(lost(this.#request, "unknown"));
    return settled({ type: "failed", failure: changeRefused(refusal, this.#request, this.#chain.configuration) });
  }

  onEpoch(): TaskStep | undefined {
    const outcome = this.#chain.epoch > this.#request.epoch ? this.#shown() : undefined;
    return outcome && settled(outcome);
  }

  lateFailure(request: OpenRequest | undefined, weakQuorum: number, effect: FailureEffect): ClientFailure {
    const { epoch } = this.#chain;
    if (request === undefined && epoch < this.#request.epoch) return changeNeverDue(this.#request.epoch, epoch);
    return failures.noQuorum(request, weakQuorum, effect);
  }

  /** What the link of the next epoch shows; undefined for a change that no link shows. */
  #shown(): CallOutcome | undefined {
    const { change, epoch } = this.#request;
    const [link] = this.#chain.linksAbove(epoch);
    invariant(link !== undefined, "change-order.no-link", { epoch });
    const shown = shownChange(decodeConfiguration(link.record), change, link.certificate.seq);
    if (shown === undefined) return undefined;
    return shown === "absent" ? lost(this.#request, "none") : inForce(shown);
  }
}

function settled(outcome: CallOutcome): TaskStep {
  return { type: "settle", outcome };
}

function lost({ epoch }: ReconfigurationRequest, effect: FailureEffect): CallOutcome {
  return { type: "failed", failure: changeLost(epoch, effect) };
}

/** A quorum has certified it, which is more than f+1 replies; their statements are of no use any more. */
function inForce(accepted: AcceptedChange): CallOutcome {
  const result = { status: "ok", value: acceptedChangeToBytes(accepted) } as const;
  return { type: "result", result, seq: undefined, index: 0, receipt: undefined };
}

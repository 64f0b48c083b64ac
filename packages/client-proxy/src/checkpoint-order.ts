import {
  bytesToCheckpointNumber,
  type ClientSigner,
  checkpointSpacing,
  type SequenceNumber,
  sequenceNumber,
} from "@quorate/protocol";
import type { ClientEpochs } from "./epoch-follower.ts";
import * as failures from "./failures.ts";
import type { AcceptedOutput } from "./output-filter.ts";
import {
  SessionlessCore,
  type SessionlessOptions,
  type SessionlessTask,
  type Surroundings,
  type TaskStep,
} from "./sessionless-core.ts";

/** What an order of a checkpoint is made of. */
export interface CheckpointOrderOptions extends SessionlessOptions {
  /** With the key of an admin or a member. */
  readonly signer: Pick<ClientSigner, "signCheckpoint">;
}

/** What the first answer tells is enough for the second request. */
const ATTEMPTS_MAX = 2;

/** A core that orders one checkpoint (protocol rule 9.1). Its result is the number of the checkpoint that is there. */
export function createCheckpointOrder(options: CheckpointOrderOptions): SessionlessCore {
  return new SessionlessCore(options, new CheckpointOrder(options));
}

/**
 * The request names a number that f+1 members, hence a correct one, say is executed, and asks for a checkpoint above it. If
 * there is one already, and it may have been made before this order, a second request asks for one above that.
 *
 * An order has no effect in another epoch than its own, so in a new one it is signed again, above the same number: if the one
 * before has brought about a checkpoint, that is the answer.
 */
class CheckpointOrder implements SessionlessTask {
  readonly expectedEpoch = undefined;
  readonly lateFailure = failures.noQuorum;
  readonly #signer: Pick<ClientSigner, "signCheckpoint">;
  readonly #chain: ClientEpochs;
  /** What its request asks for a checkpoint above. */
  #above: SequenceNumber = sequenceNumber(0);
  #attempts = 0;
  /** The highest number that anyone said was executed when the request was signed. */
  #executedMax = 0;

  constructor({ signer, chain }: CheckpointOrderOptions) {
    this.#signer = signer;
    this.#chain = chain;
  }

  begin({ hints }: Surroundings): TaskStep | undefined {
    if (!hints.isReady || hints.linked.length === 0) return undefined;
    this.#executedMax = hints.executedMax;
    return this.#ask(hints.executed);
  }

  onAnswer({ reply, receipt }: AcceptedOutput, { hints }: Surroundings): TaskStep {
    const [result] = reply.results;
    const number = result && bytesToCheckpointNumber(result.value);
    const isThere = result?.status === "ok" || result?.status === "checkpoint-superseded";
    if (result !== undefined && number !== undefined && isThere) {
      // Made after the order, or asked for with what the first answer told: then it is the one that was ordered.
      if (number > this.#executedMax || this.#attempts === ATTEMPTS_MAX)
        return {
          type: "settle",
          outcome: { type: "result", result, seq: receipt?.statement.seq, index: 0, receipt },
        };
      return this.#ask(sequenceNumber(Math.max(number, hints.executed)));
    }
    const next = number === undefined ? undefined : number + checkpointSpacing(this.#chain.configuration);
    const failure = failures.checkpointRefused(result?.status ?? "checkpoint-not-permitted", number, next);
    return { type: "settle", outcome: { type: "failed", failure } };
  }

  onEpoch(): TaskStep {
    return this.#signed();
  }

  #ask(above: SequenceNumber): TaskStep {
    this.#attempts++;
    this.#above = above;
    return this.#signed();
  }

  #signed(): TaskStep {
    const request = this.#signer.signCheckpoint({ epoch: this.#chain.epoch, above: this.#above });
    return { type: "ask", request };
  }
}

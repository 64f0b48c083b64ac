import { acceptedChangeToBytes, type Epoch, sequenceNumber, weakQuorumSize } from "@quorate/protocol";
import type { ClientEpochs } from "./epoch-follower.ts";
import type { OpenRequest } from "./open-request.ts";
import type { ClientFailure } from "./outcome.ts";
import {
  SessionlessCore,
  type SessionlessOptions,
  type SessionlessTask,
  type Surroundings,
  type TaskStep,
} from "./sessionless-core.ts";

/** What a watch of the epochs is made of. */
export interface EpochWatchOptions extends SessionlessOptions {
  /** Until this epoch is there. Left out: until f+1 members, hence a correct one, have shown all the links that they have. */
  readonly epoch?: Epoch;
}

/**
 * A core that asks for nothing but links of the epoch chain (protocol rule 11.4). Its result is the latest epoch and where it
 * began, see `bytesToAcceptedChange`; the chain proves it.
 */
export function createEpochWatch(options: EpochWatchOptions): SessionlessCore {
  return new SessionlessCore(options, new EpochWatch(options));
}

class EpochWatch implements SessionlessTask {
  readonly expectedEpoch: Epoch | undefined;
  readonly #chain: ClientEpochs;

  constructor({ chain, epoch }: EpochWatchOptions) {
    this.#chain = chain;
    this.expectedEpoch = epoch;
  }

  begin({ membersHeard }: Surroundings): TaskStep | undefined {
    const { epoch, membership } = this.#chain;
    const isThere =
      this.expectedEpoch === undefined ? membersHeard >= weakQuorumSize(membership) : epoch >= this.expectedEpoch;
    if (!isThere) return undefined;
    const value = acceptedChangeToBytes({ epoch, activation: membership.start?.seq ?? sequenceNumber(0) });
    const result = { status: "ok", value } as const;
    return { type: "settle", outcome: { type: "result", result, seq: undefined, index: 0, receipt: undefined } };
  }

  /** Nothing is ever on the way. */
  onAnswer(): TaskStep {
    throw new Error("an epoch watch asks nothing that is answered");
  }
  onEpoch(): undefined {
    return undefined;
  }

  lateFailure(_request: OpenRequest | undefined, weakQuorum: number): ClientFailure {
    const message =
      this.expectedEpoch === undefined
        ? `no ${weakQuorum} members have shown in time which epoch it is`
        : `epoch ${this.expectedEpoch} did not begin in time: the latest that a quorum has certified is epoch ${this.#chain.epoch}; do a quorum of members run?`;
    return { code: "client.no-quorum", effect: "none", replies: [], refusals: [], message };
  }
}

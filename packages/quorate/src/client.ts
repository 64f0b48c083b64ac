import {
  type CallOutcome,
  ClientCore,
  type ClientEvent,
  type ClientFailure,
  type ClientOptions,
  decideResendAfterMs,
} from "@quorate/client-proxy";
import { Verifier } from "@quorate/crypto";
import {
  bytesToHex,
  type ClientSigner,
  type ClusterId,
  digest,
  type Genesis,
  type OperationResult,
  type Receipt,
  type SequenceNumber,
} from "@quorate/protocol";
import { EpochChain, type ReceiptProof, receiptProofOf, type TrustedEpoch } from "@quorate/reconfiguration";
import { type ClientPlatform, CoreRunner } from "./core-runner.ts";

/** An operation has no result; `failure.code` says why, `failure.effect` whether it may have had an effect. */
export class QuorateError extends Error {
  readonly code: ClientFailure["code"] | "client.operation-failed";
  readonly failure: ClientFailure | undefined;

  constructor(code: QuorateError["code"], message: string, failure?: ClientFailure) {
    super(message);
    this.name = "QuorateError";
    this.code = code;
    this.failure = failure;
  }
}

/** The agreed result of one operation. */
export interface OperationOutcome {
  /** Of status `ok`, or `failed` when the service refused the operation. */
  readonly result: OperationResult;
  /** Where it was executed; undefined when the replicas that agreed had signed it at different places. */
  readonly seq: SequenceNumber | undefined;
  /** Proof for third parties; the operation's own result is `receipt.results[index]`. */
  readonly receipt: Receipt | undefined;
  readonly index: number;
}

/** How long a call may take. */
export interface CallOptions {
  /** Milliseconds until the call fails with `client.no-quorum`. */
  readonly deadlineMs?: number;
}

/** Settings of a client; correctness does not depend on them. */
export type ClientSettings = Partial<
  Pick<ClientOptions, "requestsOutstandingMax" | "waitingOperationsMax" | "resendAfterMs" | "defaultDeadlineMs">
>;

export interface ClientInit {
  readonly genesis: Genesis;
  readonly cluster: ClusterId;
  readonly signer: ClientSigner;
  /** The secret behind `signer`, for the handshake. */
  readonly seed: Uint8Array;
  readonly addresses?: readonly string[];
  /** The epoch to begin with, if not that of genesis. */
  readonly epoch?: TrustedEpoch | undefined;
  readonly settings?: ClientSettings;
}

/** The epochs that a client knows, from genesis on: who the members are, and the links that prove it to others. */
export type KnownEpochs = Pick<
  EpochChain,
  "epoch" | "configuration" | "membership" | "membershipAt" | "linksAbove" | "linksTo" | "trusted"
>;

interface Waiting {
  readonly resolve: (outcome: OperationOutcome) => void;
  readonly reject: (error: QuorateError) => void;
}

/**
 * A client of one cluster: runs the sans-I/O `ClientCore` over links to all members. It believes a result when f+1
 * members of one epoch signed it, and nothing else, and follows the members from epoch to epoch.
 */
export class QuorateClient {
  /** For whoever verifies receipts: by the members of the statement's epoch. */
  readonly epochs: KnownEpochs;
  readonly #platform: ClientPlatform;
  readonly #core: ClientCore;
  readonly #runner: CoreRunner;
  readonly #waiting = new Map<number, Waiting>();
  #submitted: ClientEvent[] = [];
  #calls = 0;
  #isClosed = false;

  constructor(init: ClientInit, platform: ClientPlatform) {
    const { genesis, cluster, signer } = init;
    const { backend, hasher } = platform;
    const verifier = new Verifier({ backend, hasher, cluster });
    const chain = new EpochChain({ cluster, hasher, verifier }, genesis, { from: init.epoch });
    this.epochs = chain;
    this.#platform = platform;
    this.#core = new ClientCore({
      signer,
      chain,
      limits: genesis.limits,
      nextNonce: () => digest(bytesToHex(platform.randomBytes(32))),
      resendAfterMs: decideResendAfterMs(genesis.timeouts),
      ...init.settings,
    });
    const onSettled = (call: number, outcome: CallOutcome): void => this.#settle(call, outcome);
    const { publicKey } = signer;
    this.#runner = new CoreRunner({ ...init, publicKey, chain, verifier, core: this.#core, onSettled }, platform);
  }

  /**
   * Has `operation` ordered and executed. The bytes must not change until the promise settles.
   *
   * @throws QuorateError when there is no agreed result (the promise rejects); a refusal by the service is a result.
   */
  execute(operation: Uint8Array, options: CallOptions = {}): Promise<OperationOutcome> {
    const call = this.#calls++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(call, { resolve, reject });
      // What is submitted in one turn travels together: fewer and larger requests.
      if (this.#submitted.length === 0) queueMicrotask(() => this.#submit());
      this.#submitted.push({ type: "submit", call, operation, atMs: this.#platform.nowMs(), ...options });
    });
  }

  /**
   * A receipt for whoever has the genesis document and nothing else: with the links to its epoch, see `receiptProofFault`. It
   * goes on to prove what it proves when keys are rotated and members leave.
   */
  proofOf(receipt: Receipt): ReceiptProof {
    return receiptProofOf(receipt, this.epochs);
  }

  /** Ends every call that waits and every link. */
  close(): void {
    if (this.#isClosed) return;
    this.#submit();
    this.#isClosed = true;
    this.#runner.close();
  }

  #submit(): void {
    const submitted = this.#submitted;
    this.#submitted = [];
    if (submitted.length > 0) this.#runner.perform(this.#core.stepAll(submitted));
  }

  #settle(call: number, outcome: CallOutcome): void {
    const waiting = this.#waiting.get(call);
    this.#waiting.delete(call);
    if (outcome.type === "failed")
      waiting?.reject(new QuorateError(outcome.failure.code, this.#runner.explain(outcome.failure), outcome.failure));
    else waiting?.resolve(outcome);
  }
}

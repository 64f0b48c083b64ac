import {
  type CallOutcome,
  ClientCore,
  type ClientOptions,
  type ClientStanding,
  decideResendAfterMs,
  type ProvenRead,
  type StaleRead,
} from "@quorate/client-proxy";
import { wireLimitsOf } from "@quorate/codec";
import { Verifier } from "@quorate/crypto";
import {
  bytesToHex,
  type ClientSigner,
  type ClusterId,
  digest,
  type Epoch,
  type Genesis,
  invariant,
  type Receipt,
  type ReplicaId,
  type SequenceNumber,
  STATE_KEY_BYTES_MAX,
  STATE_READ_KEYS_MAX,
  type StateQuery,
} from "@quorate/protocol";
import { EpochChain, type ReceiptProof, receiptProofOf, type TrustedEpoch } from "@quorate/reconfiguration";
import type { ServiceCalls } from "@quorate/typed-service";
import type { CallOptions } from "./call-options.ts";
import { type ClientEvents, StandingEvents } from "./client-events.ts";
import { type ClientPlatform, CoreRunner } from "./core-runner.ts";
import { QuorateError } from "./errors.ts";
import { OperationCalls, type OperationOutcome } from "./operation-calls.ts";
import { operationReceipt } from "./operation-receipt.ts";
import { type AnyDefinedService, serviceCalls } from "./service-calls.ts";
import { type StaleReadFailure, StaleReads } from "./stale-reads.ts";

/** Of whom a stale read is asked, and what will do. */
export interface StaleReadOptions extends Omit<StaleRead, "query" | "from"> {
  /**
   * Who is to answer: a member by its id, or anybody by the address where it listens, `host:port`; it need not be a member. Any
   * member that is linked unless given, and the next one where that is no use.
   */
  readonly from?: ReplicaId | string;
}

/** True of the state at a checkpoint that a quorum has signed: how old that is, nobody says. */
export interface StaleOutcome extends Omit<ProvenRead, "answer"> {
  /** The number of the checkpoint: what was executed up to here is in it. */
  readonly seq: SequenceNumber;
  readonly epoch: Epoch;
}

/** The values of some keys, in the order asked; undefined where there is none. */
export interface StaleValues extends StaleOutcome {
  readonly values: readonly (Uint8Array | undefined)[];
}

/** Entries of a range. Each is proven; that none between them is left out is the word of who answered. */
export interface StaleEntries extends StaleOutcome {
  readonly entries: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[];
  /** Where the range goes on; undefined at its end. */
  readonly next: Uint8Array | undefined;
}

/** Settings of a client; correctness does not depend on them. */
export type ClientSettings = Partial<
  Pick<
    ClientOptions,
    "requestsOutstandingMax" | "waitingOperationsMax" | "resendAfterMs" | "defaultTimeoutMs" | "sessionAtOnce"
  >
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

/**
 * A client of one cluster: runs the sans-I/O `ClientCore` over links to all members. It believes a result when f+1
 * members of one epoch signed it, and nothing else, and follows the members from epoch to epoch.
 */
export class QuorateClient {
  /** For whoever verifies receipts: by the members of the statement's epoch. */
  readonly epochs: KnownEpochs;
  readonly #core: ClientCore;
  readonly #runner: CoreRunner;
  readonly #reads: StaleReads;
  readonly #calls: OperationCalls;
  readonly #events: StandingEvents;
  #isClosed = false;

  constructor(init: ClientInit, platform: ClientPlatform) {
    const { genesis, cluster, signer } = init;
    const { backend, hasher } = platform;
    const verifier = new Verifier({ backend, hasher, cluster });
    const chain = new EpochChain({ cluster, hasher, verifier }, genesis, { from: init.epoch });
    this.epochs = chain;
    this.#core = new ClientCore({
      signer,
      chain,
      limits: genesis.limits,
      nextNonce: () => digest(bytesToHex(platform.randomBytes(32))),
      resendAfterMs: decideResendAfterMs(genesis.timeouts),
      ...init.settings,
    });
    const limits = wireLimitsOf(genesis);
    this.#events = new StandingEvents(this.#core.standing);
    this.#calls = new OperationCalls({
      nowMs: platform.nowMs,
      receiptOf: (receipt) => operationReceipt(receipt, { cluster, chain, limits }),
      step: (events) => this.#runner.perform(this.#core.stepAll(events)),
      explain: (failure) => this.#runner.explain(failure),
    });
    const onSettled = (call: number, outcome: CallOutcome): void => this.#calls.onSettled(call, outcome);
    const onStepped = (): void => this.#events.onStanding(this.#core.standing);
    const { publicKey } = signer;
    this.#reads = new StaleReads({
      ...{ cluster, hasher, chain, verifier, nowMs: platform.nowMs },
      choose: (count) => (platform.randomBytes(1)[0] ?? 0) % count,
      links: () => this.#runner.readLinks,
    });
    this.#runner = new CoreRunner(
      { ...init, publicKey, chain, verifier, core: this.#core, onSettled, onStepped, reads: this.#reads },
      platform,
    );
  }

  /** Tells of views, epochs, and whether enough members are linked. */
  get events(): ClientEvents {
    return this.#events.target;
  }

  /** Where the client stands now: what `events` tells the changes of. */
  get standing(): ClientStanding {
    return this.#core.standing;
  }

  /**
   * Has `operation` ordered and executed. The bytes are copied.
   *
   * @throws QuorateError when there is no agreed result (the promise rejects), of the class that tells why: `NoQuorumError`,
   * `DivergentRepliesError`, `CancelledError` and `OverloadedError` have `retry()`. A refusal by the service is a result. RangeError for
   * a `timeoutMs` that is no positive number.
   */
  execute(operation: Uint8Array, options: CallOptions = {}): Promise<OperationOutcome> {
    return this.#calls.execute(operation, options);
  }

  /**
   * The operations of a service that was made by `defineService`, typed by it. The client stays what it is: any number of these share its
   * session and links.
   *
   * @param options of every call.
   *
   * @example
   * ```ts
   * import type { service } from "./counter.js";
   * const counter = client.as<typeof service>();
   * const sum = await counter.increment("visits", 5);
   * ```
   */
  as<S extends AnyDefinedService>(options: CallOptions = {}): ServiceCalls<S> {
    return serviceCalls<S>(this.#calls, options);
  }

  /**
   * A receipt for whoever has the genesis document and nothing else: with the links to its epoch, see `receiptProofFault`. It
   * goes on to prove what it proves when keys are rotated and members leave.
   */
  proofOf(receipt: Receipt): ReceiptProof {
    return receiptProofOf(receipt, this.epochs);
  }

  /**
   * Reads keys of the service's state at a stable checkpoint from one replica, with proofs; nothing is ordered. The checkpoint is never
   * older than that of an earlier read, nor than the start of the latest epoch known, unless `mayGoBack`.
   *
   * @param keys 1 to `STATE_READ_KEYS_MAX`, all of one checkpoint.
   * @throws QuorateError `client.read-refused`, `client.read-unanswered`, or `client.read-malformed` for what no service has (the promise
   * rejects); TransportError for an address that is none.
   */
  async readStale(keys: readonly Uint8Array[], options: StaleReadOptions = {}): Promise<StaleValues> {
    const { answer, ...read } = await this.#read({ query: { type: "keys", keys }, ...options });
    invariant(answer.type === "values", "client.read-answer");
    return { ...read, values: answer.values };
  }

  /**
   * As `readStale`, the first entries with `from ≤ key < to`, up to `STATE_READ_KEYS_MAX`. Where it matters that none is missing, read it
   * in order (`execute`), or have several replicas asked.
   */
  async readStaleRange(
    from: Uint8Array,
    to: Uint8Array | undefined,
    limit: number = STATE_READ_KEYS_MAX,
    options: StaleReadOptions = {},
  ): Promise<StaleEntries> {
    const { answer, ...read } = await this.#read({ query: { type: "range", from, to, limit }, ...options });
    invariant(answer.type === "entries", "client.read-answer");
    return { ...read, entries: answer.entries, next: answer.next };
  }

  async #read(read: StaleRead): Promise<StaleOutcome & Pick<ProvenRead, "answer">> {
    checkQuery(read.query);
    try {
      const proven = await this.#reads.read(read);
      const { seq, epoch } = proven.certificate;
      return { ...proven, seq, epoch };
    } catch (failure) {
      if (failure instanceof Error) throw failure;
      const { code, message } = failure as StaleReadFailure;
      throw new QuorateError(code, message);
    }
  }

  /** Ends every call that waits, with a `ClosedError`, and every link. At once; a second time does nothing. */
  close(): void {
    if (this.#isClosed) return;
    this.#calls.flush();
    this.#isClosed = true;
    this.#runner.close();
  }

  /** `close`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}

/** What no replica takes would close its link. */
function checkQuery(query: StateQuery): void {
  const [count, keys] = query.type === "keys" ? [query.keys.length, query.keys] : [query.limit, endsOf(query)];
  if (!Number.isInteger(count) || count < 1 || count > STATE_READ_KEYS_MAX)
    throw new QuorateError(
      "client.read-malformed",

      `a stale read is of 1 to ${STATE_READ_KEYS_MAX} keys, not of ${count}; read the rest in another one`,
    );
  for (const { length } of keys)
    if (length > STATE_KEY_BYTES_MAX)
      throw new QuorateError(
        "client.read-malformed",
        `a key has ${length} bytes, a service has none of more than ${STATE_KEY_BYTES_MAX}`,
      );
}

function endsOf({ from, to }: Extract<StateQuery, { type: "range" }>): readonly Uint8Array[] {
  return to === undefined ? [from] : [from, to];
}

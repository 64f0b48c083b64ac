import {
  type CallOutcome,
  ClientCore,
  type ClientEffect,
  type ClientEvent,
  type ClientFailure,
  type ClientOptions,
  type ClientTimer,
  decideResendAfterMs,
} from "@quorate/client-proxy";
import { type Codec, createCodec, wireLimitsOf } from "@quorate/codec";
import { type SignatureBackend, Verifier } from "@quorate/crypto";
import {
  bytesToHex,
  type ClientFrame,
  type ClientSigner,
  type ClusterId,
  digest,
  type Genesis,
  genesisMembership,
  type Hasher,
  type Member,
  type Membership,
  type OperationResult,
  type Receipt,
  type ReplicaId,
  type SequenceNumber,
} from "@quorate/protocol";
import type { DialOptions, Endpoint, PersistentLink, TransportError } from "@quorate/transport/client";
import { CLIENT_DIAL_LIMITS } from "@quorate/transport/client";
import { answersOther } from "./reply-peek.ts";

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

/** What the platform brings. */
export interface ClientPlatform {
  readonly backend: SignatureBackend;
  readonly hasher: Hasher;
  readonly randomBytes: (length: number) => Uint8Array;
  /** Milliseconds that never go back. */
  readonly nowMs: () => number;
  /** Opens a link that redials for ever. */
  readonly dial: (member: Member, options: DialOptions) => PersistentLink;
}

export interface ClientInit {
  readonly genesis: Genesis;
  readonly cluster: ClusterId;
  readonly signer: ClientSigner;
  /** The secret behind `signer`, for the handshake. */
  readonly seed: Uint8Array;
  readonly settings?: ClientSettings;
}

interface Waiting {
  readonly resolve: (outcome: OperationOutcome) => void;
  readonly reject: (error: QuorateError) => void;
}

/**
 * A client of one cluster: runs the sans-I/O `ClientCore` over links to all replicas. It believes a result when f+1
 * members signed it, and nothing else.
 */
export class QuorateClient {
  readonly #platform: ClientPlatform;
  readonly #core: ClientCore;
  readonly #codec: Codec;
  readonly #verifier: Verifier;
  readonly #membership: Membership;
  readonly #links = new Map<ReplicaId, PersistentLink>();
  /** Why there is no link to a replica, for people. */
  readonly #downReasons = new Map<ReplicaId, string>();
  readonly #timers = new Map<ClientTimer, ReturnType<typeof setTimeout>>();
  readonly #waiting = new Map<number, Waiting>();
  /** One request goes to several replicas as one object, one after the other; it is encoded once. */
  #encoded: { readonly frame: ClientFrame; readonly bytes: Uint8Array } | undefined;
  #submitted: ClientEvent[] = [];
  #calls = 0;
  #isClosed = false;

  constructor(init: ClientInit, platform: ClientPlatform) {
    const { genesis, cluster, signer } = init;
    this.#platform = platform;
    this.#membership = genesisMembership(genesis);
    this.#codec = createCodec(wireLimitsOf(genesis));
    this.#verifier = new Verifier({ backend: platform.backend, hasher: platform.hasher, cluster });
    this.#core = new ClientCore({
      signer,
      membership: this.#membership,
      limits: genesis.limits,
      nextNonce: () => digest(bytesToHex(platform.randomBytes(32))),
      resendAfterMs: decideResendAfterMs(genesis.timeouts),
      ...init.settings,
    });
    for (const member of this.#membership.members) this.#links.set(member.id, this.#dial(member, init));
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

  /** Ends every call that waits and every link. */
  close(): void {
    if (this.#isClosed) return;
    this.#submit();
    this.#step({ type: "close", atMs: this.#platform.nowMs() });
    this.#isClosed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    for (const link of this.#links.values()) link.close("client closes");
  }

  #submit(): void {
    const submitted = this.#submitted;
    this.#submitted = [];
    if (submitted.length > 0) this.#perform(this.#core.stepAll(submitted));
  }

  #dial(member: Member, { cluster, signer, seed }: ClientInit): PersistentLink {
    const { backend } = this.#platform;
    const endpoint: Endpoint = {
      cluster,
      credentials: {
        identity: { role: "client", publicKey: signer.publicKey },
        sign: (preimage) => backend.sign(seed, preimage),
        verify: (publicKey, preimage, signature) => backend.verify(publicKey, preimage, signature),
        isAdmissible: (publicKey) => backend.isAdmissible(publicKey),
      },
      randomBytes: this.#platform.randomBytes,
    };
    const replica = member.id;
    const frameBytesMax = Math.max(this.#codec.limits.clientFrame.bytesMax, this.#codec.limits.serverFrame.bytesMax);
    return this.#platform.dial(member, {
      endpoint,
      expected: { role: "replica", id: replica, publicKey: member.publicKey },
      limits: { ...CLIENT_DIAL_LIMITS, frameBytesMax },
      onUp: () => {
        this.#downReasons.delete(replica);
        this.#step({ type: "link-up", replica, atMs: this.#platform.nowMs() });
      },
      onDown: (reason) => this.#onDown(replica, reason),
      onFrame: (bytes) => this.#onFrame(replica, bytes),
    });
  }

  #onDown(replica: ReplicaId, reason: TransportError): void {
    this.#downReasons.set(replica, reason.message);
    const atMs = this.#platform.nowMs();
    this.#step({ type: "link-down", replica, atMs });
    if (reason.code === "hello.not-admitted")
      this.#step({ type: "turned-away", replica, reason: "not-admitted", atMs });
    if (reason.code === "hello.wrong-cluster")
      this.#step({ type: "turned-away", replica, reason: "wrong-cluster", atMs });
  }

  #onFrame(from: ReplicaId, bytes: Uint8Array): void {
    // Most of the n replies to a request come after its f+1: they are dropped by the digest they name (rule 13.1).
    if (answersOther(bytes, this.#core.openDigests)) return;
    const decoded = this.#codec.decodeServerFrame(bytes);
    if (!decoded.ok) return;
    const frame = decoded.value;
    const atMs = this.#platform.nowMs();
    if (frame.type !== "reply") return this.#step({ ...frame, from, atMs });
    // Cheap checks first: a reply that can change nothing costs no signature (protocol rule 13.1).
    if (frame.reply.from !== from || !this.#core.wants(frame.reply)) return;
    const reply = this.#verifier.verifyReply(frame.reply, this.#membership);
    if (reply !== undefined) this.#step({ type: "reply", reply, atMs });
  }

  #step(event: ClientEvent): void {
    if (!this.#isClosed) this.#perform(this.#core.step(event));
  }

  #perform(effects: readonly ClientEffect[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case "send":
          this.#links.get(effect.to)?.send(this.#encode(effect.frame));
          break;
        case "start-timer":
          this.#startTimer(effect.timer, effect.token, effect.afterMs);
          break;
        case "cancel-timer":
          clearTimeout(this.#timers.get(effect.timer));
          break;
        case "settle":
          this.#settle(effect.call, effect.outcome);
          break;
      }
    }
  }

  #encode(frame: ClientFrame): Uint8Array {
    if (this.#encoded?.frame !== frame) this.#encoded = { frame, bytes: this.#codec.encodeClientFrame(frame) };
    return this.#encoded.bytes;
  }

  #startTimer(timer: ClientTimer, token: number, afterMs: number): void {
    clearTimeout(this.#timers.get(timer));
    const fire = (): void => this.#step({ type: "timeout", timer, token, atMs: this.#platform.nowMs() });
    this.#timers.set(timer, setTimeout(fire, afterMs));
  }

  #settle(call: number, outcome: CallOutcome): void {
    const waiting = this.#waiting.get(call);
    this.#waiting.delete(call);
    if (outcome.type === "failed")
      waiting?.reject(new QuorateError(outcome.failure.code, this.#messageOf(outcome.failure), outcome.failure));
    else waiting?.resolve(outcome);
  }

  /** Without an answer in time, the links that are missing are mostly why. */
  #messageOf({ code, message }: ClientFailure): string {
    if (code !== "client.no-quorum" || this.#downReasons.size === 0) return message;
    const reasons = [...this.#downReasons].map(([replica, reason]) => `replica ${replica}: ${reason}`);
    return `${message}; no link to ${reasons.join(", ")}`;
  }
}

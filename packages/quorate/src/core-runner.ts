import type {
  CallOutcome,
  ClientCore,
  ClientEffect,
  ClientEvent,
  ClientFailure,
  ClientTimer,
} from "@quorate/client-proxy";
import { type Codec, createCodec, wireLimitsOf } from "@quorate/codec";
import { type SignatureBackend, Verifier } from "@quorate/crypto";
import {
  type ClientFrame,
  type ClusterId,
  type Genesis,
  genesisMembership,
  type Hasher,
  type Member,
  type Membership,
  type PublicKey,
  type ReplicaId,
} from "@quorate/protocol";
import type { DialOptions, Endpoint, PersistentLink, TransportError } from "@quorate/transport/client";
import { CLIENT_DIAL_LIMITS } from "@quorate/transport/client";
import { answersOther } from "./reply-peek.ts";

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

/** What happens to a client's core from outside; what its user wants it is told by whoever made it. */
export type OutsideEvent = Exclude<ClientEvent, { readonly type: "submit" | "cancel" }>;

/** A core of the client's side: `ClientCore`, or one for a single order. */
export interface RunnableCore extends Pick<ClientCore, "wants" | "openDigests"> {
  step(event: OutsideEvent): readonly ClientEffect[];
}

export interface CoreRunnerOptions {
  readonly genesis: Genesis;
  readonly cluster: ClusterId;
  readonly publicKey: PublicKey;
  /** The secret behind `publicKey`, for the handshake. */
  readonly seed: Uint8Array;
  readonly core: RunnableCore;
  readonly onSettled: (call: number, outcome: CallOutcome) => void;
}

/** Runs a core over links to all replicas and timers of the platform. */
export class CoreRunner {
  readonly #options: CoreRunnerOptions;
  readonly #platform: ClientPlatform;
  readonly #codec: Codec;
  readonly #verifier: Verifier;
  readonly #membership: Membership;
  readonly #links = new Map<ReplicaId, PersistentLink>();
  /** Why there is no link to a replica, for people. */
  readonly #downReasons = new Map<ReplicaId, string>();
  readonly #timers = new Map<ClientTimer, ReturnType<typeof setTimeout>>();
  /** One request goes to several replicas as one object, one after the other; it is encoded once. */
  #encoded: { readonly frame: ClientFrame; readonly bytes: Uint8Array } | undefined;
  #isClosed = false;

  constructor(options: CoreRunnerOptions, platform: ClientPlatform) {
    const { genesis, cluster } = options;
    this.#options = options;
    this.#platform = platform;
    this.#membership = genesisMembership(genesis);
    this.#codec = createCodec(wireLimitsOf(genesis));
    this.#verifier = new Verifier({ backend: platform.backend, hasher: platform.hasher, cluster });
    for (const member of this.#membership.members) this.#links.set(member.id, this.#dial(member));
  }

  /** Does what the core asks for. */
  perform(effects: readonly ClientEffect[]): void {
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
          this.#options.onSettled(effect.call, effect.outcome);
          break;
      }
    }
  }

  /** Without an answer in time, the links that are missing are mostly why. */
  explain({ code, message }: ClientFailure): string {
    if (code !== "client.no-quorum" || this.#downReasons.size === 0) return message;
    const reasons = [...this.#downReasons].map(([replica, reason]) => `replica ${replica}: ${reason}`);
    return `${message}; no link to ${reasons.join(", ")}`;
  }

  /** Ends what the core waits for, and every link. */
  close(): void {
    if (this.#isClosed) return;
    this.#step({ type: "close", atMs: this.#platform.nowMs() });
    this.#isClosed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    for (const link of this.#links.values()) link.close("client closes");
  }

  #dial(member: Member): PersistentLink {
    const { backend } = this.#platform;
    const { cluster, publicKey: own, seed } = this.#options;
    const endpoint: Endpoint = {
      cluster,
      credentials: {
        identity: { role: "client", publicKey: own },
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
    const { core } = this.#options;
    // Most of the n replies to a request come after its f+1: they are dropped by the digest they name (rule 13.1).
    if (answersOther(bytes, core.openDigests)) return;
    const decoded = this.#codec.decodeServerFrame(bytes);
    if (!decoded.ok) return;
    const frame = decoded.value;
    const atMs = this.#platform.nowMs();
    // Nobody asks for links of the epoch chain here: an answer to no question.
    if (frame.type === "epoch-links") return;
    if (frame.type !== "reply") return this.#step({ ...frame, from, atMs });
    // Cheap checks first: a reply that can change nothing costs no signature (protocol rule 13.1).
    if (frame.reply.from !== from || !core.wants(frame.reply)) return;
    const reply = this.#verifier.verifyReply(frame.reply, this.#membership);
    if (reply !== undefined) this.#step({ type: "reply", reply, atMs });
  }

  #step(event: OutsideEvent): void {
    if (!this.#isClosed) this.perform(this.#options.core.step(event));
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
}

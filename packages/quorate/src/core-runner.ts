import type {
  CallOutcome,
  ClientCore,
  ClientEffect,
  ClientEvent,
  ClientFailure,
  ClientTimer,
} from "@quorate/client-proxy";
import { type ClientCodec, createClientCodec, wireLimitsOf } from "@quorate/codec";
import { EpochVerifier, type SignatureBackend, type Verifier } from "@quorate/crypto";
import {
  type ClientFrame,
  type ClusterId,
  type Genesis,
  type Hasher,
  type Member,
  type PublicKey,
  type ReplicaId,
  type ServerFrame,
  weakQuorumSize,
} from "@quorate/protocol";
import type { EpochChain } from "@quorate/reconfiguration";
import type { DialOptions, PersistentLink, TransportError } from "@quorate/transport/client";
import { parseAddress } from "@quorate/transport/client";
import { type ClientDial, clientDial } from "./client-dialing.ts";
import { Introductions } from "./introductions.ts";
import { type LinkCalls, MemberLinks } from "./member-links.ts";
import { answersOther } from "./reply-peek.ts";
import type { ReadLinks, StaleReads } from "./stale-reads.ts";

/** What the platform brings. */
export interface ClientPlatform {
  readonly backend: SignatureBackend;
  readonly hasher: Hasher;
  readonly randomBytes: (length: number) => Uint8Array;
  /** Milliseconds that never go back. */
  readonly nowMs: () => number;
  /** Opens a link that redials for ever. */
  readonly dial: (address: string, options: DialOptions) => PersistentLink;
}

/** What happens to a client's core from outside; what its user wants it is told by whoever made it. */
export type OutsideEvent = Exclude<ClientEvent, { readonly type: "submit" | "retry" | "cancel" }>;

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
  /** The core's. */
  readonly chain: EpochChain;
  readonly verifier: Verifier;
  readonly core: RunnableCore;
  /** Where replicas may be found, beside the addresses of members; those of genesis unless given. */
  readonly addresses?: readonly string[];
  readonly onSettled: (call: number, outcome: CallOutcome) => void;
  /** After each step. */
  readonly onStepped?: () => void;
  /** What else goes over the links to members. */
  readonly reads?: Pick<StaleReads, "onUp" | "onDown" | "onStateRead" | "onEpoch" | "close">;
}

/** What tells that another replica than the one that was expected answers at an address. */
const SOMEONE_ELSE: ReadonlySet<string> = new Set(["hello.wrong-key", "hello.wrong-peer"]);

/** Runs a core over links to all members of the current epoch and timers of the platform. */
export class CoreRunner {
  readonly #options: CoreRunnerOptions;
  readonly #platform: ClientPlatform;
  readonly #codec: ClientCodec;
  readonly #dial: ClientDial;
  readonly #links: MemberLinks;
  readonly #introductions: Introductions;
  readonly #seeds: readonly string[];
  readonly #timers = new Map<ClientTimer, ReturnType<typeof setTimeout>>();
  /** One request goes to several replicas as one object, one after the other; it is encoded once. */
  #encoded: { readonly frame: ClientFrame; readonly bytes: Uint8Array } | undefined;
  #isClosed = false;

  /** @throws TransportError `address.malformed` for one of `addresses`. */
  constructor(options: CoreRunnerOptions, platform: ClientPlatform) {
    const { genesis, chain } = options;
    this.#options = options;
    this.#platform = platform;
    this.#codec = createClientCodec(wireLimitsOf(genesis));
    this.#dial = clientDial(platform, options, this.#codec);
    this.#seeds = options.addresses ?? genesis.members.map(({ address }) => address);
    for (const address of this.#seeds) parseAddress(address);
    this.#links = new MemberLinks((member, calls) => this.#dialMember(member, calls), {
      onUp: (replica) => this.#onUp(replica),
      onDown: (member, reason) => this.#onDown(member, reason),
      onFrame: (from, bytes) => this.#onFrame(from, bytes),
    });
    this.#introductions = new Introductions({
      dial: (address, calls) => this.#dial(address, "any-replica", calls),
      encode: (frame) => this.#codec.encodeClientFrame(frame),
      decode: (bytes) => this.#decode(bytes),
      chain,
      nowMs: platform.nowMs,
      onLinks: (links) => this.#step({ type: "epoch-links", from: undefined, links, atMs: this.#platform.nowMs() }),
    });
    this.#links.follow(chain.membership);
    this.#introduceIfAlone();
  }

  /** Does what the core asks for. */
  perform(effects: readonly ClientEffect[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case "send":
          this.#links.send(effect.to, this.#encode(effect.frame));
          break;
        case "members":
          this.#links.follow(effect.membership);
          this.#introduceIfAlone();
          this.#options.reads?.onEpoch();
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
    this.#options.onStepped?.();
  }

  /** For what else goes over its links; see `ReadLinks`. */
  get readLinks(): ReadLinks {
    const { chain } = this.#options;
    const told = (): number => this.#platform.nowMs();
    return {
      memberAt: (address) => chain.membership.members.find((member) => member.address === address)?.id,
      isUp: (replica) => this.#links.isUp(replica),
      send: (replica, frame) => this.#links.send(replica, this.#encode(frame)),
      dial: (address, calls) => this.#dial(address, "any-replica", calls),
      encode: (frame) => this.#codec.encodeClientFrame(frame),
      decode: (bytes) => this.#decode(bytes),
      onTold: (from, epoch) => this.#step({ type: "epoch-told", from, epoch, atMs: told() }),
      onLinks: (links) => this.#step({ type: "epoch-links", from: undefined, links, atMs: told() }),
    };
  }

  /** Without an answer in time, the links that are missing are mostly why. */
  explain({ code, message }: ClientFailure): string {
    const { downReasons } = this.#links;
    if (code !== "client.no-quorum" || downReasons.size === 0) return message;
    const reasons = [...downReasons].map(([replica, reason]) => `replica ${replica}: ${reason}`);
    return `${message}; no link to ${reasons.join(", ")}`;
  }

  /** Ends what the core waits for, and every link. */
  close(): void {
    if (this.#isClosed) return;
    this.#step({ type: "close", atMs: this.#platform.nowMs() });
    this.#options.reads?.close();
    this.#isClosed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#links.close("client closes");
    this.#introductions.close("client closes");
  }

  #dialMember({ id, publicKey, address }: Member, calls: LinkCalls): PersistentLink {
    return this.#dial(address, { role: "replica", id, publicKey }, calls);
  }

  #onUp(replica: ReplicaId): void {
    // Among so many is a correct one, which tells of every epoch that there is.
    if (!this.#isAlone) this.#introductions.close("members are linked");
    this.#step({ type: "link-up", replica, atMs: this.#platform.nowMs() });
    this.#options.reads?.onUp(replica);
  }

  #onDown(member: Member, reason: TransportError): void {
    if (this.#isClosed) return;
    const replica = member.id;
    const atMs = this.#platform.nowMs();
    this.#step({ type: "link-down", replica, atMs });
    this.#options.reads?.onDown(replica);
    if (reason.code === "hello.not-admitted")
      this.#step({ type: "turned-away", replica, reason: "not-admitted", atMs });
    if (reason.code === "hello.wrong-cluster")
      this.#step({ type: "turned-away", replica, reason: "wrong-cluster", atMs });
    if (SOMEONE_ELSE.has(reason.code) && this.#isAlone) this.#introductions.introduce(member.address);
    this.#introduceIfAlone();
  }

  /** Fewer members are linked than have a correct one among them. */
  get #isAlone(): boolean {
    return this.#links.up < weakQuorumSize(this.#options.chain.membership);
  }

  /** Where a member should be it is dialed; someone else is asked there only if someone else answers. */
  #introduceIfAlone(): void {
    if (!this.#isAlone) return;
    for (const address of this.#seeds) if (!this.#links.hasAddress(address)) this.#introductions.introduce(address);
  }

  #onFrame(from: ReplicaId, bytes: Uint8Array): void {
    const { core, chain, verifier } = this.#options;
    // Most of the n replies to a request come after its f+1: they are dropped by the digest they name (rule 13.1).
    if (answersOther(bytes, core.openDigests)) return;
    const frame = this.#decode(bytes);
    if (frame === undefined) return;
    if (frame.type === "state-read") return this.#options.reads?.onStateRead(from, frame.read);
    const atMs = this.#platform.nowMs();
    // Nobody here has asked for a claim.
    if (frame.type === "join-claim" || frame.type === "no-claim") return;
    if (frame.type !== "reply") return this.#step({ ...frame, from, atMs });
    const { epoch } = frame.reply.statement;
    if (epoch > chain.epoch) return this.#step({ type: "epoch-told", from, epoch, atMs });
    // Cheap checks first: a reply that can change nothing costs no signature (protocol rule 13.1).
    if (frame.reply.from !== from || !core.wants(frame.reply)) return;
    const reply = new EpochVerifier(verifier, chain).verifyReply(frame.reply);
    if (reply !== undefined) this.#step({ type: "reply", reply, atMs });
  }

  #decode(bytes: Uint8Array): ServerFrame | undefined {
    const decoded = this.#codec.decodeServerFrame(bytes);
    return decoded.ok ? decoded.value : undefined;
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

import type { LinkIdentity, PublicKey, ReplicaId } from "@quorate/protocol";
import type { AuthenticatedLink } from "./authenticated-link.ts";
import { DEFAULT_LISTENER_BOUNDS, type ListenerBounds } from "./door.ts";
import type { FrameSocket } from "./frame-socket.ts";
import { describeIdentity, type Endpoint } from "./identity.ts";
import {
  CLIENT_LINK_LIMITS,
  DEFAULT_LINK_TIMINGS,
  type LinkLimits,
  type LinkTimings,
  PLATFORM_TIMERS,
  REPLICA_LINK_LIMITS,
} from "./limits.ts";
import type { FramedLink, LinkHandlers } from "./link.ts";
import { LinkRegister } from "./link-register.ts";
import { PendingLink } from "./pending-link.ts";
import { TransportError, type TransportErrorCode } from "./transport-error.ts";

/** Whom a listener admits, and what it does with the links. */
export interface ReceptionOptions {
  readonly endpoint: Endpoint;
  readonly replicaLimits?: LinkLimits;
  readonly clientLimits?: LinkLimits;
  readonly timings?: Partial<LinkTimings>;
  readonly bounds?: Partial<ListenerBounds>;
  /** The key of a member; undefined for a stranger. Asked at each handshake, so it may change. */
  membershipKeyOf(id: ReplicaId): PublicKey | undefined;
  /** Where clients are listed, whether this one is. The key is admissible already. */
  isClientAdmitted?(publicKey: PublicKey): boolean;
  /** A proven peer. An older link of the same replica is down already. */
  onLink(peer: LinkIdentity, link: FramedLink): LinkHandlers;
  /** A connection came to nothing; for logs at debug, for anyone can cause it. */
  onRefused?(error: TransportError, remoteAddress: string): void;
}

/** Why connections came to nothing: `address` is too many of one address, `http` is no WebSocket, `full` too many in all. */
export type RefusalReason = TransportErrorCode | "address" | "http" | "full";

/** Counters of a listener since it started. */
export interface ListenerSnapshot {
  readonly connections: number;
  /** Connections without a proven peer, now. */
  readonly strangers: number;
  readonly replicaLinks: number;
  readonly clientLinks: number;
  /** Bytes that wait in this process for all clients together. */
  readonly clientQueuedBytes: number;
  /** Client links that were cut because that total had come to `ListenerBounds.clientQueuedBytesMax`. */
  readonly clientLinksCut: number;
  readonly refused: Readonly<Partial<Record<RefusalReason, number>>>;
}

/** What happens to one connection at the reception. */
export interface Arrival {
  onProven(): void;
  onFailed(error: TransportError): void;
}

/** The part of every listener that has nothing to do with sockets: who may come in, and who is there. */
export class Reception {
  readonly timings: LinkTimings;
  readonly bounds: ListenerBounds;
  readonly links: LinkRegister;
  readonly #options: ReceptionOptions;
  readonly #refused = new Map<RefusalReason, number>();

  constructor(options: ReceptionOptions) {
    this.#options = options;
    this.timings = { ...DEFAULT_LINK_TIMINGS, ...options.timings };
    this.bounds = { ...DEFAULT_LISTENER_BOUNDS, ...options.bounds };
    this.links = new LinkRegister(this.bounds);
  }

  /** Of a link with a peer of `role`. */
  limitsOf(role: LinkIdentity["role"]): LinkLimits {
    return role === "replica"
      ? (this.#options.replicaLimits ?? REPLICA_LINK_LIMITS)
      : (this.#options.clientLimits ?? CLIENT_LINK_LIMITS);
  }

  /** Starts the handshake on an open connection; a proven peer becomes a link. */
  receive(socket: FrameSocket, arrival: Arrival): PendingLink {
    return new PendingLink({
      socket,
      isOpen: true,
      endpoint: this.#options.endpoint,
      side: { type: "listener", judge: (peer) => this.#judge(peer) },
      timings: this.timings,
      timers: PLATFORM_TIMERS,
      limitsFor: (peer) => this.limitsOf(peer.role),
      refusePlace: (peer) => this.links.refusePlace(peer),
      onEstablished: (link) => {
        arrival.onProven();
        this.#onEstablished(link);
      },
      onFailed: (error) => arrival.onFailed(error),
    });
  }

  onRefused(error: TransportError, remoteAddress: string): void {
    this.countRefused(error.code);
    this.#options.onRefused?.(error, remoteAddress);
  }

  countRefused(reason: RefusalReason): void {
    this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + 1);
  }

  snapshot(connections: number, strangers: number): ListenerSnapshot {
    const { replicaLinks, clientLinks, output } = this.links;
    return {
      connections,
      strangers,
      replicaLinks,
      clientLinks,
      clientQueuedBytes: output.bytes,
      clientLinksCut: output.cutLinks,
      refused: Object.fromEntries(this.#refused),
    };
  }

  #onEstablished(link: AuthenticatedLink): void {
    this.links.add(link);
    const handlers = this.#options.onLink(link.peer, link);
    link.start({
      onFrame: (frame) => handlers.onFrame(frame),
      onDown: (reason) => {
        this.links.remove(link);
        handlers.onDown(reason);
      },
    });
  }

  #judge(peer: LinkIdentity): TransportError | undefined {
    return peer.role === "replica" ? this.#judgeReplica(peer) : this.#judgeClient(peer);
  }

  #judgeClient(peer: LinkIdentity): TransportError | undefined {
    const { endpoint, isClientAdmitted } = this.#options;
    if (endpoint.credentials.isAdmissible(peer.publicKey) && (isClientAdmitted?.(peer.publicKey) ?? true))
      return undefined;
    return new TransportError("hello.not-admitted", `${describeIdentity(peer)} is not admitted to this cluster`);
  }

  #judgeReplica(peer: LinkIdentity & { readonly role: "replica" }): TransportError | undefined {
    const key = this.#options.membershipKeyOf(peer.id);
    if (key === undefined)
      return new TransportError("hello.unknown-replica", `replica ${peer.id} is not a member of this cluster`);
    if (key === peer.publicKey) return undefined;
    return new TransportError(
      "hello.wrong-key",
      `replica ${peer.id} has key ${key.slice(0, 16)}, the hello says ${peer.publicKey.slice(0, 16)}`,
    );
  }
}

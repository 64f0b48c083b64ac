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
  /**
   * The keys of a member, the newest first; none for a stranger. Asked at each handshake: they change with the epoch, and whoever
   * does not know of the newest epoch yet still has the key of the one before.
   */
  memberKeysOf(id: ReplicaId): readonly PublicKey[];
  /** Where clients are listed, whether this one is. The key is admissible already. */
  isClientAdmitted?(publicKey: PublicKey): boolean;
  /** Whether this replica, which is no member, may follow; nobody may where it is not said. The key is admissible already. */
  isObserverAdmitted?(publicKey: PublicKey): boolean;
  /** A proven peer. An older link of the same key of a replica or observer is down already. */
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
  readonly observerLinks: number;
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
    return role === "client"
      ? (this.#options.clientLimits ?? CLIENT_LINK_LIMITS)
      : (this.#options.replicaLimits ?? REPLICA_LINK_LIMITS);
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
    const { replicaLinks, observerLinks, clientLinks, output } = this.links;
    return {
      connections,
      strangers,
      replicaLinks,
      observerLinks,
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
    if (peer.role === "replica") return this.#judgeReplica(peer);
    if (this.#isAdmitted(peer)) return undefined;
    return new TransportError("hello.not-admitted", `${describeIdentity(peer)} is not admitted to this cluster`);
  }

  #isAdmitted({ role, publicKey }: LinkIdentity): boolean {
    const { endpoint, isClientAdmitted, isObserverAdmitted } = this.#options;
    if (!endpoint.credentials.isAdmissible(publicKey)) return false;
    return role === "client" ? (isClientAdmitted?.(publicKey) ?? true) : (isObserverAdmitted?.(publicKey) ?? false);
  }

  #judgeReplica(peer: LinkIdentity & { readonly role: "replica" }): TransportError | undefined {
    const keys = this.#options.memberKeysOf(peer.id);
    const [key] = keys;
    if (key === undefined)
      return new TransportError("hello.unknown-replica", `replica ${peer.id} is not a member of this cluster`);
    if (keys.includes(peer.publicKey)) return undefined;
    return new TransportError(
      "hello.wrong-key",
      `replica ${peer.id} has key ${key.slice(0, 16)}, the hello says ${peer.publicKey.slice(0, 16)}`,
    );
  }
}

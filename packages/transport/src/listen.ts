import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { LinkIdentity, PublicKey, ReplicaId } from "@quorate/protocol";
import { type WebSocket, WebSocketServer } from "ws";
import type { AuthenticatedLink } from "./authenticated-link.ts";
import { DEFAULT_LISTENER_BOUNDS, Door, type ListenerBounds, type Visit } from "./door.ts";
import { FOREIGN_HELLO_BYTES_MAX } from "./hello.ts";
import { describeIdentity, type Endpoint } from "./identity.ts";
import { InboundGauge } from "./inbound-gauge.ts";
import {
  type Address,
  CLIENT_LINK_LIMITS,
  DEFAULT_LINK_TIMINGS,
  formatAddress,
  type LinkLimits,
  type LinkTimings,
  PLATFORM_TIMERS,
  REPLICA_LINK_LIMITS,
} from "./limits.ts";
import type { FramedLink, LinkHandlers } from "./link.ts";
import { LinkRegister } from "./link-register.ts";
import { PendingLink } from "./pending-link.ts";
import { TransportError, type TransportErrorCode } from "./transport-error.ts";
import { WsSocket, webSocketLimits } from "./ws-socket.ts";

/** Where to listen, whom to admit, and what to do with the links. */
export interface ListenOptions {
  /** Port 0 takes any free one; see `Listener.address`. */
  readonly address: Address;
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

/** Counters of a listener since it started. */
export interface ListenerSnapshot {
  readonly connections: number;
  readonly strangers: number;
  readonly replicaLinks: number;
  readonly clientLinks: number;
  /** Connections that came to nothing, by reason; `address` for too many of one address. */
  readonly refused: Readonly<Partial<Record<TransportErrorCode | "address" | "http", number>>>;
}

/** A port that takes links until it is closed. */
export interface Listener {
  /** Where it really listens. */
  readonly address: Address;
  snapshot(): ListenerSnapshot;
  /** Ends all links with `reason` and frees the port; done when every socket is gone, within about a second. */
  close(reason: string): Promise<void>;
}

/**
 * Listens for replicas and clients.
 *
 * @throws TransportError `listen.*` when the address cannot be had (the promise rejects).
 */
export async function listen(options: ListenOptions): Promise<Listener> {
  const listener = new WebSocketListener(options);
  await listener.open();
  return listener;
}

/** More than any membership, old and new links together. */
const REPLICA_SOCKETS_MAX = 256;

class WebSocketListener implements Listener {
  readonly #options: ListenOptions;
  readonly #timings: LinkTimings;
  readonly #server: Server;
  readonly #webSockets: WebSocketServer;
  readonly #door: Door;
  readonly #links: LinkRegister;
  /** Every open connection with its way out. */
  readonly #guests = new Map<Socket, Guest>();
  readonly #refused = new Map<TransportErrorCode | "address" | "http", number>();
  #connections = 0;
  #address: Address;

  constructor(options: ListenOptions) {
    const bounds = { ...DEFAULT_LISTENER_BOUNDS, ...options.bounds };
    this.#options = options;
    this.#address = options.address;
    this.#timings = { ...DEFAULT_LINK_TIMINGS, ...options.timings };
    this.#door = new Door(bounds);
    this.#links = new LinkRegister(bounds);
    const timeoutMs = this.#timings.unauthenticatedMs;
    this.#server = createServer(
      { maxHeaderSize: 8 * 1024, headersTimeout: timeoutMs, requestTimeout: timeoutMs, noDelay: true },
      (request, response) => this.#onPlainRequest(request, response),
    );
    const frameBytesMax = Math.max(
      FOREIGN_HELLO_BYTES_MAX,
      this.#limitsOf("replica").frameBytesMax,
      this.#limitsOf("client").frameBytesMax,
    );
    // Behind all other bounds, for sockets that are on their way out.
    this.#server.maxConnections = bounds.clientLinksMax + 2 * bounds.unauthenticatedMax + REPLICA_SOCKETS_MAX;
    const settings = { ...webSocketLimits(frameBytesMax), noServer: true, clientTracking: false, path: "/" };
    this.#webSockets = new WebSocketServer(settings);
    this.#server.on("connection", (socket) => this.#onConnection(socket));
    this.#server.on("upgrade", (request, socket, head) => this.#onUpgrade(request, socket as Socket, head));
    this.#server.on("clientError", (_error, socket) => socket.destroy());
  }

  get address(): Address {
    return this.#address;
  }

  open(): Promise<void> {
    const { host, port } = this.#options.address;
    return new Promise((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException): void => reject(listenError(error, this.#options.address));
      this.#server.once("error", onError);
      this.#server.listen(port, host, () => {
        this.#server.off("error", onError);
        // From here on: accept failures, such as too many open files. The next accept may succeed.
        this.#server.on("error", (error) => this.#onRefused(new TransportError("listen.failed", error.message), ""));
        const bound = this.#server.address() as AddressInfo;
        this.#address = { host: bound.address, port: bound.port };
        resolve();
      });
    });
  }

  snapshot(): ListenerSnapshot {
    return {
      connections: this.#connections,
      strangers: this.#door.strangers,
      replicaLinks: this.#links.replicaLinks,
      clientLinks: this.#links.clientLinks,
      refused: Object.fromEntries(this.#refused),
    };
  }

  close(reason: string): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      for (const link of this.#links.all()) link.close(reason);
      for (const guest of this.#guests.values()) guest.cut(new TransportError("link.closed", reason));
    });
  }

  #limitsOf(role: LinkIdentity["role"]): LinkLimits {
    return role === "replica"
      ? (this.#options.replicaLimits ?? REPLICA_LINK_LIMITS)
      : (this.#options.clientLimits ?? CLIENT_LINK_LIMITS);
  }

  #onConnection(socket: Socket): void {
    this.#connections++;
    socket.on("error", () => undefined);
    const remoteAddress = socket.remoteAddress ?? "";
    const visit = this.#door.enter(remoteAddress, (error) => guest.cut(error));
    if (visit === undefined) {
      this.#countRefused("address");
      socket.end("HTTP/1.1 429 Too Many Connections\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      return socket.destroySoon();
    }
    const guest = new Guest(socket, visit, this.#timings.unauthenticatedMs, (error) =>
      this.#onRefused(error, remoteAddress),
    );
    this.#guests.set(socket, guest);
    socket.once("close", () => {
      this.#guests.delete(socket);
      guest.onLeft();
    });
  }

  #onUpgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const guest = this.#guests.get(socket);
    if (guest === undefined) return void socket.destroy();
    const gauge = new InboundGauge();
    gauge.frameBytesMax = FOREIGN_HELLO_BYTES_MAX;
    let wsSocket: WsSocket | undefined;
    gauge.watch(socket, () => wsSocket?.onExceeded());
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket: WebSocket) => {
      wsSocket = new WsSocket(webSocket, gauge, socket);
      guest.pending = this.#authenticate(wsSocket, guest);
    });
  }

  #authenticate(socket: WsSocket, guest: Guest): PendingLink {
    return new PendingLink({
      socket,
      isOpen: true,
      endpoint: this.#options.endpoint,
      side: { type: "listener", judge: (peer) => this.#judge(peer) },
      timings: this.#timings,
      timers: PLATFORM_TIMERS,
      limitsFor: (peer) => this.#limitsOf(peer.role),
      refusePlace: (peer) => this.#links.refusePlace(peer),
      onEstablished: (link) => {
        guest.onProven();
        this.#onEstablished(link);
      },
      onFailed: (error) => guest.onFailed(error),
    });
  }

  #onEstablished(link: AuthenticatedLink): void {
    this.#links.add(link);
    const handlers = this.#options.onLink(link.peer, link);
    link.start({
      onFrame: (frame) => handlers.onFrame(frame),
      onDown: (reason) => {
        this.#links.remove(link);
        handlers.onDown(reason);
      },
    });
  }

  #judge(peer: LinkIdentity): TransportError | undefined {
    const { endpoint, membershipKeyOf, isClientAdmitted } = this.#options;
    if (peer.role === "client") {
      const isAdmitted =
        endpoint.credentials.isAdmissible(peer.publicKey) && (isClientAdmitted?.(peer.publicKey) ?? true);
      return isAdmitted
        ? undefined
        : new TransportError("hello.not-admitted", `${describeIdentity(peer)} is not admitted to this cluster`);
    }
    const key = membershipKeyOf(peer.id);
    if (key === undefined)
      return new TransportError("hello.unknown-replica", `replica ${peer.id} is not a member of this cluster`);
    if (key === peer.publicKey) return undefined;
    return new TransportError(
      "hello.wrong-key",
      `replica ${peer.id} has key ${key.slice(0, 16)}, the hello says ${peer.publicKey.slice(0, 16)}`,
    );
  }

  #onPlainRequest(_request: IncomingMessage, response: ServerResponse): void {
    this.#countRefused("http");
    response.writeHead(426, { Connection: "close, Upgrade", Upgrade: "websocket", "Content-Type": "text/plain" });
    response.end("This is a Quorate replica; it speaks WebSocket only.\n");
  }

  #onRefused(error: TransportError, remoteAddress: string): void {
    this.#countRefused(error.code);
    this.#options.onRefused?.(error, remoteAddress);
  }

  #countRefused(reason: TransportErrorCode | "address" | "http"): void {
    this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + 1);
  }
}

/** A connection from its first packet until its peer is proven or it is gone. */
class Guest {
  pending: PendingLink | undefined;
  readonly #socket: Socket;
  readonly #visit: Visit;
  readonly #onRefused: (error: TransportError) => void;
  readonly #deadline: NodeJS.Timeout;
  #isStranger = true;

  constructor(socket: Socket, visit: Visit, unauthenticatedMs: number, onRefused: (error: TransportError) => void) {
    this.#socket = socket;
    this.#visit = visit;
    this.#onRefused = onRefused;
    this.#deadline = setTimeout(
      () => this.cut(new TransportError("hello.timeout", `no proven peer within ${unauthenticatedMs} ms`)),
      unauthenticatedMs,
    );
  }

  /** Ends the connection unless its peer is proven. */
  cut(error: TransportError): void {
    if (!this.#isStranger) return;
    if (this.pending !== undefined) return this.pending.cut(error);
    this.#socket.destroy();
    this.onFailed(error);
  }

  onFailed(error: TransportError): void {
    if (this.#isStranger) this.#onRefused(error);
    this.#settle();
  }

  onProven(): void {
    this.#visit.onProven();
    this.#settle();
  }

  onLeft(): void {
    this.#settle();
    this.#visit.onLeft();
  }

  #settle(): void {
    this.#isStranger = false;
    clearTimeout(this.#deadline);
  }
}

function listenError(error: NodeJS.ErrnoException, address: Address): TransportError {
  const where = formatAddress(address);
  switch (error.code) {
    case "EADDRINUSE":
      return new TransportError(
        "listen.address-in-use",
        `cannot listen on ${where}: another process uses that port; stop it or choose another port`,
      );
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return new TransportError(
        "listen.address-not-available",
        `cannot listen on ${where}: this machine has no such address`,
      );
    case "EACCES":
      return new TransportError(
        "listen.permission",
        `cannot listen on ${where}: not permitted; choose a port above 1023 or grant the right`,
      );
    default:
      return new TransportError("listen.failed", `cannot listen on ${where}: ${error.message}`);
  }
}

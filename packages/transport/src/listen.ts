import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { Door } from "./door.ts";
import { Guest } from "./guest.ts";
import { FOREIGN_HELLO_BYTES_MAX } from "./hello.ts";
import { InboundGauge } from "./inbound-gauge.ts";
import { type Address, formatAddress } from "./limits.ts";
import { type ListenerSnapshot, Reception, type ReceptionOptions } from "./reception.ts";
import { TransportError } from "./transport-error.ts";
import { WsSocket, webSocketLimits } from "./ws-socket.ts";

/** Where to listen, whom to admit, and what to do with the links. */
export interface ListenOptions extends ReceptionOptions {
  /** Port 0 takes any free one; see `Listener.address`. */
  readonly address: Address;
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
  readonly #reception: Reception;
  readonly #server: Server;
  readonly #webSockets: WebSocketServer;
  readonly #door: Door;
  /** Of any peer. */
  readonly #frameBytesMax: number;
  /** Every open connection with its way out. */
  readonly #guests = new Map<Socket, Guest>();
  #second: NodeJS.Timeout | undefined;
  #connections = 0;
  #address: Address;

  constructor(options: ListenOptions) {
    this.#reception = new Reception(options);
    const { bounds, timings } = this.#reception;
    this.#address = options.address;
    this.#door = new Door(bounds);
    const timeoutMs = timings.unauthenticatedMs;
    this.#server = createServer(
      { maxHeaderSize: 8 * 1024, headersTimeout: timeoutMs, requestTimeout: timeoutMs, noDelay: true },
      (request, response) => this.#onPlainRequest(request, response),
    );
    // Behind all other bounds, for sockets that are on their way out.
    this.#server.maxConnections = bounds.clientLinksMax + 2 * bounds.unauthenticatedMax + REPLICA_SOCKETS_MAX;
    this.#frameBytesMax = Math.max(
      FOREIGN_HELLO_BYTES_MAX,
      this.#reception.limitsOf("replica").frameBytesMax,
      this.#reception.limitsOf("client").frameBytesMax,
    );
    const settings = { ...webSocketLimits(this.#frameBytesMax), noServer: true, clientTracking: false, path: "/" };
    this.#webSockets = new WebSocketServer(settings);
    this.#server.on("connection", (socket) => this.#onConnection(socket));
    this.#server.on("drop", () => this.#reception.countRefused("full"));
    this.#server.on("upgrade", (request, socket, head) => this.#onUpgrade(request, socket as Socket, head));
    this.#server.on("clientError", (_error, socket) => {
      this.#reception.countRefused("http");
      socket.destroy();
    });
  }

  get address(): Address {
    return this.#address;
  }

  open(): Promise<void> {
    const { host, port } = this.#address;
    return new Promise((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException): void => reject(listenError(error, this.#address));
      this.#server.once("error", onError);
      this.#server.listen(port, host, () => {
        this.#server.off("error", onError);
        // From here on: accept failures, such as too many open files. The next accept may succeed.
        this.#server.on("error", (error) =>
          this.#reception.onRefused(new TransportError("listen.failed", error.message), ""),
        );
        const bound = this.#server.address() as AddressInfo;
        this.#address = { host: bound.address, port: bound.port };
        this.#second = setInterval(() => this.#door.onSecond(), 1_000);
        resolve();
      });
    });
  }

  snapshot(): ListenerSnapshot {
    return this.#reception.snapshot(this.#connections, this.#door.strangers);
  }

  close(reason: string): Promise<void> {
    return new Promise((resolve) => {
      clearInterval(this.#second);
      this.#server.close(() => resolve());
      for (const link of this.#reception.links.all()) link.close(reason);
      for (const guest of this.#guests.values()) guest.cut(new TransportError("link.closed", reason));
    });
  }

  #onConnection(socket: Socket): void {
    this.#connections++;
    socket.on("error", () => undefined);
    const remoteAddress = socket.remoteAddress ?? "";
    const visit = this.#door.enter(remoteAddress, (error) => guest.cut(error));
    if (visit === undefined) {
      this.#reception.countRefused("address");
      socket.end("HTTP/1.1 429 Too Many Connections\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      return socket.destroySoon();
    }
    const guest = new Guest(socket, visit, this.#reception.timings.unauthenticatedMs, (error) =>
      this.#reception.onRefused(error, remoteAddress),
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
    let wsSocket: WsSocket | undefined;
    const gauge = new InboundGauge(socket, this.#frameBytesMax, () => wsSocket?.onExceeded());
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket: WebSocket) => {
      wsSocket = new WsSocket(webSocket);
      wsSocket.attachStream(socket, gauge, false);
      guest.pending = this.#reception.receive(wsSocket, guest);
    });
  }

  #onPlainRequest(_request: IncomingMessage, response: ServerResponse): void {
    this.#reception.countRefused("http");
    response.writeHead(426, { Connection: "close, Upgrade", Upgrade: "websocket", "Content-Type": "text/plain" });
    response.end("This is a Quorate replica; it speaks WebSocket only.\n");
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

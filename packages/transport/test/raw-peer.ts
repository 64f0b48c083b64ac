import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import type {
  Address,
  Endpoint,
  Handshake,
  HandshakeStep,
  Listener,
  ListenOptions,
  TransportError,
} from "@quorate/transport";
import { listen } from "@quorate/transport";
import { EventLog } from "@quorate/transport/compliance";

const UPGRADE =
  "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

/** A peer that speaks bytes, so that it can say what no library would. */
export class RawPeer {
  static readonly #all = new Set<RawPeer>();
  readonly socket: Socket;
  readonly closed: Promise<unknown>;
  received: Buffer = Buffer.alloc(0);
  #onMore: (() => void)[] = [];

  constructor(address: Address) {
    RawPeer.#all.add(this);
    this.socket = connect(address.port, address.host);
    this.closed = new Promise((resolve) => this.socket.once("close", resolve));
    this.socket.on("error", () => undefined);
    this.socket.on("data", (chunk) => {
      this.received = Buffer.concat([this.received, chunk]);
      for (const wake of this.#onMore.splice(0)) wake();
    });
    void this.closed.then(() => {
      for (const wake of this.#onMore.splice(0)) wake();
    });
  }

  /** Leaves without a goodbye, everywhere. */
  static hangUpAll(): void {
    for (const peer of RawPeer.#all) peer.socket.destroy();
    RawPeer.#all.clear();
  }

  async connected(): Promise<this> {
    if (this.socket.connecting) await once(this.socket, "connect");
    return this;
  }

  /** Becomes a WebSocket; `extra` are more header lines. Returns the answer's header. */
  async upgrade(extra = ""): Promise<string> {
    this.socket.write(`${UPGRADE}${extra}\r\n`);
    await this.#until(() => this.received.includes("\r\n\r\n"));
    const end = this.received.indexOf("\r\n\r\n") + 4;
    const header = this.received.subarray(0, end).toString("latin1");
    this.received = this.received.subarray(end);
    return header;
  }

  /** Sends one WebSocket frame, masked with zeros. */
  sendFrame(body: Uint8Array, opcode = 2, isFinal = true): boolean {
    return this.socket.write(rawFrame(body, opcode, isFinal));
  }

  /** Waits for the next `count` bytes of the listener. */
  async nextBytes(count: number): Promise<Buffer> {
    await this.#until(() => this.received.length >= count);
    const bytes = this.received.subarray(0, count);
    this.received = this.received.subarray(count);
    return bytes;
  }

  /** Waits for the next frame of the listener (not masked). */
  async nextFrame(): Promise<{ opcode: number; body: Buffer }> {
    await this.#until(() => frameSize(this.received) !== undefined);
    const size = frameSize(this.received);
    if (size === undefined) throw new Error("the connection ended before a frame came");
    const frame = this.received.subarray(0, size.header + size.body);
    this.received = this.received.subarray(frame.length);
    return { opcode: (frame[0] ?? 0) & 15, body: frame.subarray(size.header) };
  }

  /** Waits for a close frame, past all others. */
  async closeFrame(): Promise<{ code: number; reason: string }> {
    for (;;) {
      const { opcode, body } = await this.nextFrame();
      if (opcode === 8) return { code: body.readUInt16BE(0), reason: body.subarray(2).toString() };
    }
  }

  /** Goes through the whole handshake. */
  async authenticate(handshake: Handshake): Promise<HandshakeStep> {
    await this.upgrade();
    this.sendFrame(handshake.opening()!);
    const step = handshake.receive((await this.nextFrame()).body);
    if (step.type !== "send") return step;
    this.sendFrame(step.frame);
    return handshake.receive((await this.nextFrame()).body);
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition() && !this.socket.closed) await new Promise<void>((resolve) => this.#onMore.push(resolve));
  }
}

export function rawFrame(body: Uint8Array, opcode = 2, isFinal = true): Buffer {
  const head = [(isFinal ? 0x80 : 0) | opcode];
  if (body.length < 126) head.push(0x80 | body.length);
  else if (body.length < 65_536) head.push(0x80 | 126, body.length >> 8, body.length & 255);
  else throw new Error("longer frames are written by hand");
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), body]);
}

function frameSize(bytes: Buffer): { header: number; body: number } | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes[1]! & 127;
  const header = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < header) return undefined;
  const body = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  return bytes.length < header + body ? undefined : { header, body };
}

/** A TCP proxy that can stop forwarding while it keeps both sockets open. */
export class BlackHoleProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #target: Address;
  isForwarding = true;

  private constructor(target: Address) {
    this.#target = target;
    this.#server = createServer({ allowHalfOpen: true }, (near) => this.#onConnection(near));
  }

  static async before(target: Address): Promise<BlackHoleProxy> {
    const proxy = new BlackHoleProxy(target);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get address(): Address {
    return { host: "127.0.0.1", port: (this.#server.address() as { port: number }).port };
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #onConnection(near: Socket): void {
    const far = connect({ port: this.#target.port, host: this.#target.host, allowHalfOpen: true });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.on("error", () => undefined);
      from.on("data", (chunk) => {
        if (this.isForwarding) to.write(chunk);
      });
      from.on("end", () => {
        if (this.isForwarding) to.end();
      });
    }
  }
}

/** A listener of `endpoint` for tests that attack it; closes with `listener.close`. */
export async function target(
  endpoint: Endpoint,
  members: readonly Endpoint[],
  options: Partial<ListenOptions> = {},
): Promise<{
  listener: Listener;
  refused: EventLog<TransportError>;
  frames: EventLog<Uint8Array>;
  downs: EventLog<TransportError>;
  ups: EventLog<unknown>;
}> {
  const refused = new EventLog<TransportError>();
  const frames = new EventLog<Uint8Array>();
  const downs = new EventLog<TransportError>();
  const ups = new EventLog<unknown>();
  const listener = await listen({
    address: { host: "127.0.0.1", port: 0 },
    endpoint,
    memberKeysOf: (id) =>
      members
        .map((member) => member.credentials.identity)
        .filter((member) => member.role === "replica" && member.id === id)
        .map(({ publicKey }) => publicKey),
    onLink: (peer) => {
      ups.add(peer);
      return { onFrame: (frame) => frames.add(frame.slice()), onDown: (reason) => downs.add(reason) };
    },
    onRefused: (error) => refused.add(error),
    ...options,
  });
  return { listener, refused, frames, downs, ups };
}

import { once } from "node:events";
import { createServer, connect as dial, type Server, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type Loss, MessageLoss } from "./message-loss.ts";

/** The way from who dialed to who listens, or back. */
export type Way = "forth" | "back";

/** What a proxy keeps of one way of one connection while it may not pass; then the sender has to wait. */
const HELD_BYTES_MAX = 1024 * 1024;

interface WayFaults {
  isBlocked: boolean;
  delayMs: number;
  bytesPerSecond: number;
  /** How many of the next chunks get a bit flipped. */
  toCorrupt: number;
  loss: Loss | undefined;
}

/**
 * A stretch of network between one who dials and one who listens: each way of it can be stopped like a black hole, in
 * which sockets stay open and what was sent arrives when it ends, or slowed down, or damaged; connections can be reset.
 */
export class TcpProxy {
  readonly #server: Server;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #faults: Readonly<Record<Way, WayFaults>> = { forth: noFaults(), back: noFaults() };
  readonly #sockets = new Set<Socket>();
  #onChange: (() => void)[] = [];
  #accepted = 0;

  private constructor(server: Server, target: string) {
    const at = target.lastIndexOf(":");
    this.#server = server;
    this.#target = { host: target.slice(0, at), port: Number(target.slice(at + 1)) };
    server.on("connection", (socket) => this.#accept(socket));
  }

  /** Listens on a free port of the loopback address. @param target `host:port` of the one who is to be reached. */
  static async to(target: string): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true });
    const proxy = new TcpProxy(server, target);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return proxy;
  }

  /** `host:port`, for who dials. */
  get address(): string {
    const address = this.#server.address();
    return `127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  }
  /** Connections so far. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Lets nothing through on these ways: both unless given. */
  block(ways: readonly Way[] = ["forth", "back"]): void {
    for (const way of ways) this.#faults[way].isBlocked = true;
  }

  /** Lets everything through again, what waited first. */
  unblock(ways: readonly Way[] = ["forth", "back"]): void {
    for (const way of ways) this.#faults[way].isBlocked = false;
    this.#changed();
  }

  /** Each byte arrives so much later; those on the way are not hurried. */
  delay(way: Way, delayMs: number): void {
    this.#faults[way].delayMs = delayMs;
  }

  /** At most so many bytes pass in a second: one, for the slowest of peers. */
  throttle(way: Way, bytesPerSecond: number): void {
    this.#faults[way].bytesPerSecond = bytesPerSecond;
  }

  /** Flips a bit in each of the next `chunks` pieces that pass. */
  corrupt(way: Way, chunks: number): void {
    this.#faults[way].toCorrupt = chunks;
  }

  /** Loses messages of WebSocket connections that are made from now on, at the rate that `loss` says at the moment. */
  lose(way: Way, loss: Loss): void {
    this.#faults[way].loss = loss;
  }

  /** Resets every connection. New ones may follow. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
    this.#changed();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.unblock();
    this.reset();
    await closed;
  }

  #accept(dialer: Socket): void {
    this.#accepted += 1;
    const listener = dial({ ...this.#target, allowHalfOpen: true });
    for (const [socket, other] of [
      [dialer, listener],
      [listener, dialer],
    ] as const) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.once("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
        this.#changed();
      });
      // What went wrong at one end is told to the other by its end.
      socket.on("error", () => undefined);
    }
    void this.#carry("forth", dialer, listener);
    void this.#carry("back", listener, dialer);
  }

  /** Reads as long as there is room, and writes each piece when it is due. */
  async #carry(way: Way, from: Socket, to: Socket): Promise<void> {
    const faults = this.#faults[way];
    const held: { readonly chunk: Buffer; readonly dueMs: number }[] = [];
    let [heldBytes, isEnded] = [0, false];
    const loss = faults.loss && new MessageLoss(faults.loss);
    from.on("data", (received: Buffer) => {
      const chunk = loss?.pass(received) ?? received;
      if (chunk.length === 0) return;
      held.push({ chunk, dueMs: performance.now() + faults.delayMs });
      heldBytes += chunk.length;
      if (heldBytes >= HELD_BYTES_MAX) from.pause();
      this.#changed();
    });
    from.once("end", () => {
      isEnded = true;
      this.#changed();
    });
    while (!to.destroyed) {
      const next = faults.isBlocked ? undefined : held.shift();
      if (next === undefined) {
        if (isEnded && held.length === 0 && !faults.isBlocked) return void to.end();
        await new Promise<void>((resolve) => this.#onChange.push(resolve));
        continue;
      }
      heldBytes -= next.chunk.length;
      from.resume();
      // A timer takes whole milliseconds, and may be early by one.
      for (let waitMs = next.dueMs - performance.now(); waitMs > 0; waitMs = next.dueMs - performance.now())
        await delay(Math.ceil(waitMs));
      await this.#write(faults, next.chunk, to);
    }
  }

  async #write(faults: WayFaults, chunk: Buffer, to: Socket): Promise<void> {
    if (faults.toCorrupt > 0) {
      faults.toCorrupt -= 1;
      const at = chunk.length >> 1;
      chunk[at] = (chunk[at] ?? 0) ^ 1;
    }
    for (let at = 0; at < chunk.length && !to.destroyed; ) {
      while (faults.isBlocked && !to.destroyed) await new Promise<void>((resolve) => this.#onChange.push(resolve));
      const size = Math.min(chunk.length - at, faults.bytesPerSecond);
      to.write(chunk.subarray(at, at + size));
      at += size;
      if (Number.isFinite(faults.bytesPerSecond)) await delay(1000);
    }
  }

  #changed(): void {
    for (const wake of this.#onChange.splice(0)) wake();
  }
}

function noFaults(): WayFaults {
  return { isBlocked: false, delayMs: 0, bytesPerSecond: Number.POSITIVE_INFINITY, toCorrupt: 0, loss: undefined };
}

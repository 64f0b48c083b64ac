import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Worker } from "node:worker_threads";

/** A thread that listens and takes no connection ever: it stands still. */
const STANDS_STILL = `
  const { parentPort } = require("node:worker_threads");
  const server = require("node:net").createServer();
  server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });
`;
/** Linux keeps one more than the backlog; who comes then gets no answer. */
const WAITING_MAX = 2;

/** An address that answers nobody who connects, as behind a network that drops packets: a listener whose queue is full. */
export class FullListener {
  readonly host = "127.0.0.1";
  readonly #thread: Worker = new Worker(STANDS_STILL, { eval: true });
  readonly #waiting: Socket[] = [];

  /** @returns the port. */
  async fill(): Promise<number> {
    const [port] = (await once(this.#thread, "message")) as [number];
    for (let i = 0; i < WAITING_MAX; i++) {
      const socket = connect({ host: this.host, port });
      this.#waiting.push(socket);
      // The end of the thread resets them.
      socket.on("error", () => undefined);
      await once(socket, "connect");
    }
    return port;
  }

  async close(): Promise<void> {
    for (const socket of this.#waiting) socket.destroy();
    await this.#thread.terminate();
  }
}

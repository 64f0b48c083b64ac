import { createServer, type Server } from "node:http";
import { parseAddress, TransportError } from "@quorate/transport";

/**
 * Answers `GET /status` with JSON. It only reads, it is not authenticated, and by default only this machine reaches it.
 */
export class AdminEndpoint {
  readonly #server: Server;

  constructor(status: () => object) {
    this.#server = createServer({ requestTimeout: 5_000, headersTimeout: 5_000 }, (request, response) => {
      const isStatus = request.method === "GET" && request.url === "/status";
      response.writeHead(isStatus ? 200 : 404, { "Content-Type": "application/json", Connection: "close" });
      response.end(`${JSON.stringify(isStatus ? status() : { error: "only GET /status is answered here" })}\n`);
    });
    this.#server.maxConnections = 32;
  }

  /** @throws TransportError `listen.*` (the promise rejects). */
  open(address: string): Promise<void> {
    const { host, port } = parseAddress(address);
    return new Promise((resolve, reject) => {
      this.#server.once("error", (error: NodeJS.ErrnoException) => {
        const isTaken = error.code === "EADDRINUSE";
        const what = isTaken ? "another process uses that port; choose another admin address" : error.message;
        const code = isTaken ? "listen.address-in-use" : "listen.failed";
        reject(new TransportError(code, `cannot answer status on ${address}: ${what}`));
      });
      this.#server.listen(port, host, () => {
        this.#server.on("error", () => undefined);
        resolve();
      });
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }
}

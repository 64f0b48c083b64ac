import type { Duplex } from "node:stream";

/** Headers of the fragments of one message, and control frames between them. */
const FRAMING_BYTES_MAX = 1024;

/**
 * Watches the raw bytes of a connection before the WebSocket parser gets them. The parser has one limit for the whole
 * life of a connection; this one follows what the peer may send at the moment: a hello, then frames of its role. At
 * most one chunk of the socket (64 KiB) above the limit is ever taken in.
 */
export class InboundGauge {
  frameBytesMax = 0;
  #receivedBytes = 0;
  #sinceFrameBytes = 0;

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** Must be called before the parser starts to listen, so that chunks are counted before they are parsed. */
  watch(socket: Duplex, onExceeded: () => void): void {
    socket.on("data", (chunk: Uint8Array) => {
      this.#receivedBytes += chunk.length;
      if (this.#sinceFrameBytes > this.frameBytesMax + FRAMING_BYTES_MAX) onExceeded();
      this.#sinceFrameBytes += chunk.length;
    });
  }

  /** A whole frame has been parsed. */
  onFrame(): void {
    this.#sinceFrameBytes = 0;
  }

  /** A ping or pong has been parsed: it is no part of a frame, and is bounded by number elsewhere. */
  onControl(bodyBytes: number): void {
    this.#sinceFrameBytes = Math.max(0, this.#sinceFrameBytes - bodyBytes - 6);
  }
}

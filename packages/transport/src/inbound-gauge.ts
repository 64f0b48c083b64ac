import type { Socket } from "node:net";

/** Headers of the fragments of one message, and control frames between them. */
const FRAMING_BYTES_MAX = 1024;

/**
 * Watches the raw bytes of a connection before the WebSocket parser gets them. The parser has one limit for the whole
 * life of a connection; this one follows what the peer may send at the moment: a hello, then frames of its role. At
 * most one chunk of the socket (64 KiB) above the limit is ever taken in. Where the peer may send all that the parser
 * takes, there is nothing to watch: a listener that every chunk must pass is not free.
 */
export class InboundGauge {
  readonly #socket: Socket;
  readonly #parserBytesMax: number;
  readonly #onChunk: (chunk: Uint8Array) => void;
  #frameBytesMax = 0;
  #sinceFrameBytes = 0;

  /**
   * Must be called before the parser, which takes frames up to `parserBytesMax`, starts to listen to `socket`, so that
   * chunks are counted before they are parsed.
   */
  constructor(socket: Socket, parserBytesMax: number, onExceeded: () => void) {
    this.#socket = socket;
    this.#parserBytesMax = parserBytesMax;
    this.#onChunk = (chunk) => {
      if (this.#sinceFrameBytes > this.#frameBytesMax + FRAMING_BYTES_MAX) onExceeded();
      this.#sinceFrameBytes += chunk.length;
    };
    socket.on("data", this.#onChunk);
  }

  /** Bytes that ever arrived, those of the HTTP upgrade too. */
  get receivedBytes(): number {
    return this.#socket.bytesRead;
  }

  /** A limit of all that the parser takes is for ever. */
  expectFrames(frameBytesMax: number): void {
    this.#frameBytesMax = frameBytesMax;
    if (frameBytesMax >= this.#parserBytesMax) this.#socket.off("data", this.#onChunk);
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

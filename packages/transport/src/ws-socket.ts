import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { FrameSocket, FrameSocketHandlers } from "./frame-socket.ts";
import { InboundGauge } from "./inbound-gauge.ts";
import { CLOSE_CODES, closeReason, errorOfClose, TransportError } from "./transport-error.ts";

/** How long a peer may take to answer a close frame, in milliseconds. */
const CLOSE_WAIT_MS = 1_000;
/** A reason behind more than this would not arrive in that time, and what waits must not stay in memory for it. */
const CLOSE_QUEUE_BYTES_MAX = 1024 * 1024;
const SEND_OPTIONS = { binary: true, compress: false, fin: true } as const;

/** What every WebSocket of this package is created with. `maxFragments` and its like are not in ws's types yet. */
export function webSocketLimits(frameBytesMax: number): {
  perMessageDeflate: false;
  maxPayload: number;
  maxFragments: number;
  maxBufferedChunks: number;
  skipUTF8Validation: true;
} {
  return {
    perMessageDeflate: false,
    maxPayload: frameBytesMax,
    maxFragments: 16,
    maxBufferedChunks: 65_536,
    // Text is refused whatever is in it.
    skipUTF8Validation: true,
  };
}

/** A WebSocket of the ws library as a `FrameSocket`. */
export class WsSocket implements FrameSocket {
  readonly #webSocket: WebSocket;
  readonly #gauge = new InboundGauge();
  readonly #uncork = (): void => {
    this.#isCorked = false;
    this.#stream?.uncork();
  };
  #stream: Duplex | undefined;
  #isCorked = false;
  #handlers: FrameSocketHandlers | undefined;
  #isClosed = false;

  /** For a `webSocket` that is still connecting, whose stream is not known yet. */
  constructor(webSocket: WebSocket, gauge?: InboundGauge, stream?: Duplex) {
    this.#webSocket = webSocket;
    if (gauge !== undefined) this.#gauge = gauge;
    this.#stream = stream;
    webSocket.on("open", () => this.#handlers?.onOpen());
    webSocket.on("message", (data: Buffer, isBinary) => this.#onMessage(data, isBinary));
    webSocket.on("ping", (body) => this.#onControl(body));
    webSocket.on("pong", (body) => this.#onControl(body));
    webSocket.on("close", (code, reason) => this.#end(errorOfClose(code, reason.toString("latin1"))));
    webSocket.on("error", (error: NodeJS.ErrnoException) => this.#onError(error));
  }

  get queuedBytes(): number {
    return this.#webSocket.bufferedAmount;
  }
  get receivedBytes(): number {
    return this.#gauge.receivedBytes;
  }

  /** A dialer's stream, as soon as there is one. */
  attachStream(stream: Duplex): void {
    this.#stream = stream;
    this.#gauge.watch(stream, () => this.onExceeded());
  }

  attach(handlers: FrameSocketHandlers): void {
    this.#handlers = handlers;
  }

  expectFrames(frameBytesMax: number): void {
    this.#gauge.frameBytesMax = frameBytesMax;
  }

  send(frame: Uint8Array): void {
    // Frames of one turn leave in one system call.
    if (!this.#isCorked && this.#stream !== undefined) {
      this.#isCorked = true;
      this.#stream.cork();
      process.nextTick(this.#uncork);
    }
    this.#webSocket.send(frame, SEND_OPTIONS);
  }

  probe(): void {
    if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#webSocket.ping();
  }

  close(closeCode: number, reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#letGo(closeCode, reason);
  }

  /** More bytes came than the frame that may come now has. */
  onExceeded(): void {
    this.#cut("link.frame-too-large", `a frame of more than ${this.#gauge.frameBytesMax} bytes`);
    // Not only a goodbye: the rest of the frame must not be taken in meanwhile.
    setImmediate(() => this.#webSocket.terminate());
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    if (this.#isClosed) return;
    this.#gauge.onFrame();
    if (!isBinary) this.#cut("link.text-frame", "a text frame; only binary frames are spoken here");
    else if (data.length > this.#gauge.frameBytesMax)
      this.#cut(
        "link.frame-too-large",
        `a frame of ${data.length} bytes, at most ${this.#gauge.frameBytesMax} may come`,
      );
    else this.#handlers?.onFrame(data);
  }

  #onControl(body: Uint8Array): void {
    if (this.#isClosed) return;
    this.#gauge.onControl(body.length);
    this.#handlers?.onControl();
  }

  /** ws closes by itself after an error, but waits long for the other end. */
  #onError(error: NodeJS.ErrnoException): void {
    this.#end(socketError(error));
    this.#letGo(1011, "");
  }

  #cut(code: "link.text-frame" | "link.frame-too-large", message: string): void {
    if (this.#isClosed) return;
    this.#end(new TransportError(code, `the other end sent ${message}`));
    this.#letGo(CLOSE_CODES[code], message);
  }

  #end(error: TransportError): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#handlers?.onEnd(error);
  }

  #letGo(closeCode: number, reason: string): void {
    const webSocket = this.#webSocket;
    if (webSocket.readyState === webSocket.CLOSED) return;
    const isHopeless = webSocket.readyState === webSocket.CONNECTING || this.queuedBytes > CLOSE_QUEUE_BYTES_MAX;
    if (isHopeless) return webSocket.terminate();
    webSocket.close(closeCode, closeReason(reason));
    const timer = setTimeout(() => webSocket.terminate(), CLOSE_WAIT_MS);
    webSocket.once("close", () => clearTimeout(timer));
  }
}

const UNREACHABLE: ReadonlySet<string> = new Set([
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ETIMEDOUT",
]);
const TOO_LARGE: ReadonlySet<string> = new Set([
  "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH",
  "WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH",
]);

function socketError(error: NodeJS.ErrnoException): TransportError {
  const { code = "", message } = error;
  if (code === "ECONNREFUSED") return new TransportError("dial.refused", "nobody listens there");
  if (UNREACHABLE.has(code)) return new TransportError("dial.unreachable", message);
  if (TOO_LARGE.has(code)) return new TransportError("link.frame-too-large", `the other end sent too much: ${message}`);
  if (code.startsWith("WS_ERR_"))
    return new TransportError("link.protocol", `the other end broke WebSocket: ${message}`);
  if (code === "ECONNRESET" || code === "EPIPE")
    return new TransportError("link.lost", `the connection was lost: ${code}`);
  return new TransportError("dial.failed", message);
}

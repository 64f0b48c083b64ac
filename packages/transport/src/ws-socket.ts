import type { Socket } from "node:net";
import { invariant } from "@quorate/protocol";
import type { WebSocket } from "ws";
import type { FrameSocket, FrameSocketHandlers } from "./frame-socket.ts";
import { FrameWriter } from "./frame-writer.ts";
import type { InboundGauge } from "./inbound-gauge.ts";
import { CLOSE_CODES, closeReason, errorOfClose, TransportError } from "./transport-error.ts";

/** How long a peer may take to answer a close frame, in milliseconds. */
const CLOSE_WAIT_MS = 1_000;
/** A reason behind more than this would not arrive in that time, and what waits must not stay in memory for it. */
const CLOSE_QUEUE_BYTES_MAX = 1024 * 1024;

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
  readonly #flush = (): void => {
    const webSocket = this.#webSocket;
    // Nothing may follow a close frame, of whichever end.
    if (webSocket.readyState === webSocket.OPEN) this.#writer?.flush();
    else this.#writer?.clear();
  };
  #gauge: InboundGauge | undefined;
  #writer: FrameWriter | undefined;
  #frameBytesMax = 0;
  #handlers: FrameSocketHandlers | undefined;
  #isClosed = false;

  /** A `webSocket` that is still connecting gets its stream later, by `attachStream`. */
  constructor(webSocket: WebSocket) {
    this.#webSocket = webSocket;
    webSocket.on("open", () => this.#handlers?.onOpen());
    webSocket.on("message", (data: Buffer, isBinary) => this.#onMessage(data, isBinary));
    webSocket.on("ping", (body) => this.#onControl(body));
    webSocket.on("pong", (body) => this.#onControl(body));
    webSocket.on("close", (code, reason) => this.#end(errorOfClose(code, reason.toString("latin1"))));
    webSocket.on("error", (error: NodeJS.ErrnoException) => this.#onError(error));
  }

  get queuedBytes(): number {
    return this.#writer?.queuedBytes ?? 0;
  }
  get receivedBytes(): number {
    return this.#gauge?.receivedBytes ?? 0;
  }

  /** Must be called before the first frame is sent; frames of dialers are masked. */
  attachStream(stream: Socket, gauge: InboundGauge, isDialer: boolean): void {
    this.#gauge = gauge;
    this.#writer = new FrameWriter(stream, isDialer);
    gauge.expectFrames(this.#frameBytesMax);
  }

  attach(handlers: FrameSocketHandlers): void {
    this.#handlers = handlers;
  }

  expectFrames(frameBytesMax: number): void {
    this.#frameBytesMax = frameBytesMax;
    this.#gauge?.expectFrames(frameBytesMax);
  }

  send(frame: Uint8Array): void {
    const writer = this.#writer;
    invariant(writer !== undefined, "ws-socket.not-open");
    // Frames of one turn leave in one system call.
    if (writer.isEmpty) process.nextTick(this.#flush);
    writer.collect(frame);
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
    this.#cut("link.frame-too-large", `a frame of more than ${this.#frameBytesMax} bytes`);
    // Not only a goodbye: the rest of the frame must not be taken in meanwhile.
    setImmediate(() => this.#webSocket.terminate());
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    if (this.#isClosed) return;
    this.#gauge?.onFrame();
    if (!isBinary) this.#cut("link.text-frame", "a text frame; only binary frames are spoken here");
    else if (data.length > this.#frameBytesMax)
      this.#cut("link.frame-too-large", `a frame of ${data.length} bytes, at most ${this.#frameBytesMax} may come`);
    else this.#handlers?.onFrame(data);
  }

  #onControl(body: Uint8Array): void {
    if (this.#isClosed) return;
    this.#gauge?.onControl(body.length);
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
    this.#flush();
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

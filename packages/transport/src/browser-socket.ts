import type { FrameSocket, FrameSocketHandlers } from "./frame-socket.ts";
import { CLOSE_CODES, closeReason, errorOfClose, TransportError } from "./transport-error.ts";

/** The part of the browser's WebSocket that links use; Node's global one and ws have it too. */
export interface BrowserWebSocket {
  binaryType: string;
  readonly bufferedAmount: number;
  readonly readyState: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(bytes: Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}
export type BrowserWebSocketConstructor = new (url: string) => BrowserWebSocket;

const OPEN = 1;
const EMPTY = new Uint8Array(0);

/** A WebSocket of the browser's interface as a `FrameSocket`. It cannot ping, so it probes with empty frames. */
export class BrowserSocket implements FrameSocket {
  readonly #webSocket: BrowserWebSocket;
  #handlers: FrameSocketHandlers | undefined;
  #frameBytesMax = 0;
  #receivedBytes = 0;
  #isClosed = false;

  constructor(webSocket: BrowserWebSocket) {
    this.#webSocket = webSocket;
    webSocket.binaryType = "arraybuffer";
    webSocket.onopen = () => {
      if (!this.#isClosed) this.#handlers?.onOpen();
    };
    webSocket.onmessage = (event: { readonly data: unknown }) => this.#onMessage(event.data);
    webSocket.onclose = (event: { readonly code: number; readonly reason: string }) =>
      this.#end(errorOfClose(event.code, event.reason));
    // Browsers say nothing about what went wrong; the close event that follows ends the link.
    webSocket.onerror = () => undefined;
  }

  get queuedBytes(): number {
    return this.#webSocket.bufferedAmount;
  }
  /** Grows with whole frames only: browsers show no more. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  attach(handlers: FrameSocketHandlers): void {
    this.#handlers = handlers;
  }

  expectFrames(frameBytesMax: number): void {
    this.#frameBytesMax = frameBytesMax;
  }

  send(frame: Uint8Array): void {
    // Browsers refuse views of shared memory; links never send any.
    if (this.#webSocket.readyState === OPEN) this.#webSocket.send(frame as Uint8Array<ArrayBuffer>);
  }

  probe(): void {
    this.send(EMPTY);
  }

  close(closeCode: number, reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#letGo(closeCode, reason);
  }

  #onMessage(message: unknown): void {
    if (this.#isClosed) return;
    if (!(message instanceof ArrayBuffer)) return this.#cut("link.text-frame", "a text frame");
    // An empty frame is an answer to a probe, and counts as a sign of life like any other.
    this.#receivedBytes += message.byteLength + 1;
    if (message.byteLength > this.#frameBytesMax)
      return this.#cut("link.frame-too-large", `a frame of ${message.byteLength} bytes`);
    this.#handlers?.onFrame(new Uint8Array(message));
  }

  #cut(code: "link.text-frame" | "link.frame-too-large", message: string): void {
    this.#end(new TransportError(code, `the other end sent ${message}`));
    this.#letGo(CLOSE_CODES[code], message);
  }

  #end(error: TransportError): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#handlers?.onEnd(error);
  }

  /** Browsers may close with 1000 and 3000–4999 only. */
  #letGo(closeCode: number, reason: string): void {
    const isAllowed = closeCode === 1000 || (closeCode >= 3000 && closeCode <= 4999);
    this.#webSocket.close(isAllowed ? closeCode : CLOSE_CODES["link.closed"], closeReason(reason));
  }
}

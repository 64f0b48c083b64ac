import type { Duplex } from "node:stream";

/** Up to this size the frames of one turn are copied into one buffer; in a longer turn payloads go out as they are. */
const JOINED_BYTES_MAX = 64 * 1024;

const FINAL_BINARY = 0x82;
const MASKED = 0x80;
const MASK_BYTES = 4;
/** What stands in the place of a length that needs two bytes or eight of its own. */
const LENGTH_16 = 126;
const LENGTH_64 = 127;

/**
 * Collects the frames of one turn and writes them to a connection in one system call, as unfragmented binary WebSocket
 * frames (RFC 6455 §5.2). A dialer's frames must be masked; the mask is zeros, which leaves the payload as it is: masks
 * protect proxies from scripts in browsers (§10.3), and nobody from a replica.
 */
export class FrameWriter {
  readonly #stream: Duplex;
  readonly #isMasked: boolean;
  #frames: Uint8Array[] = [];
  #collectedBytes = 0;

  constructor(stream: Duplex, isMasked: boolean) {
    this.#stream = stream;
    this.#isMasked = isMasked;
  }

  /** Whether nothing is collected. */
  get isEmpty(): boolean {
    return this.#frames.length === 0;
  }

  /** Bytes of frames and headers, collected or written, that have not left this process. */
  get queuedBytes(): number {
    return this.#collectedBytes + this.#stream.writableLength;
  }

  /** Takes one more frame. Its bytes must not change afterwards: they may be sent without a copy. */
  collect(frame: Uint8Array): void {
    this.#frames.push(frame);
    this.#collectedBytes += this.#headerBytes(frame.length) + frame.length;
  }

  /** Forgets what is collected. */
  clear(): void {
    this.#frames = [];
    this.#collectedBytes = 0;
  }

  /** Writes what is collected. */
  flush(): void {
    const frames = this.#frames;
    const bytes = this.#collectedBytes;
    if (frames.length === 0) return;
    this.clear();
    if (bytes <= JOINED_BYTES_MAX) this.#stream.write(this.#join(frames, bytes));
    else this.#writeEach(frames);
  }

  #join(frames: readonly Uint8Array[], bytes: number): Buffer {
    const joined = Buffer.allocUnsafe(bytes);
    let at = 0;
    for (const frame of frames) {
      at = this.#putHeader(joined, at, frame.length);
      joined.set(frame, at);
      at += frame.length;
    }
    return joined;
  }

  #writeEach(frames: readonly Uint8Array[]): void {
    this.#stream.cork();
    for (const frame of frames) {
      const header = Buffer.allocUnsafe(this.#headerBytes(frame.length));
      this.#putHeader(header, 0, frame.length);
      this.#stream.write(header);
      if (frame.length > 0) this.#stream.write(frame);
    }
    this.#stream.uncork();
  }

  #headerBytes(length: number): number {
    const lengthBytes = length < LENGTH_16 ? 0 : length <= 0xffff ? 2 : 8;
    return 2 + lengthBytes + (this.#isMasked ? MASK_BYTES : 0);
  }

  /** Writes the header of a frame of `length` bytes and returns where the payload starts. */
  #putHeader(target: Buffer, start: number, length: number): number {
    const maskBit = this.#isMasked ? MASKED : 0;
    target[start] = FINAL_BINARY;
    let at = start + 2;
    if (length < LENGTH_16) {
      target[start + 1] = maskBit | length;
    } else if (length <= 0xffff) {
      target[start + 1] = maskBit | LENGTH_16;
      at = target.writeUInt16BE(length, at);
    } else {
      target[start + 1] = maskBit | LENGTH_64;
      at = target.writeUInt32BE(Math.floor(length / 2 ** 32), at);
      at = target.writeUInt32BE(length >>> 0, at);
    }
    return this.#isMasked ? target.writeUInt32BE(0, at) : at;
  }
}

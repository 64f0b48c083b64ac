/** Which messages of a way are lost: each with this probability, by random numbers of the test. */
export interface Loss {
  /** From 0, none, to 1, all. */
  rate: number;
  readonly random: () => number;
  /** How many were lost so far. */
  lost: number;
}

/** Messages of a connection that always pass: the hello and the proof of each end. */
const HANDSHAKE_MESSAGES = 3;
const HEAD_END = Buffer.from("\r\n\r\n");

/**
 * One way of a WebSocket connection from its first byte, from which whole messages are taken out. TCP loses nothing, so this is how
 * a network that loses looks to those above it. Pings and closes pass.
 */
export class MessageLoss {
  readonly #loss: Loss;
  #bytes: Buffer = Buffer.alloc(0);
  #isUpgraded = false;
  #messages = 0;

  constructor(loss: Loss) {
    this.#loss = loss;
  }

  /** @returns what passes of what has come. */
  pass(chunk: Buffer): Buffer {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    const passed: Buffer[] = [];
    if (!this.#isUpgraded) {
      const at = this.#bytes.indexOf(HEAD_END);
      if (at < 0) return Buffer.alloc(0);
      this.#isUpgraded = true;
      passed.push(this.#take(at + HEAD_END.length));
    }
    for (let length = frameLength(this.#bytes); length <= this.#bytes.length; length = frameLength(this.#bytes)) {
      const frame = this.#take(length);
      if (!this.#isLost(frame)) passed.push(frame);
    }
    return Buffer.concat(passed);
  }

  #take(length: number): Buffer {
    const taken = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(length);
    return taken;
  }

  #isLost(frame: Buffer): boolean {
    // Only a message in one frame can be taken out as a whole: the first byte says that it begins and ends here.
    const isMessage = frame[0] === 0x81 || frame[0] === 0x82;
    if (!isMessage || this.#messages++ < HANDSHAKE_MESSAGES) return false;
    if (this.#loss.random() >= this.#loss.rate) return false;
    this.#loss.lost += 1;
    return true;
  }
}

/** Of the first frame; more than there is when it is not whole (RFC 6455, 5.2). */
function frameLength(bytes: Buffer): number {
  if (bytes.length < 2) return Number.POSITIVE_INFINITY;
  const second = bytes.readUInt8(1);
  const mask = (second & 0x80) === 0 ? 0 : 4;
  const short = second & 0x7f;
  if (short < 126) return 2 + mask + short;
  const extended = short === 126 ? 2 : 8;
  if (bytes.length < 2 + extended) return Number.POSITIVE_INFINITY;
  const length = short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  return 2 + extended + mask + length;
}

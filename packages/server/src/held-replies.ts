import type { Fill, PublicKey, SequenceNumber } from "@quorate/protocol";
import type { ExecutedReply } from "@quorate/state-machine";

export interface HeldRepliesOptions {
  /** L. */
  readonly windowSize: number;
  /** h, which the log says durably. */
  readonly stable: SequenceNumber;
  /** What is executed, durably. */
  readonly executed: SequenceNumber;
  /** Makes durable what has been executed, and calls back later; never, if it fails. */
  readonly flush: (done: () => void) => void;
  readonly send: (client: PublicKey, reply: ExecutedReply) => void;
}

interface HeldReply {
  readonly client: PublicKey;
  readonly reply: ExecutedReply;
}

/** What comes on top is left to the retries of its clients. */
const HELD_MAX = 1_024;
const HELD_BYTES_MAX: number = 8 * 1024 * 1024;

/**
 * Replies of numbers above the durable h+L wait until the state that made them is durable (protocol rule 9.5). A replica that is found to
 * be wrong is silent of statements up to the h+L that its log says and up to what it has executed; a crash may have taken what it fetched
 * beyond that, so nobody may have heard of it. Who is level executes nothing there.
 */
export class HeldReplies {
  readonly #o: HeldRepliesOptions;
  #windowEnd: number;
  #durable: number;
  /** The highest number that a client waits for, whether its reply is held or was one too many. */
  #awaited = 0;
  #held: HeldReply[] = [];
  #heldBytes = 0;
  #isFlushing = false;

  constructor(options: HeldRepliesOptions) {
    this.#o = options;
    this.#windowEnd = options.stable + options.windowSize;
    this.#durable = options.executed;
  }

  get fill(): Fill {
    return { of: "replies that wait for the state", size: this.#held.length, max: HELD_MAX };
  }

  /** Sends a reply to what has been executed, or holds it back. */
  give(client: PublicKey, reply: ExecutedReply): void {
    if (this.#isSafe(reply)) return this.#o.send(client, reply);
    this.#awaited = Math.max(this.#awaited, reply.statement.seq);
    this.#flush();
    const bytes = bytesOf(reply);
    if (this.#held.length >= HELD_MAX || this.#heldBytes + bytes > HELD_BYTES_MAX) return;
    this.#held.push({ client, reply });
    this.#heldBytes += bytes;
  }

  /** h has moved, durably. */
  onStable(stable: SequenceNumber): void {
    this.#windowEnd = stable + this.#o.windowSize;
    this.#release();
  }

  #flush(): void {
    const upTo = this.#awaited;
    if (this.#isFlushing || upTo <= this.#durable || upTo <= this.#windowEnd) return;
    this.#isFlushing = true;
    this.#o.flush(() => {
      this.#isFlushing = false;
      this.#durable = upTo;
      this.#release();
      this.#flush();
    });
  }

  #release(): void {
    const waiting = this.#held;
    this.#held = waiting.filter(({ reply }) => !this.#isSafe(reply));
    this.#heldBytes = this.#held.reduce((sum, { reply }) => sum + bytesOf(reply), 0);
    for (const { client, reply } of waiting) if (this.#isSafe(reply)) this.#o.send(client, reply);
  }

  #isSafe({ statement: { seq } }: ExecutedReply): boolean {
    return seq <= this.#windowEnd || seq <= this.#durable;
  }
}

function bytesOf({ results }: ExecutedReply): number {
  return results.reduce((sum, { value }) => sum + value.length, 0);
}

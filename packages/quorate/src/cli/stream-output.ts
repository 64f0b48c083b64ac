import { once } from "node:events";
import type { Writable } from "node:stream";
import { isReaderGone } from "./gone-reader.ts";

/** Standard output for much text: whoever writes waits for the reader, and learns when it has gone, as `head` does. */
export class StreamOutput {
  readonly #stream: Writable;
  #isClosed = false;

  constructor(stream: Writable = process.stdout) {
    this.#stream = stream;
    stream.on("error", this.#onError);
  }

  /** The reader wants no more. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** @throws (rejects) what the system says of the write, unless that the reader has gone. */
  async line(text: string): Promise<void> {
    if (this.#isClosed || this.#stream.write(`${text}\n`)) return;
    // Either the reader has taken what there was, or it has gone.
    await Promise.race([once(this.#stream, "drain"), once(this.#stream, "close")]).catch(this.#onError);
  }

  readonly #onError = (error: unknown): void => {
    if (!isReaderGone(error)) throw error;
    this.#isClosed = true;
  };
}

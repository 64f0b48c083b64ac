import type { Writable } from "node:stream";

/** Whether a stream ended because its reader has gone, as `head` does. */
export function isReaderGone(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EPIPE";
}

/** A reader that has gone is no reason to fail: what the command has done is done, and what it would still say nobody hears. */
export function outliveReader(stream: Writable): void {
  stream.on("error", (error) => {
    if (!isReaderGone(error)) throw error;
  });
}

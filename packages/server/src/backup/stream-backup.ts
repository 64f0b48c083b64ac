import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import type { RunningBackup } from "./state-backup.ts";

/** What is read in one turn of the event loop: so many bytes, or for so long. */
const SLICE_BYTES = 128 * 1024;
const SLICE_MS = 2;
/** A gigabyte in half a minute at best. */
const BYTES_PER_SECOND: number = 32 * 1024 * 1024;
/** How much longer it waits than it has read: two thirds of the event loop are left to ordering. */
const REST_FACTOR = 2;
/** A reader that takes nothing for so long is gone: its checkpoint would be kept for ever. */
const STALLED_AFTER_MS = 30_000;
/** As would that of one that takes less than this on average, after a while. */
const BYTES_PER_SECOND_MIN: number = 128 * 1024;
const SLOW_AFTER_MS = 60_000;
const READER_GONE = "its reader is gone";
const READER_SLOW = `its reader was too slow: it took less than ${BYTES_PER_SECOND_MIN / 1024} KiB a second`;
const READER_STALLED = `its reader took nothing for ${STALLED_AFTER_MS / 1_000} seconds`;

/** Why a backup did not come to its end. */
export interface BackupFault {
  readonly checkpoint: number;
  readonly atMs: number;
  /** What was sent of it. */
  readonly bytes: number;
  /** In one line. */
  readonly reason: string;
}

/**
 * Answers with a backup, slice by slice, as fast as the reader takes it and no faster than the replica can spare.
 *
 * @param onEnd called with nothing once the reader has been given all of it, or with what cut it short before the reader can notice.
 */
export async function streamBackup(
  backup: RunningBackup,
  response: ServerResponse,
  onEnd: (fault: BackupFault | undefined) => void,
): Promise<void> {
  let sent = 0;
  // Whoever reads it finds that it is: a backup ends when its state is whole.
  const cutShort = (reason: string): void => {
    onEnd({ checkpoint: backup.checkpoint, atMs: Date.now(), bytes: sent, reason });
    response.destroy();
  };
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  try {
    response.writeHead(200, { "Content-Type": "application/octet-stream", Connection: "close" });
    const startedMs = performance.now();
    for (let slice = readSlice(backup); slice !== undefined; slice = readSlice(backup)) {
      if (response.destroyed) return cutShort(READER_GONE);
      if (isTooSlow(sent, performance.now() - startedMs)) return cutShort(READER_SLOW);
      sent += slice.bytes.length;
      const { bytes, tookMs } = slice;
      if (!response.write(bytes)) await onceOrStalled(response, "drain", gone.signal);
      await delay(Math.ceil(Math.max(REST_FACTOR * tookMs, (1000 * bytes.length) / BYTES_PER_SECOND)));
      // On a machine that is short of CPU a timer is due as soon as it is set, and one turn runs all that are due.
      await nextTurn();
    }
    const finished = onceOrStalled(response, "finish", gone.signal);
    response.end();
    await finished;
    onEnd(undefined);
  } catch (error) {
    cutShort(gone.signal.aborted ? READER_GONE : reasonOf(error));
  } finally {
    backup.close();
  }
}

function reasonOf(error: unknown): string {
  // What `once` makes of a time-out.
  if (error instanceof Error && error.name === "AbortError") return READER_STALLED;
  return error instanceof Error ? error.message : String(error);
}

/** Whether a reader that has taken so many bytes in this time holds up the replica more than it helps. */
export function isTooSlow(bytes: number, tookMs: number): boolean {
  return tookMs > SLOW_AFTER_MS && bytes * 1000 < BYTES_PER_SECOND_MIN * tookMs;
}

async function onceOrStalled(response: ServerResponse, event: "drain" | "finish", gone: AbortSignal): Promise<void> {
  await once(response, event, { signal: AbortSignal.any([gone, AbortSignal.timeout(STALLED_AFTER_MS)]) });
}

function readSlice(backup: RunningBackup): { readonly bytes: Buffer; readonly tookMs: number } | undefined {
  const parts: Uint8Array[] = [];
  const startedMs = performance.now();
  for (let bytes = 0; bytes < SLICE_BYTES && performance.now() - startedMs < SLICE_MS; ) {
    const part = backup.next();
    if (part === undefined) break;
    parts.push(part);
    bytes += part.length;
  }
  return parts.length === 0 ? undefined : { bytes: Buffer.concat(parts), tookMs: performance.now() - startedMs };
}

import type { Batch } from "@quorate/protocol";
import { writeBatch } from "./requests.ts";
import type { Writer } from "./writer.ts";

/** Batches whose bytes are remembered: those in the pipeline of a primary, and some to spare. */
const BATCHES_MAX = 16;
/** The bytes of a larger batch are not remembered. */
const BATCH_BYTES_MAX: number = 128 * 1024;

const remembered = new Map<Batch, Uint8Array>();

/**
 * Writes a batch. The bytes of the last ones are remembered: each batch is proposed, promised in the log and archived,
 * which is the same bytes three times.
 */
export function writeBatchAgain(writer: Writer, batch: Batch): void {
  const known = remembered.get(batch);
  if (known !== undefined) {
    writer.written(known);
    return;
  }
  const start = writer.length;
  writeBatch(writer, batch);
  if (writer.length - start > BATCH_BYTES_MAX) return;
  for (const oldest of remembered.keys()) {
    if (remembered.size < BATCHES_MAX) break;
    remembered.delete(oldest);
  }
  remembered.set(batch, writer.copyFrom(start));
}

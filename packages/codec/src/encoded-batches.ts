import type { Batch } from "@quorate/protocol";
import { Encoded, encodeValue } from "./encoder.ts";
import { writeBatch } from "./requests.ts";

/** Batches whose bytes are remembered: those in the pipeline of a primary, and some to spare. */
const BATCHES_MAX = 16;
/** The bytes of a larger batch are not remembered. */
const BATCH_BYTES_MAX: number = 128 * 1024;

const remembered = new Map<Batch, Encoded>();

/**
 * The bytes of a batch. Those of the last ones are remembered: each batch is proposed, promised in the log and archived,
 * which is the same bytes three times.
 */
export function encodedBatch(batch: Batch): Encoded {
  const known = remembered.get(batch);
  if (known !== undefined) return known;
  const encoded = new Encoded(encodeValue(writeBatch(batch)));
  if (encoded.bytes.length > BATCH_BYTES_MAX) return encoded;
  for (const oldest of remembered.keys()) {
    if (remembered.size < BATCHES_MAX) break;
    remembered.delete(oldest);
  }
  remembered.set(batch, encoded);
  return encoded;
}

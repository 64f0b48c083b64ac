import { deflateRaw, type InflateRaw, inflateRaw } from "node:zlib";
import type { Compressor } from "./compressor.ts";

/** Of the four threads that Node.js has for such things and for files: the log is flushed there, too. */
const RUNNING_MAX = 2;
/** The least that zlib takes for a buffer of output. */
const OUTPUT_BYTES_MIN = 64;
/** The fastest. */
const LEVEL = 1;

/** What comes with `info`, which the types of Node.js do not know. */
interface Inflated {
  readonly buffer: Buffer;
  /** `bytesWritten` is what it has read of its input. */
  readonly engine: InflateRaw;
}

/** The production implementation, over node:zlib. How much may wait is bounded by those who ask. */
export function createZlibCompressor(): Compressor {
  const waiting: ((end: () => void) => void)[] = [];
  let running = 0;
  const next = (): void => {
    const job = running < RUNNING_MAX ? waiting.shift() : undefined;
    if (job === undefined) return;
    running++;
    job(() => {
      running--;
      next();
    });
  };
  const run = (job: (end: () => void) => void): void => {
    waiting.push(job);
    next();
  };
  return {
    deflate: (bytes, done) =>
      run((end) =>
        deflateRaw(bytes, { level: LEVEL }, (error, deflated) => {
          end();
          done(error === null ? deflated : undefined);
        }),
      ),
    inflate: (deflated, length, done) =>
      run((end) => {
        const options = { maxOutputLength: length, chunkSize: Math.max(OUTPUT_BYTES_MIN, length), info: true };
        inflateRaw(deflated, options, (error, result) => {
          end();
          if (error !== null) return done(undefined);
          const { buffer, engine } = result as unknown as Inflated;
          const isExact = buffer.length === length && engine.bytesWritten === deflated.length;
          done(isExact ? buffer : undefined);
        });
      }),
  };
}

import { type Codec, chunkFrameBytesMax } from "@quorate/codec";
import type { DeflatedChunk, FetchState, ReplicaId, StateChunk, StateChunkFault } from "@quorate/protocol";
import type { Compressor } from "./compressor.ts";

export interface ChunkInflaterOptions {
  readonly codec: Codec;
  readonly compressor?: Compressor | undefined;
  /** See `StateFetcher.asked`. */
  readonly asked: (from: ReplicaId, request: number) => FetchState | "former" | undefined;
  /** A chunk is being inflated, which ends with one of the next two. */
  readonly onArrival: (from: ReplicaId, request: number) => void;
  readonly onChunk: (from: ReplicaId, chunk: StateChunk, bytesOnWire: number) => void;
  readonly onFault: (from: ReplicaId, chunk: DeflatedChunk, fault: StateChunkFault) => void;
}

/** Chunks that are being inflated, or wait for it: more than are asked for at once. What comes on top is asked for again. */
const INFLATING_MAX = 1024;

/**
 * Inflates what donors send (protocol rule 10.1): only what is asked for, once, and never more than the request allows. What
 * comes out of it is decoded and judged as if it had come by itself.
 */
export class ChunkInflater {
  readonly #o: ChunkInflaterOptions;
  /** The numbers of their requests. */
  readonly #inflating = new Set<number>();

  constructor(options: ChunkInflaterOptions) {
    this.#o = options;
  }

  take(from: ReplicaId, chunk: DeflatedChunk): void {
    const { compressor, asked: find, onFault } = this.#o;
    const { request, seq, length, deflated } = chunk;
    const asked = find(from, request);
    if (asked === undefined) return onFault(from, chunk, "state-chunk.not-asked-for");
    if (asked === "former" || this.#inflating.has(request) || this.#inflating.size >= INFLATING_MAX) return;
    if (compressor === undefined || seq !== asked.seq) return onFault(from, chunk, "state-chunk.other-than-asked");
    if (length > chunkFrameBytesMax(asked)) return onFault(from, chunk, "state-chunk.oversized");
    this.#inflating.add(request);
    this.#o.onArrival(from, request);
    compressor.inflate(deflated, length, (frame) => {
      this.#inflating.delete(request);
      const inflated = frame && this.#chunkIn(frame, chunk);
      if (inflated === undefined) onFault(from, chunk, "state-chunk.bad-deflate");
      else this.#o.onChunk(from, inflated, deflated.length);
    });
  }

  #chunkIn(frame: Uint8Array, { request, seq }: DeflatedChunk): StateChunk | undefined {
    const decoded = this.#o.codec.decodeReplicaFrame(frame);
    if (!decoded.ok || decoded.value.type !== "state-chunk") return undefined;
    const { chunk } = decoded.value;
    return chunk.request === request && chunk.seq === seq ? chunk : undefined;
  }
}

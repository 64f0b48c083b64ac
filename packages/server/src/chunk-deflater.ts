import type { Codec } from "@quorate/codec";
import { contentBytes, type ReplicaId, type StateChunk } from "@quorate/protocol";
import type { Compressor } from "./compressor.ts";
import type { HostPorts } from "./ports.ts";

export interface ChunkDeflaterOptions {
  readonly codec: Codec;
  readonly compressor?: Compressor | undefined;
  readonly ports: Pick<HostPorts, "sendToReplica">;
}

/** Less is sent as it is. */
const LEAST_BYTES = 1024;
/** It is worth it when it takes away so much. */
const LEAST_SHRINKAGE = 1 / 8;
/**
 * So many times the bytes of one that was not worth it are sent as they are before another is tried, and twice as many after each further one in
 * a row; a larger one is tried at once. To try costs more than all else that a donor does for a chunk.
 */
const TIMES_AT_FIRST = 15;
const TIMES_MAX = 240;
/** Chunks that are being deflated, or wait for it; on top they are sent as they are. */
const DEFLATING_MAX = 16;

/** What is known of the values that a peer is sent: they do not shrink. */
interface Plain {
  /** So many bytes are sent as they are. */
  bytes: number;
  /** After the next failure: so many times the bytes of that one. */
  readonly times: number;
}

/** Sends chunks of the state, deflated where the other end takes that and it is worth it (protocol rule 10.1). */
export class ChunkDeflater {
  readonly #o: ChunkDeflaterOptions;
  /** To whom chunks are sent as they are, until one is tried that is worth it. Bounded by the members, and the places for observers. */
  readonly #plain = new Map<ReplicaId, Plain>();
  #deflating = 0;
  #isStopped = false;

  constructor(options: ChunkDeflaterOptions) {
    this.#o = options;
  }

  /** Nothing is sent any more. */
  stop(): void {
    this.#isStopped = true;
  }

  send(peer: ReplicaId, chunk: StateChunk, takesDeflated: boolean): void {
    const { compressor, codec } = this.#o;
    if (compressor === undefined || !takesDeflated || !this.#isToTry(peer, contentBytes(chunk.items)))
      return this.#sendPlain(peer, chunk);
    const frame = codec.encodeReplicaFrame({ type: "state-chunk", chunk });
    this.#deflating++;
    compressor.deflate(frame, (deflated) => {
      this.#deflating--;
      if (!this.#isStopped) this.#sendDeflated(peer, chunk, frame.length, deflated);
    });
  }

  /** The whole chunk is what is tried: it begins with pages, whose digests say nothing of the values behind them. */
  #sendDeflated(peer: ReplicaId, chunk: StateChunk, length: number, deflated: Uint8Array | undefined): void {
    const { codec, ports } = this.#o;
    const bytesMax = Math.min(length * (1 - LEAST_SHRINKAGE), codec.limits.stateChunkBytesMax);
    if (deflated === undefined || deflated.length > bytesMax) {
      this.#onFailure(peer, contentBytes(chunk.items));
      return this.#sendPlain(peer, chunk);
    }
    this.#plain.set(peer, { bytes: this.#plain.get(peer)?.bytes ?? 0, times: TIMES_AT_FIRST });
    const { request, seq } = chunk;
    ports.sendToReplica(peer, { type: "deflated-chunk", chunk: { request, seq, length, deflated } });
  }

  #sendPlain(peer: ReplicaId, chunk: StateChunk): void {
    this.#o.ports.sendToReplica(peer, { type: "state-chunk", chunk });
  }

  #isToTry(peer: ReplicaId, bytes: number): boolean {
    if (bytes < LEAST_BYTES || this.#deflating >= DEFLATING_MAX) return false;
    const plain = this.#plain.get(peer);
    if (plain === undefined || plain.bytes < bytes) return true;
    plain.bytes -= bytes;
    return false;
  }

  #onFailure(peer: ReplicaId, bytes: number): void {
    const { times } = this.#plain.get(peer) ?? { times: TIMES_AT_FIRST };
    this.#plain.set(peer, { bytes: times * bytes, times: Math.min(2 * times, TIMES_MAX) });
  }
}

import { isObserverPeer, type ReplicaId } from "@quorate/protocol";

/** Bytes per second, and how many at once after a rest. */
export interface ByteRate {
  readonly bytesPerSecond: number;
  readonly burstBytes: number;
}

interface Bucket {
  bytes: number;
  atMs: number;
}

/**
 * A token bucket of bytes per member, one for all observers together, and one for all. Observers come as they like, and may be
 * anybody's: however many they are, members keep their shares. What an answer costs is known when it is made: a peer may run into debt
 * by one answer, and then waits longer (protocol rule 13.1).
 */
export class ByteBudget {
  readonly #perPeer: ByteRate;
  readonly #total: ByteRate;
  /** Bounded: by the members. */
  readonly #buckets = new Map<ReplicaId | "observers", Bucket>();
  readonly #all: Bucket;

  constructor(perPeer: ByteRate, total: ByteRate) {
    this.#perPeer = perPeer;
    this.#total = total;
    this.#all = { bytes: total.burstBytes, atMs: 0 };
  }

  /** Whether a peer may be served now. */
  isOpen(peer: ReplicaId, atMs: number): boolean {
    const own = this.#bucketOf(peer, atMs);
    refill(own, this.#perPeer, atMs);
    refill(this.#all, this.#total, atMs);
    return own.bytes > 0 && this.#all.bytes > 0;
  }

  /** In how many milliseconds a peer may be served, if nothing is charged until then; 0 when it may be now. */
  opensInMs(peer: ReplicaId, atMs: number): number {
    if (this.isOpen(peer, atMs)) return 0;
    const own = missingMs(this.#bucketOf(peer, atMs), this.#perPeer);
    return Math.ceil(Math.max(own, missingMs(this.#all, this.#total)));
  }

  charge(peer: ReplicaId, atMs: number, bytes: number): void {
    this.#bucketOf(peer, atMs).bytes -= bytes;
    this.#all.bytes -= bytes;
  }

  #bucketOf(peer: ReplicaId, atMs: number): Bucket {
    const whose = isObserverPeer(peer) ? "observers" : peer;
    const bucket = this.#buckets.get(whose) ?? { bytes: this.#perPeer.burstBytes, atMs };
    this.#buckets.set(whose, bucket);
    return bucket;
  }
}

function refill(bucket: Bucket, { bytesPerSecond, burstBytes }: ByteRate, atMs: number): void {
  const passedMs = Math.max(0, atMs - bucket.atMs);
  bucket.bytes = Math.min(burstBytes, bucket.bytes + (passedMs / 1000) * bytesPerSecond);
  bucket.atMs = atMs;
}

/** How long it takes until there is a byte. */
function missingMs({ bytes }: Bucket, { bytesPerSecond }: ByteRate): number {
  return bytes > 0 ? 0 : ((1 - bytes) / bytesPerSecond) * 1000;
}

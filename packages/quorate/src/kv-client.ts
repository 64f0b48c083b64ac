import {
  decodeKvResult,
  encodeKvOperation,
  type KvEntry,
  type KvOperation,
  type KvResult,
  prefixRange,
} from "@quorate/kv";
import type { CallOptions } from "./call-options.ts";
import type { QuorateClient, StaleEntries, StaleOutcome, StaleReadOptions } from "./client.ts";
import { OperationFailedError, readAs } from "./errors.ts";
import type { OperationOutcome } from "./operation-calls.ts";

/** A key or a value: bytes, or text that is taken as UTF-8. */
export type KvBytes = Uint8Array | string;

/** A value as of a stable checkpoint; undefined where there was none. */
export interface StaleValue extends StaleOutcome {
  readonly value: Uint8Array | undefined;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: false });

/** What of a client the store is called by. */
export type KvCalls = Pick<QuorateClient, "execute" | "readStale" | "readStaleRange">;

/** The most entries one `range` call brings. */
export const RANGE_LIMIT_DEFAULT = 100;

/**
 * The replicated key-value store, typed. Every method rejects with a `QuorateError`: an `OperationFailedError` when the
 * service refused the operation, another when there is no agreed result, and what its `retry()` gives is what the method gives. What the format of operations cannot hold (a
 * number beyond 64 bits, a limit beyond 32) rejects with a `KvError`.
 */
export class KvClient {
  readonly #client: KvCalls;

  /** @param client a `QuorateClient`, or what calls one. */
  constructor(client: KvCalls) {
    this.#client = client;
  }

  /** The value at `key`, undefined if there is none. Linearizable: ordered like a write. */
  get(key: KvBytes, options?: CallOptions): Promise<Uint8Array | undefined> {
    return this.#run({ type: "get", key: bytesOf(key) }, options, ({ value }) => value);
  }
  /** As `get`, as text. */
  getText(key: KvBytes, options?: CallOptions): Promise<string | undefined> {
    return readAs(this.get(key, options), (value) => (value === undefined ? undefined : decoder.decode(value)));
  }
  /** Sets `key`; resolves to whether there was a value before. */
  put(key: KvBytes, value: KvBytes, options?: CallOptions): Promise<boolean> {
    const operation = { type: "put", key: bytesOf(key), value: bytesOf(value) } as const;
    return this.#run(operation, options, ({ replaced }) => replaced);
  }
  /** Removes `key`; resolves to whether there was a value. */
  delete(key: KvBytes, options?: CallOptions): Promise<boolean> {
    return this.#run({ type: "delete", key: bytesOf(key) }, options, ({ deleted }) => deleted);
  }
  /** Sets `key` to `next` if it is `expected`; undefined stands for absent on either side. */
  compareAndSwap(
    key: KvBytes,
    expected: KvBytes | undefined,
    next: KvBytes | undefined,
    options?: CallOptions,
  ): Promise<KvResult<{ type: "compare-and-swap" }>> {
    const operation = { type: "compare-and-swap", key: bytesOf(key) } as const;
    return this.#run({ ...operation, expected: optionalBytes(expected), next: optionalBytes(next) }, options, asItIs);
  }
  /** Adds `by` to the number at `key`, which counts as 0 when absent; resolves to the sum. */
  increment(key: KvBytes, by: bigint | number = 1n, options?: CallOptions): Promise<bigint> {
    return this.#run({ type: "increment", key: bytesOf(key), by: BigInt(by) }, options, ({ value }) => value);
  }
  /** Entries with `from ≤ key < to` in byte order; `next` is where it goes on. */
  range(
    from: KvBytes,
    to: KvBytes | undefined,
    limit: number = RANGE_LIMIT_DEFAULT,
    options?: CallOptions,
  ): Promise<KvResult<{ type: "range" }>> {
    return this.#run({ type: "range", from: bytesOf(from), to: optionalBytes(to), limit }, options, asItIs);
  }
  /** All entries whose key starts with `prefix`, page by page. Each page is a snapshot, the whole is not. */
  async *scan(prefix: KvBytes, pageSize: number = RANGE_LIMIT_DEFAULT): AsyncIterable<KvEntry> {
    const { from, to } = prefixRange(bytesOf(prefix));
    for (let at: Uint8Array | undefined = from; at !== undefined; ) {
      const page: KvResult<{ type: "range" }> = await this.range(at, to, pageSize);
      yield* page.entries;
      at = page.next;
    }
  }

  /**
   * The value at `key` as of a stable checkpoint, proven by one replica (docs/decisions/0050): nothing is ordered, and writes since then
   * are not in it.
   */
  async getStale(key: KvBytes, options?: StaleReadOptions): Promise<StaleValue> {
    const { values, ...outcome } = await this.#client.readStale([bytesOf(key)], options);
    return { ...outcome, value: values[0] };
  }
  /** As `range`, as of a stable checkpoint: at most `STATE_READ_KEYS_MAX` entries, of which none is proven to be the only one there. */
  rangeStale(
    from: KvBytes,
    to: KvBytes | undefined,
    limit?: number,
    options?: StaleReadOptions,
  ): Promise<StaleEntries> {
    return this.#client.readStaleRange(bytesOf(from), optionalBytes(to), limit, options);
  }

  async #run<O extends KvOperation, T>(
    operation: O,
    options: CallOptions | undefined,
    pick: (result: KvResult<O>) => T,
  ): Promise<T> {
    const read = ({ result }: OperationOutcome): T => {
      if (result.status === "ok") return pick(decodeKvResult(operation, result.value));
      throw new OperationFailedError(decoder.decode(result.value));
    };
    return readAs(this.#client.execute(encodeKvOperation(operation), options), read);
  }
}

function asItIs<T>(result: T): T {
  return result;
}

function bytesOf(text: KvBytes): Uint8Array {
  return typeof text === "string" ? encoder.encode(text) : text;
}

function optionalBytes(text: KvBytes | undefined): Uint8Array | undefined {
  return text === undefined ? undefined : bytesOf(text);
}

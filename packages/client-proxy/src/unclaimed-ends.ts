import type { OperationResult } from "@quorate/protocol";
import type { CallOutcome } from "./outcome.ts";

/** The bytes of results that are remembered for callers that gave up, at most. */
export const UNCLAIMED_BYTES_MAX: number = 16 * 1024 * 1024;

/** What became of a call after its caller had given up. */
export type UnclaimedEnd =
  | { readonly type: "outcome"; readonly outcome: CallOutcome }
  /** It was sent, and has not run. */
  | { readonly type: "postponed"; readonly operation: Uint8Array };

interface EndedRequest {
  readonly ends: Map<number, UnclaimedEnd>;
  readonly bytes: number;
}

/**
 * What became of calls whose callers had given up, by request, for a retry to be told. The oldest requests make room: so many are
 * remembered as a session's window has places, and results of `UNCLAIMED_BYTES_MAX` bytes.
 */
export class UnclaimedEnds {
  readonly #requestsMax: number;
  readonly #requests = new Set<EndedRequest>();
  #bytes = 0;

  constructor(requestsMax: number) {
    this.#requestsMax = requestsMax;
  }

  get requests(): number {
    return this.#requests.size;
  }
  get bytes(): number {
    return this.#bytes;
  }

  /** @param results of the whole request: a receipt keeps all of them. */
  add(ends: ReadonlyMap<number, UnclaimedEnd>, results: readonly OperationResult[]): void {
    if (ends.size === 0) return;
    let bytes = results.reduce((sum, { value }) => sum + value.length, 0);
    for (const end of ends.values()) if (end.type === "postponed") bytes += end.operation.length;
    this.#requests.add({ ends: new Map(ends), bytes });
    this.#bytes += bytes;
    for (const oldest of this.#requests) {
      if (this.#requests.size <= this.#requestsMax && this.#bytes <= UNCLAIMED_BYTES_MAX) break;
      this.#forget(oldest);
    }
  }

  /** What became of a call, once; undefined when nothing is known of it. */
  take(call: number): UnclaimedEnd | undefined {
    for (const request of this.#requests) {
      const end = request.ends.get(call);
      if (end === undefined) continue;
      request.ends.delete(call);
      if (request.ends.size === 0) this.#forget(request);
      return end;
    }
    return undefined;
  }

  clear(): void {
    this.#requests.clear();
    this.#bytes = 0;
  }

  #forget(request: EndedRequest): void {
    this.#requests.delete(request);
    this.#bytes -= request.bytes;
  }
}

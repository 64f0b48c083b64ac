import { type Digest, invariant, type Reply } from "@quorate/protocol";
import type { OpenRequest } from "./open-request.ts";

/** The requests on the way, by digest and in order of their numbers. Bounded by `requestsOutstandingMax`. */
export class RequestTable {
  readonly #open = new Map<Digest, OpenRequest>();
  readonly #requestsOutstandingMax: number;

  constructor(requestsOutstandingMax: number) {
    this.#requestsOutstandingMax = requestsOutstandingMax;
  }

  get size(): number {
    return this.#open.size;
  }
  get isFull(): boolean {
    return this.#open.size >= this.#requestsOutstandingMax;
  }
  /** The one with the lowest number: execution of all others waits for it. */
  get lowest(): OpenRequest | undefined {
    for (const request of this.#open.values()) return request;
    return undefined;
  }

  get digests(): Iterable<Digest> {
    return this.#open.keys();
  }

  /** How many operations are on the way, also those whose callers no longer wait. */
  get operations(): number {
    let operations = 0;
    for (const { calls } of this.#open.values()) operations += calls.length;
    return operations;
  }

  add(request: OpenRequest): void {
    invariant(!this.isFull && !this.#open.has(request.digest), "client.request-beyond-bound", { open: this.size });
    this.#open.set(request.digest, request);
  }
  get(digest: Digest): OpenRequest | undefined {
    return this.#open.get(digest);
  }
  delete(request: OpenRequest): void {
    this.#open.delete(request.digest);
  }
  clear(): void {
    this.#open.clear();
  }
  /** In order of their numbers. What is added or deleted meanwhile is seen or left out, as in a Map. */
  values(): Iterable<OpenRequest> {
    return this.#open.values();
  }

  /** The request that this reply says it answers. */
  answeredBy(reply: Pick<Reply, "session" | "number" | "requestDigest">): OpenRequest | undefined {
    const request = this.#open.get(reply.requestDigest);
    if (request === undefined || request.number !== reply.number) return undefined;
    return request.session === undefined || request.session === reply.session ? request : undefined;
  }

  /** The request in which a call travels. */
  carrying(call: number): OpenRequest | undefined {
    for (const request of this.#open.values()) if (request.calls.some(({ id }) => id === call)) return request;
    return undefined;
  }

  /** The earliest time at which a request is to be sent again. */
  earliestResend(): number | undefined {
    let earliest: number | undefined;
    for (const { resendAtMs } of this.#open.values())
      if (earliest === undefined || resendAtMs < earliest) earliest = resendAtMs;
    return earliest;
  }
}

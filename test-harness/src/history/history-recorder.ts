import { performance } from "node:perf_hooks";
import { type KvClient, QuorateError } from "quorate";
import { formatHistoryLine } from "./history-line.ts";
import type { HistoryOperation, KvAnswer, KvRequest } from "./history-operation.ts";

const NS_PER_MS = 1e6;
const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Writes the calls of the clients of this process as the lines of a history file, each when it has ended. What the cluster
 * never took is no part of a history. Keys and values are texts.
 */
export class HistoryRecorder {
  readonly #write: (line: string) => void;
  readonly #open = new Set<HistoryOperation>();

  /** @param write takes one line with its end. */
  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  /**
   * Makes a call and records it.
   *
   * @returns what came; undefined when there is no answer.
   * @throws what the client throws for any reason but that there is no answer, or that the service refused.
   */
  async call(client: number, store: KvClient, key: string, request: KvRequest): Promise<KvAnswer | undefined> {
    const open = { client, key, request, answer: undefined, callNs: nowNs(), returnNs: undefined };
    this.#open.add(open);
    const answer = await answerOf(store, key, request);
    this.#open.delete(open);
    if (answer === "none") return undefined;
    const end = answer === undefined ? {} : { answer, returnNs: nowNs() };
    this.#write(`${formatHistoryLine({ ...open, ...end })}\n`);
    return answer;
  }

  /** Records as unanswered what still is. Call it at the end: what a file leaves out may have taken effect all the same. */
  close(): void {
    for (const open of this.#open) this.#write(`${formatHistoryLine(open)}\n`);
    this.#open.clear();
  }
}

/** `none` when it never took effect, undefined when nobody knows. */
async function answerOf(store: KvClient, key: string, request: KvRequest): Promise<KvAnswer | "none" | undefined> {
  try {
    return await perform(store, key, request);
  } catch (error) {
    if (!(error instanceof QuorateError)) throw error;
    if (error.code === "client.operation-failed") return { type: "failed" };
    return error.failure?.effect === "none" ? "none" : undefined;
  }
}

async function perform(store: KvClient, key: string, request: KvRequest): Promise<KvAnswer> {
  switch (request.op) {
    case "get":
      return { type: "value", value: textOf(await store.get(key)) };
    case "put":
      return { type: "existed", existed: await store.put(key, request.value) };
    case "del":
      return { type: "existed", existed: await store.delete(key) };
    case "cas": {
      const { expect, value } = request;
      const { swapped, current } = await store.compareAndSwap(key, expect ?? undefined, value ?? undefined);
      return { type: "swapped", swapped, current: textOf(current) };
    }
    case "incr":
      return { type: "sum", sum: await store.increment(key, request.value) };
  }
}

function textOf(bytes: Uint8Array | undefined): string | null {
  return bytes === undefined ? null : decoder.decode(bytes);
}

function nowNs(): number {
  return Math.round(performance.now() * NS_PER_MS);
}

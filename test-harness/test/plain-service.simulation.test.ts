import { bytesToHex, hexToBytes } from "@quorate/protocol";
import {
  type Chunk,
  type ExecutionContext,
  type PlainService,
  plainService,
  type Service,
  type StateStore,
} from "@quorate/state-machine";
import { Simulation } from "@quorate/test-harness";
import { expect } from "chai";
import { calmOptions } from "./calm-options.ts";

/** Keys and values in a Map, sixteen chunks of them; what is done with them is the business of `inner`. */
class PlainMap implements PlainService {
  readonly #inner: Service;
  readonly #entries = new Map<string, string>();

  constructor(inner: Service) {
    this.#inner = inner;
  }

  execute(operation: Uint8Array, context: ExecutionContext): Uint8Array {
    return this.#inner.execute(operation, this.#store(), context);
  }

  *snapshot(): Generator<Chunk> {
    const chunks = new Map<string, string[]>();
    for (const [key, value] of [...this.#entries].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const chunk = key.at(-1) ?? "";
      chunks.set(chunk, [...(chunks.get(chunk) ?? []), `${key}=${value}`]);
    }
    for (const [chunk, lines] of chunks)
      yield { key: new TextEncoder().encode(chunk), bytes: new TextEncoder().encode(lines.join("\n")) };
  }

  restore(chunks: Iterable<Chunk>): void {
    this.#entries.clear();
    for (const { bytes } of chunks)
      for (const line of new TextDecoder().decode(bytes).split("\n")) {
        const [key = "", value = ""] = line.split("=");
        this.#entries.set(key, value);
      }
  }

  #store(): StateStore {
    const entries = this.#entries;
    return {
      get: (key) => {
        const value = entries.get(bytesToHex(key));
        return value === undefined ? undefined : hexToBytes(value);
      },
      put: (key, value) => void entries.set(bytesToHex(key), bytesToHex(value)),
      delete: (key) => void entries.delete(bytesToHex(key)),
      *range(from, to) {
        const [low, high] = [bytesToHex(from), to === undefined ? undefined : bytesToHex(to)];
        const within = [...entries].filter(([key]) => key >= low && (high === undefined || key < high));
        for (const [key, value] of within.sort(([a], [b]) => (a < b ? -1 : 1)))
          yield [hexToBytes(key), hexToBytes(value)];
      },
    };
  }
}

describe("a service with plain objects, at replicas that fail", () => {
  for (const seed of [1, 2, 3]) {
    it(`has one state everywhere through restarts and state transfers, and answers as one store would, seed ${seed}`, () => {
      const cut = { type: "cut", atMs: 100, replica: 3, direction: "both", forMs: 1_500 } as const;
      const crashes = [600, 1_900, 2_600].map((atMs, i) => {
        return { type: "crash", atMs, replicas: [i], by: "kill", downMs: 50 } as const;
      });
      const options = calmOptions(seed, {
        replicas: 4,
        clients: 3,
        operations: 40,
        safetyMs: 4_000,
        faults: [cut, ...crashes],
      });

      // No history: what was missed is the state of the others. The checkers compare states and judge what clients saw.
      const { marks } = new Simulation(
        { ...options, disk: { ...options.disk, historyBytesMax: 0 } },
        { inner: (kv) => plainService(new PlainMap(kv)) },
      ).run();

      expect(marks.count("state transfer: done")).to.be.greaterThan(0);
      expect(marks.count("state transfer: only what differs")).to.be.greaterThan(0);
    });
  }
});

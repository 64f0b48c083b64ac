import type { ProvenRead } from "@quorate/client-proxy";
import { kvService } from "@quorate/kv";
import {
  bytesToHex,
  digest,
  hexToBytes,
  invariant,
  publicKey,
  type StateQuery,
  sequenceNumber,
  timestampMs,
} from "@quorate/protocol";
import type { StateStore } from "@quorate/state-machine";
import { type Checker, demand, type ExecutionStep } from "./checker.ts";

/** The store after a number, by keys in hex. */
type Entries = ReadonlyMap<string, Uint8Array>;

/**
 * What a stale read brings is what was there at its checkpoint. What was there is found by executing all that was ordered once
 * more, beside the replicas.
 */
export class StaleReadsChecker implements Checker {
  readonly #service = kvService();
  readonly #operations = new Map<string, Uint8Array>();
  readonly #states: Entries[] = [new Map()];
  readonly #newest = new Map<number, number>();

  onRestored(entries: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[]): void {
    this.#states[0] = new Map(entries.map(({ key, value }) => [bytesToHex(key), value]));
  }

  onSubmitted(client: number, call: number, operation: Uint8Array): void {
    this.#operations.set(`${client}/${call}`, operation);
  }

  /** Each number once: the state checker sees to it that all replicas ran the same. */
  onExecuted({ seq, operations }: ExecutionStep): void {
    if (seq !== this.#states.length) return;
    const entries = new Map(this.#states[seq - 1]);
    for (const { client, call } of operations) {
      const operation = this.#operations.get(`${client}/${call}`);
      if (operation !== undefined) this.#execute(operation, entries);
    }
    this.#states.push(entries);
  }

  /** @param reader each has seen checkpoints of its own. */
  onStaleRead(reader: number, query: StateQuery, { answer, certificate: { seq } }: ProvenRead): void {
    const state = this.#states[seq];
    invariant(state !== undefined, "stale-reads.unknown-state", { seq });
    const newest = this.#newest.get(reader) ?? 0;
    demand(seq >= newest, "stale-reads.went-back", { reader, newest, seq });
    this.#newest.set(reader, seq);
    const keys = query.type === "keys" ? query.keys : [];
    const found =
      answer.type === "entries"
        ? answer.entries.map(({ key, value }) => [key, value] as const)
        : answer.values.map((value, i) => [keys[i] ?? new Uint8Array(0), value] as const);
    for (const [key, value] of found) {
      const expected = textOf(state.get(bytesToHex(key)));
      demand(textOf(value) === expected, "stale-reads.wrong", { key: textOf(key), seq, expected, got: textOf(value) });
    }
  }

  #execute(operation: Uint8Array, entries: Map<string, Uint8Array>): void {
    const before = [...entries];
    const context = {
      ...{ seq: sequenceNumber(1), timestampMs: timestampMs(0) },
      ...{ seed: digest("0".repeat(64)), client: publicKey("0".repeat(64)) },
    };
    try {
      this.#service.execute(operation, storeOf(entries), context);
    } catch {
      // Executed as failed: nothing of it remains.
      entries.clear();
      for (const [key, value] of before) entries.set(key, value);
    }
  }
}

function storeOf(entries: Map<string, Uint8Array>): StateStore {
  return {
    get: (key) => entries.get(bytesToHex(key)),
    *range(from, to) {
      const end = to && bytesToHex(to);
      for (const name of [...entries.keys()].sort()) {
        const value = entries.get(name);
        if (name >= bytesToHex(from) && (end === undefined || name < end) && value !== undefined)
          yield [hexToBytes(name), value];
      }
    },
    put: (key, value) => void entries.set(bytesToHex(key), value),
    delete: (key) => void entries.delete(bytesToHex(key)),
  };
}

function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes && new TextDecoder().decode(bytes);
}

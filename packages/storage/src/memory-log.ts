import { type SequenceNumber, sequenceNumber } from "@quorate/protocol";
import type { DurableLog, LogEntry } from "./ports.ts";

/** What is written into a log. */
export type LogOperation =
  | { readonly type: "append"; readonly seq: SequenceNumber; readonly record: Uint8Array }
  | { readonly type: "cut"; readonly upTo: SequenceNumber };

/** Who hears of every operation, in order. */
export type LogWriter = (operation: LogOperation) => void;

/** The log as a list in memory; what makes it durable hears of every operation. */
export class MemoryLog implements DurableLog {
  readonly #write: LogWriter;
  #entries: LogEntry[];

  constructor(entries: readonly LogEntry[], write: LogWriter) {
    this.#entries = [...entries];
    this.#write = write;
  }

  append(seq: SequenceNumber, record: Uint8Array): void {
    const operation = { type: "append", seq, record } as const;
    this.#write(operation);
    this.#entries = applied(this.#entries, operation);
  }

  cut(upTo: SequenceNumber): void {
    const operation = { type: "cut", upTo: sequenceNumber(upTo) } as const;
    this.#write(operation);
    this.#entries = applied(this.#entries, operation);
  }

  entries(): Iterable<LogEntry> {
    // The sort is stable: records of one number stay in the order of their appends.
    return [...this.#entries].sort((a, b) => a.seq - b.seq);
  }
}

/** The entries after one operation; the array given may be changed. */
export function applied(entries: LogEntry[], operation: LogOperation): LogEntry[] {
  if (operation.type === "cut") return entries.filter(({ seq }) => seq > operation.upTo);
  entries.push({ seq: operation.seq, record: operation.record });
  return entries;
}

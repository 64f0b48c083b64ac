import { compareBytes, invariant, type SequenceNumber } from "@quorate/protocol";
import type { DurableLog, LogEntry } from "@quorate/storage";

type Operation =
  | { readonly type: "append"; readonly entry: LogEntry }
  | { readonly type: "cut"; readonly upTo: SequenceNumber };

/** Remembers what a replica wrote into its log in all its lives, and what of it was durable; bounded by the length of a run. */
export class LogWitness {
  /** What each durable write held: the groups of the log, from the first. */
  readonly #durable: Operation[][] = [];
  /** The group that is being written. */
  #writing: Operation[] = [];
  /** Written by nobody yet. */
  #pending: Operation[] = [];

  /** A life begins with so many groups: it may be with the one that was being written when the last life ended. */
  begin(groups: number): void {
    if (groups > this.#durable.length) this.#durable.push(this.#writing);
    invariant(groups === this.#durable.length, "log-witness.groups", { groups, durable: this.#durable.length });
    this.#writing = [];
    this.#pending = [];
  }

  /** The log, with this witness listening. */
  watch(log: DurableLog): DurableLog {
    return {
      append: (seq, record) => {
        this.#pending.push({ type: "append", entry: { seq, record } });
        log.append(seq, record);
      },
      cut: (upTo) => {
        this.#pending.push({ type: "cut", upTo });
        log.cut(upTo);
      },
      entries: () => log.entries(),
    };
  }

  /** A write begins, of all that was not written before. */
  onWrite(): void {
    this.#writing = this.#pending;
    this.#pending = [];
  }

  /** It is durable. */
  onDurable(): void {
    this.#durable.push(this.#writing);
    this.#writing = [];
  }

  /**
   * How many of the last durable groups the log lacks after a life; 0 when it holds all of them, and perhaps the one
   * that was being written; undefined when it holds what was never there.
   */
  lackedBy(found: Iterable<LogEntry>): number | undefined {
    const entries = [...found];
    const states: (readonly LogEntry[])[] = [[]];
    for (const group of this.#durable) states.push(applied(states.at(-1) ?? [], group));
    const last = states.at(-1) ?? [];
    if (isSame(entries, last) || isSame(entries, applied(last, this.#writing))) return 0;
    const lacks = states.toReversed().findIndex((state) => isSame(entries, state));
    return lacks === -1 ? undefined : lacks;
  }
}

function applied(before: readonly LogEntry[], operations: readonly Operation[]): readonly LogEntry[] {
  let entries = [...before];
  for (const operation of operations) {
    if (operation.type === "append") entries.push(operation.entry);
    else entries = entries.filter(({ seq }) => seq > operation.upTo);
  }
  // Stable: those of one number stay in the order of their appends.
  return entries.sort((a, b) => a.seq - b.seq);
}

function isSame(some: readonly LogEntry[], others: readonly LogEntry[]): boolean {
  return (
    some.length === others.length &&
    some.every(({ seq, record }, i) => {
      const other = others[i];
      return other !== undefined && other.seq === seq && compareBytes(other.record, record) === 0;
    })
  );
}

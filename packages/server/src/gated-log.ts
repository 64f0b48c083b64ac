import { type Effect, type Fill, placeOf } from "@quorate/protocol";
import { OutputGate, type WriteNumber } from "@quorate/replica";
import type { HostOptions } from "./host-options.ts";

/** What leaves the gate, to be performed. */
export type Performed = Exclude<Effect, { type: "persist" }>;

export interface GatedLogOptions extends Pick<HostOptions, "store" | "codec" | "ports" | "observer"> {
  /** See `HostSettings.gatedMessagesMax`. */
  readonly messagesMax: number;
  /** All writes up to `write` are durable: what waits for them may be released. */
  readonly onDurable: (write: WriteNumber) => void;
  /** The disk has failed. */
  readonly onFailed: (failure: Error) => void;
  /** Nothing that a flush brings about is wanted any more. */
  readonly isDead: () => boolean;
}

/** The output gate in front of the store's log: what the replica promises is flushed before it is spoken (protocol rule 8.1). */
export class GatedLog {
  readonly #o: GatedLogOptions;
  readonly #gate: OutputGate;
  #isFlushing = false;
  /** Events of one turn come one by one, but writes of a whole burst share a flush: see `flush`. */
  #flushedWrite: WriteNumber = 0;

  constructor(options: GatedLogOptions) {
    this.#o = options;
    this.#gate = new OutputGate(options.messagesMax);
  }

  /** Effects that wait for a flush. */
  get waitingCount(): number {
    return this.#gate.waitingCount;
  }
  get fill(): Fill {
    return this.#gate.fill;
  }

  /** Writes what a step asks for. @returns what may happen before a flush, in order. */
  push(stepped: readonly Effect[]): readonly Performed[] {
    const { store, codec } = this.#o;
    const { writes, effects } = this.#gate.push(stepped);
    for (const record of writes) store.log.append(placeOf(record).seq, codec.encodeLogRecord(record));
    return effects;
  }

  /** @returns what waited for writes up to `write`. */
  release(write: WriteNumber): readonly Performed[] {
    return this.#gate.onDurable(write);
  }

  /**
   * One flush of the log at a time; what is written while it runs shares the next one. What was executed may reach the
   * disk later: only promises cannot be made again (protocol rule 8.3).
   */
  flush(): void {
    const write = this.#gate.lastWrite;
    if (this.#isFlushing || this.#flushedWrite === write) return;
    this.#isFlushing = true;
    const { ports, store } = this.#o;
    const startedMs = ports.monotonicMs();
    store.flushLog((failure) => this.#onFlushed(write, startedMs, failure));
  }

  #onFlushed(write: WriteNumber, startedMs: number, failure: Error | undefined): void {
    const { ports, observer, onDurable, onFailed, isDead } = this.#o;
    this.#isFlushing = false;
    if (isDead()) return;
    if (failure !== undefined) return onFailed(failure);
    this.#flushedWrite = write;
    observer.onLogFlushed?.(ports.monotonicMs() - startedMs);
    onDurable(write);
  }
}

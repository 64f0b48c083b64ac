import { type Effect, type Fill, invariant, type LogRecord, type ReplicaId } from "@quorate/protocol";

/** A durable write that effects wait for; counts up from 1. */
export type WriteNumber = number;

/** What a push releases: records to append to the log now, in order, and effects to perform now, in order. */
export interface Released {
  readonly writes: readonly LogRecord[];
  readonly effects: readonly Performed[];
}

type Performed = Exclude<Effect, { type: "persist" }>;
type Waiting = { readonly effect: Performed; readonly after: WriteNumber };

/**
 * Write, flush, then speak (protocol rule 8.1): keeps every effect that stands behind a write until that write is
 * durable, in order. Timers, evidence, rejections and what an audit finds say nothing to others and pass at once; so does a client's request that
 * is passed on: it is the client's word, not this replica's, and clients who send again must not fill the gate. The writes of many steps
 * share one flush, and steps go on while it runs.
 *
 * How many messages others can cause while one flush runs is a rate times a time that only the disk knows. So what is said to
 * one member has a share of the gate, and what is said to all has one, which no member's questions use up. A message that
 * finds its share full is not sent: the network may lose it just as well, and what matters is said again or asked for again. What is
 * executed, archived and cut waits without such a limit: the window bounds it, and what is asked for beyond.
 */
export class OutputGate {
  readonly #messagesMax: number;
  #written: WriteNumber = 0;
  #durable: WriteNumber = 0;
  #waiting: Waiting[] = [];
  /** Messages that wait, by share. */
  readonly #messages = new Map<Share, number>();

  /** @param messagesMax messages that may wait in one share, at least 1. */
  constructor(messagesMax: number) {
    invariant(Number.isSafeInteger(messagesMax) && messagesMax >= 1, "output-gate.messages-max", { messagesMax });
    this.#messagesMax = messagesMax;
  }

  /** The number of the last write; give it to `onDurable` when the flush that covers it is done. */
  get lastWrite(): WriteNumber {
    return this.#written;
  }
  /** Effects that wait for a flush. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Messages that wait for a flush: the fullest share. */
  get fill(): Fill {
    return { of: "gated messages", size: Math.max(0, ...this.#messages.values()), max: this.#messagesMax };
  }

  /** Takes the effects of one step. */
  push(effects: readonly Effect[]): Released {
    const writes: LogRecord[] = [];
    const released: Performed[] = [];
    for (const effect of effects) {
      if (effect.type === "persist") {
        this.#written += 1;
        writes.push(effect.record);
      } else if (this.#durable === this.#written || bypasses(effect)) released.push(effect);
      else if (this.#takesIn(effect)) this.#waiting.push({ effect, after: this.#written });
      else released.push({ type: "rejected", rejection: { from: undefined, code: "gate.full" } });
    }
    return { writes, effects: released };
  }

  /** All writes up to `write` are durable: returns what may happen now. */
  onDurable(write: WriteNumber): readonly Performed[] {
    invariant(write <= this.#written, "output-gate.durable-before-written", { write, written: this.#written });
    this.#durable = Math.max(this.#durable, write);
    const waiting = this.#waiting;
    const released: Performed[] = [];
    for (const { effect, after } of waiting) {
      if (after > this.#durable) break;
      this.#letsOut(effect);
      released.push(effect);
    }
    this.#waiting = released.length === waiting.length ? [] : waiting.slice(released.length);
    return released;
  }

  #takesIn(effect: Performed): boolean {
    if (!isMessage(effect)) return true;
    const share = shareOf(effect);
    const waiting = this.#messages.get(share) ?? 0;
    if (waiting >= this.#messagesMax) return false;
    this.#messages.set(share, waiting + 1);
    return true;
  }

  #letsOut(effect: Performed): void {
    if (!isMessage(effect)) return;
    const share = shareOf(effect);
    this.#messages.set(share, (this.#messages.get(share) ?? 1) - 1);
  }
}

function bypasses(effect: Effect): boolean {
  switch (effect.type) {
    case "start-timer":
    case "cancel-timer":
    case "evidence":
    case "rejected":
    case "divergence":
    case "quarantine":
    case "refuse":
      return true;
    case "send":
      return effect.frame.type === "request";
    default:
      return false;
  }
}

type Message = Extract<Performed, { type: "send" | "broadcast" | "tell-observers" | "send-history" }>;
/** One peer, all members, or all observers. */
type Share = ReplicaId | Extract<Message["type"], "broadcast" | "tell-observers">;

function isMessage(effect: Performed): effect is Message {
  switch (effect.type) {
    case "send":
    case "broadcast":
    case "tell-observers":
    case "send-history":
      return true;
    default:
      return false;
  }
}

function shareOf(effect: Message): Share {
  return effect.type === "broadcast" || effect.type === "tell-observers" ? effect.type : effect.to;
}

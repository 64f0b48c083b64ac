import {
  assertNever,
  type Fill,
  type Member,
  type Membership,
  type SequenceNumber,
  type StateRead,
  sequenceNumber,
} from "@quorate/protocol";
import { Alarm } from "./alarm.ts";
import { judgeRead, type ReadJudge, type ReadLie } from "./judge-read.ts";
import { OpenRead } from "./open-read.ts";
import type {
  ReadFault,
  ReadOutcome,
  ReadSource,
  StaleRead,
  StateReadingEffect,
  StateReadingEvent,
} from "./stale-read.ts";

/** What stale reads are made of. */
export interface StateReadingOptions extends Omit<ReadJudge, "epochs"> {
  readonly chain: ReadJudge["epochs"] & {
    readonly membership: Pick<Membership, "start"> & { readonly members: readonly Pick<Member, "id">[] };
  };
  /** One of so many, at least one, counted from 0: the only randomness, so that clients do not all ask the same replica. */
  readonly choose: (count: number) => number;
  /** Silence after which another is asked; also the first pause before all are asked again, which doubles up to the next. */
  readonly silenceMs?: number;
  readonly pauseMaxMs?: number;
  /** For reads that name no deadline of their own. */
  readonly defaultTimeoutMs?: number;
}

/** The values of what is left out. */
const DEFAULTS = { silenceMs: 2_000, pauseMaxMs: 8_000, defaultTimeoutMs: 30_000 } as const;

/** Reads that are not settled; one more is refused. */
export const READS_OPEN_MAX = 1_024;
/** Questions that are with one replica, which takes no more of a client at once. */
const ASKED_OF_ONE_MAX = 4;

const LIES: ReadonlySet<ReadFault> = new Set<ReadFault>([
  "other-question",
  "bad-certificate",
  "out-of-epoch",
  "bad-proof",
] satisfies ReadLie[]);

/**
 * Reads the state at stable checkpoints, of one replica at a time (protocol rule 6.2). Whoever answers need not be believed: the
 * certificate of its checkpoint is judged by the epoch that it names, and each value by its proof. Who does not answer, or has
 * nothing new enough, or lies, is passed over; a liar is asked again only when nobody else is there.
 *
 * Checkpoints only get newer from read to read, and none is older than the start of the latest epoch known: whoever holds the keys of
 * one that is over can make up what is below. A read may say otherwise.
 */
export class StateReading {
  readonly #o: Required<StateReadingOptions>;
  readonly #up = new Set<ReadSource>();
  /** Bounded by the replicas that this client is ever linked to. */
  readonly #liars = new Set<ReadSource>();
  readonly #open = new Map<number, OpenRead>();
  readonly #alarm = new Alarm("read");
  /** Of the newest checkpoint that any read has come to. */
  #newest: SequenceNumber = sequenceNumber(0);
  #ids = 0;
  #isClosed = false;
  #nowMs = 0;
  #effects: StateReadingEffect[] = [];

  constructor(options: StateReadingOptions) {
    this.#o = { ...DEFAULTS, ...options };
  }

  /** The newest checkpoint that any read has come to. */
  get newest(): SequenceNumber {
    return this.#newest;
  }
  get fill(): Fill {
    return { of: "stale reads", size: this.#open.size, max: READS_OPEN_MAX };
  }

  /** One event in, what is to be done about it out. */
  step(event: StateReadingEvent): readonly StateReadingEffect[] {
    this.#nowMs = Math.max(this.#nowMs, event.atMs);
    this.#on(event);
    for (const open of [...this.#open.values()]) this.#advance(open);
    for (const { dueAtMs } of this.#open.values()) this.#alarm.set(dueAtMs, this.#nowMs, this.#effects);
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #on(event: StateReadingEvent): void {
    switch (event.type) {
      case "read":
        return this.#onRead(event.call, event.read);
      case "state-read":
        return this.#onAnswer(event.from, event.read);
      case "source-up":
        this.#up.add(event.source);
        return;
      case "source-down":
        return this.#onDown(event.source);
      case "epoch":
        return this.#onEpoch();
      case "timeout":
        // What is due is found by `#advance`.
        this.#alarm.rings(event.token);
        return;
      case "close":
        return this.#onClose();
      default:
        return assertNever(event);
    }
  }

  #onRead(call: number, read: StaleRead): void {
    const code = this.#isClosed ? "client.closed" : "client.overloaded";
    if (this.#isClosed || this.#open.size === READS_OPEN_MAX)
      return this.#settle(call, { type: "failed", code, refused: new Map() });
    const { defaultTimeoutMs, silenceMs } = this.#o;
    const deadlineAtMs = this.#nowMs + (read.timeoutMs ?? defaultTimeoutMs);
    this.#open.set(call, new OpenRead(call, read, deadlineAtMs, silenceMs));
  }

  #onAnswer(from: ReadSource, read: StateRead): void {
    for (const open of this.#open.values()) {
      const { asked } = open;
      if (asked?.source !== from || asked.id !== read.id || asked.held !== undefined) continue;
      if (read.type === "unavailable") return this.#refuse(open, from, read.reason);
      return this.#judge(open, from, read);
    }
  }

  #judge(open: OpenRead, from: ReadSource, read: Exclude<StateRead, { type: "unavailable" }>): void {
    const verdict = judgeRead(open.read.query, read, { ...this.#o, epochs: this.#o.chain });
    if (verdict === "unknown-epoch") {
      if (open.asked !== undefined) open.asked.held = read;
      this.#effects.push({ type: "epoch-told", from, epoch: read.certificate.epoch });
      return;
    }
    if (verdict !== "proven") return this.#refuse(open, from, verdict);
    const { certificate } = read;
    if (certificate.seq < this.#oldestFor(open.read)) return this.#refuse(open, from, "too-old");
    this.#newest = sequenceNumber(Math.max(this.#newest, certificate.seq));
    const answer =
      read.type === "values"
        ? { type: read.type, values: read.values.map(({ value }) => value) }
        : { type: read.type, entries: read.entries.map(({ key, value }) => ({ key, value })), next: read.next };
    this.#settle(open.call, { type: "read", read: { answer, certificate, from, refused: open.refused } });
  }

  #oldestFor({ atLeast = sequenceNumber(0), mayGoBack = false }: StaleRead): number {
    return mayGoBack ? atLeast : Math.max(atLeast, this.#newest, this.#o.chain.membership.start?.seq ?? 0);
  }

  #onEpoch(): void {
    for (const open of [...this.#open.values()]) {
      const { asked } = open;
      if (asked?.held === undefined) continue;
      const { held, source } = asked;
      asked.held = undefined;
      this.#judge(open, source, held);
    }
  }

  #onDown(source: ReadSource): void {
    this.#up.delete(source);
    for (const open of this.#open.values()) if (open.asked?.source === source) open.onGone();
  }

  #onClose(): void {
    this.#isClosed = true;
    for (const { call, refused } of [...this.#open.values()])
      this.#settle(call, { type: "failed", code: "client.closed", refused });
    this.#alarm.cancel(this.#effects);
  }

  /** Levels, not edges: whatever happened, asks who can be asked, and gives up what is over. */
  #advance(open: OpenRead): void {
    const { asked } = open;
    if (asked !== undefined && asked.untilMs <= this.#nowMs)
      this.#refuse(open, asked.source, asked.held === undefined ? "silent" : "unknown-epoch");
    if (open.deadlineAtMs <= this.#nowMs) return this.#fail(open, "client.read-unanswered");
    if (open.asked !== undefined) return;
    if (open.isRefusedBy(this.#everybody(open.read))) return this.#fail(open, "client.read-refused");
    if (this.#ask(open) || this.#isAnyoneBusy(open)) return;
    open.awaitNextRound(this.#nowMs, this.#o.pauseMaxMs);
    this.#ask(open);
  }

  /** Whoever may come to answer it, linked or not. */
  #everybody({ from }: StaleRead): readonly ReadSource[] {
    if (from !== undefined) return [from];
    return [...new Set([...this.#o.chain.membership.members.map(({ id }) => id), ...this.#up])];
  }

  #ask(open: OpenRead): boolean {
    const free = [...this.#up].filter((source) => open.mayAsk(source) && !this.#isBusy(source));
    const honest = free.filter((source) => !this.#liars.has(source));
    const candidates = honest.length > 0 ? honest : free;
    if (candidates.length === 0) return false;
    const source = candidates[this.#o.choose(candidates.length)] ?? candidates[0];
    if (source === undefined) return false;
    const id = this.#ids++;
    open.onAsked({ source, id, untilMs: this.#nowMs + this.#o.silenceMs, held: undefined });
    const frame = { type: "read-state", read: { id, query: open.read.query } } as const;
    this.#effects.push({ type: "send", to: source, frame });
    return true;
  }

  /** Whether somebody who has not refused it has only too much to do: then an answer to another read comes first. */
  #isAnyoneBusy(open: OpenRead): boolean {
    return [...this.#up].some((source) => open.mayAsk(source));
  }

  #isBusy(source: ReadSource): boolean {
    let asked = 0;
    for (const open of this.#open.values()) if (open.asked?.source === source) asked++;
    return asked >= ASKED_OF_ONE_MAX;
  }

  #refuse(open: OpenRead, source: ReadSource, fault: ReadFault): void {
    if (LIES.has(fault)) this.#liars.add(source);
    open.onRefused(source, fault);
  }

  #fail({ call, refused }: OpenRead, code: Extract<ReadOutcome, { type: "failed" }>["code"]): void {
    this.#settle(call, { type: "failed", code, refused });
  }

  #settle(call: number, outcome: ReadOutcome): void {
    this.#open.delete(call);
    this.#effects.push({ type: "settle", call, outcome });
  }
}

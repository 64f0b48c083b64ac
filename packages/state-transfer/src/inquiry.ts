import type { FetchState, ReplicaId, SequenceNumber } from "@quorate/protocol";
import { DonorBook } from "./donor-book.ts";
import type { FetchLimits } from "./fetch-limits.ts";
import type { FetchStep } from "./fetch-step.ts";
import type { OpenBucket, OpenPage } from "./open-page.ts";
import { type AskedRequest, RequestBook } from "./request-book.ts";

export interface InquiryOptions {
  readonly donors: readonly ReplicaId[];
  readonly takesDeflated: boolean;
  readonly limits: FetchLimits;
}

/** Who is asked for what: as much of each donor as it may have unanswered, and again after a pause when nobody has anything. */
export class Inquiry {
  readonly #pauseMs: number;
  readonly #donors: DonorBook;
  readonly #book: RequestBook;
  #stalledSinceMs: number | undefined;
  #isPaused = false;

  constructor({ donors, takesDeflated, limits }: InquiryOptions) {
    this.#pauseMs = limits.pauseMs;
    this.#donors = new DonorBook({ donors, ...limits });
    this.#book = new RequestBook({ bytesMax: limits.requestBytes, takesDeflated });
  }

  /** Begins to ask. */
  start(atMs: number): void {
    // Fewer than a thousand requests are made in a millisecond: no number is that of an earlier run.
    this.#book.start(atMs * 1000);
  }

  /** Another checkpoint is asked for: nothing that was asked is waited for. */
  onTarget(): void {
    this.#book.giveUp(() => true);
    this.#donors.onTarget();
    this.#stalledSinceMs = undefined;
  }

  /** What this donor is asked under a number, and has not answered; `"former"` for what is not waited for any more. */
  find(from: ReplicaId, request: number): AskedRequest | "former" | undefined {
    return this.#book.find(from, request);
  }

  /** The answer of this donor is here, and can be read later only. */
  arrive(from: ReplicaId, request: number, atMs: number): void {
    this.#book.arrive(from, request, atMs);
  }

  /** The same as `find`, and it is answered now. */
  take(from: ReplicaId, request: number, atMs: number): AskedRequest | "former" | undefined {
    const asked = this.#book.take(from, request);
    if (asked !== undefined && asked !== "former")
      this.#donors.onAnswer(from, (asked.arrivedAtMs ?? atMs) - asked.atMs);
    return asked;
  }

  /** A value came. */
  onValue(bytes: number): void {
    this.#book.onValue(bytes);
  }

  /** A page came that was asked for with all its values. */
  onWhole(bytes: number): void {
    this.#book.onWhole(bytes);
  }

  /** How many items of an answer the donor had, and how many it had not. */
  onItems(from: ReplicaId, given: number, missing: number): void {
    this.#donors.onItems(from, given, missing);
  }

  /** It does not keep the target. */
  onUnavailable(from: ReplicaId): void {
    this.#donors.onUnavailable(from);
    this.#giveUpOn(from);
  }

  /** It sent what no correct donor sends. */
  onOffence(from: ReplicaId): void {
    this.#donors.onOffence(from);
    this.#giveUpOn(from);
  }

  /** Answers that are overdue are waited for no more. */
  onTime(atMs: number): void {
    const isOverdue = ({ arrivedAtMs, untilMs }: AskedRequest): boolean => arrivedAtMs === undefined && untilMs <= atMs;
    for (const { to } of this.#book.giveUp(isOverdue)) this.#donors.onTimeout(to, atMs);
  }

  /** No answer is waited for, and that is nobody's fault. */
  giveUpAll(): void {
    for (const { to } of this.#book.giveUp(() => true)) this.#donors.onGivenUp(to);
  }

  /** Asks for nothing more. */
  pause(): void {
    this.#isPaused = true;
  }

  /** Goes on after a pause. */
  resume(): void {
    this.#isPaused = false;
  }

  /** Asks for what is wanted of this checkpoint. */
  requests(seq: SequenceNumber, wanted: Iterable<OpenPage | OpenBucket>, atMs: number): FetchStep["requests"] {
    const requests = this.#isPaused ? [] : this.#ask(seq, wanted, atMs);
    if (this.#isPaused || !this.#book.isEmpty || isEmpty(wanted)) {
      this.#stalledSinceMs = undefined;
      return requests;
    }
    this.#stalledSinceMs ??= atMs;
    if (atMs - this.#stalledSinceMs < this.#pauseMs) return requests;
    this.#stalledSinceMs = undefined;
    this.#donors.readmit();
    for (const open of wanted) open.notAt.clear();
    return this.#ask(seq, wanted, atMs);
  }

  #ask(seq: SequenceNumber, wanted: Iterable<OpenPage | OpenBucket>, atMs: number): FetchStep["requests"] {
    const requests: { to: ReplicaId; request: FetchState }[] = [];
    const passedOver = new Set<ReplicaId>();
    for (;;) {
      const to = this.#donors.next(atMs, passedOver);
      if (to === undefined) return requests;
      const untilMs = atMs + this.#donors.timeoutOf(to);
      const request = this.#book.ask(to, seq, wanted, { atMs, untilMs });
      if (request === undefined) passedOver.add(to);
      else {
        this.#donors.onAsked(to);
        requests.push({ to, request });
      }
    }
  }

  #giveUpOn(donor: ReplicaId): void {
    for (const { to } of this.#book.giveUp((asked) => asked.to === donor)) this.#donors.onGivenUp(to);
  }
}

function isEmpty(things: Iterable<unknown>): boolean {
  for (const _thing of things) return false;
  return true;
}

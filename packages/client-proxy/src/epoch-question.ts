import { type ClientFrame, EPOCH_LINKS_MAX, type Epoch, type EpochLink } from "@quorate/protocol";

/**
 * What an answer came to: `unasked`: nobody asked for it; `more`: there may be more, ask again; `all`: there is no more; `nothing-new`: as
 * many links as there may be more behind, of which none led on, so that asking again brings the same.
 */
export type EpochAnswer = "unasked" | "more" | "all" | "nothing-new";

/** A question that has no answer for so long is lost: a replica drops what is asked of it too often, or by too many. */
const ANSWER_WITHIN_MS = 2_000;

/**
 * The question for links of the epoch chain at one other end (protocol rule 11.4): one at a time, and without one no link of it is
 * looked at. Each question that an answer leads to is above the one before, so that a liar is not asked for ever.
 */
export class EpochQuestion {
  readonly #chain: { readonly epoch: Epoch };
  /** The epoch above which it was asked; undefined while no answer is to come. */
  #above: Epoch | undefined;
  #askedAtMs = 0;

  constructor(chain: { readonly epoch: Epoch }) {
    this.#chain = chain;
  }

  /** Whether its answer is still to come. */
  get isOpen(): boolean {
    return this.#above !== undefined;
  }

  /** Whether its answer should have come: it is to be asked again. */
  isLate(nowMs: number): boolean {
    return this.isOpen && nowMs - this.#askedAtMs >= ANSWER_WITHIN_MS;
  }

  /** @returns what is to be sent: it asks for what is above the latest epoch that is known. */
  ask(nowMs: number): ClientFrame {
    const above = this.#chain.epoch;
    this.#above = above;
    this.#askedAtMs = nowMs;
    return { type: "fetch-epochs", fetch: { above } };
  }

  /** The other end is gone: no answer will come. */
  onDown(): void {
    this.#above = undefined;
  }

  /** @param add adds to the chain what is proven; called only for what was asked for. */
  onLinks(links: readonly EpochLink[], add: (links: readonly EpochLink[]) => void): EpochAnswer {
    const above = this.#above;
    if (above === undefined) return "unasked";
    this.#above = undefined;
    add(links);
    if (links.length < EPOCH_LINKS_MAX) return "all";
    return this.#chain.epoch > above ? "more" : "nothing-new";
  }
}

import type { Epoch, EpochLink, ReplicaId } from "@quorate/protocol";
import type { EpochChain } from "@quorate/reconfiguration";
import { EpochQuestion } from "./epoch-question.ts";
import type { ClientEffect } from "./events.ts";

/** The epochs that a client knows; shared with whoever verifies replies for it. It grows by what its core is told. */
export type ClientEpochs = Pick<
  EpochChain,
  "epoch" | "configuration" | "membership" | "membershipAt" | "linksAbove" | "add"
>;

/** How a follower waits between two questions to one replica. */
export interface AskTimings {
  readonly resendAfterMs: number;
  readonly resendAfterMaxMs: number;
}

/** What stands between this client and one replica that it is linked to. */
interface Asked {
  readonly question: EpochQuestion;
  /** Whether it has shown all that it had since it is linked. */
  isHeard: boolean;
  /** The latest epoch that it told of. */
  told: Epoch;
  /** When it may be asked again. */
  dueAtMs: number;
  intervalMs: number;
}

/**
 * Brings the chain of epochs to the newest that anyone tells of (protocol rule 11.4). Whoever is linked is asked, and
 * again until it has shown all that it has: a question may be lost. After that all are, again and again, while anyone tells of an epoch
 * that is not known. Whoever tells is believed only by its links,
 * which prove themselves: a liar makes a client send a small frame from time to time, and no more.
 */
export class EpochFollower {
  readonly #chain: ClientEpochs;
  readonly #timings: AskTimings;
  readonly #expected: Epoch | undefined;
  /** One for each replica that is linked. */
  readonly #asked = new Map<ReplicaId, Asked>();

  /** @param expected an epoch that is known to come: until it is there all are asked for it. */
  constructor(chain: ClientEpochs, timings: AskTimings, expected?: Epoch) {
    this.#chain = chain;
    this.#timings = timings;
    this.#expected = expected;
  }

  /** When there is someone to be asked again; undefined while all have answered, and nobody tells of anything new. */
  get dueAtMs(): number | undefined {
    const isBehind = this.#isBehind;
    let earliest: number | undefined;
    for (const asked of this.#asked.values())
      if ((isBehind || isUnanswered(asked)) && asked.dueAtMs < (earliest ?? Infinity)) earliest = asked.dueAtMs;
    return earliest;
  }

  /** How many of those that are linked have shown every link that they had when they were asked. */
  get heard(): number {
    let heard = 0;
    for (const { isHeard } of this.#asked.values()) if (isHeard) heard++;
    return heard;
  }

  onLinkUp(replica: ReplicaId, nowMs: number, effects: ClientEffect[]): void {
    const { epoch } = this.#chain;
    const { resendAfterMs } = this.#timings;
    const asked = {
      question: new EpochQuestion(this.#chain),
      isHeard: false,
      told: epoch,
      dueAtMs: nowMs,
      intervalMs: resendAfterMs,
    };
    this.#asked.set(replica, asked);
    this.#ask(replica, asked, nowMs, effects);
  }

  onLinkDown(replica: ReplicaId): void {
    this.#asked.delete(replica);
  }

  /** A replica says which epoch it is in. Of one that says so for the first time more is wanted at once. */
  onTold(replica: ReplicaId, epoch: Epoch, nowMs: number, effects: ClientEffect[]): void {
    const asked = this.#asked.get(replica);
    if (asked === undefined || epoch <= asked.told) return;
    asked.told = epoch;
    if (epoch > this.#chain.epoch && !asked.question.isOpen) this.#ask(replica, asked, nowMs, effects);
    this.askDue(nowMs, effects);
  }

  /**
   * The answer of a replica, or of somebody who was asked without this follower (`undefined`).
   *
   * @returns whether there is a new epoch.
   */
  onLinks(from: ReplicaId | undefined, links: readonly EpochLink[], nowMs: number, effects: ClientEffect[]): boolean {
    if (from === undefined) return this.#add(links, nowMs);
    const asked = this.#asked.get(from);
    let isAdvanced = false;
    const answer = asked?.question.onLinks(links, () => {
      isAdvanced = this.#add(links, nowMs);
    });
    if (asked === undefined || answer === "unasked") return false;
    asked.isHeard ||= answer === "all";
    if (answer === "more") this.#ask(from, asked, nowMs, effects);
    this.askDue(nowMs, effects);
    return isAdvanced;
  }

  /** Asks all whose time has come: everyone if anyone tells of an epoch that is not known, and else who has not answered. */
  askDue(nowMs: number, effects: ClientEffect[]): void {
    const isBehind = this.#isBehind;
    for (const [replica, asked] of this.#asked)
      if ((isBehind || isUnanswered(asked)) && asked.dueAtMs <= nowMs) this.#ask(replica, asked, nowMs, effects);
  }

  get #isBehind(): boolean {
    if (this.#expected !== undefined && this.#expected > this.#chain.epoch) return true;
    for (const { told } of this.#asked.values()) if (told > this.#chain.epoch) return true;
    return false;
  }

  /** What follows a link that proves nothing is not worth a signature. */
  #add(links: readonly EpochLink[], nowMs: number): boolean {
    let isAdvanced = false;
    for (const link of links) {
      const verdict = this.#chain.add(link);
      if (verdict === "added") isAdvanced = true;
      else if (verdict !== "known") break;
    }
    if (isAdvanced) this.#hurry(nowMs);
    return isAdvanced;
  }

  /** What was asked in vain before is no reason to wait now. */
  #hurry(nowMs: number): void {
    const { resendAfterMs } = this.#timings;
    for (const asked of this.#asked.values()) {
      asked.intervalMs = resendAfterMs;
      asked.dueAtMs = Math.min(asked.dueAtMs, nowMs + resendAfterMs);
    }
  }

  #ask(to: ReplicaId, asked: Asked, nowMs: number, effects: ClientEffect[]): void {
    asked.dueAtMs = nowMs + asked.intervalMs;
    asked.intervalMs = Math.min(asked.intervalMs * 2, this.#timings.resendAfterMaxMs);
    effects.push({ type: "send", to, frame: asked.question.ask(nowMs) });
  }
}

/** Whether there may be more to hear of it: also one that has shown only what another had shown before. */
function isUnanswered({ question, isHeard }: Asked): boolean {
  return question.isOpen || !isHeard;
}

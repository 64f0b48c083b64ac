import type { ClientFrame, Epoch, EpochLink, ReplicaId } from "@quorate/protocol";
import { EPOCH_LINKS_MAX } from "@quorate/protocol";
import type { EpochChain } from "@quorate/reconfiguration";
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
  /** The epoch above which it was last asked. */
  above: Epoch;
  /** Whether its answer is still to come: without a question no link of it is looked at. */
  isOpen: boolean;
  /** Whether it has shown all that it had since it is linked. */
  isHeard: boolean;
  /** The latest epoch that it told of. */
  told: Epoch;
  /** When it may be asked again. */
  dueAtMs: number;
  intervalMs: number;
}

/**
 * Brings the chain of epochs to the newest that anyone tells of (protocol rule 11.4). Whoever is linked is asked once; after
 * that all are, again and again, while anyone tells of an epoch that is not known. Whoever tells is believed only by its links,
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

  /** When there is someone to be asked again; undefined while nobody tells of anything new. */
  get dueAtMs(): number | undefined {
    if (!this.#isBehind) return undefined;
    let earliest: number | undefined;
    for (const { dueAtMs } of this.#asked.values())
      if (earliest === undefined || dueAtMs < earliest) earliest = dueAtMs;
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
      above: epoch,
      isOpen: false,
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
    if (epoch > this.#chain.epoch && !asked.isOpen) this.#ask(replica, asked, nowMs, effects);
    this.askDue(nowMs, effects);
  }

  /**
   * The answer of a replica, or of somebody who was asked without this follower (`undefined`).
   *
   * @returns whether there is a new epoch.
   */
  onLinks(from: ReplicaId | undefined, links: readonly EpochLink[], nowMs: number, effects: ClientEffect[]): boolean {
    const asked = from === undefined ? undefined : this.#asked.get(from);
    if (from !== undefined && asked?.isOpen !== true) return false;
    const isAdvanced = this.#add(links);
    if (isAdvanced) this.#hurry(nowMs);
    if (from === undefined || asked === undefined) return isAdvanced;
    asked.isOpen = false;
    asked.isHeard ||= links.length < EPOCH_LINKS_MAX;
    // A full answer may not be all. Each such question is above the one before, so a liar is not asked for ever.
    if (links.length >= EPOCH_LINKS_MAX && this.#chain.epoch > asked.above) this.#ask(from, asked, nowMs, effects);
    this.askDue(nowMs, effects);
    return isAdvanced;
  }

  /** Asks all whose time has come, if anyone tells of an epoch that is not known. */
  askDue(nowMs: number, effects: ClientEffect[]): void {
    if (!this.#isBehind) return;
    for (const [replica, asked] of this.#asked) if (asked.dueAtMs <= nowMs) this.#ask(replica, asked, nowMs, effects);
  }

  get #isBehind(): boolean {
    if (this.#expected !== undefined && this.#expected > this.#chain.epoch) return true;
    for (const { told } of this.#asked.values()) if (told > this.#chain.epoch) return true;
    return false;
  }

  /** What follows a link that proves nothing is not worth a signature. */
  #add(links: readonly EpochLink[]): boolean {
    let isAdvanced = false;
    for (const link of links) {
      const verdict = this.#chain.add(link);
      if (verdict === "added") isAdvanced = true;
      else if (verdict !== "known") break;
    }
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
    asked.above = this.#chain.epoch;
    asked.isOpen = true;
    asked.dueAtMs = nowMs + asked.intervalMs;
    asked.intervalMs = Math.min(asked.intervalMs * 2, this.#timings.resendAfterMaxMs);
    const frame: ClientFrame = { type: "fetch-epochs", fetch: { above: asked.above } };
    effects.push({ type: "send", to, frame });
  }
}

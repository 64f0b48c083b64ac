import type { Membership, PublicKey } from "@quorate/protocol";
import { describeRefusal, type JudgedChange } from "@quorate/reconfiguration";
import type { Logger } from "pino";

/** Refusals that are warned of in one minute: whoever may be a client has changes refused as often as it orders them. */
export const REFUSALS_WARNED_MAX = 20;
const MINUTE_MS = 60_000;
/** Enough of a key to know whose it is. */
const KEY_SHOWN = 16;

/** What the log says of changes: what became of each, and when its epoch begins (protocol rules 11.1 and 11.2). */
export class ChangeLog {
  readonly #log: Logger;
  readonly #nowMs: () => number;
  #toldTo = 0;
  #minuteBeganMs = Number.NEGATIVE_INFINITY;
  #warned = 0;

  constructor(log: Logger, nowMs: () => number = () => performance.now()) {
    this.#log = log;
    this.#nowMs = nowMs;
  }

  /** Those of one batch. One that is executed again, on a state that was repaired, is no news. */
  onChanges(changes: readonly JudgedChange[]): void {
    const isNews = changes.some(({ seq }) => seq > this.#toldTo);
    for (const judged of changes) {
      this.#toldTo = Math.max(this.#toldTo, judged.seq);
      this.#onChange(judged, isNews);
    }
  }

  /** @param pauseMs since it executed the last batch of the epoch before; undefined where it has not. */
  onEpoch({ epoch, members, start }: Membership, pauseMs: number | undefined): void {
    const about = { epoch, activation: start?.seq, members: members.map(({ id }) => id) };
    this.#log.info(pauseMs === undefined ? about : { ...about, pauseMs }, "a new epoch begins");
  }

  #onChange({ seq, request, configuration, outcome }: JudgedChange, isNews: boolean): void {
    const { change, approvals, client } = request;
    const about = { seq, change, admins: approvals.map(({ key }) => shortKey(key)), submitter: shortKey(client) };
    if (typeof outcome === "string") {
      const level = isNews && this.#mayWarn() ? "warn" : "debug";
      const reason = describeRefusal(outcome, request, configuration);
      return this.#log[level]({ ...about, epoch: configuration.epoch, code: outcome, reason }, "change refused");
    }
    const { epoch, activation } = outcome;
    this.#log[isNews ? "info" : "debug"]({ ...about, epoch, activation }, "change accepted");
  }

  #mayWarn(): boolean {
    const nowMs = this.#nowMs();
    if (nowMs - this.#minuteBeganMs >= MINUTE_MS) {
      this.#minuteBeganMs = nowMs;
      this.#warned = 0;
    }
    this.#warned++;
    if (this.#warned === REFUSALS_WARNED_MAX + 1)
      this.#log.warn(
        { refusalsMax: REFUSALS_WARNED_MAX },
        "changes are refused again and again: more of them in this minute are logged at debug",
      );
    return this.#warned <= REFUSALS_WARNED_MAX;
  }
}

function shortKey(key: PublicKey): string {
  return key.slice(0, KEY_SHOWN);
}

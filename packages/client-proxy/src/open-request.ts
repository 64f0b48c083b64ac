import type {
  Digest,
  Epoch,
  RefusalCode,
  ReplicaId,
  Reply,
  RequestNumber,
  ResultStatus,
  SessionId,
  VerifiedReply,
  VerifiedRequest,
  ViewNumber,
} from "@quorate/protocol";
import {
  assertNever,
  bytesToAcceptedChange,
  bytesToCheckpointNumber,
  bytesToHex,
  bytesToRefusal,
  viewNumber,
} from "@quorate/protocol";
import type { Call } from "./call-table.ts";
import { EpochFilters } from "./epoch-filters.ts";
import type { ClientEpochs } from "./epoch-follower.ts";
import type { RequestFrame } from "./events.ts";
import type { Refusal } from "./outcome.ts";
import type { AcceptedOutput } from "./output-filter.ts";

/**
 * A request that was sent and has no accepted output yet. It occupies its number until it has: later numbers execute
 * only after it, so it is sent again and again, the same bytes each time, also when none of its callers waits any more.
 */
export class OpenRequest {
  /** Undefined for a registration, whose session is its output, and for an ordered checkpoint or reconfiguration. */
  readonly session: SessionId | undefined;
  /** 0 for what is in no session. */
  readonly number: RequestNumber;
  readonly digest: Digest;
  /** The one object that is sent each time. */
  readonly frame: RequestFrame;
  /** In the order of their operations; some may be settled. Empty for what is in no session. */
  readonly calls: readonly Call[];
  #sentInView: ViewNumber;
  #isWithAll = false;
  #resendAtMs: number;
  #intervalMs: number;
  #backOffLimitMs: number;
  #filters: EpochFilters;
  readonly #chain: ClientEpochs;
  readonly #refusals = new Map<ReplicaId, RefusalCode>();

  constructor(
    signed: VerifiedRequest,
    calls: readonly Call[],
    sent: { readonly atMs: number; readonly view: ViewNumber; readonly resendAfterMs: number },
    chain: ClientEpochs,
    number: RequestNumber,
  ) {
    this.session = signed.request.type === "operations" ? signed.request.session : undefined;
    this.number = number;
    this.digest = signed.digest;
    this.frame = { type: "request", request: signed.request };
    this.calls = calls;
    this.#sentInView = sent.view;
    this.#intervalMs = sent.resendAfterMs;
    this.#resendAtMs = sent.atMs + sent.resendAfterMs;
    this.#backOffLimitMs = this.#resendAtMs + sent.resendAfterMs;
    this.#chain = chain;
    this.#filters = new EpochFilters(chain);
  }

  /** The highest view whose primary got it. */
  get sentInView(): ViewNumber {
    return this.#sentInView;
  }
  /** Whether all that could be reached got it in this view; then only silence sends it to them again. */
  get isWithAll(): boolean {
    return this.#isWithAll;
  }
  get resendAtMs(): number {
    return this.#resendAtMs;
  }
  get replies(): readonly VerifiedReply[] {
    return this.#filters.replies();
  }
  get repliesHeld(): number {
    return this.#filters.held;
  }
  get repliesHeldMax(): number {
    return this.#filters.heldMax;
  }
  get isDivergent(): boolean {
    return this.#filters.isDivergent();
  }
  /** What members said instead of an answer; the last word of each. */
  get refusals(): readonly Refusal[] {
    return [...this.#refusals].map(([from, code]) => ({ from, code }));
  }

  /** Whether a reply of this replica, under a statement of this epoch, could still matter. */
  wants(from: ReplicaId, epoch: Epoch): boolean {
    return this.#filters.wants(from, epoch);
  }

  /**
   * Counts a reply that names this request (see `RequestTable.answeredBy`), of a member of its statement's epoch. One whose
   * results cannot answer it, in number or kind, counts nothing.
   */
  onReply(reply: VerifiedReply): AcceptedOutput | undefined {
    return this.#isAnswer(reply) ? this.#filters.offer(reply) : undefined;
  }

  /** There are other members: none of them has got it yet, and views begin anew. */
  onEpoch(): void {
    this.#sentInView = viewNumber(0);
    this.#isWithAll = false;
  }

  /** It goes out to all again: doubles the silence until the next time. */
  onResend(atMs: number, capMs: number): void {
    this.#intervalMs = Math.min(this.#intervalMs * 2, capMs);
    this.#resendAtMs = atMs + this.#intervalMs;
    this.#backOffLimitMs = this.#resendAtMs + this.#intervalMs;
  }

  /**
   * A caller of it waits again: it goes out again soon. Where no f+1 replies could match any more, members are asked anew, and what they said
   * before is forgotten.
   */
  onRetry(atMs: number, resendAfterMs: number): void {
    this.#intervalMs = resendAfterMs;
    this.#resendAtMs = atMs + resendAfterMs;
    this.#backOffLimitMs = this.#resendAtMs + resendAfterMs;
    if (this.isDivergent) this.#filters = new EpochFilters(this.#chain);
  }

  /** It goes out in this view. Views that members report may fall; what was done in a higher one is not done again. */
  onSentIn(view: ViewNumber): void {
    if (view <= this.#sentInView) return;
    this.#sentInView = view;
    this.#isWithAll = false;
  }

  onSentToAll(): void {
    this.#isWithAll = true;
  }

  /** It was sent to this member, which may answer again. */
  onSent(to: ReplicaId): void {
    this.#filters.renew(to);
  }

  /** Notes a refusal. `overloaded` delays the next resend, at most to twice its interval whoever says so how often. */
  onRefused(from: ReplicaId, code: RefusalCode, atMs: number): void {
    this.#refusals.set(from, code);
    if (code === "overloaded")
      this.#resendAtMs = Math.max(this.#resendAtMs, Math.min(atMs + this.#intervalMs, this.#backOffLimitMs));
  }

  #isAnswer(reply: Reply): boolean {
    const [first] = reply.results;
    if (first === undefined) return false;
    if (this.frame.request.type === "reconfiguration") return isJudgedChange(reply);
    const isJudgement = reply.results.length === 1 && !EXECUTED.has(first.status) && first.status !== "postponed";
    return isJudgement || this.#isSuccess(reply);
  }

  #isSuccess(reply: Reply): boolean {
    switch (this.frame.request.type) {
      case "operations":
        return this.#isExecution(reply);
      case "registration":
        return isOpening(reply);
      case "checkpoint":
        return isCheckpoint(reply);
      case "reconfiguration":
        return isJudgedChange(reply);
      default:
        return assertNever(this.frame.request);
    }
  }

  #isExecution({ results }: Reply): boolean {
    if (results.length !== this.calls.length) return false;
    // Executed ones, at least the first; what the reply had no room for comes after them.
    const ran = results.findIndex(({ status }) => !EXECUTED.has(status));
    return ran === -1 || (ran > 0 && results.slice(ran).every(({ status }) => status === "postponed"));
  }
}

const EXECUTED: ReadonlySet<ResultStatus> = new Set(["ok", "failed"]);

/** The output of an ordered checkpoint: one result, the checkpoint's number (protocol rule 9.1). */
function isCheckpoint({ results }: Reply): boolean {
  const [made] = results;
  return results.length === 1 && made?.status === "ok" && bytesToCheckpointNumber(made.value) !== undefined;
}

/** The output of a reconfiguration: one result, the epoch that it begins and where, or why it is refused (protocol rule 11.2). */
function isJudgedChange({ results }: Reply): boolean {
  const [judged] = results;
  if (judged === undefined || results.length !== 1) return false;
  const { status, value } = judged;
  if (status === "reconfiguration-refused") return bytesToRefusal(value) !== undefined;
  return status === "ok" && bytesToAcceptedChange(value) !== undefined;
}

/** The output of a registration that opened a session: one result, the session's id (protocol rule 3.2). */
function isOpening({ results, session }: Reply): boolean {
  const [opened] = results;
  return results.length === 1 && opened?.status === "ok" && bytesToHex(opened.value) === session;
}

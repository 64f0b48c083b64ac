import { DEFAULT_LIMITS, type Request, sequenceNumber } from "@quorate/protocol";
import { ClientRig } from "./client-rig.ts";
import { ok, replyOf } from "./fakes.ts";

/** A small deterministic generator: the same walk each time. */
export function xorshift(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

export const WALK_LIMITS = { waitingOperationsMax: 20, requestsOutstandingMax: 4, requestOperationsMax: 16 } as const;

/** Everything that can happen to a client, in random order: member 3 lies, the others answer now and then. */
export class RandomWalk {
  readonly rig: ClientRig;
  submitted = 0;
  retried = 0;
  /** Calls that ended so far, by failure code or "result". */
  readonly ended: Map<string, number> = new Map();
  readonly #below: (below: number) => number;
  readonly #recent: Request[] = [];
  /** Calls that failed with unknown effect, the latest ones. */
  #unknown: number[] = [];

  constructor(seed: number) {
    const { waitingOperationsMax, requestsOutstandingMax, requestOperationsMax } = WALK_LIMITS;
    const limits = { ...DEFAULT_LIMITS, requestOperationsMax };
    this.rig = ClientRig.open(4, { limits, waitingOperationsMax, requestsOutstandingMax, defaultTimeoutMs: 60 });
    this.#below = xorshift(seed);
  }

  get endedCalls(): number {
    return [...this.ended.values()].reduce((sum, count) => sum + count, 0);
  }

  step(): void {
    this.#act(this.#below(20_000));
    for (const { request } of this.rig.takeSent()) if (this.#recent[0] !== request) this.#recent.unshift(request);
    this.#recent.length = Math.min(this.#recent.length, 8);
    for (const [call, outcome] of this.rig.outcomes) {
      if (outcome.type === "failed" && outcome.failure.effect === "unknown") this.#unknown.push(call);
      const end = outcome.type === "result" ? "result" : outcome.failure.code;
      this.ended.set(end, (this.ended.get(end) ?? 0) + 1);
    }
    this.#unknown = this.#unknown.slice(-64);
    this.rig.outcomes.clear();
    this.rig.execution.log.length = 0;
  }

  #act(dice: number): void {
    const { rig } = this;
    if (dice < 6000) rig.submit(++this.submitted);
    else if (dice < 7000) rig.pass(this.#below(100));
    else if (dice < 7020) rig.run({ type: "link-down", replica: this.#member() });
    else if (dice < 7200) rig.welcome(this.#member());
    else if (dice < 7201) rig.execution.evict();
    else if (dice < 7400) rig.run({ type: "cancel", call: this.submitted - this.#below(20) });
    else if (dice < 7700) this.#retry();
    else this.#reply();
  }

  #retry(): void {
    const [call] = this.#unknown.splice(this.#below(64), 1);
    if (call === undefined) return;
    this.retried++;
    this.rig.retry(call);
  }

  #reply(): void {
    const request = this.#recent[this.#below(8)];
    const executed = request === undefined ? undefined : this.rig.execution.execute(request);
    if (executed === undefined) return;
    const from = this.#member();
    if (from !== 3) return this.rig.reply(replyOf(from, executed));
    const seq = sequenceNumber(executed.seq + this.#below(20));
    const results = [ok(Uint8Array.of(this.#below(256)))];
    this.rig.reply(replyOf(from, { ...executed, seq, results }, { view: this.#below(99) }));
  }

  #member(): (typeof this.rig.ids)[number] {
    return this.rig.ids[this.#below(4)]!;
  }
}

import {
  type CallOutcome,
  ClientCore,
  type ClientEffect,
  type ClientEvent,
  type ClientFailure,
  type ClientOptions,
  type ClientTimer,
} from "@quorate/client-proxy";
import {
  DEFAULT_LIMITS,
  type Digest,
  epochNumber,
  type ReplicaId,
  type Request,
  sequenceNumber,
  type VerifiedReply,
  viewNumber,
} from "@quorate/protocol";
import { type Executed, FakeExecution, FakeSigner, membershipOfSize, replyOf, sha256 } from "./fakes.ts";

type Untimed<E> = E extends unknown ? Omit<E, "atMs"> : never;

export interface Sent {
  readonly to: ReplicaId;
  readonly request: Request;
}

/** Runs one core on a virtual clock; the test plays the replicas. */
export class ClientRig {
  readonly core: ClientCore;
  readonly execution: FakeExecution = new FakeExecution();
  readonly ids: readonly ReplicaId[];
  readonly outcomes: Map<number, CallOutcome> = new Map();
  readonly timers: Map<ClientTimer, { readonly token: number; readonly atMs: number }> = new Map();
  readonly nonces: Digest[] = [];
  nowMs = 1_000;
  #sent: Sent[] = [];

  constructor(n = 4, options: Partial<ClientOptions> = {}) {
    const membership = membershipOfSize(n);
    this.ids = membership.members.map((member) => member.id);
    const nextNonce = (): Digest => {
      this.nonces.push(sha256(`nonce ${this.nonces.length}`));
      return this.nonces.at(-1)!;
    };
    this.core = new ClientCore({ signer: new FakeSigner(), membership, limits: DEFAULT_LIMITS, nextNonce, ...options });
  }

  /** A rig whose session is open and whose links are all up. */
  static open(n = 4, options: Partial<ClientOptions> = {}): ClientRig {
    const rig = new ClientRig(n, options);
    for (const id of rig.ids) rig.welcome(id);
    rig.answerAll();
    return rig;
  }

  get f(): number {
    return Math.floor((this.ids.length - 1) / 3);
  }

  run(...events: Untimed<ClientEvent>[]): readonly ClientEffect[] {
    const effects = this.core.stepAll(events.map((event) => ({ ...event, atMs: this.nowMs }) as ClientEvent));
    for (const effect of effects) this.#perform(effect);
    return effects;
  }

  welcome(from: ReplicaId, view = 0, executed: number = this.execution.seq, epoch = 0): void {
    const hints = { epoch: epochNumber(epoch), view: viewNumber(view), executed: sequenceNumber(executed) };
    this.run({ type: "link-up", replica: from }, { type: "welcome", from, ...hints });
  }

  submit(call: number, operation: Uint8Array = Uint8Array.of(call & 255, call >> 8), deadlineMs?: number): void {
    this.run({ type: "submit", call, operation, ...(deadlineMs === undefined ? {} : { deadlineMs }) });
  }

  reply(reply: VerifiedReply): void {
    this.run({ type: "reply", reply });
  }

  /** What was sent since the last look. */
  takeSent(): readonly Sent[] {
    const sent = this.#sent;
    this.#sent = [];
    return sent;
  }

  /** Executes what was sent and has `members` reply, until nothing more is sent. */
  answerAll(members: readonly ReplicaId[] = this.ids): void {
    for (let sent = this.takeSent(); sent.length > 0; sent = this.takeSent())
      for (const { request } of sent) this.answer(request, members);
  }

  answer(request: Request, members: readonly ReplicaId[] = this.ids): Executed | undefined {
    const executed = this.execution.execute(request);
    if (executed !== undefined) for (const id of members) this.reply(replyOf(id, executed));
    return executed;
  }

  /** Lets time pass; timers ring when they are due. */
  pass(ms: number): void {
    const until = this.nowMs + ms;
    for (;;) {
      const [next] = [...this.timers].sort(([, a], [, b]) => a.atMs - b.atMs);
      if (next === undefined || next[1].atMs > until) break;
      const [timer, { token, atMs }] = next;
      this.timers.delete(timer);
      this.nowMs = atMs;
      this.run({ type: "timeout", timer, token });
    }
    this.nowMs = until;
  }

  failure(call: number): ClientFailure {
    const outcome = this.outcomes.get(call);
    if (outcome?.type !== "failed") throw new Error(`call ${call} has not failed: ${outcome?.type}`);
    return outcome.failure;
  }

  result(call: number): Extract<CallOutcome, { type: "result" }> {
    const outcome = this.outcomes.get(call);
    if (outcome?.type !== "result") throw new Error(`call ${call} has no result: ${outcome?.failure.code}`);
    return outcome;
  }

  #perform(effect: ClientEffect): void {
    switch (effect.type) {
      case "send":
        this.#sent.push({ to: effect.to, request: effect.frame.request });
        break;
      case "settle":
        if (this.outcomes.has(effect.call)) throw new Error(`call ${effect.call} settled twice`);
        this.outcomes.set(effect.call, effect.outcome);
        break;
      case "start-timer":
        this.timers.set(effect.timer, { token: effect.token, atMs: this.nowMs + effect.afterMs });
        break;
      case "cancel-timer":
        this.timers.delete(effect.timer);
        break;
    }
  }
}

/** The operations of a request, for counting. */
export function operationsOf({ request }: Sent): readonly Uint8Array[] {
  return request.type === "operations" ? request.operations : [];
}

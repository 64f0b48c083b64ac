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
  EPOCH_LINKS_MAX,
  type EpochLink,
  epochNumber,
  type Membership,
  type ReplicaId,
  type Request,
  sequenceNumber,
  type VerifiedReply,
  viewNumber,
} from "@quorate/protocol";
import type { EpochChain } from "@quorate/reconfiguration";
import { ScriptedEpochs } from "@quorate/reconfiguration/testing";
import { type Executed, FakeExecution, FakeSigner, replyOf, sha256 } from "./fakes.ts";

type Untimed<E> = E extends unknown ? Omit<E, "atMs"> : never;

export interface Sent {
  readonly to: ReplicaId;
  readonly request: Request;
}

/** Who was asked for the links above which epoch. */
export interface Asked {
  readonly to: ReplicaId;
  readonly above: number;
}

/** Runs one core on a virtual clock; the test plays the replicas. */
export class ClientRig {
  readonly core: ClientCore;
  /** What the cluster comes to; the client knows its genesis alone. */
  readonly epochs: ScriptedEpochs;
  readonly chain: EpochChain;
  readonly execution: FakeExecution = new FakeExecution();
  readonly ids: readonly ReplicaId[];
  readonly outcomes: Map<number, CallOutcome> = new Map();
  readonly timers: Map<ClientTimer, { readonly token: number; readonly atMs: number }> = new Map();
  readonly nonces: Digest[] = [];
  nowMs = 1_000;
  /** What the runner was told to be linked to, as often as it was. */
  readonly members: Membership[] = [];
  #sent: Sent[] = [];
  #asked: Asked[] = [];

  constructor(n = 4, options: Partial<ClientOptions> = {}) {
    this.epochs = new ScriptedEpochs({ n });
    this.chain = this.epochs.chainAt(0);
    this.ids = this.chain.membership.members.map((member) => member.id);
    const nextNonce = (): Digest => {
      this.nonces.push(sha256(`nonce ${this.nonces.length}`));
      return this.nonces.at(-1)!;
    };
    const { chain } = this;
    this.core = new ClientCore({ signer: new FakeSigner(), chain, limits: DEFAULT_LIMITS, nextNonce, ...options });
  }

  /** A rig whose session is open and whose links are all up; nobody has links of later epochs yet. */
  static open(n = 4, options: Partial<ClientOptions> = {}): ClientRig {
    const rig = new ClientRig(n, options);
    for (const id of rig.ids) rig.welcome(id);
    rig.answerAll();
    rig.answerAsked();
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

  /** What a replica answers that knows all epochs of the script, to a question above one. */
  linksAbove(above: number): readonly EpochLink[] {
    return this.epochs.links.slice(above, above + EPOCH_LINKS_MAX);
  }
  links(from: ReplicaId | undefined, links: readonly EpochLink[]): void {
    this.run({ type: "epoch-links", from, links });
  }
  /** These answer what they were asked, until they are asked no more. Returns how often they were. */
  answerAsked(members: readonly ReplicaId[] = this.ids): number {
    let answers = 0;
    for (let asked = this.takeAsked(); asked.length > 0; asked = this.takeAsked())
      for (const { to, above } of asked)
        if (members.includes(to)) {
          answers++;
          this.links(to, this.linksAbove(above));
        }
    return answers;
  }

  submit(call: number, operation: Uint8Array = Uint8Array.of(call & 255, call >> 8), timeoutMs?: number): void {
    this.run({ type: "submit", call, operation, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
  }

  /** Waits again for a call that has failed. */
  retry(call: number, timeoutMs?: number): void {
    this.outcomes.delete(call);
    this.run({ type: "retry", call, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
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

  /** Whom it asked for links since the last look. */
  takeAsked(): readonly Asked[] {
    const asked = this.#asked;
    this.#asked = [];
    return asked;
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
        if (effect.frame.type === "request") this.#sent.push({ to: effect.to, request: effect.frame.request });
        if (effect.frame.type === "fetch-epochs") this.#asked.push({ to: effect.to, above: effect.frame.fetch.above });
        break;
      case "members":
        this.members.push(effect.membership);
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

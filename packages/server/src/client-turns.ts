import type { PublicKey } from "@quorate/protocol";
import { ClientQueues } from "./client-queues.ts";
import type { HostPorts, HostTimer } from "./ports.ts";

/** Questions of one client that wait, and of all. */
const WAITING_PER_CLIENT_MAX = 4;
const WAITING_MAX = 256;
/** After an answer nothing is answered for so many times as long as it took: a third of the event loop at most is for this. */
const REST_FACTOR = 2;

export interface ClientTurnsOptions<Q> {
  readonly timer: Extract<HostTimer, "read" | "tell-epochs">;
  readonly ports: Pick<HostPorts, "monotonicMs" | "startTimer" | "cancelTimer">;
  /** It is this client's turn. */
  answer(client: PublicKey, question: Q): void;
  /** The client asks for too much, or all do and it has most of it. */
  refuse(client: PublicKey, question: Q): void;
}

/**
 * Questions of clients of one kind, answered one a turn with all else in between, to each client in its turn (protocol rule 13.1): however
 * many clients there are, no more than that is done for all together.
 */
export class ClientTurns<Q> {
  readonly #o: ClientTurnsOptions<Q>;
  readonly #waiting = new ClientQueues<Q>({ ofEachMax: WAITING_PER_CLIENT_MAX, inAllMax: WAITING_MAX });
  #isWaking = false;

  constructor(options: ClientTurnsOptions<Q>) {
    this.#o = options;
  }

  /** A client asks; it is answered later, or refused at once or later. */
  ask(client: PublicKey, question: Q): void {
    for (const gone of this.#waiting.add(client, question)) this.#o.refuse(gone.client, gone.item);
    this.#wake(0);
  }

  /** Nothing is answered any more. */
  stop(): void {
    this.#waiting.clear();
    this.#isWaking = false;
    this.#o.ports.cancelTimer(this.#o.timer);
  }

  #wake(afterMs: number): void {
    if (this.#isWaking || this.#waiting.isEmpty) return;
    this.#isWaking = true;
    const { timer, ports, answer } = this.#o;
    ports.startTimer(timer, afterMs, () => {
      this.#isWaking = false;
      const startedMs = ports.monotonicMs();
      const next = this.#waiting.next();
      if (next !== undefined) answer(next.client, next.item);
      this.#wake(Math.ceil(REST_FACTOR * (ports.monotonicMs() - startedMs)));
    });
  }
}

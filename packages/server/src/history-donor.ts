import type { Codec } from "@quorate/codec";
import { type Effect, invariant, isObserverPeer, type SequenceNumber, sequenceNumber } from "@quorate/protocol";
import { ServingBudget } from "@quorate/state-transfer";
import { type History, StorageError } from "@quorate/storage";
import type { HostPorts, IngressRejection } from "./ports.ts";

/** Bytes of history that one peer gets at once, and then in a second: each is read, decoded and encoded for it. */
const HISTORY_SERVED_BYTES_MAX = 32 * 1024 * 1024;

/** Of one that observes as many at once, for the largest batch must fit, and fewer in a second: of those there may be many. */
const HISTORY_OBSERVED_BYTES_PER_SECOND = 4 * 1024 * 1024;

/** What a donor reads, and where its answers go. */
export interface HistoryDonorOptions {
  readonly history: History;
  readonly codec: Codec;
  readonly ports: Pick<HostPorts, "sendToReplica">;
  readonly reject: (rejection: IngressRejection) => void;
  /** Called for the first damaged entry; others are only counted. */
  readonly onDamage: (damage: StorageError) => void;
}

/** Serves committed batches from the own history, within a share of bytes for each peer (protocol rules 9.3 and 13.1). */
export class HistoryDonor {
  readonly #options: HistoryDonorOptions;
  readonly #budget = new ServingBudget({
    burst: HISTORY_SERVED_BYTES_MAX,
    refillMs: 1_000 / HISTORY_SERVED_BYTES_MAX,
  });
  readonly #budgetOfObservers = new ServingBudget({
    burst: HISTORY_SERVED_BYTES_MAX,
    refillMs: 1_000 / HISTORY_OBSERVED_BYTES_PER_SECOND,
  });
  #isDamageTold = false;

  constructor(options: HistoryDonorOptions) {
    this.#options = options;
  }

  send({ to, first, last, stable }: Extract<Effect, { type: "send-history" }>, atMs: number): void {
    const { codec, ports, reject } = this.#options;
    const budget = isObserverPeer(to) ? this.#budgetOfObservers : this.#budget;
    for (let seq = first; seq <= last; seq = sequenceNumber(seq + 1)) {
      const bytes = this.#read(seq);
      // The asker takes another donor. `below-history` would tell it that only a state transfer can help, and what comes
      // behind the gap would come from the next donor again.
      if (bytes === "damaged") return reject({ code: "history.damaged", from: to, seq });
      if (bytes === undefined) {
        if (stable.seq >= seq) ports.sendToReplica(to, { type: "below-history", checkpoint: stable });
        return;
      }
      // The rest is asked for again, by then of another: questions are cheap, entries are not.
      if (!budget.take(to, atMs, bytes.length)) return reject({ code: "fetch.over-budget", from: to });
      const decoded = codec.decodeCommittedEntry(bytes);
      invariant(decoded.ok, "host.history-does-not-decode", { seq });
      ports.sendToReplica(to, { type: "committed", entry: decoded.value });
    }
  }

  /** No promise rests on what was executed and certified: damage there costs this replica an answer, not its life. */
  #read(seq: SequenceNumber): Uint8Array | undefined | "damaged" {
    try {
      return this.#options.history.get(seq);
    } catch (error) {
      if (!(error instanceof StorageError && error.code === "storage.damaged")) throw error;
      if (!this.#isDamageTold) this.#options.onDamage(error);
      this.#isDamageTold = true;
      return "damaged";
    }
  }
}

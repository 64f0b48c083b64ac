import type { Codec } from "@quorate/codec";
import { type Effect, invariant, type Rejection, sequenceNumber } from "@quorate/protocol";
import { ServingBudget } from "@quorate/state-transfer";
import type { History } from "@quorate/storage";
import type { HostPorts } from "./ports.ts";

/** Bytes of history that one peer gets at once, and then in a second: each is read, decoded and encoded for it. */
const HISTORY_SERVED_BYTES_MAX = 32 * 1024 * 1024;

/** What a donor reads, and where its answers go. */
export interface HistoryDonorOptions {
  readonly history: History;
  readonly codec: Codec;
  readonly ports: Pick<HostPorts, "sendToReplica">;
  readonly reject: (rejection: Rejection) => void;
}

/** Serves committed batches from the own history, within a share of bytes for each peer (protocol rules 9.3 and 13.1). */
export class HistoryDonor {
  readonly #options: HistoryDonorOptions;
  readonly #budget = new ServingBudget({
    burst: HISTORY_SERVED_BYTES_MAX,
    refillMs: 1_000 / HISTORY_SERVED_BYTES_MAX,
  });

  constructor(options: HistoryDonorOptions) {
    this.#options = options;
  }

  send({ to, first, last, stable }: Extract<Effect, { type: "send-history" }>, atMs: number): void {
    const { history, codec, ports, reject } = this.#options;
    for (let seq = first; seq <= last; seq = sequenceNumber(seq + 1)) {
      const bytes = history.get(seq);
      if (bytes === undefined) {
        if (stable.seq >= seq) ports.sendToReplica(to, { type: "below-history", checkpoint: stable });
        return;
      }
      // The rest is asked for again, by then of another: questions are cheap, entries are not.
      if (!this.#budget.take(to, atMs, bytes.length)) return reject({ code: "fetch.over-budget", from: to });
      const decoded = codec.decodeCommittedEntry(bytes);
      invariant(decoded.ok, "host.history-does-not-decode", { seq });
      ports.sendToReplica(to, { type: "committed", entry: decoded.value });
    }
  }
}

import { assertNever, type ReplicaId, type SequenceNumber } from "@quorate/protocol";
import type { ReplicaEvent } from "@quorate/replica";
import type { BatchExecution } from "./batch-execution.ts";
import { refusalFrame } from "./client-frames.ts";
import { type Departure, epochOver, leftBehind, quarantined } from "./departure.ts";
import type { DurableState } from "./durable-state.ts";
import type { EvidenceShelf } from "./evidence-shelf.ts";
import type { Performed } from "./gated-log.ts";
import type { HistoryDonor } from "./history-donor.ts";
import type { HostOptions } from "./host-options.ts";
import type { HostState } from "./host-state.ts";

export interface EffectPerformerOptions extends Pick<HostOptions, "ports" | "codec" | "observer"> {
  readonly others: readonly ReplicaId[];
  readonly state: Pick<HostState, "execution" | "epochLink">;
  /** The log was cut below this checkpoint. */
  readonly onStable: (seq: SequenceNumber) => void;
  readonly batches: Pick<BatchExecution, "execute">;
  readonly durableState: Pick<DurableState, "archive" | "cut">;
  readonly donor: Pick<HistoryDonor, "send">;
  readonly evidence: Pick<EvidenceShelf, "keep">;
  readonly nowMs: () => number;
  readonly step: (event: ReplicaEvent) => void;
  /** The host is to end, as soon as all that the step at hand asks for is done. */
  readonly depart: (departure: Departure) => void;
}

/** Turns the effects that have left the output gate into calls on the world and on the parts of a host. */
export class EffectPerformer {
  readonly #o: EffectPerformerOptions;

  constructor(options: EffectPerformerOptions) {
    this.#o = options;
  }

  perform(effect: Performed): void {
    const { ports, codec, observer, state, batches, durableState, donor, evidence, depart } = this.#o;
    switch (effect.type) {
      case "send":
        return ports.sendToReplica(effect.to, effect.frame);
      case "broadcast":
        return ports.sendToReplicas(this.#o.others, effect.frame);
      case "tell-observers":
        return ports.sendToObservers(effect.frame);
      case "execute":
        return batches.execute(effect);
      case "archive":
        return durableState.archive(effect.seq, codec.encodeCommittedEntry(effect.entry), effect.entry.batch);
      case "send-history":
        return donor.send(effect, this.#o.nowMs());
      case "cut":
        return this.#o.onStable(durableState.cut(effect.upTo));
      case "fetch-state":
        return depart(leftBehind(effect));
      case "quarantine":
        return depart(quarantined(effect, state.execution.lastCheckpoint.seq));
      case "epoch-over":
        return depart(epochOver(effect, state.epochLink(effect.link)));
      case "divergence":
        return observer.onDivergence?.(effect.divergence);
      case "start-timer": {
        const { timer, afterMs, token } = effect;
        return ports.startTimer(timer, afterMs, () => this.#o.step({ type: "timeout", timer, token }));
      }
      case "cancel-timer":
        return ports.cancelTimer(effect.timer);
      case "evidence":
        if (evidence.keep(effect.evidence)) observer.onEvidence?.(effect.evidence);
        return;
      case "rejected":
        return observer.onRejection?.(effect.rejection);
      case "refuse":
        return ports.sendToClient(effect.client, refusalFrame(effect));
      default:
        return assertNever(effect);
    }
  }
}

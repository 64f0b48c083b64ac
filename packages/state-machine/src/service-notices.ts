import type { OrderedReader } from "@quorate/protocol";
import type { ConfigurationRecord } from "@quorate/reconfiguration";
import type { OperationSurroundings } from "./operation.ts";
import { Overlay } from "./overlay.ts";
import type { Service } from "./service.ts";
import { StateView } from "./state-view.ts";

/** What a service hears of besides operations: its state at a start, the ends of batches, and new members. */
export class ServiceNotices {
  readonly #service: Service;
  readonly #valueBytesMax: number;

  /** @param valueBytesMax the longest value that a service may write, in bytes. */
  constructor(service: Service, valueBytesMax: number) {
    this.#service = service;
    this.#valueBytesMax = valueBytesMax;
  }

  /** It reads what it needs of the state that is here. */
  open(state: OrderedReader): void {
    if (this.#service.open === undefined) return;
    const overlay = new Overlay(state);
    const view = new StateView(overlay, this.#valueBytesMax);
    this.#service.open(view);
    view.close();
    if (overlay.failure !== undefined) throw overlay.failure.cause;
  }

  /**
   * The service hears of the new members in the last batch of the old ones, at every replica (protocol rule 11.2). One that throws
   * has changed nothing, as with an operation.
   */
  onMembership(
    { current: { epoch, members } }: ConfigurationRecord,
    { overlay, seq, timestampMs }: Pick<OperationSurroundings, "overlay" | "seq" | "timestampMs">,
  ): void {
    if (this.#service.onMembership === undefined) return;
    const mark = overlay.mark();
    const view = new StateView(overlay, this.#valueBytesMax);
    try {
      this.#service.onMembership({ epoch, members, seq, timestampMs }, view);
    } catch {
      overlay.rollback(mark);
      this.#service.undo?.();
    }
    view.close();
    if (overlay.failure !== undefined) throw overlay.failure.cause;
  }

  /** All replicas write the same here, and none can leave it out: there is no bound that an operation could meet. */
  finishBatch(overlay: Overlay): void {
    if (this.#service.finishBatch === undefined) return;
    const valueBytesMax = this.#valueBytesMax;
    const view = new StateView(overlay, valueBytesMax, Number.POSITIVE_INFINITY);
    this.#service.finishBatch(view, { valueBytesMax });
    view.close();
    if (overlay.failure !== undefined) throw overlay.failure.cause;
  }
}

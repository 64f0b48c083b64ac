import type { PublicKey, ReplicaFrame, ReplicaId, ServerFrame } from "@quorate/protocol";
import type { HostPorts, HostTimer } from "./ports.ts";
import type { ReplicaLinks } from "./replica-links.ts";

/** The links, the clocks and the timers of this process as what a host knows of the world. */
export class ProcessPorts implements HostPorts {
  readonly #links: ReplicaLinks;
  readonly #timers = new Map<HostTimer, NodeJS.Timeout>();

  constructor(links: ReplicaLinks) {
    this.#links = links;
  }

  nowMs(): number {
    return Date.now();
  }
  monotonicMs(): number {
    return performance.now();
  }

  sendToReplica(to: ReplicaId, frame: ReplicaFrame): void {
    this.#links.sendToReplica(to, frame);
  }
  sendToReplicas(to: readonly ReplicaId[], frame: ReplicaFrame): void {
    this.#links.sendToReplicas(to, frame);
  }
  sendToObservers(frame: ReplicaFrame): void {
    this.#links.sendToObservers(frame);
  }
  sendToClient(client: PublicKey, frame: ServerFrame): void {
    this.#links.sendToClient(client, frame);
  }

  startTimer(timer: HostTimer, afterMs: number, fire: () => void): void {
    clearTimeout(this.#timers.get(timer));
    this.#timers.set(timer, setTimeout(fire, afterMs));
  }
  cancelTimer(timer: HostTimer): void {
    clearTimeout(this.#timers.get(timer));
    this.#timers.delete(timer);
  }

  /** No timer fires any more. */
  stop(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }
}

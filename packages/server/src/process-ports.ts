import type { PublicKey, ReplicaFrame, ReplicaId, ServerFrame } from "@quorate/protocol";
import type { HostPorts, HostTimer } from "./ports.ts";
import type { ReplicaLinks } from "./replica-links.ts";

/** The links, the clocks and the timers of this process as what a host knows of the world. */
export class ProcessPorts implements HostPorts {
  readonly #links: ReplicaLinks;
  readonly #timers = new Map<HostTimer, NodeJS.Timeout>();
  /** Those that are due, and wait for what is there to be read. */
  readonly #due = new Map<HostTimer, NodeJS.Immediate>();

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

  /**
   * When the event loop is late, frames that came in time lie unread behind a timer that is due. They are read first, for
   * they may cancel it or start it anew: a busy process suspects nobody of its own lateness.
   */
  startTimer(timer: HostTimer, afterMs: number, fire: () => void): void {
    this.cancelTimer(timer);
    const onDue = (): void => {
      this.#timers.delete(timer);
      const onRead = (): void => {
        this.#due.delete(timer);
        fire();
      };
      this.#due.set(timer, setImmediate(onRead));
    };
    this.#timers.set(timer, setTimeout(onDue, afterMs));
  }
  cancelTimer(timer: HostTimer): void {
    clearTimeout(this.#timers.get(timer));
    this.#timers.delete(timer);
    clearImmediate(this.#due.get(timer));
    this.#due.delete(timer);
  }

  /** No timer fires any more. */
  stop(): void {
    for (const timer of [...this.#timers.keys(), ...this.#due.keys()]) this.cancelTimer(timer);
  }
}

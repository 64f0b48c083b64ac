import type { HostTimer } from "@quorate/server/host";
import type { Scheduled } from "./virtual-clock.ts";
import type { World } from "./world.ts";

/** The timers of one replica on the virtual clock. */
export class ReplicaTimers {
  readonly #world: World;
  readonly #run: (timer: HostTimer, fire: () => void) => void;
  readonly #timers = new Map<HostTimer, Scheduled>();

  /** @param run is called when a timer is due, and is to call `fire`. */
  constructor(world: World, run: (timer: HostTimer, fire: () => void) => void) {
    this.#world = world;
    this.#run = run;
  }

  /** One of each name: a second one takes the place of the first. */
  start(timer: HostTimer, afterMs: number, fire: () => void): void {
    const { marks, clock } = this.#world;
    marks.add(`timer: ${timer}`);
    this.#timers.get(timer)?.cancel();
    const due = (): void => {
      this.#timers.delete(timer);
      fire();
    };
    this.#timers.set(
      timer,
      clock.after(afterMs, () => this.#run(timer, due)),
    );
  }

  cancel(timer: HostTimer): void {
    this.#timers.get(timer)?.cancel();
    this.#timers.delete(timer);
  }

  cancelAll(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }
}

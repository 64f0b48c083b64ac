import { DamageCount, RecurringDamage } from "./damage-count.ts";
import type { EpochOptions } from "./host-options.ts";
import { DEFAULT_HOST_SETTINGS } from "./host-settings.ts";
import { type Installation, writeInstallation } from "./installation-record.ts";

/** What `status` says of a replica that stands still because its state was damaged again and again. */
export interface RepairStatus {
  /** The repair that is waited for is the so-manyth in a row. */
  readonly attempt: number;
  /** It began to wait for so long. */
  readonly pauseMs: number;
}

interface Pending extends RepairStatus {
  readonly installation: Installation;
}

/**
 * The installation that is to begin next. Damage that comes again after each repair is that of a disk or a memory that no repair
 * mends: so each is waited for longer, and in the end there is none (protocol rule 9.5).
 */
export class PendingInstallation {
  readonly #options: EpochOptions;
  readonly #damages: DamageCount;
  #pending: Pending | undefined;

  /** @param isUnderRepair an installation was going on when the process before this one ended. */
  constructor(options: EpochOptions, isUnderRepair: boolean) {
    this.#options = options;
    const { store, ports } = options;
    const { damageForgottenMs: forgottenAfterMs } = { ...DEFAULT_HOST_SETTINGS, ...options.settings };
    this.#damages = new DamageCount({
      store: store.local,
      nowMs: () => ports.nowMs(),
      forgottenAfterMs,
      isUnderRepair,
    });
  }

  /** What is to be installed, and after how long; undefined when nothing is. */
  get next(): Pick<Pending, "installation" | "pauseMs"> | undefined {
    return this.#pending;
  }
  /** Undefined while nothing is waited for. */
  get status(): RepairStatus | undefined {
    const { attempt, pauseMs } = this.#pending ?? { attempt: 0, pauseMs: 0 };
    return pauseMs > 0 ? { attempt, pauseMs } : undefined;
  }
  /** Repairs of damage in a row. */
  get repairs(): number {
    return this.#damages.repairs;
  }

  /** It is to begin at once. */
  put(installation: Installation): void {
    this.#put(installation, 0);
  }

  /** It was begun before a restart: whoever started the process may have mended what it was for. */
  putAgain(installation: Installation): void {
    this.#put(installation, this.#damages.pauseAtStartMs);
  }

  #put(installation: Installation, pauseMs: number): void {
    this.#pending = { installation, attempt: this.#damages.repairs, pauseMs };
  }

  /**
   * Damage was found. A start has one repair more, for the same reason.
   *
   * @returns what to die of once this is durable, when there is to be no repair any more.
   */
  putRepair(installation: Installation, damage: Error, isAtStart: boolean): RecurringDamage | undefined {
    const { store, codec, observer } = this.#options;
    // In the stream of the state's writes, as the count: a restart goes on with it.
    writeInstallation(store.local, codec, installation);
    const repair = this.#damages.found();
    const pauseMs = isAtStart ? this.#damages.pauseAtStartMs : repair.pauseMs;
    observer.onRepair?.({ ...repair, pauseMs }, damage);
    if (pauseMs === undefined) return new RecurringDamage(repair.attempt - 1, damage);
    this.#pending = { installation, attempt: repair.attempt, pauseMs };
    return undefined;
  }

  /** It has begun. */
  take(): void {
    this.#pending = undefined;
  }

  /** The state is whole. */
  onInstalled(): void {
    this.#damages.repaired();
  }

  stop(): void {
    if (this.#pending !== undefined) this.#options.ports.cancelTimer("install");
  }
}

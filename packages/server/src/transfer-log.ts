import { bytesToHex, type SequenceNumber } from "@quorate/protocol";
import type { FetchProgress } from "@quorate/state-transfer";
import type { Logger } from "pino";
import type { DamageRepair } from "./damage-count.ts";
import type { Installation } from "./installation-record.ts";

const KEYS_LOGGED_MAX = 20;

/** What the log says of a state that is brought here, and of damage that is why. */
export class TransferLog {
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  onStarted({ target: { seq }, distrustsEntries }: Installation): void {
    this.#log.warn(
      { checkpoint: seq },
      distrustsEntries
        ? "the state is compared with this checkpoint, and what differs is fetched from the others"
        : "left behind: the state at this checkpoint is fetched from the others",
    );
  }

  onVoting(checkpoint: SequenceNumber): void {
    this.#log.debug({ checkpoint }, "votes while the state is brought here");
  }

  onTransferred(progress: FetchProgress, executed: number): void {
    const { leaves, leavesFetched, leavesSkipped, bytesReceived, bytesOnWire, chunksRejected, differing } = progress;
    this.#log.info(
      {
        ...{ executed, entries: leaves, fetched: leavesFetched, alike: leavesSkipped },
        ...{ bytes: bytesReceived, bytesOnWire, chunksRejected },
      },
      "the state is here, and this replica goes on from it",
    );
    if (differing.count > 0)
      this.#log.info(
        { differing: differing.count, keys: differing.keys.slice(0, KEYS_LOGGED_MAX).map(bytesToHex) },
        "entries that differed; their first keys in hex",
      );
  }

  onStateDamaged({ message: reason }: Error): void {
    this.#log.error({ reason }, "a part of the state is damaged: nothing was made of it");
  }

  onHistoryDamaged({ message: reason }: Error): void {
    this.#log.error({ reason }, "the history is damaged: what is damaged is given to nobody, and the replica goes on");
  }

  onRepair({ attempt, pauseMs }: DamageRepair, { message: reason }: Error): void {
    if (attempt === 1) return;
    const what = "damaged again after a repair: the disk or the memory of this machine is to be tested";
    this.#log.error({ attempt, pauseMs, reason }, what);
  }
}

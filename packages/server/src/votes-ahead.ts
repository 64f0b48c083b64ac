import type { CheckpointCertificate } from "@quorate/protocol";
import type { StageOptions } from "./host-options.ts";
import { stableInLog } from "./log-reach.ts";
import { raiseLog } from "./raise-log.ts";
import type { ReplicaHost } from "./replica-host.ts";
import type { StateInstaller } from "./state-installer.ts";

/** What the stages of a replica are to its votes ahead of the state. */
export interface StagesAhead {
  readonly host: ReplicaHost | undefined;
  readonly installer: StateInstaller | undefined;
  endHost(): void;
  /** @param stable what the log calls stable. */
  startVoting(stable: CheckpointCertificate | undefined): void;
  /** Runs `next` when all that was written is durable, and every link that is known by then. */
  flushed(next: () => void): void;
}

/** A replica votes again as soon as what votes rest on is proven, while the rest of the state is brought to it (protocol rule 10.2). */
export class VotesAhead {
  readonly #o: StageOptions;
  readonly #stages: StagesAhead;

  constructor(options: StageOptions, stages: StagesAhead) {
    this.#o = options;
    this.#stages = stages;
  }

  /**
   * From here on this replica votes again. Not one whose own state was found wrong: before it is told from what, it says nothing.
   */
  vote(target: CheckpointCertificate): void {
    const { installer } = this.#stages;
    const isToVote = (): boolean =>
      // What is voted for above genesis rests on no certificate: it votes when it has the state.
      target.seq > 0 &&
      // One that votes already is ended where it is behind: from the target it goes on at once.
      (this.#stages.host === undefined || this.#stages.host.executed < target.seq) &&
      this.#stages.installer === installer &&
      installer?.installation.target.seq === target.seq &&
      !installer.installation.distrustsEntries;
    if (!isToVote()) return;
    // The record of the installation must be there before the log says more than the state is.
    this.#stages.flushed(() => {
      if (!isToVote()) return;
      this.raiseLog(target, () => {
        if (!isToVote()) return;
        this.#stages.startVoting(stableInLog(this.#o));
      });
    });
  }

  /** Sees to it that the log says that the target is stable, durably, and calls back later. */
  raiseLog(target: CheckpointCertificate, done: () => void): void {
    const { store, codec } = this.#o;
    const { host } = this.#stages;
    // What the votes have come to leads on from the target.
    if (host !== undefined && host.executed >= target.seq) return done();
    if (host !== undefined) this.#stages.endHost();
    // The log starts from genesis without saying so, and nothing in it is below.
    if (target.seq > 0 && (stableInLog(this.#o)?.seq ?? 0) <= target.seq) raiseLog(store, codec, target);
    this.#stages.flushed(done);
  }
}

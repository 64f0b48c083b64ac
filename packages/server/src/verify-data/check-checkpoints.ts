import type { Digest, VerifiedCheckpointCertificate } from "@quorate/protocol";
import type { OwnCheckpoint } from "@quorate/state-machine";
import { stableNumber } from "./check-log.ts";
import type { Looked, Report } from "./data-check.ts";

/** What checkpoints are compared with. */
export interface CheckpointFacts {
  /** K of the epoch. */
  readonly checkpointInterval: number;
  readonly stable: VerifiedCheckpointCertificate | undefined;
  readonly executed: number;
  readonly stateRoot: Digest | undefined;
}

/** The certificate itself was verified with the log; this is what follows from it (protocol rule 9.1). */
export function checkStable({ stable, executed, stateRoot }: CheckpointFacts, report: Report): Looked<undefined> {
  const seq = stableNumber(stable);
  if (executed < seq) report(`expected a state at or behind number ${seq}, found one after ${executed}`);
  if (stable !== undefined && executed === seq && stateRoot !== stable.stateRoot)
    report(`expected the state root ${stable.stateRoot}, which a quorum signed, found ${stateRoot}`);
  const signers = stable?.signatures.map(({ from }) => from).join(", ");
  return {
    found: stable === undefined ? "that of genesis" : `number ${seq}, signed by replicas ${signers}`,
    value: undefined,
  };
}

/** The replica votes for its last own checkpoint again after a restart, and must say the same (protocol rule 8.2). */
export function checkOwn(
  { checkpointInterval, stable, executed, stateRoot }: CheckpointFacts,
  own: OwnCheckpoint | undefined,
  report: Report,
): Looked<undefined> {
  if (own === undefined) return { found: "none yet", value: undefined };
  const { seq, stateRoot: root } = own;
  const due = executed - (executed % checkpointInterval);
  // Multiples of K always are, and others may have been ordered since.
  const least = Math.max(due, stableNumber(stable));
  if (seq < least || seq > executed) report(`expected one from number ${least} to ${executed}, found that of ${seq}`);
  if (seq === executed && root !== stateRoot) report(`number ${seq} has the state root ${stateRoot}, it says ${root}`);
  if (stable?.seq === seq && stable.stateRoot !== root)
    report(`a quorum signed the state root ${stable.stateRoot} for number ${seq}, it says ${root}`);
  return { found: seq === 0 ? "that of genesis" : `number ${seq}, root ${root.slice(0, 16)}`, value: undefined };
}

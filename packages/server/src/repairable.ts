import { InvariantViolation } from "@quorate/protocol";
import { StateError } from "@quorate/state-machine";
import { StateDamage } from "@quorate/state-tree";

/** The state is damaged or, in a restored cluster, not there yet, or a crash left it below what the log calls stable. */
export function isRepairable(error: unknown): error is Error {
  if (error instanceof StateDamage) return true;
  if (error instanceof StateError) return error.code === "state.damaged" || error.code === "state.missing";
  return isBelowStable(error);
}

/** In a restored cluster a replica may have no state yet. */
export function isMissing(error: unknown): boolean {
  return error instanceof StateError && error.code === "state.missing";
}

export function isBelowStable(error: unknown): boolean {
  return error instanceof InvariantViolation && error.code === "recovery.state-below-stable";
}

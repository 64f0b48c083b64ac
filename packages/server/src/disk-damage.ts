import { InvariantViolation } from "@quorate/protocol";
import { StateError } from "@quorate/state-machine";
import { StateDamage } from "@quorate/state-tree";
import { StorageError } from "@quorate/storage";
import { ConfigurationError } from "./configuration-error.ts";
import { RecoveryError } from "./disk-recovery.ts";
import { EpochDamage } from "./epoch-records.ts";

/** A record that breaks an invariant as it is read is not what this program wrote. */
const KINDS = [
  ConfigurationError,
  StorageError,
  RecoveryError,
  StateError,
  StateDamage,
  EpochDamage,
  InvariantViolation,
];

/** Whether an error that came up while a folder was read speaks of what is in it, and not of the program. */
export function isOfTheDisk(error: unknown): error is Error {
  return KINDS.some((kind) => error instanceof kind);
}

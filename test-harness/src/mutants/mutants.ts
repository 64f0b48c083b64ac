import { AUDIT_MUTANTS } from "./audit.ts";
import { BACKUP_MUTANTS } from "./backups.ts";
import { CHECKPOINT_MUTANTS } from "./checkpoints.ts";
import { DOOR_MUTANTS } from "./doors.ts";
import { DURABILITY_MUTANTS } from "./durability.ts";
import { EPOCH_MUTANTS } from "./epochs.ts";
import { EXECUTION_MUTANTS } from "./execution.ts";
import { FOLLOWING_MUTANTS } from "./following.ts";
import { FOUNDATION_MUTANTS } from "./foundations.ts";
import { LOST_DISK_MUTANTS } from "./lost-disks.ts";
import type { Mutant } from "./mutant.ts";
import { OBSERVER_MUTANTS } from "./observers.ts";
import { ORDERING_MUTANTS } from "./ordering.ts";
import { ORDER_MUTANTS } from "./orders.ts";
import { READ_MUTANTS } from "./reads.ts";
import { RECOVERED_MUTANTS } from "./recovered.ts";
import { REPLICA_MUTANTS } from "./replicas.ts";
import { STATE_MUTANTS } from "./state.ts";
import { TURN_MUTANTS } from "./turns.ts";
import { VIEW_MUTANTS } from "./views.ts";

/** All planted bugs. Each was caught by what was there before it, or is proven to change nothing. */
export const MUTANTS: readonly Mutant[] = [
  ...FOUNDATION_MUTANTS,
  ...ORDERING_MUTANTS,
  ...REPLICA_MUTANTS,
  ...EXECUTION_MUTANTS,
  ...VIEW_MUTANTS,
  ...RECOVERED_MUTANTS,
  ...DURABILITY_MUTANTS,
  ...DOOR_MUTANTS,
  ...LOST_DISK_MUTANTS,
  ...TURN_MUTANTS,
  ...CHECKPOINT_MUTANTS,
  ...STATE_MUTANTS,
  ...BACKUP_MUTANTS,
  ...AUDIT_MUTANTS,
  ...EPOCH_MUTANTS,
  ...OBSERVER_MUTANTS,
  ...FOLLOWING_MUTANTS,
  ...ORDER_MUTANTS,
  ...READ_MUTANTS,
];

import type { VirtualClock } from "./virtual-clock.ts";

/** Keys of admins that a run has, in force or not. */
export const ADMIN_KEYS = 5;
/** Clients that do nothing, and are only admitted and expelled. */
export const STRANGERS = 3;

/**
 * What is wrong with how a change is ordered: it names another epoch, a nonce that was used before, is signed by one admin too few, or
 * by a key that is no admin's (any more).
 */
export type ChangeFlaw = "other-epoch" | "used-nonce" | "too-few" | "foreign";

/** A replica that is no member of genesis: from then on it follows the cluster as an observer. */
export interface PlannedJoiner {
  readonly atMs: number;
}

/** Its claim is of no checkpoint of late, or its id, key or address is that of a member of genesis. */
export type JoinFault = "behind" | "used-id" | "used-key" | "used-address";

/** What it is about; replicas and strangers by their number. */
export type PlannedChangeKind =
  /** K and L of the next epoch; L at most that of genesis. */
  | { readonly type: "parameters"; readonly checkpointInterval: number; readonly windowSize: number }
  /** Keys by their number, below `ADMIN_KEYS`. */
  | { readonly type: "admins"; readonly threshold: number; readonly keys: readonly number[] }
  | { readonly type: "admit" | "expel"; readonly stranger: number }
  /** What is wrong with it may be the joiner's claim, or what it asks for. */
  | { readonly type: "join"; readonly replica: number; readonly fault?: JoinFault }
  | {
      readonly type: "leave";
      readonly replica: number;
      readonly mayLowerFaultThreshold: boolean;
      readonly isBySelf?: boolean;
    }
  | { readonly type: "rotate-key"; readonly replica: number; readonly isUsed?: boolean }
  /** Of the loss of a disk that it has noted, or of one that nobody knows of. */
  | { readonly type: "rejoin"; readonly replica: number; readonly isBySelf?: boolean };

/** A reconfiguration that the admin of a run orders, and how. */
export type PlannedChange = PlannedChangeKind & { readonly atMs: number; readonly flaw?: ChangeFlaw };

/** Nothing is changed, and nobody joins. */
export const NO_CHANGES = { changes: [], joiners: [], areClientsListed: false } as const;

/** Whoever orders them. */
export interface ChangeOrderer {
  order(change: PlannedChange): void;
}

/** Each is ordered when its time has come, and signed for the epoch that is known then. */
export function planChanges(
  changes: readonly PlannedChange[],
  admin: ChangeOrderer | undefined,
  clock: VirtualClock,
): void {
  for (const change of changes) clock.after(change.atMs, () => admin?.order(change));
}

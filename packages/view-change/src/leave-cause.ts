/** Why a replica leaves a view: for logs and metrics, and for what is expected of the next primary. */
export type LeaveCause =
  /** The oldest of what waits has waited for the time-out (protocol rule 7.4). */
  | "time-out"
  /** Judged: everyone's requests wait for longer than they need to. */
  | "slow"
  /** Judged: one client's requests do, while those of others are served. */
  | "unfair"
  /** Others have left it, f+1 of them: one of them is correct. */
  | "joined"
  /** A later view has begun without it. */
  | "followed"
  /** The view moved to did not begin in time. */
  | "no-new-view"
  /** The primary of the view moved to has lied about it. */
  | "false-new-view";

/** Every cause, for those who count them. */
export const LEAVE_CAUSES: readonly LeaveCause[] = [
  "time-out",
  "slow",
  "unfair",
  "joined",
  "followed",
  "no-new-view",
  "false-new-view",
];

/** What `PrimaryJudge` finds. */
export type Verdict = Extract<LeaveCause, "slow" | "unfair">;

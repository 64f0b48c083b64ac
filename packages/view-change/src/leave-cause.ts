/** Why a view was left: only the first two count as its failure for the time-out. */
export type LeaveCause =
  /** Its time-out passed, or its NEW-VIEW was a lie. */
  | "failed"
  /** f+1 others had left it: one of them is correct. */
  | "joined"
  /** Judged: everyone's requests waited for longer than they needed to. */
  | "slow"
  /** Judged: one client's requests did, while those of others were served. */
  | "unfair"
  /** Its primary asked to be relieved. */
  | "handed-over"
  /** Its primary had had its turn. */
  | "rotated";

/** What `PrimaryJudge` finds. */
export type Verdict = Extract<LeaveCause, "slow" | "unfair">;

/** Whether the view was left because of what its primary did, or did not do. */
export function isFailure(cause: string): boolean {
  return cause === "failed" || cause === "joined" || isVerdict(cause);
}

/** Whether the view was left by judgement. */
export function isVerdict(cause: string): cause is Verdict {
  return cause === "slow" || cause === "unfair";
}

import { type Report, type Verdict, verdictOf } from "./report.ts";

/** How often minimums are tried before they count as missed. */
const ATTEMPTS_MAX = 3;

/**
 * Measures until the minimums are reached, at most `ATTEMPTS_MAX` times: whoever else uses a machine makes figures worse and
 * never better, so one run that reaches them shows what the program can do. What failed outright is not tried again. If no run
 * reaches them, one that nobody disturbed is a verdict, whoever disturbed the others.
 *
 * @param onMissed is told of each run that another one follows.
 * @returns the last report with the verdict on all.
 */
export async function measureUntilReached(
  measure: () => Promise<Report>,
  onMissed: (verdict: Verdict, report: Report) => void,
): Promise<{ readonly report: Report; readonly verdict: Verdict }> {
  let undisturbed: Verdict | undefined;
  for (let attempt = 1; ; attempt++) {
    const report = await measure();
    const verdict = verdictOf(report, true);
    if (!verdict.isSlow) return { report, verdict };
    if (verdict.exitCode === 1) undisturbed = verdict;
    if (attempt === ATTEMPTS_MAX) return { report, verdict: undisturbed ?? verdict };
    onMissed(verdict, report);
  }
}

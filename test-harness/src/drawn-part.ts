import type { SpaceTime } from "./space-time.ts";

/** As much of a run as can be read in one picture, in virtual milliseconds. */
const PART_MS = 200;
/** So much of it lies before what it is about. */
const BEFORE_MS = 140;

/** A stretch of a run, in virtual milliseconds. */
export interface Part {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What is asked for of it. */
interface AskedPart {
  readonly fromMs: number | undefined;
  readonly toMs: number | undefined;
}

/**
 * The part of a run to draw: what is asked for, or else the way to the first view that anyone enters, or, when nobody enters one,
 * the beginning. A whole run has thousands of arrows, of which nobody sees one.
 */
export function partOf(run: SpaceTime, { fromMs, toMs }: AskedPart): Part & { readonly reason: string } {
  if (fromMs !== undefined) return { fromMs, toMs: toMs ?? fromMs + PART_MS, reason: "as asked for" };
  if (toMs !== undefined) return { fromMs: 0, toMs, reason: "as asked for" };
  const entered = run.moments.find(({ kind }) => kind === "view");
  if (entered === undefined) return { fromMs: 0, toMs: PART_MS, reason: "the beginning" };
  const start = Math.max(0, Math.floor(entered.atMs) - BEFORE_MS);
  return {
    fromMs: start,
    toMs: start + PART_MS,
    reason: `around the entrance of ${entered.end} into ${entered.label}`,
  };
}

/** What is wrong with the wall clock of one replica. */
export type ClockFault = { readonly replica: number } & (
  | /** It is wrong by so much, either way. */ { readonly type: "offset"; readonly ms: number }
  /** It is right and wrong in turn. */
  | { readonly type: "strobe"; readonly ms: number; readonly eachMs: number }
  /** It was ahead by so much, and is set back at a time; a restart in between starts from the wall again. */
  | { readonly type: "set-back"; readonly ms: number; readonly atMs: number }
  /** It runs from there. */
  | { readonly type: "runs-from"; readonly epochMs: number }
);

export const HOUR_MS = 3_600_000;

/** 1970, 2106 (the end of 32 bits of seconds), as a wall clock would have it. */
export const EPOCH_1970_MS = 0;
export const EPOCH_2106_MS: number = 2 ** 32 * 1000;

/**
 * A wall clock.
 *
 * @param epochMs what a right clock says at virtual time 0.
 */
export function wallMs(fault: ClockFault | undefined, epochMs: number, nowMs: number): number {
  const right = epochMs + nowMs;
  switch (fault?.type) {
    case undefined:
      return right;
    case "offset":
      return right + fault.ms;
    case "strobe":
      return right + (Math.floor(nowMs / fault.eachMs) % 2 === 0 ? 0 : fault.ms);
    case "set-back":
      return nowMs < fault.atMs ? right + fault.ms : right;
    case "runs-from":
      return fault.epochMs + nowMs;
  }
}

/** For marks. */
export function kindOfClock(fault: ClockFault): string {
  switch (fault.type) {
    case "offset":
      return `${Math.abs(fault.ms) >= HOUR_MS ? "an hour" : "a second"} ${fault.ms > 0 ? "ahead" : "behind"}`;
    case "runs-from":
      return fault.epochMs === EPOCH_1970_MS ? "in 1970" : "in 2106";
    case "strobe":
      return "strobes";
    case "set-back":
      return "set back";
  }
}

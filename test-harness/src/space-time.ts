/** What an arrow of a picture stands for; each kind has its colour. */
export type ArrowKind =
  | "request"
  | "pre-prepare"
  | "prepare"
  | "commit"
  | "reply"
  | "hand-over"
  | "view-change"
  | "new-view"
  | "other";

/** A frame on its way; without `arrivedMs` it was lost. */
export interface Arrow {
  readonly from: string;
  readonly to: string;
  readonly kind: ArrowKind;
  readonly label: string;
  readonly sentMs: number;
  arrivedMs: number | undefined;
}

/** Something that happened at one end. */
export interface Moment {
  readonly end: string;
  readonly atMs: number;
  readonly kind: "down" | "up" | "view" | "executed";
  readonly label: string;
}

/** The most arrows and moments that one picture takes; what comes later is left out. */
const RECORDED_MAX = 200_000;

/** Everything of a run that a space-time diagram shows, in the order of time. */
export class SpaceTime {
  readonly arrows: Arrow[] = [];
  readonly moments: Moment[] = [];

  /** A frame leaves. Call `arrived` on what is returned when it arrives. */
  sent(from: string, to: string, type: string, label: string, sentMs: number): Arrow {
    const arrow: Arrow = { from, to, kind: kindOf(type), label, sentMs, arrivedMs: undefined };
    if (this.arrows.length < RECORDED_MAX) this.arrows.push(arrow);
    return arrow;
  }

  happened(moment: Moment): void {
    if (this.moments.length < RECORDED_MAX) this.moments.push(moment);
  }
}

const KINDS: ReadonlySet<string> = new Set<ArrowKind>([
  "request",
  "pre-prepare",
  "prepare",
  "commit",
  "reply",
  "hand-over",
  "view-change",
  "new-view",
]);

function kindOf(type: string): ArrowKind {
  return KINDS.has(type) ? (type as ArrowKind) : "other";
}

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
  readonly kind: "down" | "up" | "view" | "executed" | "disk";
  readonly label: string;
}

/** What may be wrong with one end for a while; each kind has its colour. */
export type SpanKind = "down" | "paused" | "cut" | "disk" | "mute";

/** A stretch of one end's time; without `toMs` it lasts to the end of the run. */
export interface Span {
  readonly end: string;
  readonly kind: SpanKind;
  readonly label: string;
  readonly fromMs: number;
  toMs: number | undefined;
}

/** The most arrows, moments and spans that one picture takes; what comes later is left out. */
const RECORDED_MAX = 200_000;

/** Everything of a run that a space-time diagram shows, in the order of time. */
export class SpaceTime {
  readonly arrows: Arrow[] = [];
  readonly moments: Moment[] = [];
  readonly spans: Span[] = [];

  /** A frame leaves. Call `arrived` on what is returned when it arrives. */
  sent(from: string, to: string, type: string, label: string, sentMs: number): Arrow {
    const arrow: Arrow = { from, to, kind: kindOf(type), label, sentMs, arrivedMs: undefined };
    if (this.arrows.length < RECORDED_MAX) this.arrows.push(arrow);
    return arrow;
  }

  happened(moment: Moment): void {
    if (this.moments.length < RECORDED_MAX) this.moments.push(moment);
  }

  /** Something is wrong at an end from now on. Set `toMs` of what is returned when it is over. */
  began(end: string, kind: SpanKind, label: string, fromMs: number): Span {
    const span: Span = { end, kind, label, fromMs, toMs: undefined };
    if (this.spans.length < RECORDED_MAX) this.spans.push(span);
    return span;
  }

  /** All of one end, or of all ends, that is of this kind and not over yet is over now. */
  ended(kind: SpanKind, atMs: number, end?: string): void {
    for (const span of this.spans)
      if (span.kind === kind && (end === undefined || span.end === end)) span.toMs ??= atMs;
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

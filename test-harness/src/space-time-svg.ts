import type { Arrow, ArrowKind, Moment, SpaceTime, Span, SpanKind } from "./space-time.ts";

/** Which part of a run is drawn, and who has a line in it. */
export interface SvgOptions {
  readonly title: string;
  /** From top to bottom: `c0`, `r0`, … */
  readonly ends: readonly string[];
  /** What is said under the name of an end: how a Byzantine one lies. */
  readonly notes?: ReadonlyMap<string, string>;
  /** When the run failed, if it did, in virtual milliseconds. */
  readonly failedMs?: number | undefined;
  readonly fromMs: number;
  readonly toMs: number;
  /** Status messages, checkpoints and what fills gaps are left out unless this is set. */
  readonly isComplete?: boolean;
}

const COLOURS: Readonly<Record<ArrowKind, string>> = {
  request: "#555555",
  "pre-prepare": "#1f6fb4",
  prepare: "#2e8b57",
  commit: "#c2571a",
  reply: "#888888",
  "hand-over": "#d4a017",
  "view-change": "#b01e3c",
  "new-view": "#7a1fa2",
  other: "#c8c8c8",
};
const NAMES: Readonly<Record<ArrowKind, string>> = {
  request: "request",
  "pre-prepare": "PRE-PREPARE",
  prepare: "PREPARE",
  commit: "COMMIT",
  reply: "reply",
  "hand-over": "HAND-OVER",
  "view-change": "VIEW-CHANGE",
  "new-view": "NEW-VIEW",
  other: "other",
};
const SPAN_COLOURS: Readonly<Record<SpanKind, string>> = {
  down: "#555555",
  paused: "#d4a017",
  cut: "#b01e3c",
  disk: "#c2571a",
  mute: "#7a1fa2",
};
const SPAN_NAMES: Readonly<Record<SpanKind, string>> = {
  down: "has no power",
  paused: "stands still",
  cut: "links cut",
  disk: "bad disk",
  mute: "mute",
};
const MOMENT_SIGNS: Readonly<Record<Moment["kind"], string>> = {
  executed: "● executes a batch",
  view: "▮ enters a view",
  down: "✕ loses power",
  up: "○ comes up",
  disk: "▲ loses its disk, or finds it damaged",
};
const LEFT = 60;
const TOP = 92;
const LANE = 62;
const SPAN_HEIGHT = 22;
/** So many labels of spans that overlap have rows of their own. */
const SPAN_ROWS = 2;
const LEGEND_STEP = 130;
const WIDTH = 1_400;
/** How much of a lost frame's way is drawn. */
const LOST_PART = 0.4;
const LOST_MS = 4;

/** The space-time diagram of a part of a run: a line for each end, time from left to right, an arrow for each frame. */
export function spaceTimeSvg(run: SpaceTime, options: SvgOptions): string {
  const { ends, fromMs, toMs, title, notes, failedMs, isComplete = false } = options;
  const lanes = new Map(ends.map((end, i) => [end, TOP + i * LANE]));
  const x = (ms: number): number => LEFT + ((ms - fromMs) / (toMs - fromMs)) * WIDTH;
  const isIn = (ms: number): boolean => ms >= fromMs && ms <= toMs;
  const arrows = run.arrows.filter(
    ({ from, to, kind, sentMs }) =>
      lanes.has(from) && lanes.has(to) && isIn(sentMs) && (isComplete || kind !== "other"),
  );
  const moments = run.moments.filter(({ end, atMs }) => lanes.has(end) && isIn(atMs));
  const spans = run.spans.filter(
    ({ end, fromMs: from, toMs: to = Number.POSITIVE_INFINITY }) => lanes.has(end) && from <= toMs && to >= fromMs,
  );
  const height = TOP + ends.length * LANE + 40;
  const shown = [...new Set(arrows.map(({ kind }) => kind))];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${LEFT + WIDTH + 30} ${height}" font-family="sans-serif" font-size="11">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    `<text x="${LEFT}" y="20" font-size="15">${escaped(title)}</text>`,
    ...legend(shown),
    ...signs(moments, spans),
    ...markers(shown),
    ...axis(fromMs, toMs, x, height),
    ...spans.map((span) => bandOf(span, lanes, x, { fromMs, toMs })),
    ...[...lanes].map(([end, y]) => lane(end, y)),
    ...arrows.map((arrow) => arrowOf(arrow, lanes, x, toMs)),
    // Words last, and with a rim, for among many arrows nobody could read them.
    `<g paint-order="stroke" stroke="white" stroke-width="3" stroke-linejoin="round">`,
    ...moments.map((moment) => momentAt(moment, lanes, x)),
    ...spans.map((span, i) => wordsOf(span, rowOf(spans, i), lanes, x(Math.max(span.fromMs, fromMs)))),
    ...[...lanes].flatMap(([end, y]) => noteUnder(notes?.get(end), y)),
    "</g>",
    ...(failedMs !== undefined && isIn(failedMs) ? [failureAt(x(failedMs), height)] : []),
    "</svg>",
    "",
  ].join("\n");
}

function legend(kinds: readonly ArrowKind[]): string[] {
  return kinds.map(
    (kind, i) =>
      `<text x="${LEFT + i * LEGEND_STEP}" y="42" fill="${COLOURS[kind]}" font-weight="bold">→ ${escaped(NAMES[kind])}</text>`,
  );
}

function markers(kinds: readonly ArrowKind[]): string[] {
  return kinds.map(
    (kind) =>
      `<marker id="${kind}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="${COLOURS[kind]}"/></marker>`,
  );
}

/** The second line of the legend: the signs of moments and the colours of spans that are there. */
function signs(moments: readonly Moment[], spans: readonly Span[]): string[] {
  const kinds = new Set(moments.map(({ kind }) => kind));
  const signed = Object.entries(MOMENT_SIGNS).flatMap(([kind, text]) =>
    kinds.has(kind as Moment["kind"]) ? [`<tspan>${text}</tspan>`] : [],
  );
  const spanKinds = [...new Set(spans.map(({ kind }) => kind))];
  const coloured = spanKinds.map((kind) => `<tspan fill="${SPAN_COLOURS[kind]}">■ ${SPAN_NAMES[kind]}</tspan>`);
  return [`<text x="${LEFT}" y="60" xml:space="preserve">${[...signed, ...coloured].join("      ")}</text>`];
}

function lane(end: string, y: number): string {
  const name = end.startsWith("c") ? `client ${end.slice(1)}` : `replica ${end.slice(1)}`;
  return `<text x="4" y="${y + 4}">${name}</text><line x1="${LEFT}" y1="${y}" x2="${LEFT + WIDTH}" y2="${y}" stroke="#999999"/>`;
}

function noteUnder(note: string | undefined, y: number): string[] {
  return note === undefined ? [] : [`<text x="4" y="${y + 17}" font-size="9" fill="#b01e3c">${escaped(note)}</text>`];
}

/** Which row the label of a span stands in, so that it does not stand on that of the one before at the same end. */
function rowOf(spans: readonly Span[], at: number): number {
  const end = spans[at]?.end;
  return spans.slice(0, at).filter((span) => span.end === end).length % SPAN_ROWS;
}

function bandOf(
  { end, kind, label, fromMs, toMs }: Span,
  lanes: ReadonlyMap<string, number>,
  x: (ms: number) => number,
  part: { readonly fromMs: number; readonly toMs: number },
): string {
  const y = lanes.get(end) ?? 0;
  const [left, right] = [x(Math.max(fromMs, part.fromMs)), x(Math.min(toMs ?? part.toMs, part.toMs))];
  const until = toMs === undefined ? "the end" : `${toMs.toFixed(2)} ms`;
  const title = `<title>${escaped(`${end} ${label}, from ${fromMs.toFixed(2)} ms to ${until}`)}</title>`;
  const box = `<rect x="${left.toFixed(1)}" y="${y - SPAN_HEIGHT / 2}" width="${Math.max(right - left, 1).toFixed(1)}" height="${SPAN_HEIGHT}" fill="${SPAN_COLOURS[kind]}" fill-opacity="0.2"/>`;
  return `<g>${title}${box}</g>`;
}

function wordsOf({ end, kind, label }: Span, row: number, lanes: ReadonlyMap<string, number>, left: number): string {
  const y = (lanes.get(end) ?? 0) - SPAN_HEIGHT / 2 - 3 - row * 10;
  return `<text x="${(left + 3).toFixed(1)}" y="${y}" font-size="9" fill="${SPAN_COLOURS[kind]}">${escaped(label)}</text>`;
}

function failureAt(x: number, height: number): string {
  const at = x.toFixed(1);
  return `<g><line x1="${at}" y1="${TOP - 20}" x2="${at}" y2="${height - 24}" stroke="#b01e3c" stroke-width="2"/><text x="${at}" y="${TOP - 22}" fill="#b01e3c" text-anchor="end">fails here</text></g>`;
}

function axis(fromMs: number, toMs: number, x: (ms: number) => number, height: number): string[] {
  const step = niceStep((toMs - fromMs) / 12);
  const ticks: string[] = [];
  for (let ms = Math.ceil(fromMs / step) * step; ms <= toMs; ms += step)
    ticks.push(
      `<text x="${x(ms).toFixed(1)}" y="${height - 10}" fill="#777777" text-anchor="middle">${ms} ms</text>`,
      `<line x1="${x(ms).toFixed(1)}" y1="${TOP - 8}" x2="${x(ms).toFixed(1)}" y2="${height - 24}" stroke="#eeeeee"/>`,
    );
  return ticks;
}

/** 1, 2 or 5 times a power of ten, at least `least`. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 0.001)));
  return ([1, 2, 5].find((factor) => factor * power >= least) ?? 10) * power;
}

function momentAt(
  { end, atMs, kind, label }: Moment,
  lanes: ReadonlyMap<string, number>,
  x: (ms: number) => number,
): string {
  const y = lanes.get(end) ?? 0;
  const at = x(atMs).toFixed(1);
  const title = `<title>${escaped(`${end} ${label} at ${atMs.toFixed(2)} ms`)}</title>`;
  switch (kind) {
    case "down":
      return `<g>${title}<text x="${at}" y="${y + 5}" fill="#b01e3c" font-size="16" font-weight="bold">✕</text></g>`;
    case "disk":
      return `<g>${title}<text x="${at}" y="${y + 20}" fill="#c2571a" font-size="12" text-anchor="middle">▲ ${escaped(label)}</text></g>`;
    case "up":
      return `<g>${title}<circle cx="${at}" cy="${y}" r="5" fill="white" stroke="#2e8b57" stroke-width="2"/></g>`;
    case "view":
      return `<g>${title}<rect x="${at}" y="${y - 16}" width="3" height="32" fill="#7a1fa2" stroke="none"/><text x="${at}" y="${y + 26}" fill="#7a1fa2">${escaped(label)}</text></g>`;
    case "executed":
      return `<g>${title}<circle cx="${at}" cy="${y}" r="4" fill="black" stroke="none"/></g>`;
  }
}

function arrowOf(
  { from, to, kind, label, sentMs, arrivedMs }: Arrow,
  lanes: ReadonlyMap<string, number>,
  x: (ms: number) => number,
  edgeMs: number,
): string {
  const [y1, y2] = [lanes.get(from) ?? 0, lanes.get(to) ?? 0];
  const isLost = arrivedMs === undefined;
  const endMs = arrivedMs ?? sentMs + LOST_MS;
  // What arrives after the end of the picture leaves it on the way.
  const shownMs = Math.min(endMs, edgeMs);
  const way = endMs > shownMs ? (shownMs - sentMs) / (endMs - sentMs) : 1;
  const endY = y1 + (y2 - y1) * (isLost ? LOST_PART : 1) * way;
  const title = `<title>${escaped(`${from} → ${to}: ${label}${isLost ? ", lost" : ""}`)}</title>`;
  const head = way < 1 ? "" : ` marker-end="url(#${kind})"`;
  const style = isLost ? ' stroke-dasharray="3 3"' : head;
  const [x1, x2] = [x(sentMs).toFixed(1), x(shownMs).toFixed(1)];
  return `<g>${title}<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${endY.toFixed(1)}" stroke="${COLOURS[kind]}"${style}/></g>`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

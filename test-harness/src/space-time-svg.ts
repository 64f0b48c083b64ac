import type { Arrow, ArrowKind, Moment, SpaceTime } from "./space-time.ts";

/** Which part of a run is drawn, and who has a line in it. */
export interface SvgOptions {
  readonly title: string;
  /** From top to bottom: `c0`, `r0`, … */
  readonly ends: readonly string[];
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
const LEFT = 60;
const TOP = 64;
const LANE = 56;
const WIDTH = 1_400;
/** How much of a lost frame's way is drawn. */
const LOST_PART = 0.4;
const LOST_MS = 4;

/** The space-time diagram of a part of a run: a line for each end, time from left to right, an arrow for each frame. */
export function spaceTimeSvg(run: SpaceTime, options: SvgOptions): string {
  const { ends, fromMs, toMs, title, isComplete = false } = options;
  const lanes = new Map(ends.map((end, i) => [end, TOP + i * LANE]));
  const x = (ms: number): number => LEFT + ((ms - fromMs) / (toMs - fromMs)) * WIDTH;
  const isIn = (ms: number): boolean => ms >= fromMs && ms <= toMs;
  const arrows = run.arrows.filter(
    ({ from, to, kind, sentMs }) =>
      lanes.has(from) && lanes.has(to) && isIn(sentMs) && (isComplete || kind !== "other"),
  );
  const height = TOP + ends.length * LANE + 40;
  const shown = [...new Set(arrows.map(({ kind }) => kind))];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${LEFT + WIDTH + 30} ${height}" font-family="sans-serif" font-size="11">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    `<text x="${LEFT}" y="20" font-size="15">${escaped(title)}</text>`,
    ...legend(shown),
    ...markers(shown),
    ...[...lanes].map(([end, y]) => lane(end, y)),
    ...axis(fromMs, toMs, x, height),
    ...run.moments.filter(({ end, atMs }) => lanes.has(end) && isIn(atMs)).map((moment) => momentAt(moment, lanes, x)),
    ...arrows.map((arrow) => arrowOf(arrow, lanes, x, toMs)),
    "</svg>",
    "",
  ].join("\n");
}

function legend(kinds: readonly ArrowKind[]): string[] {
  return kinds.map(
    (kind, i) =>
      `<text x="${LEFT + i * 120}" y="42" fill="${COLOURS[kind]}" font-weight="bold">→ ${escaped(NAMES[kind])}</text>`,
  );
}

function markers(kinds: readonly ArrowKind[]): string[] {
  return kinds.map(
    (kind) =>
      `<marker id="${kind}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="${COLOURS[kind]}"/></marker>`,
  );
}

function lane(end: string, y: number): string {
  const name = end.startsWith("c") ? `client ${end.slice(1)}` : `replica ${end.slice(1)}`;
  return `<text x="4" y="${y + 4}">${name}</text><line x1="${LEFT}" y1="${y}" x2="${LEFT + WIDTH}" y2="${y}" stroke="#999999"/>`;
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
    case "up":
      return `<g>${title}<circle cx="${at}" cy="${y}" r="5" fill="white" stroke="#2e8b57" stroke-width="2"/></g>`;
    case "view":
      return `<g>${title}<rect x="${at}" y="${y - 16}" width="3" height="32" fill="#7a1fa2"/><text x="${at}" y="${y + 26}" fill="#7a1fa2">${escaped(label)}</text></g>`;
    case "executed":
      return `<g>${title}<circle cx="${at}" cy="${y}" r="4" fill="black"/></g>`;
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

/** One line of values. */
export interface ParsedSample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface ParsedFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly ParsedSample[];
}

const HELP = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (\S.*)$/;
const TYPE = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge)$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.+)\})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(?:,|$)/;

/**
 * Reads the text format of Prometheus and throws at what its own tools could not read: a family in two places, TYPE
 * missing, a label twice, a series twice, a value that is no number. What they would complain about is for `lintOf`.
 */
export function parseExposition(text: string): ParsedFamily[] {
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  const lines = text.slice(0, -1).split("\n");
  const families: ParsedFamily[] = [];
  for (let at = 0; at < lines.length; ) {
    const [, helped, help = ""] = HELP.exec(lines[at] ?? "") ?? [];
    const first = helped === undefined ? at : at + 1;
    const [, name = "", type = ""] = TYPE.exec(lines[first] ?? "") ?? fail("a TYPE line", lines[first]);
    if (helped !== undefined && helped !== name) fail(`the type of ${helped}`, name);
    if (families.some((family) => family.name === name)) fail("one place for a family", name);
    const after = lines.findIndex((line, i) => i > first && line.startsWith("#"));
    const end = after === -1 ? lines.length : after;
    families.push({ name, type, help, samples: parseSamples(lines.slice(first + 1, end), name, type) });
    at = end;
  }
  return families;
}

function parseSamples(lines: readonly string[], name: string, type: string): ParsedSample[] {
  const series = new Set<string>();
  return lines.map((line) => {
    const [, sampled, labelText = "", value] = SAMPLE.exec(line) ?? fail("a sample", line);
    if (sampled !== name) fail(`a sample of ${name}`, sampled);
    if (series.has(labelText)) fail("a series once", line);
    series.add(labelText);
    if (type === "counter" && Number(value) < 0) fail("a counter that is not negative", line);
    return { labels: parseLabels(labelText), value: Number(value) };
  });
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (let rest = text; rest !== ""; ) {
    const [whole, name = "", value = ""] = LABEL.exec(rest) ?? fail("a label", rest);
    if (name in labels) fail("a label once", text);
    labels[name] = value.replaceAll(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped));
    rest = rest.slice(whole.length);
  }
  return labels;
}

function fail(expected: string, got: unknown): never {
  throw new Error(`expected ${expected}, got ${JSON.stringify(got)}`);
}

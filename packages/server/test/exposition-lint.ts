import type { ParsedFamily } from "./strict-exposition.ts";

/** A rule of `promtool check metrics`, with a metric that breaks it. */
export interface LintRule {
  readonly rule: string;
  readonly isBroken: (family: ParsedFamily) => boolean;
  /** An exposition that breaks this rule. */
  readonly example: string;
}

/** Units that are not the base ones of Prometheus, which are seconds, bytes and the like. */
const UNITS =
  "milliseconds|microseconds|nanoseconds|minutes|hours|days|weeks|kilobytes|megabytes|gigabytes|terabytes|kibibytes|mebibytes|gibibytes|bits|percent";
const ABBREVIATIONS = "s|ms|us|ns|sec|b|kb|mb|gb|tb|pb|m|h|d";
/** The kinds of metrics, which a name does not tell. */
const TYPES = "counter|gauge|histogram|summary";

const word = (words: string, name: string): boolean => new RegExp(`(^|_)(${words})(_|$)`).test(name);
const example = (name: string, type: string, sample = `${name} 1`): string =>
  `# HELP ${name} Help.\n# TYPE ${name} ${type}\n${sample}\n`;

/** What promtool's linter complains about, as far as gauges and counters go. */
export const LINT_RULES: readonly LintRule[] = [
  {
    rule: "no help text",
    isBroken: ({ help }) => help.trim() === "",
    example: "# TYPE x_things gauge\nx_things 1\n",
  },
  {
    rule: 'counter metrics should have "_total" suffix',
    isBroken: ({ name, type }) => type === "counter" && !name.endsWith("_total"),
    example: example("x_things", "counter"),
  },
  {
    rule: 'non-counter metrics should not have "_total" suffix',
    isBroken: ({ name, type }) => type !== "counter" && name.endsWith("_total"),
    example: example("x_things_total", "gauge"),
  },
  {
    rule: "suffixes of histograms and summaries are reserved",
    isBroken: ({ name }) => /_(bucket|count|sum)$/.test(name),
    example: example("x_things_count", "gauge"),
  },
  {
    rule: "labels of histograms and summaries are reserved",
    isBroken: ({ samples }) => samples.some(({ labels }) => "le" in labels || "quantile" in labels),
    example: example("x_things", "gauge", 'x_things{le="1"} 1'),
  },
  {
    rule: "metric names should not contain their type",
    isBroken: ({ name }) => word(TYPES, name),
    example: example("x_things_gauge", "gauge"),
  },
  {
    rule: 'metric names should not contain ":"',
    isBroken: ({ name }) => name.includes(":"),
    example: example("x:things", "gauge"),
  },
  {
    rule: "metric names should be written in snake_case",
    isBroken: ({ name }) => /[a-z][A-Z]/.test(name),
    example: example("x_someThings", "gauge"),
  },
  {
    rule: "label names should be written in snake_case",
    isBroken: ({ samples }) =>
      samples.some(({ labels }) => Object.keys(labels).some((name) => /[a-z][A-Z]/.test(name))),
    example: example("x_things", "gauge", 'x_things{someLabel="1"} 1'),
  },
  {
    rule: "use base unit",
    isBroken: ({ name }) => word(UNITS, name),
    example: example("x_wait_milliseconds", "gauge"),
  },
  {
    rule: "metric names should not contain abbreviated units",
    isBroken: ({ name }) => word(ABBREVIATIONS, name),
    example: example("x_wait_ms", "gauge"),
  },
];

/** What is wrong with the metrics: their names with the rule that each breaks. */
export function lintOf(families: readonly ParsedFamily[]): readonly string[] {
  return families.flatMap((family) =>
    LINT_RULES.filter(({ isBroken }) => isBroken(family)).map(({ rule }) => `${family.name}: ${rule}`),
  );
}

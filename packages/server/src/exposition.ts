/** One value of a metric. */
export interface MetricSample {
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
}

/** A metric with all of its values. Counters end in `_total`; units are seconds and bytes. */
export interface MetricFamily {
  readonly name: string;
  readonly type: "counter" | "gauge";
  /** One sentence for people. */
  readonly help: string;
  readonly samples: readonly MetricSample[];
}

/** What the format is called in an answer's `Content-Type`. */
export const EXPOSITION_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** The text exposition format of Prometheus, version 0.0.4. */
export function exposition(families: readonly MetricFamily[]): string {
  return families.map(familyText).join("");
}

function familyText({ name, type, help, samples }: MetricFamily): string {
  const lines = [`# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`, `# TYPE ${name} ${type}`];
  for (const { value, labels = {} } of samples) lines.push(`${name}${labelsText(labels)} ${value}`);
  return `${lines.join("\n")}\n`;
}

function labelsText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

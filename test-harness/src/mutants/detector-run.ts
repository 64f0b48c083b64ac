import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Detector } from "./mutant.ts";

/** What a detector says of the sources in a folder. */
export type Verdict =
  | { readonly type: "passed" }
  /** `by`: the first test that failed, the seed with its violation, or the time limit. */
  | { readonly type: "failed"; readonly by: string }
  /** It could not judge: the sources do not load. */
  | { readonly type: "broken"; readonly output: string };

/** A line of the output of a detector that could not judge says why; the end of it is enough. */
const OUTPUT_CHARACTERS_MAX = 4_000;
const REPORT = "detector-report.json";
/** From the sources, without a build. */
const FROM_SOURCE = ["--import=tsx", "--conditions=source"];

/** How a detector is called in reports and on the command line. */
export function nameOfDetector(detector: Detector): string {
  return typeof detector === "string" ? detector : `seeds ${detector.seeds.join(", ")}`;
}

/** Runs one detector on the sources in `root`, to its first failure; a run beyond the limit has failed. */
export async function runDetector(root: string, detector: Detector, limitSeconds: number): Promise<Verdict> {
  const report = join(root, REPORT);
  rmSync(report, { force: true });
  const { code, output, isLate } = await runNode(root, argumentsFor(detector, report), limitSeconds);
  if (isLate) return { type: "failed", by: `${nameOfDetector(detector)}: did not end in ${limitSeconds} s` };
  if (typeof detector !== "string") return verdictOfSeeds(code, output);
  return verdictOfTests(detector, report, output);
}

function argumentsFor(detector: Detector, report: string): string[] {
  if (typeof detector !== "string")
    return [...FROM_SOURCE, "test-harness/bin/run-seeds.js", ...detector.seeds.map(String)];
  const reporter = ["--reporter", "json", "--reporter-option", `output=${report}`];
  return [...FROM_SOURCE, "node_modules/mocha/bin/mocha.js", "--bail", "--forbid-only", ...reporter, detector];
}

function verdictOfSeeds(code: number | null, output: string): Verdict {
  if (code === 0) return { type: "passed" };
  const failure = /^seed \d+ failed.*$/m.exec(output)?.[0];
  return failure === undefined ? { type: "broken", output } : { type: "failed", by: failure };
}

function verdictOfTests(file: string, report: string, output: string): Verdict {
  const stats = readReport(report);
  if (stats === undefined || stats.tests.length === 0) return { type: "broken", output };
  const [failure] = stats.failures;
  return failure === undefined ? { type: "passed" } : { type: "failed", by: `${file}: ${failure.fullTitle}` };
}

function readReport(file: string): { tests: readonly unknown[]; failures: { fullTitle: string }[] } | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

/** In a process group of its own, so that the limit ends its children too. */
function runNode(
  cwd: string,
  args: readonly string[],
  limitSeconds: number,
): Promise<{ code: number | null; output: string; isLate: boolean }> {
  return new Promise((resolve, reject) => {
    const { QUORATE_FULL: _, ...env } = process.env;
    const child = spawn(process.execPath, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    let output = "";
    let isLate = false;
    const hear = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-OUTPUT_CHARACTERS_MAX);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    const timer = setTimeout(() => {
      isLate = true;
      endGroup(child);
    }, limitSeconds * 1_000);
    const endWithUs = (): void => endGroup(child);
    process.once("exit", endWithUs);
    child.once("error", reject);
    child.once("close", (code) => {
      clearTimeout(timer);
      process.removeListener("exit", endWithUs);
      resolve({ code, output, isLate });
    });
  });
}

function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

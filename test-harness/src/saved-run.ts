import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodePlainValue, encodePlainValue } from "@quorate/codec";
import { encodeReplicaTrace } from "@quorate/server/host";
import { SimulationFailure } from "./failure.ts";
import type { SimulationOptions } from "./options.ts";
import { Simulation } from "./simulation.ts";

const FORMAT = "quorate-simulation/1";

/** A simulated run that failed: what it was, and what happened in it. */
export interface SavedRun {
  readonly format: typeof FORMAT;
  readonly options: SimulationOptions;
  /** The first line of the failure. */
  readonly failure: string;
  /** All of the trace: virtual milliseconds, then what happened. */
  readonly lines: readonly string[];
}

/** Runs what failed once more, keeping all of it, and writes it to files. */
export function saveRun(options: SimulationOptions, folder: string | undefined): readonly string[] {
  const lines: string[] = [];
  const failure = failureOf(options, lines);
  if (failure === undefined) return [];
  if (folder !== undefined) mkdirSync(folder, { recursive: true });
  const path = folder ?? mkdtempSync(join(tmpdir(), "quorate-simulation-"));
  const run: SavedRun = { format: FORMAT, options, failure: firstLineOf(failure), lines };
  const files: [name: string, bytes: Uint8Array][] = [[`seed-${options.seed}.cbor`, encodePlainValue(run)]];
  // A replica whose own code failed has a story of its own, event by event.
  const { replicaTrace } = failure;
  if (replicaTrace !== undefined)
    files.push([`seed-${options.seed}-replica-${replicaTrace.replica}.cbor`, encodeReplicaTrace(replicaTrace)]);
  return files.map(([name, bytes]) => {
    writeFileSync(join(path, name), bytes);
    return join(path, name);
  });
}

/** @returns undefined for what is no file of a simulated run. */
export function decodeSavedRun(bytes: Uint8Array): SavedRun | undefined {
  try {
    const value = decodePlainValue(bytes);
    const isOne = typeof value === "object" && value !== null && "format" in value && value.format === FORMAT;
    return isOne ? (value as SavedRun) : undefined;
  } catch {
    return undefined;
  }
}

/** What became of a run that was run again. */
export type RunReplay = {
  /** As they are now. */
  readonly lines: readonly string[];
} & (
  | { readonly type: "same-failure"; readonly message: string }
  /** It went another way than the saved one: the code is another. `at` is the first line that differs, from 0. */
  | { readonly type: "other"; readonly at: number; readonly now: string }
);

/** Runs a saved run again, whole. */
export function replayRun({ options, failure, lines: saved }: SavedRun): RunReplay {
  const lines: string[] = [];
  const again = failureOf(options, lines);
  const message = again === undefined ? "the run passes" : firstLineOf(again);
  const at = saved.findIndex((line, i) => line !== lines[i]);
  if (at >= 0 || lines.length !== saved.length || message !== failure)
    return { type: "other", lines, at: at >= 0 ? at : Math.min(saved.length, lines.length), now: message };
  return { type: "same-failure", lines, message };
}

function failureOf(options: SimulationOptions, lines: string[]): SimulationFailure | undefined {
  try {
    new Simulation(options, {}, undefined, lines).run();
    return undefined;
  } catch (error) {
    if (error instanceof SimulationFailure) return error;
    throw error;
  }
}

function firstLineOf({ message }: Error): string {
  return message.split("\n", 1)[0] ?? "";
}

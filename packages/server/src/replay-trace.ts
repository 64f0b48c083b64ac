import { createBatchComposer } from "@quorate/crypto";
import type { Hasher, Signer } from "@quorate/protocol";
import { describeStep, Replica } from "@quorate/replica";
import { replicaOptionsOf } from "./replica-setup.ts";
import type { ReplicaTrace } from "./replica-trace.ts";
import type { RecordedStep } from "./step-recorder.ts";

/** One step of a trace, told again. */
export interface ReplayedStep {
  /** From 1, with those that are not kept. */
  readonly number: number;
  /** Since the first step that is kept. */
  readonly afterMs: number;
  /** What the step did now; of a trace without its beginning, what it did then. */
  readonly line: string;
}

/** What became of a replay. */
export type ReplayOutcome =
  /** It broke in the same way, at the same step. */
  | { readonly type: "same-failure"; readonly message: string }
  /** Every step did what it had done; what failed stands outside of the replica's steps: a host, a disk. */
  | { readonly type: "failed-outside"; readonly message: string }
  /** A step did something else than it had done: the code is another, or it is not deterministic. */
  | { readonly type: "other"; readonly recorded: string; readonly now: string }
  /** The beginning is not kept, so nothing was run. */
  | { readonly type: "only-read"; readonly dropped: number };

/**
 * Runs the production `Replica` again over the events of a trace, and compares each step with what it did. Without a
 * beginning there is nothing to start from: then the steps are told as they were.
 *
 * @param signer of any key: a replica does what it does whatever its signatures are, and the file has no key.
 */
export function* replayTrace(
  trace: ReplicaTrace,
  { hasher, signer }: { readonly hasher: Hasher; readonly signer: Signer },
): Generator<ReplayedStep, ReplayOutcome> {
  const { start, dropped, steps, failure } = trace;
  const composer = createBatchComposer(hasher, trace.cluster);
  const options = replicaOptionsOf({ ...trace, hasher, signer, composer });
  const replica = start && new Replica(options, start.base, start.recovery);
  const firstMs = steps[0]?.atMs ?? 0;
  for (const [index, step] of steps.entries()) {
    const { line, thrown } = replica === undefined ? { line: step.line } : stepAgain(replica, step);
    yield { number: dropped + index + 1, afterMs: step.atMs - firstMs, line };
    if (line !== step.line) return { type: "other", recorded: step.line, now: thrown ?? line };
    if (thrown !== undefined)
      return thrown === failure.message
        ? { type: "same-failure", message: thrown }
        : { type: "other", recorded: failure.message, now: thrown };
  }
  if (replica === undefined) return { type: "only-read", dropped };
  return { type: "failed-outside", message: failure.message };
}

function stepAgain(replica: Replica, { event, atMs }: RecordedStep): { line: string; thrown?: string } {
  try {
    return { line: describeStep(event, replica.step(event, atMs)) };
  } catch (error) {
    return { line: describeStep(event, undefined), thrown: error instanceof Error ? error.message : String(error) };
  }
}

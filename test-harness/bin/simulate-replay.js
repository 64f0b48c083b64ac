/** Steps through the file of a replica or of a simulated run that failed: `npm run simulate -- --replay FILE`. */
import { readFileSync } from "node:fs";

/** @returns the exit code: 0 when it fails as it did, or can only be read, 1 when it does something else. */
export function replay(harness, file, { fromMs = 0, toMs = Number.POSITIVE_INFINITY }) {
  const bytes = readFileSync(file);
  const isShown = (ms) => ms >= fromMs && ms <= toMs;
  const run = harness.decodeSavedRun(bytes);
  return run === undefined ? replayReplica(harness, bytes, isShown) : replayWhole(harness, run, isShown);
}

/** A whole cluster in the simulator. */
function replayWhole(harness, run, isShown) {
  console.log(`seed ${run.options.seed}, ${run.lines.length} lines of a simulated cluster: ${run.failure}`);
  const again = harness.replayRun(run);
  for (const line of again.lines) if (isShown(Number.parseFloat(line))) console.log(line);
  if (again.type === "same-failure") {
    console.log(`\nfailed in the same way: ${again.message}`);
    return 0;
  }
  console.log(`\nthis is not the run that was saved: the code is another. It differs from line ${again.at + 1} on:`);
  console.log(`  saved  ${run.lines[again.at] ?? "(nothing)"}\n  now    ${again.lines[again.at] ?? "(nothing)"}`);
  console.log(`  saved  ${run.failure}\n  now    ${again.now}`);
  return 1;
}

/** One replica of any cluster. */
function replayReplica(harness, bytes, isShown) {
  const trace = harness.readReplicaTrace(bytes);
  console.log(`replica ${trace.replica} (${trace.madeBy}): ${trace.failure.message}`);
  if (trace.start === undefined)
    console.log(`the first ${trace.dropped} steps are not kept: these are told as they were, and not run again`);
  const steps = harness.replayReplicaTrace(trace);
  let next = steps.next();
  for (; next.done !== true; next = steps.next()) {
    const { number, afterMs, line } = next.value;
    if (isShown(afterMs)) console.log(`${number} +${afterMs.toFixed(0)} ms  ${line}`);
  }
  return tellOutcome(next.value, trace);
}

function tellOutcome(outcome, { failure }) {
  switch (outcome.type) {
    case "same-failure":
      console.log(`\nfailed in the same way: ${outcome.message}`);
      return 0;
    case "failed-outside":
      console.log(`\neach step did what it had done; what failed is around the replica: ${failure.stack}`);
      return 0;
    case "only-read":
      console.log(`\nthen it failed: ${failure.stack}`);
      return 0;
    default:
      console.log(`\nthe last step does something else by now: the code is another, or it is not deterministic`);
      console.log(`  then  ${outcome.recorded}\n  now   ${outcome.now}`);
      return 1;
  }
}

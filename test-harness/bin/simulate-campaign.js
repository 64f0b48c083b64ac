/** Many seeds: what is printed while they run, and at the end. */

/** Seeds between two lines of progress. */
const PROGRESS_EVERY = 50;

/** Runs them all. @returns whether none failed and, of enough of them, everything happened that should. */
export async function runCampaign(harness, { seeds, isList, draw, jobs, saveTo, json }) {
  const startedAt = performance.now();
  const campaign = new harness.Campaign();
  const hashes = {};
  const rate = (count) => Number((count / ((performance.now() - startedAt) / 1000)).toPrecision(3));
  for await (const result of harness.runSeeds(seeds, { draw, jobs, saveTo })) {
    campaign.add(result);
    if (result.hasPassed) hashes[result.seed] = result.traceHash;
    if (!json) tell(result, campaign.tally, isList, rate);
  }
  const { tally } = campaign;
  const missing = tally.marks.missing(harness.expectedMarks(tally.seeds));
  const speed = { seeds: rate(tally.seeds), steps: rate(tally.steps) };
  // Fewer seeds, or seeds that draw less, cannot be expected to do everything.
  const isWhole = tally.seeds >= harness.MARKS_AFTER_SEEDS && draw.isSwarm && draw.isByzantine;
  if (json) printJson(tally, missing, hashes, speed);
  else printText(harness, tally, { missing, isWhole }, speed);
  return tally.failures.length === 0 && !(isWhole && missing.length > 0);
}

function tell(result, { seeds: done, failures }, isList, rate) {
  if (!result.hasPassed) console.error(`\n${result.message}\n${savedIn(result.files)}\n`);
  else if (isList) console.log(`seed ${result.seed} passed: ${summaryOf(result)}`);
  if (done % PROGRESS_EVERY === 0)
    console.log(`${done} seeds, ${failures.length} failed, ${rate(done)} a second, ${minutely(rate(done))} a minute`);
}

/** What is printed below the report of a failure that was saved. */
export function savedIn(files) {
  return files.map((file) => `step through it: npm run simulate -- --replay ${file}`).join("\n");
}

export function summaryOf({ batches, steps, traceHash }) {
  return `${batches} batches, ${steps} steps, trace ${traceHash}`;
}

function minutely(aSecond) {
  return Math.round(aSecond * 60);
}

function printJson(tally, missing, traceHashes, speed) {
  console.log(
    JSON.stringify({
      seeds: tally.seeds,
      failed: tally.failures.map(({ seed, message, files }) => ({ seed, message, files })),
      seedsPerSecond: speed.seeds,
      seedsPerMinute: minutely(speed.seeds),
      stepsPerSecond: speed.steps,
      operations: tally.operations,
      seedsWithChanges: tally.changing,
      marks: Object.fromEntries(tally.marks.entries()),
      missing,
      traceHashes,
    }),
  );
}

function printText(harness, tally, { missing, isWhole }, speed) {
  console.log("\nHow often it happened:");
  for (const [mark, count] of tally.marks.entries())
    if (!harness.isMutationMark(mark)) console.log(`${String(count).padStart(10)}  ${mark}`);
  const { fields, never } = harness.mutationCoverage(tally.marks);
  console.log(`${String(fields - never.length).padStart(10)}  of ${fields} fields of messages mutated`);
  if (never.length < fields) for (const mark of never) console.log(`       not  ${mark}`);
  if (!isWhole && missing.length > 0)
    console.log(
      `\nNot seen, and not expected of fewer than ${harness.MARKS_AFTER_SEEDS} seeds with --swarm and --byzantine:`,
    );
  for (const mark of missing) console.log(`${isWhole ? "     NEVER" : "         0"}  ${mark}`);
  for (const line of harness.reachedAllTheSame(tally.marks)) console.log(`   REACHED  ${line}`);
  const { seeds, failures, operations } = tally;
  const rates = `${speed.seeds} seeds a second, ${minutely(speed.seeds)} a minute; ${speed.steps} steps a second`;
  console.log(`\n${harness.changesOf(tally)}`);
  console.log(`${seeds} seeds, ${failures.length} failed; ${operations} operations; ${rates}`);
}

/**
 * Runs seeds of the simulator to the first that fails: `run-seeds.js SEED...`. No build and no report, for whoever
 * changes the sources between two runs; people use `npm run simulate`.
 */
import { optionsForSeed, Simulation } from "@quorate/test-harness";

for (const seed of process.argv.slice(2).map(Number)) {
  try {
    new Simulation(optionsForSeed(seed)).run();
  } catch (failure) {
    console.error(failure.message.split("\n")[0]);
    process.exit(1);
  }
}

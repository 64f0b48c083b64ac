export { nameOfDetector } from "./detector-run.ts";
export * from "./mutant.ts";
export * from "./mutants.ts";
export * from "./mutation-run.ts";

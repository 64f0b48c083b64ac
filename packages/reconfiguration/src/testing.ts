/**
 * Chains of epochs for tests: cheap, and judged as real ones are.
 *
 * @packageDocumentation
 */
export { type Forgery, ScriptedEpochs, type ScriptedEpochsOptions } from "./scripted-epochs.ts";

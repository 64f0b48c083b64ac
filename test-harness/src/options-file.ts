import type { SimulationOptions } from "./options.ts";
import { optionsForSeed } from "./swarm.ts";

/** A text that is not the options of a run; the message says what was expected. */
export class OptionsFileError extends Error {}

/**
 * Reads the options of a run from the JSON that the report of a failed one prints.
 *
 * @throws OptionsFileError for what is no JSON object, or has not exactly the fields of options, each of its type.
 */
export function parseSimulationOptions(text: string): SimulationOptions {
  const options = parseJson(text);
  const sample: object = optionsForSeed(0);
  checkFields("options", options, sample);
  return options as SimulationOptions;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new OptionsFileError(`not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Lists hold what they hold; the simulation itself refuses what makes no sense. */
function checkFields(place: string, value: unknown, sample: unknown): void {
  if (kindOf(value) !== kindOf(sample))
    throw new OptionsFileError(`${place} is of kind ${kindOf(value)}, expected ${kindOf(sample)}`);
  if (kindOf(sample) !== "object") return;
  const [fields, expected] = [Object.entries(value as object), Object.entries(sample as object)];
  for (const [name] of fields)
    if (!expected.some(([known]) => known === name)) throw new OptionsFileError(`${place}.${name} is unknown`);
  for (const [name, inner] of expected) checkFields(`${place}.${name}`, new Map(fields).get(name), inner);
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "list";
  return value === null ? "null" : typeof value;
}

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ConfigurationError } from "@quorate/server";
import type { Service } from "@quorate/state-machine";

const EXPECTED =
  "an ES module with `export const service = { execute(operation, state, context) { … } }`, the same as its default export, or a function that returns it";

/** What is looked for in the user's module; anything may be there. */
interface ServiceModule {
  readonly service?: unknown;
  readonly default?: unknown;
}

/**
 * Loads a service of the user's own: an ES module whose export `service`, or whose default export, is a `Service` or a
 * function without arguments that makes one. Relative paths are relative to the working folder.
 *
 * @throws ConfigurationError in one line when there is no such file, it does not load, or it exports no service.
 */
export async function loadService(file: string): Promise<Service> {
  const path = resolve(file);
  if (!existsSync(path))
    throw new ConfigurationError("configuration.missing", `no service at ${file}: expected ${EXPECTED}`);
  const service = await madeBy(file, await importModule(file, path));
  if (isService(service)) return service;
  throw new ConfigurationError("configuration.malformed", `${file} exports no service: expected ${EXPECTED}`);
}

async function importModule(file: string, path: string): Promise<ServiceModule> {
  try {
    return await import(pathToFileURL(path).href);
  } catch (error) {
    throw cannotLoad(file, error);
  }
}

async function madeBy(file: string, module: ServiceModule): Promise<unknown> {
  const exported = module.service ?? module.default;
  if (typeof exported !== "function") return exported;
  try {
    return await exported();
  } catch (error) {
    throw cannotLoad(file, error);
  }
}

function isService(value: unknown): value is Service {
  return typeof value === "object" && value !== null && "execute" in value && typeof value.execute === "function";
}

function cannotLoad(file: string, error: unknown): ConfigurationError {
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const [place] = /file:\/\/[^\s)]+:\d+:\d+/.exec(error instanceof Error ? (error.stack ?? "") : "") ?? [];
  // A module that does not parse has no place in its stack.
  const where = place === undefined ? `\`node ${file}\` shows where` : `it comes from ${place}`;
  return new ConfigurationError("configuration.malformed", `cannot load the service ${file}: ${what}; ${where}`);
}

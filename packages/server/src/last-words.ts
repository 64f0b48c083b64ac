import { readFileSync } from "node:fs";
import { StorageError } from "@quorate/storage";
import type { Logger } from "pino";
import { RecurringDamage } from "./damage-count.ts";
import type { ReplicaFolder } from "./replica-folder.ts";
import type { ReplicaRunner } from "./replica-runner.ts";
import { encodeReplicaTrace } from "./replica-trace.ts";
import { saveTrace } from "./save-trace.ts";

export interface LastWordsOptions {
  readonly folder: Pick<ReplicaFolder, "path" | "storePath">;
  readonly log: Logger;
  readonly host: Pick<ReplicaRunner, "trace">;
}

/**
 * Says what has ended a replica. A disk that fails is told by its error; whatever else ends one is a bug, and the steps that
 * led there are saved for whoever looks for it.
 *
 * @returns what ended it, with the place on this machine that it is about.
 */
export function sayLastWords(thrown: Error, { folder, log, host }: LastWordsOptions): Error {
  const isOfTheDisk = thrown instanceof StorageError || thrown instanceof RecurringDamage;
  const error = thrown instanceof RecurringDamage ? thrown.at(folder.storePath) : thrown;
  log.fatal({ err: error }, "this replica cannot go on");
  if (!isOfTheDisk) keepTrace(error, { folder, log, host });
  return error;
}

function keepTrace(error: Error, { folder, log, host }: LastWordsOptions): void {
  const now = new Date();
  const trace = host.trace(error, programOf(now));
  if (trace === undefined) return;
  const encode = (): Uint8Array => encodeReplicaTrace(trace);
  const saved = saveTrace(folder.path, encode, now);
  if ("path" in saved) log.error({ trace: saved.path }, `npm run simulate -- --replay ${saved.path}`);
  else log.error({ reason: saved.reason }, "no trace was saved");
}

/** For whoever reads a trace. */
function programOf(now: Date): string {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  return `@quorate/server ${version}, Node ${globalThis.process.version}, ${now.toISOString()}`;
}

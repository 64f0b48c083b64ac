import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseReplicaConfig, type ReplicaConfig, readDocument } from "@quorate/server";

/**
 * What `replica.json` of a data folder says; undefined when there is none, as in a folder that was lost.
 *
 * @param advice what to do when it is there and cannot be read.
 * @throws ConfigurationError in one line.
 */
export function replicaConfigIn(path: string, advice: string): ReplicaConfig | undefined {
  const file = join(path, "replica.json");
  return existsSync(file) ? parseReplicaConfig(readDocument(file, "replica configuration", advice), file) : undefined;
}

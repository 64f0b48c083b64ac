import { existsSync } from "node:fs";
import { join } from "node:path";
import { createCodec, wireLimitsOf } from "@quorate/codec";
import type { ClusterId, Genesis } from "@quorate/protocol";
import { parseEpochDocument, type TrustedEpoch, TrustedEpochError } from "@quorate/reconfiguration";
import { ConfigurationError } from "./configuration-error.ts";
import { parseJson, readDocument } from "./documents.ts";

/** The file of the epoch that a folder trusts like genesis. It outlives the store. */
export const EPOCH_FILE = "epoch.json";

/** The text of a document, and where it came from. */
export interface GivenDocument {
  readonly text: string;
  readonly source: string;
}

/**
 * Reads the document of an epoch for a replica. Whether its links lead to it is for `EpochChain`.
 *
 * @throws ConfigurationError naming the source and the first thing that is wrong.
 */
export function readTrustedEpoch({ text, source }: GivenDocument, genesis: Genesis, cluster: ClusterId): TrustedEpoch {
  const value = parseJson(text, source);
  const { links, ...trusted } = orInconsistent(source, () =>
    parseEpochDocument(value, cluster, createCodec(wireLimitsOf(genesis))),
  );
  // A client may do without: it judges nothing that is older, and shows nobody the way.
  if (links.length > 0) return { ...trusted, links };
  throw new ConfigurationError(
    "configuration.inconsistent",
    `${source} has no links from genesis to its epoch, by which a replica judges what is older and leads others there: make it with \`quorate epochs --document FILE\``,
  );
}

/** Undefined for a folder that begins with genesis. */
export function trustedEpochIn(path: string, genesis: Genesis, cluster: ClusterId): TrustedEpoch | undefined {
  const source = join(path, EPOCH_FILE);
  if (!existsSync(source)) return undefined;
  const text = readDocument(source, "document of the epoch", "restore it from where it was given with --epoch");
  return readTrustedEpoch({ text, source }, genesis, cluster);
}

/** @throws ConfigurationError naming the source for what is no epoch of this cluster. */
export function orInconsistent<T>(source: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof TrustedEpochError)) throw error;
    throw new ConfigurationError("configuration.inconsistent", `${source}: ${error.message}`);
  }
}

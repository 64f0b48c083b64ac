import { rmSync } from "node:fs";
import { join } from "node:path";
import type { CheckpointClaim } from "@quorate/protocol";
import type { EpochChain, TrustedEpoch } from "@quorate/reconfiguration";
import { lockFolder } from "@quorate/storage";
import { ConfigurationError } from "./configuration-error.ts";
import { type Cryptography, judgesOf } from "./data-reader.ts";
import { knownEpochs } from "./known-epochs.ts";
import { renameDurably } from "./rename-durably.ts";
import type { ReplicaFolder } from "./replica-folder.ts";
import { EPOCH_FILE, type GivenDocument, orInconsistent, readTrustedEpoch } from "./trusted-epoch-file.ts";
import { writeOnce } from "./write-once.ts";

/** A trusted epoch of which the links are proven, from genesis on. */
export interface ProvenEpoch extends GivenDocument {
  readonly trusted: TrustedEpoch;
  readonly epochs: EpochChain;
}

/** @throws ConfigurationError naming the source for what is no epoch of the cluster of genesis. */
export function proveEpoch(
  document: GivenDocument,
  { genesis, cluster }: Pick<ReplicaFolder, "genesis" | "cluster">,
  cryptography: Cryptography,
): ProvenEpoch {
  const trusted = readTrustedEpoch(document, genesis, cluster);
  const { epochs } = orInconsistent(document.source, () => judgesOf({ genesis, trusted, cluster }, cryptography));
  return { ...document, trusted, epochs };
}

/**
 * From here on a folder trusts an epoch as it trusts genesis, durably: whoever has got hold of the keys of earlier epochs leads it nowhere
 * else (protocol rule 11.4). The one that it trusts already changes nothing.
 *
 * @throws ConfigurationError for an epoch that is none of its cluster, or below what the folder has come to.
 * @throws StorageError when its replica runs, or the store is not its own.
 */
export async function trustEpoch(
  folder: ReplicaFolder,
  document: GivenDocument,
  cryptography: Cryptography,
): Promise<ReplicaFolder> {
  const proven = proveEpoch(document, folder, cryptography);
  const { epochs } = await knownEpochs(folder, cryptography);
  return keepEpoch(folder, proven, epochs);
}

/** @param known what the folder has come to. */
export function keepEpoch(
  folder: ReplicaFolder,
  { text, source, trusted, epochs }: ProvenEpoch,
  known: EpochChain,
): ReplicaFolder {
  const { path } = folder;
  const shared = epochs.epoch < known.epoch ? epochs : known;
  if (!isSame(known.membershipAt(shared.epoch)?.start, epochs.membershipAt(shared.epoch)?.start))
    throw new ConfigurationError(
      "configuration.inconsistent",
      `${source} and the folder ${path} have two different epochs ${shared.epoch}: the keys of an earlier one were misused; if the document is the right one, make the replica anew, in another folder`,
    );
  if (isSame(folder.trusted?.start, trusted.start)) return folder;
  if (epochs.epoch < known.epoch)
    throw new ConfigurationError(
      "configuration.inconsistent",
      `${source} is the document of epoch ${epochs.epoch}, and the folder ${path} has come to epoch ${known.epoch}: leave out --epoch, or name a newer one`,
    );
  const lock = lockFolder(path);
  try {
    const part = join(path, `${EPOCH_FILE}.part`);
    rmSync(part, { force: true });
    writeOnce(part, text, 0o644);
    renameDurably(part, join(path, EPOCH_FILE));
  } finally {
    lock.release();
  }
  return { ...folder, trusted };
}

function isSame(one: CheckpointClaim | undefined, other: CheckpointClaim | undefined): boolean {
  return one?.seq === other?.seq && one?.stateRoot === other?.stateRoot;
}

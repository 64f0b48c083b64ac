import { createCodec, wireLimitsOf } from "@quorate/codec";
import { type CheckpointCertificate, describeOutOfEpoch, outOfEpoch, type SequenceNumber } from "@quorate/protocol";
import { StateDamage } from "@quorate/state-tree";
import type { StoreReader } from "@quorate/storage";
import { ConfigurationError } from "../configuration-error.ts";
import { type Cryptography, type Judges, judgesOf, openStoppedStore, readStoredState } from "../data-reader.ts";
import { readInstallation } from "../installation-record.ts";
import type { ReplicaFolder } from "../replica-folder.ts";
import { backupBytes } from "./state-backup.ts";

/** A backup of a replica that does not run. */
export interface StoppedBackup {
  readonly checkpoint: SequenceNumber;
  readonly bytes: Iterable<Uint8Array>;
  close(): Promise<void>;
}

/**
 * Opens the last stable checkpoint in the folder of a stopped replica, without a change to it.
 *
 * @throws ConfigurationError, StorageError, StateError or StateDamage in one line.
 */
export async function openStoppedBackup(folder: ReplicaFolder, cryptography: Cryptography): Promise<StoppedBackup> {
  const { store, close } = openStoppedStore(folder);
  try {
    const { genesis, cluster, path } = folder;
    const codec = createCodec(wireLimitsOf(genesis));
    if (readInstallation(store.local, codec) !== undefined)
      refuse(path, "its state is being brought there from the others");
    const judges = judgesOf(folder, cryptography, store.local);
    const stable = stableIn(store, judges);
    const outside = stable && outOfEpoch(judges.epochs, stable);
    if (outside !== undefined) refuse(path, `its stable checkpoint proves nothing: ${describeOutOfEpoch(outside)}`);
    const certificate = stable && judges.judge.verifyCheckpointCertificate(stable);
    if (certificate === undefined) refuse(path, "it has no stable checkpoint yet");
    const { executor } = readStoredState(folder, store, cryptography);
    const snapshot = executor.snapshotAt(certificate.seq);
    if (snapshot === undefined) refuse(path, `the state at its stable checkpoint ${certificate.seq} is not kept there`);
    const links = judges.epochs.linksTo(certificate.epoch);
    const bytes = backupBytes({ cluster, certificate, links, snapshot }, codec, cryptography.hasher);
    return { checkpoint: certificate.seq, bytes: readably(path, bytes), close };
  } catch (error) {
    await close();
    throw readable(folder.path, error);
  }
}

function* readably(path: string, bytes: Iterable<Uint8Array>): Generator<Uint8Array> {
  try {
    yield* bytes;
  } catch (error) {
    throw readable(path, error);
  }
}

function readable(path: string, error: unknown): unknown {
  if (!(error instanceof StateDamage)) return error;
  return new ConfigurationError(
    "configuration.unreadable",
    `no backup can be made of ${path}: ${error.message}; take another replica, and see \`quorate verify-data\``,
  );
}

function stableIn(store: StoreReader, { codec }: Judges): CheckpointCertificate | undefined {
  let last: CheckpointCertificate | undefined;
  for (const { record } of store.openLog().entries()) {
    const decoded = codec.decodeLogRecord(record);
    if (decoded.ok && decoded.value.type === "stable" && decoded.value.checkpoint.seq > (last?.seq ?? 0))
      last = decoded.value.checkpoint;
  }
  return last;
}

function refuse(path: string, why: string): never {
  throw new ConfigurationError(
    "configuration.missing",
    `no backup can be made of ${path}: ${why}; take another replica, or order a checkpoint with \`quorate checkpoint\` while the cluster runs`,
  );
}

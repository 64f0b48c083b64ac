import { type ClusterId, type Genesis, type Hasher, invariant, type RestoredState } from "@quorate/protocol";
import { BackupJudge, BackupReader, type ReplicaRunner } from "@quorate/server";
import { restoredChanges, restoredGenesis } from "@quorate/state-machine";
import type { TreePiece } from "@quorate/state-tree";
import type { SimulatedCluster } from "./cluster.ts";
import type { DiskImage } from "./disk-image.ts";

/** The first byte of keys of the service. */
const APPLICATION = 1;

/** What one cluster left for another to start from (decision 0036). */
export interface SimulatedBackup {
  readonly restored: RestoredState;
  readonly pieces: readonly TreePiece[];
}

/** Takes a backup of a replica that runs, and reads it as an operator's command does. */
export function backUp(host: Pick<ReplicaRunner, "openBackup">, shared: SimulatedCluster): SimulatedBackup {
  const { backend, hasher } = shared;
  const judge = new BackupJudge(shared, { backend, hasher }, "the simulated backup");
  const pieces: TreePiece[] = [];
  const reader = new BackupReader({
    hasher,
    source: "the simulated backup",
    onStart: (start) => judge.onStart(start),
    onPiece: (piece) => {
      judge.onPiece(piece);
      pieces.push(piece);
    },
  });
  const backup = host.openBackup();
  invariant(backup !== undefined, "simulation.no-backup");
  for (let bytes = backup.next(); bytes !== undefined; bytes = backup.next()) reader.push(bytes);
  backup.close();
  reader.end();
  invariant(judge.summary !== undefined, "simulation.empty-backup");
  return { restored: judge.summary.restored, pieces };
}

/** The disk of a replica of the new cluster before its first start, as `quorate init --backup` fills it. */
export function restoredDisk(
  hasher: Hasher,
  { genesis, cluster }: { readonly genesis: Genesis; readonly cluster: ClusterId },
  { pieces }: SimulatedBackup,
): DiskImage {
  const changes = [
    ...pieces.flatMap((piece) => restoredChanges(hasher, piece) ?? []),
    restoredGenesis(hasher, genesis, cluster),
  ];
  return {
    log: [],
    history: [],
    state: changes.flatMap(({ state }) => state),
    local: changes.flatMap(({ local }) => local),
  };
}

/** What the service has at first, by its own keys. */
export function restoredEntries({
  pieces,
}: SimulatedBackup): readonly { readonly key: Uint8Array; readonly value: Uint8Array }[] {
  return pieces.flatMap((piece) => {
    if (piece.type !== "entry" || piece.key[0] !== APPLICATION) return [];
    return { key: new Uint8Array(piece.key.subarray(1)), value: new Uint8Array(piece.value) };
  });
}

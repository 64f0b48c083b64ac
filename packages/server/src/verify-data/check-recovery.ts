import { createBatchComposer } from "@quorate/crypto";
import { viewNumber } from "@quorate/protocol";
import { Replica, recover } from "@quorate/replica";
import type { Executor } from "@quorate/state-machine";
import type { StoreReader } from "@quorate/storage";
import { type Cryptography, type Judges, signerOf } from "../data-reader.ts";
import { readOwnDisk } from "../recover-replica.ts";
import type { ReplicaFolder } from "../replica-folder.ts";
import { epochStart, replicaOptionsOf } from "../replica-setup.ts";
import type { Looked } from "./data-check.ts";

/** Makes the replica that a start would make, which nobody then speaks to: what it finds must fit together. */
export function checkRecovery(
  folder: ReplicaFolder,
  store: StoreReader,
  { executed, activation }: Pick<Executor, "executed" | "activation">,
  { codec, verifier, epochs }: Judges,
  cryptography: Cryptography,
): Looked<undefined> {
  const { genesis, cluster } = folder;
  const { hasher } = cryptography;
  const source = { log: store.openLog(), history: store.openHistory(), lossNonce: store.lossNonce };
  const { membership, configuration } = epochs;
  const signer = signerOf(folder, membership, cryptography);
  const disk = readOwnDisk(source, { codec, verifier, epochs, membership, self: signer.self }, executed);
  const stable = epochStart(membership, cluster);
  const { base, recovery } = recover({ stable, membership, view: viewNumber(0) }, { ...disk, activation });
  const composer = createBatchComposer(hasher, cluster);
  const setup = { genesis, configuration, cluster, signer, composer, hasher };
  const { status } = new Replica(replicaOptionsOf(setup), base, recovery);
  const { view, target, lowWatermark, highWatermark, mute } = status;
  const views = view === target ? `view ${view}` : `view ${view} on the way to ${target}`;
  const muteness = mute === undefined ? "" : "; mute, for a disk was lost";
  return {
    found: `starts in ${views}, window (${lowWatermark}, ${highWatermark}], executed ${executed}${muteness}`,
    value: undefined,
  };
}

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EPOCHS_MAX, epochNumber, replicaId, timestampMs } from "@quorate/protocol";
import type { ScriptedEpochs } from "@quorate/reconfiguration/testing";
import { type BackupSummary, ConfigurationError, verifyBackup } from "@quorate/server";
import { Executor, stateRootOf } from "@quorate/state-machine";
import type { Snapshot } from "@quorate/state-tree";
import { createMemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import { BACKUP_HEAD_BYTES } from "../dist/backup/backup-format.js";
import { BackupSlot } from "../dist/backup/backup-slot.js";
import { checkRestorable } from "../dist/backup/restore-state.js";
import { backupBytes } from "../dist/backup/state-backup.js";
import {
  backend,
  clientOf,
  cluster,
  codec,
  composer,
  digestOf,
  genesis,
  hasher,
  newScript,
  seqOf,
  signerOf,
} from "./builders.ts";

/** Members rotate and join; the backup is of epoch 2. */
function scriptOfTwo(): ScriptedEpochs {
  const script = newScript();
  script.rotateKey(replicaId(0));
  script.join();
  return script;
}

/** The first checkpoint of epoch 2: what is in the state says nothing of the epoch in these tests. */
const START = scriptOfTwo().membershipAt(2).start!.seq;
const CHECKPOINT = seqOf(START + genesis.checkpointInterval);

function stateOfCluster(): Snapshot {
  const service = {
    execute(operation: Uint8Array, state: { put(key: Uint8Array, value: Uint8Array): void }): Uint8Array {
      state.put(operation, operation);
      return operation;
    },
  };
  const executor = new Executor({
    genesis,
    cluster,
    service,
    store: createMemoryStore(),
    hasher,
    signer: signerOf(0),
  });
  for (let seq = 1; seq <= CHECKPOINT; seq++) {
    const request = clientOf().signRegistration({ nonce: digestOf(`${seq}`), lastValid: seqOf(100) });
    executor.execute(seqOf(seq), composer.compose(timestampMs(seq), seq <= 8 ? [request] : []));
  }
  return executor.snapshotAt(CHECKPOINT)!;
}

describe("a backup of a later epoch (protocol rules 9.1 and 11.4)", () => {
  let folder: string;
  let file: string;
  const snapshot = stateOfCluster();
  const script = scriptOfTwo();
  const certificate = script.certify(CHECKPOINT, stateRootOf(hasher, cluster, snapshot.root));
  const { links } = script;
  const [first, second] = links as [(typeof links)[number], (typeof links)[number]];

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "quorate-backup-"));
    file = join(folder, "a.backup");
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const partsOf = (of: typeof links, by = certificate): Uint8Array[] => [
    ...backupBytes({ cluster, certificate: by, links: of, snapshot }, codec, hasher),
  ];
  const verified = (parts: readonly Uint8Array[]): Promise<BackupSummary> => {
    writeFileSync(file, Buffer.concat(parts));
    return verifyBackup(file, { genesis, cluster }, { backend, hasher });
  };
  async function refuses(parts: readonly Uint8Array[], message: RegExp): Promise<void> {
    const outcome = await verified(parts).then(
      () => "accepted",
      (error: unknown) => error,
    );
    expect(outcome, String(message)).to.be.instanceOf(ConfigurationError);
    expect((outcome as Error).message)
      .to.match(message)
      .and.match(/^[^\n]+$/);
  }

  it("is proven by the genesis document and the links in it, and another cluster can start from it", async () => {
    const { certificate: proven, restored, entries } = await verified(partsOf(links));
    expect(proven).to.deep.equal(certificate);
    expect(proven.epoch).to.equal(2);
    expect(entries).to.be.greaterThan(0);
    expect(restored).to.include({ cluster, checkpoint: CHECKPOINT });
    await checkRestorable(file, restored, genesis.limits, hasher);
  });

  it("is refused with a link that is missing, in another place, twice, or one too many", async () => {
    await refuses(partsOf([first]), /expected the signatures of a quorum of epoch 1 of cluster/);
    await refuses(partsOf([]), /expected the signatures of a quorum of epoch 0/);
    await refuses(
      partsOf([second]),
      /not proven: the link that begins epoch 1 is missing, another stands in its place/,
    );
    await refuses(partsOf([second, first]), /the link that begins epoch 1 is missing/);
    await refuses(partsOf([first, first]), /the link that begins epoch 2 is missing, another stands in its place/);
    const further = scriptOfTwo();
    further.rotateKey(replicaId(1));
    await refuses(partsOf(further.links), /expected the signatures of a quorum of epoch 3/);
  });

  it("is refused at its head when it has more links than a cluster can have epochs", async () => {
    const parts = partsOf(links);
    const head = parts[0]!.slice();
    new DataView(head.buffer, head.byteOffset).setUint32(BACKUP_HEAD_BYTES - 4, EPOCHS_MAX + 1);
    await refuses([head], new RegExp(`it has ${EPOCHS_MAX + 1} links, expected ${EPOCHS_MAX} at most`));
    new DataView(head.buffer, head.byteOffset).setUint32(BACKUP_HEAD_BYTES - 4, 3);
    await refuses([head, ...parts.slice(1)], /the link that begins epoch 3 does not decode/);
    new DataView(head.buffer, head.byteOffset).setUint32(BACKUP_HEAD_BYTES - 4, 1);
    await refuses([head, ...parts.slice(1)], /not proven/);
  });

  it("is refused when the members of another epoch have signed it, whatever epoch it names", async () => {
    const earlier = newScript().certify(CHECKPOINT, certificate.stateRoot);
    await refuses(partsOf(links, { ...earlier, epoch: epochNumber(2) }), /a quorum of epoch 2/);
    await refuses(partsOf(links, earlier), /a quorum of epoch 2/);
  });

  it("is refused for a number at or below the start of its epoch, though its members have signed it", async () => {
    for (const seq of [START, seqOf(8)])
      await refuses(
        partsOf(links, script.certify(seq, certificate.stateRoot)),
        new RegExp(`not proven: it is of number ${seq}, and of epoch 2, which begins at ${START + 1};`),
      );
  });

  it("is refused with any bit of a link or of the certificate flipped", async () => {
    const parts = partsOf(links);
    for (const i of [1, 2, 3]) {
      const part = parts[i]!;
      for (let at = i; at < part.length; at += 23) {
        const flipped = part.slice();
        flipped[at]! ^= 1 << (at % 8);
        await refuses(parts.with(i, flipped), /proven|damaged/);
      }
    }
  });

  it("of what an epoch begins with is proven by the link that leads there", () => {
    const chain = script.chainAt(2);
    const ended: (string | undefined)[] = [];
    const slot = new BackupSlot({
      cluster,
      codec,
      hasher,
      epochs: chain,
      endedBy: () => undefined,
      onThrown: (error) => ended.push(String(error)),
    });
    const { certificate: start } = second;
    // In epoch 2 it is known and has no signatures.
    const backup = slot.open({ ...start, epoch: epochNumber(2), signatures: [] }, snapshot)!;
    const parts: Uint8Array[] = [];
    for (let part = backup.next(); part !== undefined; part = backup.next()) parts.push(part);
    const stable = codec.decodeLogRecord(parts[2]!.subarray(4));
    expect(stable).to.deep.equal({ ok: true, value: { type: "stable", checkpoint: start } });
    expect(codec.decodeEpochLink(parts[1]!.subarray(4))).to.deep.equal({ ok: true, value: first });
    expect(ended).to.deep.equal([]);
    backup.close();
    // That of genesis is proven by nothing.
    const zero = { ...start, epoch: epochNumber(0), signatures: [] };
    expect(slot.open(zero, snapshot)).to.equal(undefined);
  });
});

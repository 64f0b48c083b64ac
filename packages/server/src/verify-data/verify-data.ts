import { createCodec, wireLimitsOf } from "@quorate/codec";
import { type ClusterId, genesisMembership, type Membership, type PublicKey } from "@quorate/protocol";
import { openStoreToRead, STORE_FORMAT, type StoreReader } from "@quorate/storage";
import { type Cryptography, type Judges, judgesOf, type StoredState } from "../data-reader.ts";
import { readInstallation } from "../installation-record.ts";
import { memberIn, type ReplicaFolder, readReplicaFolder } from "../replica-folder.ts";
import type { ReplicaName } from "../replica-standing.ts";
import { type CheckpointFacts, checkOwn, checkStable } from "./check-checkpoints.ts";
import { checkEvidence } from "./check-evidence.ts";
import { checkHistory } from "./check-history.ts";
import { type CheckedLog, checkLog, stableNumber } from "./check-log.ts";
import { checkRecovery } from "./check-recovery.ts";
import { checkReplies } from "./check-replies.ts";
import { checkState } from "./check-state.ts";
import { counted, type DataCheck, DataChecks, type DataPart } from "./data-check.ts";

/** What is known of a data folder. Plain data. */
export interface DataVerdict {
  readonly path: string;
  /** Undefined when the folder does not say. */
  readonly cluster: ClusterId | undefined;
  readonly owner: PublicKey | undefined;
  /** As of the latest epoch in its store; as genesis says where that cannot be read. */
  readonly replica: ReplicaName | undefined;
  readonly isSound: boolean;
  readonly checks: readonly DataCheck[];
}

const LOST_DISK =
  "do not start this replica on it: treat the disk as lost, with `quorate init --lost-disk` on a sound one";
const ADVICE: Readonly<Record<DataPart, string>> = {
  configuration: "correct the file that the line names, or restore it from a backup; the store is not to blame",
  store: "point it at this replica's own folder; if it is that, its disk is lost: `quorate init --lost-disk`",
  epochs:
    "where one link is damaged, start the replica: it asks the others for it, and is silent until it has it; where it is not known how many there were, its disk is lost: `quorate init --lost-disk`",
  "write-ahead log": LOST_DISK,
  state: LOST_DISK,
  history:
    "the disk is failing; what was executed is not lost by this: `quorate init --lost-disk` on a sound disk, when it suits",
  replies: "the disk is failing: `quorate init --lost-disk` on a sound one, when it suits; clients take no wrong reply",
  "stable checkpoint": LOST_DISK,
  "own checkpoint": LOST_DISK,
  evidence: "the disk is failing; export what is whole with `quorate evidence export`, and ask the other replicas",
  recovery: LOST_DISK,
};

/** Checks a data folder without a change to any of its files. Nobody may write to it meanwhile: take `lockFolderToRead` first. */
export async function verifyData(path: string, cryptography: Cryptography): Promise<DataVerdict> {
  const checks = new DataChecks();
  const folder = checks.look("configuration", ADVICE.configuration, () => {
    const value = readReplicaFolder(path, cryptography.backend, cryptography.hasher);
    const { members } = value.genesis;
    const keys = counted(value.keys.length, "key");
    return { found: `a replica of a cluster that began with ${counted(members.length, "member")}; ${keys}`, value };
  });
  const name = folder && (await checkAll(folder, cryptography, checks));
  checks.skipRest(folder === undefined ? "it is not known whose it is" : "the store cannot be opened");
  return {
    path,
    cluster: folder?.cluster,
    owner: folder?.owner,
    replica: name,
    isSound: checks.all.every(({ result }) => result === "ok"),
    checks: checks.all,
  };
}

/** The verdict on a folder whose store brings down whoever reads it. */
export function unreadableVerdict(path: string, how: string): DataVerdict {
  const checks = new DataChecks();
  checks.look("store", ADVICE["write-ahead log"], (report) => {
    report(
      `reading its database ended the process (${how}): the file is cut short, or what holds it together is damaged`,
    );
    return { found: "cannot be read", value: undefined };
  });
  checks.skipRest("reading the store ends the process");
  return { path, cluster: undefined, owner: undefined, replica: undefined, isSound: false, checks: checks.all };
}

async function checkAll(folder: ReplicaFolder, cryptography: Cryptography, checks: DataChecks): Promise<ReplicaName> {
  const nameIn = (members: Pick<Membership, "members">): ReplicaName => memberIn(members, folder)?.id ?? "observer";
  const name = nameIn(genesisMembership(folder.genesis));
  const store = checks.look("store", ADVICE.store, () => {
    const value = openStoreToRead(folder.storePath, { cluster: folder.cluster, owner: folder.owner });
    const loss = value.lossNonce === undefined ? "" : ", made after another disk was lost";
    return { found: `this replica's, format ${STORE_FORMAT}${loss}`, value };
  });
  if (store === undefined) return name;
  try {
    const judges = checkEpochs(folder, store, cryptography, checks);
    if (judges === undefined) {
      checks.skipRest("it is not known whose signatures count");
      return name;
    }
    checkStore(folder, store, judges, cryptography, checks);
    return nameIn(judges.epochs.membership);
  } finally {
    await store.close();
  }
}

function checkEpochs(
  folder: ReplicaFolder,
  store: StoreReader,
  cryptography: Cryptography,
  checks: DataChecks,
): Judges | undefined {
  return checks.look("epochs", ADVICE.epochs, () => {
    const value = judgesOf(folder, cryptography, store.local);
    const { epoch, members } = value.epochs.membership;
    const links = `${counted(epoch, "link")} from genesis, ${counted(members.length, "member")} in the last`;
    return { found: epoch === 0 ? "that of genesis" : links, value };
  });
}

function checkStore(
  folder: ReplicaFolder,
  store: StoreReader,
  judges: Judges,
  cryptography: Cryptography,
  checks: DataChecks,
): void {
  const log = checks.look("write-ahead log", ADVICE["write-ahead log"], (report) => checkLog(store, judges, report));
  const installation = readInstallation(store.local, createCodec(wireLimitsOf(folder.genesis)));
  if (installation !== undefined) {
    checks.look("state", "start the replica: it goes on by itself", (report) => {
      report(`it is not whole: that of checkpoint ${installation.target.seq} is being brought here from the others`);
      return { found: "in the middle of a transfer", value: undefined };
    });
    return checks.skipRest("the state is not whole: it is being brought here");
  }
  if (folder.genesis.restored !== undefined && isEmpty(store)) {
    checks.look("state", ADVICE.state, () => ({
      found: "none yet: the others give it to this replica",
      value: undefined,
    }));
    return checks.skipRest("there is no state yet");
  }
  const stored = checks.look("state", ADVICE.state, (report) => checkState(folder, store, cryptography, report));
  const executor = stored?.executor;
  const { cluster } = folder;
  const { hasher } = cryptography;
  const history = checks.look("history", ADVICE.history, (report) => {
    const stable = log && stableNumber(log.stable);
    const executed = executor && { seq: executor.executed, historyDigest: executor.historyDigest };
    return checkHistory(store, judges, { cluster, hasher, stable, executed }, report);
  });
  const { checkpointInterval } = judges.epochs.configuration;
  if (history === undefined || executor === undefined || log === undefined)
    checks.skip("replies", "log, state or history cannot be read");
  else
    checks.look("replies", ADVICE.replies, (report) => {
      const above = Math.max(0, stableNumber(log.stable) - checkpointInterval);
      return checkReplies(history, executor, judges, above, report);
    });
  checkCheckpoints(judges, log, stored, checks);
  checks.look("evidence", ADVICE.evidence, (report) => checkEvidence(store.local, judges, hasher, report));
  if (executor === undefined || !checks.areSound("write-ahead log", "state", "history"))
    checks.skip("recovery", "log, state or history is damaged");
  else checks.look("recovery", ADVICE.recovery, () => checkRecovery(folder, store, executor, judges, cryptography));
}

function isEmpty({ state }: StoreReader): boolean {
  for (const _ of state.range(new Uint8Array(0), undefined)) return false;
  return true;
}

function checkCheckpoints(
  { epochs }: Judges,
  log: CheckedLog | undefined,
  stored: StoredState | undefined,
  checks: DataChecks,
): void {
  if (log === undefined || stored === undefined) {
    checks.skip("stable checkpoint", "log or state cannot be read");
    checks.skip("own checkpoint", "log or state cannot be read");
    return;
  }
  const { executor, isNew } = stored;
  const facts = (): CheckpointFacts => ({
    checkpointInterval: epochs.configuration.checkpointInterval,
    stable: log.stable,
    executed: executor.executed,
    // One that was never started has no tree to have a root.
    stateRoot: isNew ? undefined : executor.stateRoot(),
  });
  checks.look("stable checkpoint", ADVICE["stable checkpoint"], (report) => checkStable(facts(), report));
  checks.look("own checkpoint", ADVICE["own checkpoint"], (report) =>
    checkOwn(facts(), isNew ? undefined : executor.lastCheckpoint, report),
  );
}

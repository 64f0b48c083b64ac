import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { join, resolve } from "node:path";
import { checkGenesisKeys, clusterIdOf, type SignatureBackend } from "@quorate/crypto";
import {
  bytesToHex,
  type ClusterId,
  FORMAT_VERSION,
  type Genesis,
  GenesisError,
  genesisMembership,
  type Hasher,
  hexToBytes,
  type Member,
  memberOf,
  type ReplicaId,
  replicaId,
} from "@quorate/protocol";
import { HISTORY_BYTES_MAX, initializeStore, lockFolder } from "@quorate/storage";
import { formatAddress, parseAddress } from "@quorate/transport";
import { checkRestorable, restoreState } from "./backup/restore-state.ts";
import { ConfigurationError } from "./configuration-error.ts";
import {
  type KeyFile,
  parseGenesis,
  parseKeyFile,
  parseReplicaConfig,
  type ReplicaConfig,
  readDocument,
} from "./documents.ts";
import { SCRUB_BYTES_PER_SECOND } from "./host-settings.ts";
import { replaceLostStore } from "./lost-disk.ts";
import { makeFolder } from "./make-folder.ts";

/** How far the admin port lies above the listening port, unless it is chosen. */
export const ADMIN_PORT_OFFSET = 1_000;

/** What a data folder holds: `genesis.json`, `replica.json`, `key.json` (mode 0600) and `store/`. */
export interface ReplicaFolder {
  readonly path: string;
  readonly storePath: string;
  readonly genesis: Genesis;
  readonly cluster: ClusterId;
  readonly config: ReplicaConfig;
  readonly self: Member;
  /** 32 secret bytes. */
  readonly seed: Uint8Array;
}

/** How to make a data folder. */
export interface InitOptions {
  readonly path: string;
  /** The text of the genesis document, and where it came from. */
  readonly genesis: { readonly text: string; readonly source: string };
  readonly key: KeyFile;
  /** Which member this is; found by the key when left out. */
  readonly replica?: number;
  /** Where to listen; the address in genesis unless given. */
  readonly listen?: string;
  /** Where to answer `status`; the loopback address and the listening port + 1000 unless given. */
  readonly admin?: string;
  readonly durability?: "sync" | "async";
  /** The path of the service's module; the key-value store unless given. */
  readonly service?: string;
  /**
   * This member has run before and its disk is lost: it starts mute. In a folder that is there already only the store is
   * made anew, and what is left of the old one set aside.
   */
  readonly isDiskLost?: boolean;
  /** The backup whose application state the genesis document starts from. */
  readonly backup?: string;
  readonly backend: SignatureBackend;
  readonly hasher: Hasher;
}

/**
 * Makes the data folder of a replica, once.
 *
 * @throws ConfigurationError when the folder exists, or key, id and genesis do not belong together.
 * @throws StorageError when a process uses the folder, or it may not be written.
 */
export async function initReplicaFolder(options: InitOptions): Promise<ReplicaFolder> {
  const { path, backend, hasher } = options;
  const genesis = readGenesis(options.genesis.text, options.genesis.source, backend);
  const self = selfIn(genesis, options);
  await checkBackup(genesis, options);
  if (existsSync(join(path, "replica.json"))) {
    if (options.isDiskLost === true)
      return await replaceStoreIn(readReplicaFolder(path, backend, hasher), options, genesis);
    throw new ConfigurationError(
      "configuration.exists",
      `${path} is a data folder already: start it, or choose another folder; a data folder is made only once`,
    );
  }
  const listen = formatAddress(parseAddress(options.listen ?? self.address));
  const admin = formatAddress(parseAddress(options.admin ?? defaultAdmin(listen)));
  const config: ReplicaConfig = {
    formatVersion: FORMAT_VERSION,
    replica: self.id,
    listen,
    admin,
    durability: options.durability ?? "sync",
    historyBytesMax: HISTORY_BYTES_MAX,
    scrubBytesPerSecond: SCRUB_BYTES_PER_SECOND,
    stateCompression: true,
    service: options.service === undefined ? null : resolve(options.service),
  };
  makeFolder(path, "choose another");
  // Without its configuration the folder may be one that a replica runs on all the same.
  await whileLocked(path, () => fillFolder(options, genesis, config));
  return readReplicaFolder(path, backend, hasher);
}

/** @throws ConfigurationError unless genesis and backup go together. It is read to its end before anything is made. */
async function checkBackup(
  { restored, limits }: Genesis,
  { backup, genesis: { source }, isDiskLost, hasher }: InitOptions,
): Promise<void> {
  if (restored === undefined && backup !== undefined)
    throw new ConfigurationError(
      "configuration.inconsistent",
      `the cluster of ${source} starts with nothing; leave out the backup, or make a genesis document of it with \`quorate genesis --from-backup\``,
    );
  if (restored === undefined) return;
  if (backup !== undefined) return checkRestorable(backup, restored, limits, hasher);
  // Who lost it again has the others to give it the state.
  if (isDiskLost === true) return;
  throw new ConfigurationError(
    "configuration.missing",
    `the cluster of ${source} starts from a backup of cluster ${restored.cluster}: name the file with --backup`,
  );
}

async function fillFolder(
  { path, key, hasher, isDiskLost = false, backup }: InitOptions,
  genesis: Genesis,
  config: ReplicaConfig,
): Promise<void> {
  const identity = { cluster: clusterIdOf(hasher, genesis), replica: replicaId(config.replica) };
  // What is left of a folder that was lost in part may stay.
  const write = isDiskLost ? writeUnlessThere : writeOnce;
  write(join(path, "genesis.json"), `${JSON.stringify(genesis, null, 2)}\n`, 0o644);
  write(join(path, "key.json"), `${JSON.stringify(key, null, 2)}\n`, 0o600);
  const store = join(path, "store");
  if (isDiskLost) await replaceLostStore(store, identity);
  else await initializeStore(store, identity);
  if (backup !== undefined) await restoreState(backup, { storePath: store, genesis, hasher, ...identity });
  // Last: its presence says that the folder is whole.
  writeOnce(join(path, "replica.json"), `${JSON.stringify(config, null, 2)}\n`, 0o644);
}

/** The folder's own configuration stays; it has to be the same member of the same cluster, and nobody may run on it. */
async function replaceStoreIn(
  folder: ReplicaFolder,
  { key, hasher, backup }: InitOptions,
  genesis: Genesis,
): Promise<ReplicaFolder> {
  const { path, cluster, self, storePath } = folder;
  if (cluster !== clusterIdOf(hasher, genesis) || self.publicKey !== key.publicKey)
    throw new ConfigurationError(
      "configuration.foreign",
      `${path} is the data folder of replica ${self.id} of cluster ${cluster}, with another genesis or key; choose its own`,
    );
  const identity = { cluster, replica: self.id };
  await whileLocked(path, async () => {
    await replaceLostStore(storePath, identity);
    if (backup !== undefined) await restoreState(backup, { storePath, genesis, hasher, ...identity });
  });
  return folder;
}

async function whileLocked(path: string, act: () => Promise<unknown>): Promise<void> {
  const lock = lockFolder(path);
  try {
    await act();
  } finally {
    lock.release();
  }
}

function writeUnlessThere(path: string, text: string, mode: number): void {
  if (!existsSync(path) || readFileSync(path, "utf8") !== text) writeOnce(path, text, mode);
}

/**
 * Reads a data folder and checks that its parts belong together.
 *
 * @throws ConfigurationError in one line.
 */
export function readReplicaFolder(path: string, backend: SignatureBackend, hasher: Hasher): ReplicaFolder {
  const file = (name: string): string => join(path, name);
  const advice =
    "make the data folder with `quorate init`; if this replica has run before its disk is lost: `quorate init --lost-disk`";
  const config = parseReplicaConfig(
    readDocument(file("replica.json"), "replica configuration", advice),
    file("replica.json"),
  );
  const genesis = readGenesis(
    readDocument(file("genesis.json"), "genesis document", advice),
    file("genesis.json"),
    backend,
  );
  const key = parseKeyFile(readDocument(file("key.json"), "private key", advice), file("key.json"));
  const self = selfIn(genesis, { key, replica: config.replica, backend });
  const cluster = clusterIdOf(hasher, genesis);
  return { path, storePath: file("store"), genesis, cluster, config, self, seed: hexToBytes(key.seed) };
}

/**
 * Parses a genesis document and checks its keys.
 *
 * @throws ConfigurationError in one line.
 */
export function readGenesis(text: string, source: string, backend: SignatureBackend): Genesis {
  const genesis = parseGenesis(text, source);
  try {
    checkGenesisKeys(backend, genesis);
  } catch (error) {
    if (error instanceof GenesisError)
      throw new ConfigurationError("configuration.inconsistent", `${source}: ${error.message}`);
    throw error;
  }
  return genesis;
}

/** The key file of a seed. */
export function keyFileOf(backend: SignatureBackend, seed: Uint8Array): KeyFile {
  return {
    formatVersion: FORMAT_VERSION,
    type: "ed25519",
    publicKey: backend.publicKeyOf(seed),
    seed: bytesToHex(seed),
  };
}

/** Writes a new file and makes it durable; an existing one is never overwritten. */
export function writeOnce(path: string, text: string, mode: number): void {
  try {
    const file = openSync(path, "wx", mode);
    try {
      writeSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST")
      throw new ConfigurationError("configuration.exists", `${path} exists already; it is not overwritten`);
    throw new ConfigurationError("configuration.unreadable", `cannot write ${path} (${code}); check the folder`);
  }
}

function selfIn(
  genesis: Genesis,
  { key, replica, backend }: { key: KeyFile; replica?: number; backend: SignatureBackend },
): Member {
  if (backend.publicKeyOf(hexToBytes(key.seed)) !== key.publicKey)
    throw new ConfigurationError(
      "configuration.wrong-key",
      "the private key does not belong to the public key beside it; restore the key file or make a new key",
    );
  const membership = genesisMembership(genesis);
  const byKey = membership.members.find((member) => member.publicKey === key.publicKey);
  const id: ReplicaId | undefined = replica === undefined ? byKey?.id : replicaId(replica);
  if (id === undefined)
    throw new ConfigurationError(
      "configuration.wrong-key",
      `no member of this genesis has the key ${key.publicKey}; use the key that was given to \`quorate genesis\``,
    );
  const self = memberOf(membership, id);
  if (self === undefined)
    throw new ConfigurationError(
      "configuration.foreign",
      `replica ${id} is not a member of this genesis (members: ${membership.members.map((m) => m.id).join(", ")})`,
    );
  if (self.publicKey !== key.publicKey)
    throw new ConfigurationError(
      "configuration.wrong-key",
      `replica ${id} has key ${self.publicKey} in genesis, the private key belongs to ${key.publicKey}`,
    );
  return self;
}

/**
 * Where a replica that listens there answers `status` unless told otherwise.
 *
 * @throws ConfigurationError when no address follows.
 */
export function defaultAdmin(listen: string): string {
  const { port } = parseAddress(listen);
  const admin = port + ADMIN_PORT_OFFSET;
  if (port > 0 && admin <= 65_535) return `127.0.0.1:${admin}`;
  throw new ConfigurationError("configuration.inconsistent", `choose an admin address: none follows from ${listen}`);
}

import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { clusterIdOf, type SignatureBackend } from "@quorate/crypto";
import {
  bytesToHex,
  FORMAT_VERSION,
  type Genesis,
  genesisMembership,
  type Hasher,
  type Member,
  memberOf,
  type PublicKey,
  replicaId,
} from "@quorate/protocol";
import { HISTORY_BYTES_MAX, initializeStore, lockFolder } from "@quorate/storage";
import { parseAddress } from "@quorate/transport";
import { dialedAddress, normalAddress } from "./addresses.ts";
import { checkRestorable, restoreState } from "./backup/restore-state.ts";
import { ConfigurationError } from "./configuration-error.ts";
import { judgesOf } from "./data-reader.ts";
import type { KeyFile, ReplicaConfig } from "./documents.ts";
import { SCRUB_BYTES_PER_SECOND } from "./host-settings.ts";
import { hasLostStore, replaceLostStore } from "./lost-disk.ts";
import { makeFolder } from "./make-folder.ts";
import { heldKeyOf, KEY_FILE, type ReplicaFolder, readGenesis, readReplicaFolder } from "./replica-folder.ts";
import { keepEpoch, type ProvenEpoch, proveEpoch } from "./trust-epoch.ts";
import { EPOCH_FILE, type GivenDocument } from "./trusted-epoch-file.ts";
import { writeOnce } from "./write-once.ts";

/** How far the admin port lies above the listening port, unless it is chosen. */
export const ADMIN_PORT_OFFSET = 1_000;

/** How to make a data folder. */
export interface InitOptions {
  readonly path: string;
  readonly genesis: GivenDocument;
  /** The document of a later epoch that is trusted like genesis; see `trustEpoch`. */
  readonly epoch?: GivenDocument;
  readonly key: KeyFile;
  /** Which member of genesis this is; found by the key when left out. */
  readonly replica?: number;
  /** It is no member of genesis: it observes, and may become a member. It says itself where it listens. */
  readonly observes?: boolean;
  /** Where to listen; the address in genesis unless given. */
  readonly listen?: string;
  /** What others are to dial, where genesis does not say it; where it listens unless given. */
  readonly advertise?: string;
  /** Replicas to dial beside the members that it knows of: those of genesis may be gone. */
  readonly peers?: readonly string[];
  /** Where to answer `status`; the loopback address and the listening port + 1000 unless given. */
  readonly admin?: string;
  readonly durability?: "sync" | "async";
  /** The path of the service's module; the key-value store unless given. */
  readonly service?: string;
  /**
   * This replica has run before and its disk is lost: it starts mute. In a folder that is there already only the store is
   * made anew, and what is left of the old one set aside. One whose key genesis does not know joined later: it observes, and says
   * where it listens.
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
  const { publicKey: owner } = heldKeyOf(options.key, backend);
  const cluster = clusterIdOf(hasher, genesis);
  const epoch = options.epoch && proveEpoch(options.epoch, { genesis, cluster }, options);
  if (existsSync(join(path, "replica.json"))) {
    if (options.isDiskLost === true) {
      await checkBackup(genesis, options);
      return await replaceStoreIn(readReplicaFolder(path, backend, hasher), options, { genesis, epoch });
    }
    throw new ConfigurationError(
      "configuration.exists",
      `${path} is a data folder already: start it, or choose another folder; a data folder is made only once`,
    );
  }
  const config = configOf(options, genesis, owner);
  await checkBackup(genesis, options);
  makeFolder(path, "choose another");
  // Without its configuration the folder may be one that a replica runs on all the same.
  await whileLocked(path, () => fillFolder(options, genesis, config));
  return readReplicaFolder(path, backend, hasher);
}

function configOf(options: InitOptions, genesis: Genesis, owner: PublicKey): ReplicaConfig {
  const address = addressOf(genesis, options);
  const listen = normalAddress(options.listen ?? address);
  const { advertise, peers = [] } = options;
  return {
    formatVersion: FORMAT_VERSION,
    owner,
    listen,
    admin: normalAddress(options.admin ?? defaultAdmin(listen)),
    ...(advertise !== undefined && { advertise: dialedAddress(advertise) }),
    peers: peers.map(dialedAddress),
    durability: options.durability ?? "sync",
    historyBytesMax: HISTORY_BYTES_MAX,
    scrubBytesPerSecond: SCRUB_BYTES_PER_SECOND,
    stateCompression: true,
    service: options.service === undefined ? null : resolve(options.service),
  };
}

/** Where it is dialed by what genesis says, or where it says itself that it listens. */
function addressOf(genesis: Genesis, options: InitOptions): string {
  const member = genesis.members.find(({ publicKey }) => publicKey === options.key.publicKey);
  const joinedLater = options.isDiskLost === true && options.replica === undefined && member === undefined;
  if (options.observes !== true && !joinedLater) return memberOfGenesis(genesis, options).address;
  if (member !== undefined)
    throw new ConfigurationError(
      "configuration.foreign",
      `the key is that of replica ${member.id} of this genesis; make its data folder with \`quorate init\`, or a new key for the observer`,
    );
  if (options.listen !== undefined) return options.listen;
  throw new ConfigurationError("configuration.inconsistent", "say where the observer listens: no genesis does");
}

/** @throws ConfigurationError unless genesis and backup go together. It is read to its end before anything is made. */
async function checkBackup(
  { restored, limits }: Genesis,
  { backup, genesis: { source }, isDiskLost, observes, hasher }: InitOptions,
): Promise<void> {
  if (restored === undefined && backup !== undefined)
    throw new ConfigurationError(
      "configuration.inconsistent",
      `the cluster of ${source} starts with nothing; leave out the backup, or make a genesis document of it with \`quorate genesis --from-backup\``,
    );
  if (restored === undefined) return;
  if (backup !== undefined) return checkRestorable(backup, restored, limits, hasher);
  // Who lost it again, or comes later, has the others to give it the state.
  if (isDiskLost === true || observes === true) return;
  throw new ConfigurationError(
    "configuration.missing",
    `the cluster of ${source} starts from a backup of cluster ${restored.cluster}: name the file with --backup`,
  );
}

async function fillFolder(
  { path, key, epoch, hasher, isDiskLost = false, observes = false, backup }: InitOptions,
  genesis: Genesis,
  config: ReplicaConfig,
): Promise<void> {
  const identity = { cluster: clusterIdOf(hasher, genesis), owner: config.owner };
  // What is left of a folder that was lost in part may stay, and what was made of that of an observer, which makes its own key.
  const write = isDiskLost || observes ? writeUnlessThere : writeOnce;
  write(join(path, "genesis.json"), `${JSON.stringify(genesis, null, 2)}\n`, 0o644);
  if (epoch !== undefined) write(join(path, EPOCH_FILE), epoch.text, 0o644);
  write(join(path, KEY_FILE), `${JSON.stringify(key, null, 2)}\n`, 0o600);
  const store = join(path, "store");
  // What says that the folder is whole may have been lost, and not the rest: whoever ran on a store may have promised something.
  if (isDiskLost || (observes && hasLostStore(store))) await replaceLostStore(store, identity);
  else await initializeStore(store, identity);
  if (backup !== undefined) await restoreState(backup, { storePath: store, genesis, hasher, ...identity });
  // Last: its presence says that the folder is whole.
  writeOnce(join(path, "replica.json"), `${JSON.stringify(config, null, 2)}\n`, 0o644);
}

/** The folder's own configuration stays; it has to hold this key for the same cluster, and nobody may run on it. */
async function replaceStoreIn(
  folder: ReplicaFolder,
  { key, backup, ...cryptography }: InitOptions,
  { genesis, epoch }: { readonly genesis: Genesis; readonly epoch: ProvenEpoch | undefined },
): Promise<ReplicaFolder> {
  const { hasher } = cryptography;
  const { path, cluster, owner, keys, storePath } = folder;
  if (cluster !== clusterIdOf(hasher, genesis) || !keys.some(({ publicKey }) => publicKey === key.publicKey))
    throw new ConfigurationError(
      "configuration.foreign",
      `${path} is the data folder of a replica of cluster ${cluster} with key ${keys[0]?.publicKey}, this is another genesis or key; choose its own`,
    );
  // What the store knew is lost with it.
  const trusting = epoch === undefined ? folder : keepEpoch(folder, epoch, judgesOf(folder, cryptography).epochs);
  const identity = { cluster, owner };
  await whileLocked(path, async () => {
    await replaceLostStore(storePath, identity);
    if (backup !== undefined) await restoreState(backup, { storePath, genesis, hasher, ...identity });
  });
  return trusting;
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

/** The key file of a seed. */
export function keyFileOf(backend: SignatureBackend, seed: Uint8Array): KeyFile {
  return {
    formatVersion: FORMAT_VERSION,
    type: "ed25519",
    publicKey: backend.publicKeyOf(seed),
    seed: bytesToHex(seed),
  };
}

function memberOfGenesis(genesis: Genesis, { key, replica }: Pick<InitOptions, "key" | "replica">): Member {
  const membership = genesisMembership(genesis);
  const id = replica ?? membership.members.find((member) => member.publicKey === key.publicKey)?.id;
  if (id === undefined)
    throw new ConfigurationError(
      "configuration.wrong-key",
      `no member of this genesis has the key ${key.publicKey}; use the key that was given to \`quorate genesis\`; a replica that is no member joins with \`quorate join\``,
    );
  const self = memberOf(membership, replicaId(id));
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
  throw new ConfigurationError(
    "configuration.inconsistent",
    `no admin address follows from ${listen}, for its port + ${ADMIN_PORT_OFFSET} is no port: say with --admin where it answers \`quorate status\``,
  );
}

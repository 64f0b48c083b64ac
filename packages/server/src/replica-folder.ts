import { existsSync } from "node:fs";
import { join } from "node:path";
import { checkGenesisKeys, clusterIdOf, type SignatureBackend } from "@quorate/crypto";
import {
  type ClusterId,
  type Genesis,
  GenesisError,
  type Hasher,
  hexToBytes,
  type Member,
  type Membership,
  type PublicKey,
  publicKey,
} from "@quorate/protocol";
import type { TrustedEpoch } from "@quorate/reconfiguration";
import { ConfigurationError } from "./configuration-error.ts";
import {
  type KeyFile,
  parseGenesis,
  parseKeyFile,
  parseReplicaConfig,
  type ReplicaConfig,
  readDocument,
} from "./documents.ts";
import { trustedEpochIn } from "./trusted-epoch-file.ts";

/** The file of the secret key, and that of the one that is to take its place. */
export const KEY_FILE = "key.json";
export const NEXT_KEY_FILE = "key.next.json";

/** A key pair that is held here. */
export interface HeldKey {
  readonly publicKey: PublicKey;
  /** 32 secret bytes. */
  readonly seed: Uint8Array;
}

/**
 * What a data folder holds: `genesis.json`, `epoch.json` if it is told to trust an epoch, `replica.json`, `key.json` (mode 0600), while its key is replaced `key.next.json`, and
 * `store/`. It is known by its first key, whoever it is in an epoch (decision 0045).
 */
export interface ReplicaFolder {
  readonly path: string;
  readonly storePath: string;
  readonly genesis: Genesis;
  /** A later epoch that is trusted like genesis, with the links to it; see `trustEpoch`. */
  readonly trusted?: TrustedEpoch | undefined;
  readonly cluster: ClusterId;
  readonly config: ReplicaConfig;
  /** Its first key: the name of the folder and of its store. */
  readonly owner: PublicKey;
  /** The key it began with, or had last, and the one that is to take its place, if there is one. */
  readonly keys: readonly HeldKey[];
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
  const key = heldKeyOf(parseKeyFile(readDocument(file(KEY_FILE), "private key", advice), file(KEY_FILE)), backend);
  const keys = [key, ...nextKeyIn(file(NEXT_KEY_FILE), backend)];
  const { owner } = config;
  for (const key of keys) refuseOthersKey(genesis, owner, key.publicKey);
  const cluster = clusterIdOf(hasher, genesis);
  const trusted = trustedEpochIn(path, genesis, cluster);
  return { path, storePath: file("store"), genesis, trusted, cluster, config, owner, keys };
}

/** The member of this membership whose key is in the folder; undefined: it observes. */
export function memberIn(
  { members }: Pick<Membership, "members">,
  { keys }: Pick<ReplicaFolder, "keys">,
): Member | undefined {
  return members.find((member) => keys.some((key) => key.publicKey === member.publicKey));
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

/** @throws ConfigurationError unless both halves of the pair belong together. */
export function heldKeyOf(key: KeyFile, backend: SignatureBackend): HeldKey {
  const seed = hexToBytes(key.seed);
  if (backend.publicKeyOf(seed) === key.publicKey) return { publicKey: publicKey(key.publicKey), seed };
  throw new ConfigurationError(
    "configuration.wrong-key",
    "the private key does not belong to the public key beside it; restore the key file or make a new key",
  );
}

/** Nothing rests on it while it is not whole: the replica runs by the old one, and tells of it. */
function nextKeyIn(file: string, backend: SignatureBackend): HeldKey[] {
  if (!existsSync(file)) return [];
  try {
    return [heldKeyOf(parseKeyFile(readDocument(file, "next key", "make it again"), file), backend)];
  } catch (error) {
    if (error instanceof ConfigurationError) return [];
    throw error;
  }
}

/** A replica may get a new key, but never another one's. */
function refuseOthersKey({ members }: Genesis, owner: PublicKey, held: PublicKey): void {
  const other = members.find((member) => member.publicKey === held && held !== owner);
  if (other === undefined) return;
  throw new ConfigurationError(
    "configuration.wrong-key",
    `the private key is that of replica ${other.id}, the folder that of the replica whose first key is ${owner}; restore its own key file`,
  );
}

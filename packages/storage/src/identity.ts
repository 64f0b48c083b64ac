import { bytesToHex, type ClusterId, type Digest, digest, hexToBytes, type PublicKey } from "@quorate/protocol";
import { PREFIX } from "./keyspace.ts";
import type { LogId } from "./log-group.ts";
import { seal, unseal } from "./seal.ts";
import { StorageError } from "./storage-error.ts";

/**
 * Whose store it is. A replica is known by its keys: which member it is, if any, is said by each epoch anew.
 */
export interface StoreIdentity {
  readonly cluster: ClusterId;
  /** The first key of the replica. It stays when the replica gets another one: it is a name, and nothing is signed with it here. */
  readonly owner: PublicKey;
}

/**
 * The version of what is written into a data folder; another one is refused. Since 4: a store is its owner's, not a member's; the
 * configuration, what waits for its activation and the links of the epochs are records beside the state; history has a tally of its
 * bytes; what is brought here in bulk waits in a spool.
 */
export const STORE_FORMAT = 5;

/** Where the identity lies. Its presence is the one-time mark of initialization (protocol rule 8.4). */
export const META_KEY: Uint8Array = Uint8Array.of(PREFIX.meta);

/** Enough of a key to tell it from others. */
const KEY_SHOWN = 16;

/** What is fixed when a store is made. */
export interface StoreMark {
  /** The name of its log. */
  readonly logId: LogId;
  /** Drawn because another disk of this replica had been lost (protocol rule 8.5); undefined for the first one. */
  readonly lossNonce: Digest | undefined;
}

/** What the store says about itself, sealed. */
export function encodeMeta(identity: StoreIdentity, { logId, lossNonce }: StoreMark): Uint8Array {
  const { cluster, owner } = identity;
  const log = bytesToHex(logId);
  const loss = lossNonce === undefined ? {} : { loss: lossNonce };
  const meta = { format: STORE_FORMAT, cluster, owner, log, initialized: true, ...loss };
  return seal(META_KEY, Buffer.from(JSON.stringify(meta)));
}

/**
 * Checks that a store is the one that is expected.
 *
 * @throws StorageError in one line: what was expected, what was found, what to do.
 */
export function checkMeta(path: string, stored: Uint8Array | undefined, expected: StoreIdentity): StoreMark {
  if (stored === undefined) {
    const advice = "its initialization was cut short or it was made by another program; remove it and initialize again";
    throw new StorageError("storage.not-initialized", `${path} carries no mark of initialization: ${advice}`);
  }
  const bytes = unseal(META_KEY, stored);
  if (bytes === undefined) {
    const found = "the entry that says whose store it is does not match its checksum";
    throw new StorageError("storage.damaged", `${path} is damaged: ${found}; treat the disk as lost`);
  }
  const { format, cluster, owner, log, loss } = parseMeta(bytes);
  if (format !== STORE_FORMAT) {
    const what = `expected format ${STORE_FORMAT}, found ${String(format)}`;
    throw new StorageError("storage.version", `${path}: ${what}; use the version of Quorate that wrote it`);
  }
  if (cluster !== expected.cluster || owner !== expected.owner) {
    const wanted = `the replica whose first key is ${shortOf(expected.owner)}, of cluster ${shortOf(expected.cluster)}`;
    const found = `the one of key ${shortOf(owner)}, of cluster ${shortOf(cluster)}`;
    const advice = "point it at this replica's own folder";
    throw new StorageError(
      "storage.foreign",
      `${path}: expected the store of ${wanted}, found that of ${found}; ${advice}`,
    );
  }
  return { logId: hexToBytes(String(log)), lossNonce: loss === undefined ? undefined : digest(String(loss)) };
}

function shortOf(hex: unknown): string {
  return `${String(hex).slice(0, KEY_SHOWN)}…`;
}

interface Meta {
  readonly format?: unknown;
  readonly cluster?: unknown;
  readonly owner?: unknown;
  readonly log?: unknown;
  readonly loss?: unknown;
}

function parseMeta(bytes: Uint8Array): Meta {
  // The checksum held, so this is what a version of this program wrote.
  return JSON.parse(Buffer.from(bytes).toString("utf8")) as Meta;
}

import { readFileSync } from "node:fs";
import { isAbsolute } from "node:path";
import {
  ADDRESS_BYTES_MAX,
  checkGenesis,
  FORMAT_VERSION,
  type Genesis,
  GenesisError,
  LIMITS_BOUNDS,
  MEMBERS_MAX,
  type PublicKey,
  publicKey,
  REPLICA_ID_MAX,
  replicaId,
  TIMEOUTS_BOUNDS,
} from "@quorate/protocol";
import { parseAddress, TransportError } from "@quorate/transport";
// Not the whole of typebox: JSON Schema is all that is needed here, and every command would wait for the rest to load.
import Schema from "typebox/schema";
import { ConfigurationError } from "./configuration-error.ts";
import { SCRUB_BYTES_PER_SECOND } from "./host-settings.ts";

const KEY = { type: "string", pattern: "^[0-9a-f]{64}$" } as const;
/** Addresses of `replica.json` that are dialed beside those of members. */
const PEERS_MAX = MEMBERS_MAX;
const ADDRESS = { type: "string", maxLength: ADDRESS_BYTES_MAX } as const;

function integer(minimum: number, maximum: number): object {
  return { type: "integer", minimum, maximum };
}

type Properties = Readonly<Record<string, object>>;

/** The JSON schema of an object with all of these fields, some of the optional ones, and no other. */
export function closed(required: Properties, optional: Properties = {}): object {
  return {
    type: "object",
    properties: { ...required, ...optional },
    required: Object.keys(required),
    additionalProperties: false,
  };
}

function counters(bounds: Readonly<Record<string, readonly [number, number]>>): object {
  return closed(Object.fromEntries(Object.entries(bounds).map(([name, range]) => [name, integer(...range)])));
}

const RestoredDocument = closed({
  cluster: KEY,
  checkpoint: integer(1, Number.MAX_SAFE_INTEGER),
  applicationRoot: KEY,
  entries: integer(0, Number.MAX_SAFE_INTEGER),
  timestampMs: integer(0, Number.MAX_SAFE_INTEGER),
});

const GenesisDocument = closed(
  {
    formatVersion: { const: FORMAT_VERSION },
    name: { type: "string", minLength: 1, maxLength: 64 },
    faultModel: { const: "byzantine" },
    members: {
      type: "array",
      items: closed({ id: integer(0, REPLICA_ID_MAX), publicKey: KEY, address: ADDRESS }),
    },
    admins: closed({ threshold: integer(0, 1000), keys: { type: "array", items: KEY, maxItems: 1000 } }),
    clients: { anyOf: [{ const: "open" }, { type: "array", items: KEY, maxItems: 100_000 }] },
    checkpointInterval: integer(0, 2 ** 31),
    windowSize: integer(0, 2 ** 31),
    rotateEveryBatches: integer(0, Number.MAX_SAFE_INTEGER),
    limits: counters(LIMITS_BOUNDS),
    timeouts: counters(TIMEOUTS_BOUNDS),
  },
  { restored: RestoredDocument },
);

const ReplicaConfiguration = closed(
  {
    formatVersion: { const: FORMAT_VERSION },
    /** The first key of this replica, by which its folder is known. */
    owner: KEY,
    /** Where to listen for replicas and clients. */
    listen: ADDRESS,
    /** Where to answer `quorate status`; on the loopback interface unless the operator has reasons. */
    admin: ADDRESS,
    durability: { enum: ["sync", "async"] },
    /** Bytes of committed batches kept for replicas that lag. */
    historyBytesMax: integer(1024 * 1024, 2 ** 40),
  },
  // Folders of this format version were made before there were such fields.
  {
    /** What others dial, where genesis does not say it. */
    advertise: ADDRESS,
    /** Replicas that are dialed beside the members that are known. */
    peers: { type: "array", items: ADDRESS, maxItems: PEERS_MAX },
    scrubBytesPerSecond: integer(0, 2 ** 40),
    stateCompression: { type: "boolean" },
    service: { anyOf: [{ type: "null" }, { type: "string", minLength: 1, maxLength: 4096 }] },
  },
);

const KeyDocument = closed({
  formatVersion: { const: FORMAT_VERSION },
  type: { const: "ed25519" },
  publicKey: KEY,
  seed: KEY,
});

/** The local configuration of one replica, `replica.json` in its data folder. */
export interface ReplicaConfig {
  readonly formatVersion: typeof FORMAT_VERSION;
  readonly owner: PublicKey;
  readonly listen: string;
  readonly admin: string;
  /** `host:port`; for a replica that genesis does not know: where it listens, unless said. */
  readonly advertise?: string;
  readonly peers: readonly string[];
  readonly durability: "sync" | "async";
  readonly historyBytesMax: number;
  /** How much of the state the scrubber looks at in a second; 0: it does not run. */
  readonly scrubBytesPerSecond: number;
  /** Whether the state goes to other replicas compressed, and may come so. */
  readonly stateCompression: boolean;
  /** The absolute path of the ES module with the service whose state this is; null for the key-value store. */
  readonly service: string | null;
}

type OptionalField = "peers" | "service" | "scrubBytesPerSecond" | "stateCompression";

/** A key pair on disk. The seed is the secret. */
export interface KeyFile {
  readonly formatVersion: typeof FORMAT_VERSION;
  readonly type: "ed25519";
  readonly publicKey: string;
  readonly seed: string;
}

const genesisValidator = Schema.Compile(GenesisDocument);
const configValidator = Schema.Compile(ReplicaConfiguration);
const keyValidator = Schema.Compile(KeyDocument);

/**
 * Reads a genesis document. Whether its keys are admissible is for `checkGenesisKeys` of crypto.
 *
 * @throws ConfigurationError naming `source` and the first thing that is wrong.
 */
export function parseGenesis(text: string, source: string): Genesis {
  const value = parseJson(text, source);
  checkVersion(value, source);
  checkShape(genesisValidator, value, source);
  const document = value as Genesis;
  const genesis: Genesis = {
    ...document,
    members: document.members.map((member) => ({
      id: replicaId(member.id),
      publicKey: publicKey(member.publicKey),
      address: member.address,
    })),
  };
  try {
    checkGenesis(genesis);
    for (const { address } of genesis.members) parseAddress(address);
  } catch (error) {
    if (error instanceof GenesisError || error instanceof TransportError)
      throw new ConfigurationError("configuration.inconsistent", `${source}: ${error.message}`);
    throw error;
  }
  return genesis;
}

/** @throws ConfigurationError naming `source` and the first thing that is wrong. */
export function parseReplicaConfig(text: string, source: string): ReplicaConfig {
  const value = parseJson(text, source);
  checkVersion(value, source);
  checkShape(configValidator, value, source);
  const document = value as Omit<ReplicaConfig, OptionalField> & Partial<ReplicaConfig>;
  const {
    owner,
    peers = [],
    service = null,
    scrubBytesPerSecond = SCRUB_BYTES_PER_SECOND,
    stateCompression = true,
  } = document;
  const config: ReplicaConfig = {
    ...document,
    owner: publicKey(owner),
    peers,
    service,
    scrubBytesPerSecond,
    stateCompression,
  };
  // Relative to what, nobody could say later.
  if (config.service !== null && !isAbsolute(config.service))
    throw new ConfigurationError(
      "configuration.inconsistent",
      `${source}: service is ${config.service}, expected an absolute path, or null for the key-value store`,
    );
  return config;
}

/** @throws ConfigurationError naming `source` and the first thing that is wrong; never what the file holds. */
export function parseKeyFile(text: string, source: string): KeyFile {
  const value = parseJson(text, source);
  checkVersion(value, source);
  checkShape(keyValidator, value, source, "secret");
  return value as KeyFile;
}

/**
 * Reads a file that the operator named.
 *
 * @throws ConfigurationError `configuration.missing` or `configuration.unreadable`.
 */
export function readDocument(path: string, what: string, advice: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new ConfigurationError("configuration.missing", `no ${what} at ${path}: ${advice}`);
    // What is there is not to be made again.
    const remedy = code === "EACCES" || code === "EPERM" ? "let the user of this process read it" : advice;
    throw new ConfigurationError("configuration.unreadable", `cannot read the ${what} at ${path} (${code}): ${remedy}`);
  }
}

/** @throws ConfigurationError `configuration.malformed`; it never quotes the text. */
export function parseJson(text: string, source: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, which may be a secret.
    throw new ConfigurationError("configuration.malformed", `${source} is not JSON; restore it or make it again`);
  }
}

/** @throws ConfigurationError `configuration.version` for a document of another format version. */
export function checkVersion(value: unknown, source: string): void {
  const version: unknown =
    typeof value === "object" && value !== null && "formatVersion" in value && value.formatVersion;
  if (typeof version === "number" && version !== FORMAT_VERSION)
    throw new ConfigurationError(
      "configuration.version",
      `${source} has format version ${version}, this program speaks ${FORMAT_VERSION}; use the version that wrote it`,
    );
}

/** @throws ConfigurationError `configuration.malformed`, naming the first place that is wrong. */
export function checkShape(
  validator: ReturnType<typeof Schema.Compile>,
  value: unknown,
  source: string,
  content: "public" | "secret" = "public",
): void {
  if (validator.Check(value)) return;
  const [, errors] = validator.Errors(value);
  // The deepest complaint is the most telling one: "members/2/id" says more than "members".
  const [error] = errors.sort((a, b) => depth(b.instancePath) - depth(a.instancePath));
  const extra = errors.find(({ keyword }) => keyword === "additionalProperties" || keyword === "boolean");
  // A field's name is the file's content too: somebody may have put a secret there.
  if (extra !== undefined && content === "secret")
    throw new ConfigurationError(
      "configuration.malformed",
      `${source} has a field that is not one of this document; restore it or make it again`,
    );
  const where = (extra ?? error)?.instancePath.replaceAll("/", ".").replace(/^\./, "") || "the document";
  const what = extra === undefined ? error?.message : "is not a field of this document";
  throw new ConfigurationError("configuration.malformed", `${source}: ${where} ${what}; correct it or make it again`);
}

function depth(path: string): number {
  return path.split("/").length;
}

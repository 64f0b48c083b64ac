import type { SignatureBackend } from "@quorate/crypto";
import {
  ADDRESS_BYTES_MAX,
  APPROVALS_MAX,
  type Approval,
  approvalPreimage,
  bytesToHex,
  type ClusterId,
  type Digest,
  type Epoch,
  FORMAT_VERSION,
  hexToBytes,
  possessedKeyOf,
  possessionPreimage,
  REPLICA_ID_MAX,
  type ReconfigurationChange,
  type ReconfigurationRequest,
  utf8,
} from "@quorate/protocol";
import { parseAddress, TransportError } from "@quorate/transport";
import Schema from "typebox/schema";
import { ConfigurationError } from "./configuration-error.ts";
import { checkShape, checkVersion, closed, parseJson } from "./documents.ts";

/** A change on its way to the cluster: what admins sign, and the signatures that it has (protocol rule 11.1). */
export interface PreparedChange
  extends Pick<ReconfigurationRequest, "epoch" | "nonce" | "change" | "possession" | "approvals"> {
  readonly cluster: ClusterId;
}

/** The same as a file, which goes from admin to admin. Nothing in it is secret, and nobody can change it unnoticed. */
export interface ChangeDocument {
  readonly formatVersion: typeof FORMAT_VERSION;
  readonly type: "change-order";
  readonly cluster: string;
  readonly epoch: number;
  readonly nonce: string;
  readonly change: ReconfigurationChange;
  /** 64 bytes in hex by the key that the change brings in; empty for a change that brings in none. */
  readonly possession: string;
  readonly approvals: readonly { readonly key: string; readonly signature: string }[];
}

type ChangeType = ReconfigurationChange["type"];

const KEY = { type: "string", pattern: "^[0-9a-f]{64}$" } as const;
const SIGNATURE = { type: "string", pattern: "^[0-9a-f]{128}$" } as const;
const ID = { type: "integer", minimum: 0, maximum: REPLICA_ID_MAX } as const;
const COUNTER = { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER } as const;
const U32 = { type: "integer", minimum: 0, maximum: 2 ** 32 - 1 } as const;
const MEMBER = closed({ id: ID, publicKey: KEY, address: { type: "string", maxLength: ADDRESS_BYTES_MAX } });
const ADMINS = closed({
  threshold: { type: "integer", minimum: 0, maximum: APPROVALS_MAX },
  keys: { type: "array", items: KEY, maxItems: APPROVALS_MAX },
});

/** Beside its type. */
const FIELDS: Readonly<Record<ChangeType, Readonly<Record<string, object>>>> = {
  join: { member: MEMBER, checkpoint: closed({ seq: COUNTER, stateRoot: KEY }) },
  leave: { id: ID, mayLowerFaultThreshold: { type: "boolean" } },
  rejoin: { id: ID, loss: KEY },
  "rotate-key": { id: ID, publicKey: KEY },
  admins: { admins: ADMINS },
  parameters: { checkpointInterval: U32, windowSize: U32 },
  admit: { client: KEY },
  expel: { client: KEY },
};
/** Fields that may be left out. */
const OPTIONAL_FIELDS: Partial<typeof FIELDS> = { join: { loss: KEY } };
const CHANGE_TYPES = Object.keys(FIELDS) as ChangeType[];

const documentOfAny = Schema.Compile(documentWith({ type: "object" }));
/** One for each type of change: what is wrong is said of that one alone. */
const documentOf = Object.fromEntries(
  CHANGE_TYPES.map((type) => [
    type,
    Schema.Compile(documentWith(closed({ type: { const: type }, ...FIELDS[type] }, OPTIONAL_FIELDS[type]))),
  ]),
) as Readonly<Record<ChangeType, typeof documentOfAny>>;

function documentWith(change: object): object {
  return closed({
    formatVersion: { const: FORMAT_VERSION },
    type: { const: "change-order" },
    cluster: KEY,
    epoch: COUNTER,
    nonce: KEY,
    change,
    possession: { type: "string", pattern: "^([0-9a-f]{128})?$" },
    approvals: {
      type: "array",
      items: closed({ key: KEY, signature: SIGNATURE }),
      maxItems: APPROVALS_MAX,
    },
  });
}

export function changeDocumentOf(prepared: PreparedChange): ChangeDocument {
  const { cluster, epoch, nonce, change, possession, approvals } = prepared;
  return {
    formatVersion: FORMAT_VERSION,
    type: "change-order",
    cluster,
    epoch,
    nonce,
    change,
    possession: bytesToHex(possession),
    approvals: approvals.map(({ key, signature }) => ({ key, signature: bytesToHex(signature) })),
  };
}

/**
 * Reads an order of a change, with every signature verified. Whether they are those of admins, the cluster judges.
 *
 * @param cluster of the genesis document.
 * @throws ConfigurationError naming `source` and the first thing that is wrong.
 */
export function parseChangeDocument(
  text: string,
  source: string,
  cluster: ClusterId,
  backend: Pick<SignatureBackend, "verify">,
): PreparedChange {
  const document = shapedDocument(text, source);
  if (document.cluster !== cluster)
    throw new ConfigurationError(
      "configuration.foreign",
      `${source} is an order for cluster ${document.cluster}, the genesis document is that of cluster ${cluster}; name that cluster's with --genesis`,
    );
  const approvals = document.approvals.map(({ key, signature }) => ({ key, signature: hexToBytes(signature) }));
  const prepared: PreparedChange = {
    cluster,
    epoch: document.epoch as Epoch,
    nonce: document.nonce as Digest,
    change: document.change,
    possession: hexToBytes(document.possession),
    approvals: ascending(approvals as Approval[]),
  };
  const fault = faultOf(prepared, backend);
  if (fault !== undefined) throw new ConfigurationError("configuration.inconsistent", `${source}: ${fault}`);
  return prepared;
}

/** The same with the approval of one more key, or with another one of a key that has approved before. */
export function withApproval(prepared: PreparedChange, approval: Approval): PreparedChange {
  const others = prepared.approvals.filter(({ key }) => key !== approval.key);
  return { ...prepared, approvals: ascending([...others, approval]) };
}

/** In the order that a request has them. */
function ascending(approvals: readonly Approval[]): readonly Approval[] {
  return [...approvals].sort((a, b) => (a.key < b.key ? -1 : 1));
}

function shapedDocument(text: string, source: string): ChangeDocument {
  const value = parseJson(text, source);
  checkVersion(value, source);
  checkShape(documentOfAny, value, source);
  const { change } = value as { readonly change: { readonly type?: unknown } };
  const type = CHANGE_TYPES.find((known) => known === change.type);
  if (type === undefined)
    throw new ConfigurationError(
      "configuration.malformed",
      `${source}: change.type is no change that there is, expected one of ${CHANGE_TYPES.join(", ")}`,
    );
  checkShape(documentOf[type], value, source);
  return value as ChangeDocument;
}

/** What keeps an order from ever being taken. */
function faultOf(prepared: PreparedChange, backend: Pick<SignatureBackend, "verify">): string | undefined {
  const { cluster, change, possession, approvals } = prepared;
  if (change.type === "join") {
    const fault = addressFault(change.member.address);
    if (fault !== undefined) return fault;
  }
  const possessed = possessedKeyOf(change);
  if (possessed === undefined && possession.length > 0)
    return `possession is signed, but a change of type ${change.type} brings in no key`;
  if (possessed !== undefined && !backend.verify(possessed, possessionPreimage(cluster, prepared), possession))
    return `possession is no signature of the key ${possessed} over this change; make the order anew where that key is`;
  const approved = approvalPreimage(cluster, prepared);
  for (const [index, { key, signature }] of approvals.entries()) {
    if (key === approvals[index + 1]?.key) return `two approvals are of the key ${key}; take one of them out`;
    if (!backend.verify(key, approved, signature))
      return `the approval of the key ${key} is no signature of it over this change; take it out, and have it approved again`;
  }
  return undefined;
}

function addressFault(address: string): string | undefined {
  if (utf8(address).length > ADDRESS_BYTES_MAX)
    return `the address of the new member is longer than ${ADDRESS_BYTES_MAX} bytes`;
  try {
    parseAddress(address);
    return undefined;
  } catch (error) {
    if (error instanceof TransportError) return error.message;
    throw error;
  }
}

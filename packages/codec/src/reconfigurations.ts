/** Requests that change the members, and what else an epoch fixes, on the wire. */
import {
  ADDRESS_BYTES_MAX,
  APPROVALS_MAX,
  type Approval,
  assertNever,
  CHANGE_TYPE_CODES,
  type FetchClaim,
  type JoinClaim,
  type PublicKey,
  possessedKeyOf,
  type ReconfigurationChange,
  type ReconfigurationRequest,
  utf8,
} from "@quorate/protocol";
import { readOptionalDigest, writeOptionalDigest } from "./optional-digest.ts";
import type { Tuple } from "./tuple.ts";
import type { Writer } from "./writer.ts";

/** The type number among requests. */
export const RECONFIGURATION = 4;

type ChangeOf<T extends ReconfigurationChange["type"]> = Extract<ReconfigurationChange, { readonly type: T }>;

const CHANGES: ReadonlyMap<number, ReconfigurationChange["type"]> = new Map(
  (Object.keys(CHANGE_TYPE_CODES) as ReconfigurationChange["type"][]).map((type) => [CHANGE_TYPE_CODES[type], type]),
);

export function writeReconfiguration(writer: Writer, request: ReconfigurationRequest): void {
  writer.array(8).uint(RECONFIGURATION).hex32(request.client).uint(request.epoch).hex32(request.nonce);
  writeChange(writer, request.change);
  writer.array(request.approvals.length);
  for (const { key, signature } of request.approvals) writer.array(2).hex32(key).signature(signature);
  if (possessedKeyOf(request.change) === undefined) writer.array(0);
  else writer.array(1).signature(request.possession);
  writer.signature(request.signature);
}

export function readReconfiguration(tuple: Tuple): ReconfigurationRequest {
  tuple.shape(8);
  const change = readChange(tuple.tuple(4, "change"));
  return {
    type: "reconfiguration",
    client: tuple.hex32(1, "client"),
    epoch: tuple.counter(2, "epoch"),
    nonce: tuple.hex32(3, "nonce"),
    change,
    approvals: readApprovals(tuple),
    possession: readPossession(tuple, change),
    signature: tuple.signature(7, "signature"),
  };
}

/** Ascending by key, so that one set of approvals has one encoding. */
function readApprovals(tuple: Tuple): Approval[] {
  const approvals = tuple.list(5, "approvals", APPROVALS_MAX, readApproval);
  let previous: PublicKey | undefined;
  for (const { key } of approvals) {
    if (previous !== undefined && key <= previous)
      tuple.fault("not-ascending", "approvals", `a key above ${previous}`, key);
    previous = key;
  }
  return approvals;
}

function readApproval(tuple: Tuple): Approval {
  tuple.shape(2);
  return { key: tuple.hex32(0, "key"), signature: tuple.signature(1, "signature") };
}

/** Of the key that the change brings in, and of nothing where it brings in none. */
function readPossession(tuple: Tuple, change: ReconfigurationChange): Uint8Array {
  const list = tuple.tuple(6, "possession");
  if (possessedKeyOf(change) !== undefined) return list.shape(1).signature(0, 0);
  list.shape(0);
  return new Uint8Array(0);
}

export function writeFetchClaim(writer: Writer, { epoch, id }: FetchClaim): void {
  writer.array(2).uint(epoch).uint(id);
}

export function readFetchClaim(tuple: Tuple): FetchClaim {
  return { epoch: tuple.shape(2).counter(0, "epoch"), id: tuple.replica(1, "id") };
}

export function writeJoinClaim(writer: Writer, { change, possession }: JoinClaim): void {
  writeChange(writer.array(2), change);
  writer.signature(possession);
}

export function readJoinClaim(tuple: Tuple): JoinClaim {
  const change = tuple.shape(2).tuple(0, "change");
  const code = change.uint(0, "type");
  if (code !== CHANGE_TYPE_CODES.join) change.fault("unknown-type", "type", `${CHANGE_TYPE_CODES.join}`, `${code}`);
  return { change: readJoin(change.shape(7)), possession: tuple.signature(1, "possession") };
}

function writeChange(writer: Writer, change: ReconfigurationChange): void {
  const code = CHANGE_TYPE_CODES[change.type];
  switch (change.type) {
    case "join":
      return writeJoin(writer, change);
    case "leave":
      writer.array(3).uint(code).uint(change.id).uint(Number(change.mayLowerFaultThreshold));
      return;
    case "rejoin":
      writer.array(3).uint(code).uint(change.id).hex32(change.loss);
      return;
    case "rotate-key":
      writer.array(3).uint(code).uint(change.id).hex32(change.publicKey);
      return;
    case "admins":
      return writeAdmins(writer, change);
    case "parameters":
      writer.array(3).uint(code).uint(change.checkpointInterval).uint(change.windowSize);
      return;
    case "admit":
    case "expel":
      writer.array(2).uint(code).hex32(change.client);
      return;
    default:
      return assertNever(change);
  }
}

function readChange(tuple: Tuple): ReconfigurationChange {
  const code = tuple.uint(0, "type");
  const type = CHANGES.get(code);
  switch (type) {
    case "join":
      return readJoin(tuple.shape(7));
    case "leave":
      tuple.shape(3);
      return {
        type,
        id: tuple.replica(1, "id"),
        mayLowerFaultThreshold: tuple.uint(2, "mayLowerFaultThreshold", 1) === 1,
      };
    case "rejoin":
      return { type, id: tuple.shape(3).replica(1, "id"), loss: tuple.hex32(2, "loss") };
    case "rotate-key":
      return { type, id: tuple.shape(3).replica(1, "id"), publicKey: tuple.hex32(2, "publicKey") };
    case "admins":
      return readAdmins(tuple.shape(3));
    case "parameters": {
      const checkpointInterval = tuple.shape(3).uint(1, "checkpointInterval");
      return { type, checkpointInterval, windowSize: tuple.uint(2, "windowSize") };
    }
    case undefined:
      tuple.fault("unknown-type", "type", `one of ${[...CHANGES.keys()].join(", ")}`, `${code}`);
      return { type: "expel", client: tuple.hex32(1, "client") };
    default:
      return { type, client: tuple.shape(2).hex32(1, "client") };
  }
}

function writeJoin(writer: Writer, { type, member, checkpoint, loss }: ChangeOf<"join">): void {
  writer.array(7).uint(CHANGE_TYPE_CODES[type]).uint(member.id).hex32(member.publicKey);
  writer.bytes(utf8(member.address)).uint(checkpoint.seq).hex32(checkpoint.stateRoot);
  writeOptionalDigest(writer, loss);
}

function readJoin(tuple: Tuple): ChangeOf<"join"> {
  const loss = readOptionalDigest(tuple.tuple(6, "loss"));
  return {
    type: "join",
    member: {
      id: tuple.replica(1, "id"),
      publicKey: tuple.hex32(2, "publicKey"),
      address: tuple.utf8(3, "address", ADDRESS_BYTES_MAX),
    },
    checkpoint: { seq: tuple.counter(4, "seq"), stateRoot: tuple.hex32(5, "stateRoot") },
    ...(loss !== undefined && { loss }),
  };
}

function writeAdmins(writer: Writer, { type, admins }: ChangeOf<"admins">): void {
  writer.array(3).uint(CHANGE_TYPE_CODES[type]).uint(admins.threshold).array(admins.keys.length);
  for (const key of admins.keys) writer.hex32(key);
}

/** Whether they can be the admins of a cluster is judged when it executes. */
function readAdmins(tuple: Tuple): ChangeOf<"admins"> {
  const list = tuple.bounded(2, "keys", 0, APPROVALS_MAX);
  const keys: PublicKey[] = [];
  for (let i = 0; i < list.length; i++) keys.push(list.hex32(i, i));
  return { type: "admins", admins: { threshold: tuple.uint(1, "threshold", APPROVALS_MAX), keys } };
}

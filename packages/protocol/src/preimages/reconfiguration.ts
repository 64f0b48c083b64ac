import { utf8 } from "../bytes.ts";
import type { ClusterId } from "../ids.ts";
import { assertNever } from "../invariant.ts";
import type { Member } from "../membership.ts";
import { PreimageWriter } from "../preimage-writer.ts";
import { CHANGE_TYPE_CODES, type ReconfigurationChange, type ReconfigurationRequest } from "../reconfiguration.ts";
import { HASH, headed, TAGS, U32, U64 } from "./head.ts";

/**
 * What an admin signs to agree with a change: bound to the epoch and to a nonce that is used once (protocol rule 11.1). How far
 * a joiner has come is the joiner's to say, and may be newer than what it was when the admins signed.
 */
export function approvalPreimage(
  cluster: ClusterId,
  { epoch, nonce, change }: Pick<ReconfigurationRequest, "epoch" | "nonce" | "change">,
): Uint8Array {
  const fields = change.type === "join" ? joinerFields(change.member) : changeFields(change);
  return headed(TAGS.approval, cluster, U64 + HASH + fields.length)
    .u64(epoch)
    .hex32(nonce)
    .raw(fields)
    .finish();
}

/** What the key that a change brings in signs: its holder agrees, before there is anyone to submit it. */
export function possessionPreimage(
  cluster: ClusterId,
  { epoch, change }: Pick<ReconfigurationRequest, "epoch" | "change">,
): Uint8Array {
  const fields = changeFields(change);
  return headed(TAGS.possession, cluster, U64 + fields.length)
    .u64(epoch)
    .raw(fields)
    .finish();
}

/**
 * What the submitter of a reconfiguration signs, and what is hashed to the request digest: who approved, but not with which
 * signature (protocol rule 2.3).
 */
export function reconfigurationRequestPreimage(
  cluster: ClusterId,
  { client, epoch, nonce, change, approvals }: Omit<ReconfigurationRequest, "signature" | "possession">,
): Uint8Array {
  const fields = changeFields(change);
  const writer = headed(TAGS.reconfiguration, cluster, 2 * HASH + U64 + fields.length + U32 + approvals.length * HASH)
    .hex32(client)
    .u64(epoch)
    .hex32(nonce)
    .raw(fields)
    .u32(approvals.length);
  for (const { key } of approvals) writer.hex32(key);
  return writer.finish();
}

/** Who joins. */
function joinerFields({ id, publicKey, address }: Member): Uint8Array {
  const bytes = utf8(address);
  return new PreimageWriter(1 + 2 * U32 + HASH + bytes.length)
    .u8(CHANGE_TYPE_CODES.join)
    .u32(id)
    .hex32(publicKey)
    .sized(bytes)
    .finish();
}

/** The change: its type, then the type's own fields. */
function changeFields(change: ReconfigurationChange): Uint8Array {
  const code = CHANGE_TYPE_CODES[change.type];
  switch (change.type) {
    case "join": {
      const { member, checkpoint, loss } = change;
      const joiner = joinerFields(member);
      const writer = new PreimageWriter(joiner.length + U64 + HASH + 1 + (loss === undefined ? 0 : HASH))
        .raw(joiner)
        .u64(checkpoint.seq)
        .hex32(checkpoint.stateRoot)
        .u8(loss === undefined ? 0 : 1);
      if (loss !== undefined) writer.hex32(loss);
      return writer.finish();
    }
    case "leave":
      return new PreimageWriter(2 + U32)
        .u8(code)
        .u32(change.id)
        .u8(change.mayLowerFaultThreshold ? 1 : 0)
        .finish();
    case "rejoin":
      return new PreimageWriter(1 + U32 + HASH).u8(code).u32(change.id).hex32(change.loss).finish();
    case "rotate-key":
      return new PreimageWriter(1 + U32 + HASH).u8(code).u32(change.id).hex32(change.publicKey).finish();
    case "admins": {
      const { threshold, keys } = change.admins;
      const writer = new PreimageWriter(1 + 2 * U32 + keys.length * HASH).u8(code).u32(threshold).u32(keys.length);
      for (const key of keys) writer.hex32(key);
      return writer.finish();
    }
    case "parameters":
      return new PreimageWriter(1 + 2 * U64).u8(code).u64(change.checkpointInterval).u64(change.windowSize).finish();
    case "admit":
    case "expel":
      return new PreimageWriter(1 + HASH).u8(code).hex32(change.client).finish();
    default:
      return assertNever(change);
  }
}

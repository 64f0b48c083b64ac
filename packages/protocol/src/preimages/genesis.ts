import { utf8 } from "../bytes.ts";
import { type Genesis, LIMITS_BOUNDS, type Limits, TIMEOUTS_BOUNDS, type Timeouts } from "../genesis.ts";
import { PreimageWriter } from "../preimage-writer.ts";
import { HASH, TAG, TAGS, U32, U64 } from "./head.ts";

/** Hashed to the cluster id: every field of the genesis document, so that white space and key order do not matter. */
export function genesisPreimage(genesis: Genesis): Uint8Array {
  const name = utf8(genesis.name);
  const members = genesis.members
    .map((member) => ({ ...member, bytes: utf8(member.address) }))
    .sort((a, b) => a.id - b.id);
  const clients = genesis.clients === "open" ? undefined : [...genesis.clients].sort();
  const admins = [...genesis.admins.keys].sort();
  const limits = Object.keys(LIMITS_BOUNDS) as (keyof Limits)[];
  const timeouts = Object.keys(TIMEOUTS_BOUNDS) as (keyof Timeouts)[];
  const size =
    TAG +
    U32 +
    (U32 + name.length) +
    1 +
    U32 +
    members.reduce((sum, m) => sum + U32 + HASH + U32 + m.bytes.length, 0) +
    U32 +
    U32 +
    admins.length * HASH +
    1 +
    U32 +
    (clients?.length ?? 0) * HASH +
    3 * U64 +
    (limits.length + timeouts.length) * U64 +
    (genesis.restored === undefined ? 0 : 1 + 2 * HASH + 3 * U64);
  const writer = new PreimageWriter(size).tag(TAGS.genesis).u32(genesis.formatVersion).sized(name).u8(1);
  writer.u32(members.length);
  for (const member of members) writer.u32(member.id).hex32(member.publicKey).sized(member.bytes);
  writer.u32(genesis.admins.threshold).u32(admins.length);
  for (const key of admins) writer.hex32(key);
  writer.u8(clients === undefined ? 0 : 1).u32(clients?.length ?? 0);
  for (const key of clients ?? []) writer.hex32(key);
  writer.u64(genesis.checkpointInterval).u64(genesis.windowSize).u64(genesis.rotateEveryBatches);
  for (const field of limits) writer.u64(genesis.limits[field]);
  for (const field of timeouts) writer.u64(genesis.timeouts[field]);
  if (genesis.restored !== undefined) {
    const { cluster, checkpoint, applicationRoot, entries, timestampMs } = genesis.restored;
    writer.u8(1).hex32(cluster).u64(checkpoint).hex32(applicationRoot).u64(entries).u64(timestampMs);
  }
  return writer.finish();
}

import { epochNumber, type Genesis, PreimageWriter, utf8 } from "@quorate/protocol";

const HEAD_BYTES = 24;
const HASH = 32;

/**
 * The membership as a record of the replicated state: epoch, K and L; the members, each with id, key and address; the keys of
 * the admins, of which so many must agree (protocol rule 9.2).
 */
export function encodeMembership({ members, admins, checkpointInterval, windowSize }: Genesis): Uint8Array {
  const addresses = members.map(({ address }) => utf8(address));
  let size = HEAD_BYTES + 8 + admins.keys.length * HASH;
  for (const address of addresses) size += 4 + HASH + 4 + address.length;
  const writer = new PreimageWriter(size)
    .u64(epochNumber(0))
    .u32(checkpointInterval)
    .u32(windowSize)
    .u64(members.length);
  members.forEach(({ id, publicKey }, index) => {
    writer
      .u32(id)
      .hex32(publicKey)
      .sized(addresses[index] ?? utf8(""));
  });
  writer.u32(admins.threshold).u32(admins.keys.length);
  for (const key of admins.keys) writer.hex32(key);
  return writer.finish();
}

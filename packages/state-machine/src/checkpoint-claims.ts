import {
  type CheckpointClaim,
  type Digest,
  PreimageWriter,
  RecordReader,
  type SequenceNumber,
} from "@quorate/protocol";

/** How many of the last checkpoints are remembered: what a joiner may have come to (protocol rule 11.5). */
export const CHECKPOINTS_REMEMBERED = 16;

const CLAIM_BYTES = 40;

/** The last checkpoints with their roots, ascending: one record of the state. */
export function encodeClaims(claims: readonly CheckpointClaim[]): Uint8Array {
  const writer = new PreimageWriter(4 + claims.length * CLAIM_BYTES).u32(claims.length);
  for (const { seq, stateRoot } of claims) writer.u64(seq).hex32(stateRoot);
  return writer.finish();
}

export function decodeClaims(bytes: Uint8Array): CheckpointClaim[] {
  const reader = new RecordReader(bytes);
  const claims = Array.from({ length: reader.u32() }, () => ({
    seq: reader.u64() as SequenceNumber,
    stateRoot: reader.hex32() as Digest,
  }));
  reader.finish();
  return claims;
}

import {
  type Digest,
  type Epoch,
  type OperationResult,
  type OutputLeaf,
  PreimageWriter,
  RecordReader,
  type RequestNumber,
  type SequenceNumber,
  type SessionId,
  type Statement,
} from "@quorate/protocol";
import { readResults, resultsSize, writeResults } from "./records.ts";

/** A leaf, and for a judgement (which no session's window remembers) its results. */
export interface KeptLeaf extends OutputLeaf {
  readonly inline: readonly OperationResult[] | undefined;
}

/** What a replica keeps of one executed batch to be able to reply again. */
export interface Output {
  readonly statement: Statement;
  /** Over `statementPreimage`; empty when the batch had no leaves or the replica is silent, for then nobody is replied to. */
  readonly signature: Uint8Array;
  readonly leaves: readonly KeptLeaf[];
}

export function encodeOutput({ statement, signature, leaves }: Output): Uint8Array {
  let size = 16 + 64 + 4 + signature.length + 4;
  for (const { inline } of leaves) size += 105 + (inline === undefined ? 0 : resultsSize(inline));
  const writer = new PreimageWriter(size)
    .u64(statement.epoch)
    .u64(statement.seq)
    .hex32(statement.historyDigest)
    .hex32(statement.outputsRoot)
    .sized(signature)
    .u32(leaves.length);
  for (const { session, number, requestDigest, resultDigest, inline } of leaves) {
    writer
      .hex32(session)
      .u64(number)
      .hex32(requestDigest)
      .hex32(resultDigest)
      .u8(inline === undefined ? 0 : 1);
    if (inline !== undefined) writeResults(writer, inline);
  }
  return writer.finish();
}

export function decodeOutput(bytes: Uint8Array): Output {
  const reader = new RecordReader(bytes);
  const statement: Statement = {
    epoch: reader.u64() as Epoch,
    seq: reader.u64() as SequenceNumber,
    historyDigest: reader.hex32() as Digest,
    outputsRoot: reader.hex32() as Digest,
  };
  const signature = reader.sized();
  const leaves = Array.from({ length: reader.u32() }, () => ({
    session: reader.hex32() as SessionId,
    number: reader.u64() as RequestNumber,
    requestDigest: reader.hex32() as Digest,
    resultDigest: reader.hex32() as Digest,
    inline: reader.u8() === 0 ? undefined : readResults(reader),
  }));
  reader.finish();
  return { statement, signature, leaves };
}

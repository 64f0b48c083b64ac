import {
  allocateBytes,
  bytesToHex,
  type Change,
  type Digest,
  digest,
  type OrderedReader,
  type SequenceNumber,
  sequenceNumber,
  writeHex32,
} from "@quorate/protocol";
import { DIGEST_BYTES, readU32, writeU32 } from "./leaf.ts";
import { INSTALLING } from "./tree-keys.ts";

const SEQ_BYTES = 8;

/**
 * Stands in a store from the first change that brings it to another replica's checkpoint to the last one. In between its
 * pages and entries are of no checkpoint: nobody but the installation may read them, and only it can end this.
 */
export interface InstallMark {
  readonly seq: SequenceNumber;
  /** The root of the tree that is installed. */
  readonly root: Digest;
  /** What was here before cannot be relied on: each entry must be read before it is taken for one of the new state. */
  readonly distrustsEntries: boolean;
}

/** A mark that is not what was written: an installation goes on, of nobody knows what. */
const DAMAGED: InstallMark = {
  seq: sequenceNumber(0),
  root: digest("00".repeat(DIGEST_BYTES)),
  distrustsEntries: true,
};

/** The installation that a store is in the middle of. */
export function installMarkOf(local: OrderedReader): InstallMark | undefined {
  const value = local.get(INSTALLING);
  if (value === undefined) return undefined;
  if (value.length !== SEQ_BYTES + DIGEST_BYTES + 1) return DAMAGED;
  return {
    seq: sequenceNumber(readU32(value, 0) * 0x1_0000_0000 + readU32(value, 4)),
    root: digest(bytesToHex(value.subarray(SEQ_BYTES, SEQ_BYTES + DIGEST_BYTES))),
    distrustsEntries: value[SEQ_BYTES + DIGEST_BYTES] === 1,
  };
}

/** Sets the mark of an installation; without one, ends it. */
export function installMarkChange(mark: InstallMark | undefined): Change {
  if (mark === undefined) return { key: INSTALLING, value: undefined };
  const value = allocateBytes(SEQ_BYTES + DIGEST_BYTES + 1);
  writeU32(value, 0, Math.floor(mark.seq / 0x1_0000_0000));
  writeU32(value, 4, mark.seq >>> 0);
  writeHex32(value, SEQ_BYTES, mark.root);
  value[SEQ_BYTES + DIGEST_BYTES] = mark.distrustsEntries ? 1 : 0;
  return { key: INSTALLING, value };
}

import {
  allocateBytes,
  bytesToHex,
  type ClusterId,
  type Digest,
  EPOCHS_MAX,
  type SequenceNumber,
  utf8,
  writeHex,
} from "@quorate/protocol";

/** The version of the file. */
export const BACKUP_FORMAT = 2;

const MAGIC = utf8("quorate-backup");
const VERSION_AT: number = MAGIC.length;
const CLUSTER_AT: number = VERSION_AT + 2;
const SEQ_AT: number = CLUSTER_AT + 32;
const TREE_ROOT_AT: number = SEQ_AT + 8;
const LINKS_AT: number = TREE_ROOT_AT + 32;
/** What stands before the first frame: of a fixed size. */
export const BACKUP_HEAD_BYTES: number = LINKS_AT + 4;
/** The length before each link, the certificate and each frame of the tree. */
export const FRAME_LENGTH_BYTES = 4;
/** No value of a state is longer, whatever the limits of its cluster, nor is a certificate of the most members. */
export const FRAME_BYTES_MAX: number = 32 * 1024 * 1024;

/** What a backup says of itself, first of all. */
export interface BackupHead {
  readonly cluster: ClusterId;
  readonly checkpoint: SequenceNumber;
  /** The root of the state's tree. */
  readonly treeRoot: Digest;
  /** How many links of the epoch chain follow: the certificate is of that epoch. */
  readonly links: number;
}

/** Why these bytes are not the head of a backup. */
export type BackupHeadFault =
  | { readonly fault: "no-backup" }
  | { readonly fault: "version"; readonly found: number }
  /** No cluster has so many epochs. */
  | { readonly fault: "links"; readonly found: number };

/**
 * The head of a backup. What follows are the links of the epoch chain from genesis on, the certificate, and the frames of the tree
 * (`treeFrames`), each behind its length.
 */
export function encodeBackupHead({ cluster, checkpoint, treeRoot, links }: BackupHead): Uint8Array {
  const bytes = allocateBytes(BACKUP_HEAD_BYTES);
  bytes.set(MAGIC);
  const view = viewOf(bytes);
  view.setUint16(VERSION_AT, BACKUP_FORMAT);
  writeHex(bytes, CLUSTER_AT, cluster);
  view.setBigUint64(SEQ_AT, BigInt(checkpoint));
  writeHex(bytes, TREE_ROOT_AT, treeRoot);
  view.setUint32(LINKS_AT, links);
  return bytes;
}

/** A frame behind its length. */
export function framed(frame: Uint8Array): Uint8Array {
  const bytes = allocateBytes(FRAME_LENGTH_BYTES + frame.length);
  viewOf(bytes).setUint32(0, frame.length);
  bytes.set(frame, FRAME_LENGTH_BYTES);
  return bytes;
}

/** @param bytes the first `BACKUP_HEAD_BYTES` of a file. */
export function decodeBackupHead(bytes: Uint8Array): BackupHead | BackupHeadFault {
  if (!MAGIC.every((byte, i) => bytes[i] === byte)) return { fault: "no-backup" };
  const view = viewOf(bytes);
  const version = view.getUint16(VERSION_AT);
  if (version !== BACKUP_FORMAT) return { fault: "version", found: version };
  const checkpoint = Number(view.getBigUint64(SEQ_AT));
  if (!Number.isSafeInteger(checkpoint)) return { fault: "no-backup" };
  const links = view.getUint32(LINKS_AT);
  if (links > EPOCHS_MAX) return { fault: "links", found: links };
  return {
    cluster: bytesToHex(bytes.subarray(CLUSTER_AT, SEQ_AT)) as ClusterId,
    checkpoint: checkpoint as SequenceNumber,
    treeRoot: bytesToHex(bytes.subarray(TREE_ROOT_AT, LINKS_AT)) as Digest,
    links,
  };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

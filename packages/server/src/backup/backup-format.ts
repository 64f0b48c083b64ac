import type { Codec } from "@quorate/codec";
import {
  allocateBytes,
  bytesToHex,
  type CheckpointCertificate,
  type ClusterId,
  type Digest,
  type SequenceNumber,
  utf8,
  writeHex,
} from "@quorate/protocol";

/** The version of the file. */
export const BACKUP_FORMAT = 1;

const MAGIC = utf8("quorate-backup");
const VERSION_AT: number = MAGIC.length;
const CLUSTER_AT: number = VERSION_AT + 2;
const SEQ_AT: number = CLUSTER_AT + 32;
const TREE_ROOT_AT: number = SEQ_AT + 8;
/** What stands before the certificate: of a fixed size. */
export const BACKUP_HEAD_BYTES: number = TREE_ROOT_AT + 32;
/** The length before the certificate, and before each frame. */
export const FRAME_LENGTH_BYTES = 4;
/** No value of a state is longer, whatever the limits of its cluster, nor is a certificate of the most members. */
export const FRAME_BYTES_MAX: number = 32 * 1024 * 1024;

/** What a backup says of itself, first of all. */
export interface BackupHead {
  readonly cluster: ClusterId;
  readonly checkpoint: SequenceNumber;
  /** The root of the state's tree. */
  readonly treeRoot: Digest;
}

/** Why these bytes are not the head of a backup. */
export type BackupHeadFault = { readonly fault: "no-backup" } | { readonly fault: "version"; readonly found: number };

/** The head of a backup and its certificate. What follows are the frames of the tree (`treeFrames`), each behind its length. */
export function encodeBackupStart(
  cluster: ClusterId,
  certificate: CheckpointCertificate,
  treeRoot: Digest,
  codec: Codec,
): Uint8Array {
  const record = framed(codec.encodeLogRecord({ type: "stable", checkpoint: certificate }));
  const bytes = allocateBytes(BACKUP_HEAD_BYTES + record.length);
  bytes.set(MAGIC);
  const view = viewOf(bytes);
  view.setUint16(VERSION_AT, BACKUP_FORMAT);
  writeHex(bytes, CLUSTER_AT, cluster);
  view.setBigUint64(SEQ_AT, BigInt(certificate.seq));
  writeHex(bytes, TREE_ROOT_AT, treeRoot);
  bytes.set(record, BACKUP_HEAD_BYTES);
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
  return {
    cluster: bytesToHex(bytes.subarray(CLUSTER_AT, SEQ_AT)) as ClusterId,
    checkpoint: checkpoint as SequenceNumber,
    treeRoot: bytesToHex(bytes.subarray(TREE_ROOT_AT, BACKUP_HEAD_BYTES)) as Digest,
  };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

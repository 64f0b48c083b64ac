import type { Codec } from "@quorate/codec";
import type { CheckpointCertificate, ClusterId, EpochLink, Hasher, SequenceNumber } from "@quorate/protocol";
import { type Snapshot, treeFrames } from "@quorate/state-tree";
import { encodeBackupHead, framed } from "./backup-format.ts";

/** A checkpoint, with what proves it. */
export interface CertifiedState {
  readonly cluster: ClusterId;
  readonly certificate: CheckpointCertificate;
  /** From genesis to the epoch of the certificate. */
  readonly links: readonly EpochLink[];
  readonly snapshot: Snapshot;
}

/** The bytes of a backup, one part after the other. The snapshot has to be kept until the end. */
export function* backupBytes(
  { cluster, certificate, links, snapshot }: CertifiedState,
  codec: Codec,
  hasher: Hasher,
): Generator<Uint8Array> {
  yield encodeBackupHead({ cluster, checkpoint: certificate.seq, treeRoot: snapshot.root, links: links.length });
  for (const link of links) yield framed(codec.encodeEpochLink(link));
  yield framed(codec.encodeLogRecord({ type: "stable", checkpoint: certificate }));
  for (const frame of treeFrames(hasher, snapshot)) yield framed(frame);
}

/** A backup of a replica that goes on meanwhile. */
export interface RunningBackup {
  readonly checkpoint: SequenceNumber;
  /**
   * What comes next; undefined at the end.
   *
   * @throws Error in one line, when the replica cannot go on with it.
   */
  next(): Uint8Array | undefined;
  /** Nothing is asked for any more: its checkpoint need not be kept. */
  close(): void;
}

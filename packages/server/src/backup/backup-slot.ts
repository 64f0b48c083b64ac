import type { Codec } from "@quorate/codec";
import type { CheckpointCertificate, ClusterId, Hasher, SequenceNumber } from "@quorate/protocol";
import type { Snapshot } from "@quorate/state-tree";
import { backupBytes, type RunningBackup } from "./state-backup.ts";

export interface BackupSlotOptions {
  readonly cluster: ClusterId;
  readonly codec: Codec;
  readonly hasher: Hasher;
  /** Why the replica can give no more of a backup, in one line; undefined while it can. */
  readonly endedBy: () => string | undefined;
  /** What was thrown as the state was read. */
  readonly onThrown: (error: unknown) => void;
}

/** The one backup at a time that a running replica gives of its state. */
export class BackupSlot {
  readonly #o: BackupSlotOptions;
  #taken: SequenceNumber | undefined;

  constructor(options: BackupSlotOptions) {
    this.#o = options;
  }

  /** The checkpoint that a backup is made of, which has to be kept. */
  get pinned(): readonly SequenceNumber[] {
    return this.#taken === undefined ? [] : [this.#taken];
  }

  /** @returns undefined when another is being made, or nothing proves this state, or there is none. */
  open(certificate: CheckpointCertificate, snapshot: Snapshot | undefined): RunningBackup | undefined {
    const isProven = certificate.signatures.length > 0;
    if (this.#taken !== undefined || snapshot === undefined || !isProven) return undefined;
    const { cluster, codec, hasher } = this.#o;
    this.#taken = certificate.seq;
    const parts = backupBytes({ cluster, certificate, snapshot }, codec, hasher);
    return {
      checkpoint: certificate.seq,
      next: () => this.#nextOf(parts),
      close: () => {
        this.#taken = undefined;
      },
    };
  }

  #nextOf(parts: Iterator<Uint8Array>): Uint8Array | undefined {
    const { endedBy, onThrown } = this.#o;
    const end = endedBy();
    if (end !== undefined) throw new Error(end);
    try {
      const next = parts.next();
      return next.done === true ? undefined : next.value;
    } catch (error) {
      onThrown(error);
      throw error;
    }
  }
}

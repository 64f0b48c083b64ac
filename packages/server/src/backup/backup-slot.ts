import type { Codec } from "@quorate/codec";
import type { CheckpointCertificate, ClusterId, Hasher, SequenceNumber } from "@quorate/protocol";
import type { EpochChain } from "@quorate/reconfiguration";
import type { Snapshot } from "@quorate/state-tree";
import { backupBytes, type RunningBackup } from "./state-backup.ts";

export interface BackupSlotOptions {
  readonly cluster: ClusterId;
  readonly codec: Codec;
  readonly hasher: Hasher;
  /** Those that lead to the epoch of a certificate go along. */
  readonly epochs: Pick<EpochChain, "linksTo">;
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
    const { cluster, codec, hasher, epochs } = this.#o;
    const links = epochs.linksTo(certificate.epoch);
    // What an epoch begins with is proven by its link, and in the epoch itself has no signatures.
    const isStart = certificate.signatures.length === 0;
    const proof = isStart ? links.at(-1)?.certificate : certificate;
    if (this.#taken !== undefined || snapshot === undefined || proof === undefined) return undefined;
    this.#taken = certificate.seq;
    const parts = backupBytes(
      { cluster, certificate: proof, links: isStart ? links.slice(0, -1) : links, snapshot },
      codec,
      hasher,
    );
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

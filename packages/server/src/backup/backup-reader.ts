import { EPOCHS_MAX, type Hasher, InvariantViolation } from "@quorate/protocol";
import { TreeFrameReader, type TreePiece } from "@quorate/state-tree";
import { KEY_BYTES_MAX } from "@quorate/storage";
import { ConfigurationError } from "../configuration-error.ts";
import {
  BACKUP_FORMAT,
  BACKUP_HEAD_BYTES,
  type BackupHead,
  decodeBackupHead,
  FRAME_BYTES_MAX,
  FRAME_LENGTH_BYTES,
} from "./backup-format.ts";

/** The head of a backup with the record of its certificate, which is for whoever has the genesis document to judge. */
export interface BackupStart extends BackupHead {
  readonly certificateRecord: Uint8Array;
}

export interface BackupReaderOptions {
  readonly hasher: Hasher;
  /** Where the bytes come from, for messages. */
  readonly source: string;
  /**
   * Called for each link of the epoch chain, in the order in which they stand there, before `onStart`; what it throws ends the
   * reading. Left out by whoever need not know whose certificate it is.
   */
  readonly onLink?: (link: Uint8Array, head: BackupHead) => void;
  /** Called once, before anything of the state is read; what it throws ends the reading. */
  readonly onStart: (start: BackupStart) => void;
  /** Called for each part of the state, which has been checked against the root. */
  readonly onPiece: (piece: TreePiece) => void;
}

/**
 * Reads a backup as its bytes come, with no more of it in memory than one frame and the digests on the way down to it. Every
 * byte of the state is checked against the root in the head.
 */
export class BackupReader {
  readonly #o: BackupReaderOptions;
  #bytes: Uint8Array = new Uint8Array(0);
  /** Where in the source `#bytes` begins. */
  #at = 0;
  #head: BackupHead | undefined;
  #linksRead = 0;
  #tree: TreeFrameReader | undefined;

  constructor(options: BackupReaderOptions) {
    this.#o = options;
  }

  /** @throws ConfigurationError in one line, when this is no backup, or is damaged. */
  push(bytes: Uint8Array): void {
    this.#bytes = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes]);
    while (this.#next());
  }

  /** @throws ConfigurationError in one line, when something is missing. */
  end(): void {
    if (this.#tree?.isWhole === true && this.#bytes.length === 0) return;
    if (this.#head === undefined) this.#refuseOther();
    this.#refuse(`it ends at byte ${this.#at + this.#bytes.length}, before its state is whole`);
  }

  #next(): boolean {
    if (this.#head === undefined) {
      const head = this.#take(BACKUP_HEAD_BYTES);
      if (head === undefined) return false;
      this.#head = this.#readHead(head);
      return true;
    }
    const frame = this.#takeFrame();
    if (frame === undefined) return false;
    if (this.#linksRead < this.#head.links) {
      this.#linksRead++;
      this.#o.onLink?.(frame, this.#head);
      return true;
    }
    if (this.#tree === undefined) {
      const start = { ...this.#head, certificateRecord: frame };
      this.#judged(() => this.#o.onStart(start));
      this.#tree = new TreeFrameReader(this.#o.hasher, this.#head.treeRoot);
      return true;
    }
    if (this.#tree.isWhole) this.#refuse(`something follows its state before byte ${this.#at}`);
    const piece = this.#tree.accept(frame);
    if (piece === undefined) this.#refuse(`what ends at byte ${this.#at} is not what its root covers`);
    if (piece.type === "entry" && piece.key.length > KEY_BYTES_MAX) this.#refuseStrange();
    this.#judged(() => this.#o.onPiece(piece));
    return true;
  }

  /** A root can be made of anything: what is below it and breaks a rule of what states are is no fault of this program. */
  #judged(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (!(error instanceof InvariantViolation)) throw error;
      this.#refuseStrange();
    }
  }

  #readHead(bytes: Uint8Array): BackupHead {
    const head = decodeBackupHead(bytes);
    if (!("fault" in head)) return head;
    if (head.fault === "no-backup") this.#refuseOther();
    if (head.fault === "links") this.#refuse(`it has ${head.found} links, expected ${EPOCHS_MAX} at most`);
    throw new ConfigurationError(
      "configuration.version",
      `${this.#o.source} is a backup of format ${head.found}, this program reads ${BACKUP_FORMAT}; use the version that wrote it`,
    );
  }

  #takeFrame(): Uint8Array | undefined {
    const { byteOffset, byteLength, buffer } = this.#bytes;
    if (byteLength < FRAME_LENGTH_BYTES) return undefined;
    const length = new DataView(buffer, byteOffset, byteLength).getUint32(0);
    if (length > FRAME_BYTES_MAX) this.#refuse(`a length of ${length} at byte ${this.#at} is more than there can be`);
    return this.#take(FRAME_LENGTH_BYTES + length)?.subarray(FRAME_LENGTH_BYTES);
  }

  #take(length: number): Uint8Array | undefined {
    if (this.#bytes.length < length) return undefined;
    // A copy: what is read is kept longer than what it came in.
    const taken = new Uint8Array(this.#bytes.subarray(0, length));
    this.#bytes = this.#bytes.subarray(length);
    this.#at += length;
    return taken;
  }

  #refuseOther(): never {
    throw new ConfigurationError(
      "configuration.malformed",
      `${this.#o.source} is no backup: expected what \`quorate backup create\` writes`,
    );
  }

  #refuseStrange(): never {
    this.#refuse(`what ends at byte ${this.#at} is in no state of a cluster`);
  }

  #refuse(what: string): never {
    throw new ConfigurationError(
      "configuration.malformed",
      `${this.#o.source} is damaged: ${what}; do not restore from it, take another backup`,
    );
  }
}

import { createCodec, wireLimitsOf } from "@quorate/codec";
import { Verifier } from "@quorate/crypto";
import {
  type ClusterId,
  type Genesis,
  genesisMembership,
  type RestoredState,
  type VerifiedCheckpointCertificate,
} from "@quorate/protocol";
import { RestorablePart, stateRootOf } from "@quorate/state-machine";
import type { TreePiece } from "@quorate/state-tree";
import { ConfigurationError } from "../configuration-error.ts";
import type { Cryptography } from "../data-reader.ts";
import type { BackupStart } from "./backup-reader.ts";

/** Whose backup is expected. */
export interface BackupOrigin {
  readonly genesis: Genesis;
  readonly cluster: ClusterId;
}

/** What a backup that was read to its end is. */
export interface BackupSummary {
  readonly certificate: VerifiedCheckpointCertificate;
  /** Of the whole state, with sessions and what else is the cluster's own. */
  readonly entries: number;
  readonly bytes: number;
  /** What another cluster can start from. */
  readonly restored: RestoredState;
  /** The longest value in that. */
  readonly valueBytesMax: number;
}

/** Judges a backup by the genesis document of the cluster that it is of, and counts what is in it. */
export class BackupJudge {
  readonly #origin: BackupOrigin;
  readonly #cryptography: Cryptography;
  readonly #source: string;
  readonly #part = new RestorablePart();
  #certificate: VerifiedCheckpointCertificate | undefined;
  #entries = 0;
  #bytes = 0;

  /** @param source names the backup in messages. */
  constructor(origin: BackupOrigin, cryptography: Cryptography, source: string) {
    this.#origin = origin;
    this.#cryptography = cryptography;
    this.#source = source;
  }

  /** @throws ConfigurationError in one line, unless a quorum of that cluster has signed this root. */
  onStart({ cluster, checkpoint, treeRoot, certificateRecord }: BackupStart): void {
    const { genesis, cluster: expected } = this.#origin;
    if (cluster !== expected)
      throw new ConfigurationError(
        "configuration.foreign",
        `${this.#source} is a backup of cluster ${cluster}, the genesis document is that of cluster ${expected}; name that cluster's`,
      );
    const { backend, hasher } = this.#cryptography;
    const decoded = createCodec(wireLimitsOf(genesis)).decodeLogRecord(certificateRecord);
    const record = decoded.ok && decoded.value.type === "stable" ? decoded.value.checkpoint : undefined;
    const verifier = new Verifier({ backend, hasher, cluster });
    const certificate = record && verifier.verifyCheckpointCertificate(record, genesisMembership(genesis));
    const isOfThis =
      certificate?.seq === checkpoint && certificate.stateRoot === stateRootOf(hasher, cluster, treeRoot);
    if (certificate === undefined || !isOfThis)
      throw new ConfigurationError(
        "configuration.malformed",
        `${this.#source} is not proven: expected the signatures of a quorum of cluster ${cluster} on the root of its state at checkpoint ${checkpoint}; do not restore from it`,
      );
    this.#certificate = certificate;
  }

  onPiece(piece: TreePiece): void {
    this.#part.accept(piece);
    if (piece.type === "page") return;
    this.#entries++;
    this.#bytes += piece.key.length + piece.value.length;
  }

  /** After the end; undefined before its start. */
  get summary(): BackupSummary | undefined {
    const certificate = this.#certificate;
    if (certificate === undefined) return undefined;
    const restored = { cluster: this.#origin.cluster, checkpoint: certificate.seq, ...this.#part.state };
    const { valueBytesMax } = this.#part;
    return { certificate, entries: this.#entries, bytes: this.#bytes, restored, valueBytesMax };
  }
}

import { type Codec, createCodec, describeDecodeError, wireLimitsOf } from "@quorate/codec";
import { Verifier } from "@quorate/crypto";
import {
  type ClusterId,
  describeOutOfEpoch,
  type Genesis,
  outOfEpoch,
  type RestoredState,
  type VerifiedCheckpointCertificate,
} from "@quorate/protocol";
import { describeChainFault, EpochChain } from "@quorate/reconfiguration";
import { RestorablePart, stateRootOf } from "@quorate/state-machine";
import type { TreePiece } from "@quorate/state-tree";
import { ConfigurationError } from "../configuration-error.ts";
import type { Cryptography } from "../data-reader.ts";
import type { BackupHead } from "./backup-format.ts";
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

/**
 * Judges a backup by the genesis document of the cluster that it is of, and counts what is in it. Of a later epoch it has the
 * links to that epoch, each of which is judged before the next is read.
 */
export class BackupJudge {
  readonly #origin: BackupOrigin;
  readonly #cryptography: Cryptography;
  readonly #source: string;
  readonly #codec: Codec;
  readonly #verifier: Verifier;
  readonly #epochs: EpochChain;
  readonly #part = new RestorablePart();
  #certificate: VerifiedCheckpointCertificate | undefined;
  #entries = 0;
  #bytes = 0;

  /** @param source names the backup in messages. */
  constructor(origin: BackupOrigin, cryptography: Cryptography, source: string) {
    const { genesis, cluster } = origin;
    this.#origin = origin;
    this.#cryptography = cryptography;
    this.#source = source;
    this.#codec = createCodec(wireLimitsOf(genesis));
    this.#verifier = new Verifier({ ...cryptography, cluster });
    this.#epochs = new EpochChain({ cluster, hasher: cryptography.hasher, verifier: this.#verifier }, genesis);
  }

  /** @throws ConfigurationError in one line, unless it is the next link of the epoch chain of that cluster. */
  onLink(link: Uint8Array, { cluster }: BackupHead): void {
    this.#checkCluster(cluster);
    const epoch = this.#epochs.epoch + 1;
    const decoded = this.#codec.decodeEpochLink(link);
    if (!decoded.ok)
      this.#refuse(`the link that begins epoch ${epoch} does not decode: ${describeDecodeError(decoded.error)}`);
    const verdict = this.#epochs.add(decoded.value);
    if (verdict !== "added") this.#refuse(describeChainFault({ fault: verdict, epoch }));
  }

  /** @throws ConfigurationError in one line, unless a quorum of that cluster has signed this root. */
  onStart({ cluster, checkpoint, treeRoot, certificateRecord }: BackupStart): void {
    this.#checkCluster(cluster);
    const { hasher } = this.#cryptography;
    const decoded = this.#codec.decodeLogRecord(certificateRecord);
    const record = decoded.ok && decoded.value.type === "stable" ? decoded.value.checkpoint : undefined;
    const { epoch } = this.#epochs;
    // A link beyond the epoch of the certificate would prove nothing of the state.
    const isOfLast = record?.epoch === epoch;
    const outside = isOfLast ? outOfEpoch(this.#epochs, record) : undefined;
    if (outside !== undefined) this.#refuse(describeOutOfEpoch(outside));
    const certificate = isOfLast && this.#verifier.verifyCheckpointCertificate(record, this.#epochs.membership);
    const isOfThis =
      certificate !== false &&
      certificate?.seq === checkpoint &&
      certificate.stateRoot === stateRootOf(hasher, cluster, treeRoot);
    if (!isOfThis)
      this.#refuse(
        `expected the signatures of a quorum of epoch ${epoch} of cluster ${cluster} on the root of its state at checkpoint ${checkpoint}`,
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

  #checkCluster(cluster: ClusterId): void {
    const { cluster: expected } = this.#origin;
    if (cluster === expected) return;
    throw new ConfigurationError(
      "configuration.foreign",
      `${this.#source} is a backup of cluster ${cluster}, the genesis document is that of cluster ${expected}; name that cluster's`,
    );
  }

  #refuse(what: string): never {
    throw new ConfigurationError(
      "configuration.malformed",
      `${this.#source} is not proven: ${what}; do not restore from it`,
    );
  }
}

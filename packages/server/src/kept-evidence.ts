import { accusedOf, type ClusterId, type Evidence, type PublicKey } from "@quorate/protocol";
import { lockFolder, openStore } from "@quorate/storage";
import { type Cryptography, judgesOf } from "./data-reader.ts";
import { describeEvidence } from "./describe-evidence.ts";
import { type EvidenceDocument, evidenceDocumentOf } from "./evidence-document.ts";
import { EvidenceShelf, type KeptEvidence } from "./evidence-shelf.ts";
import type { ReplicaFolder } from "./replica-folder.ts";

/** What `quorate evidence list` shows of one piece; see `KeptEvidence`. */
export interface KeptPiece {
  readonly id: string;
  readonly type: Evidence["type"];
  /** The id of the member that it convicts. */
  readonly accused: number;
  /** What it says, in words. */
  readonly summary: string;
}

/** What a replica tells about the evidence it keeps. */
export interface KeptEvidenceList {
  readonly cluster: ClusterId;
  /** The first key of the replica, and who it is now; null: it observes. */
  readonly owner: PublicKey;
  readonly replica: number | null;
  readonly evidence: readonly KeptPiece[];
}

/** A piece without its body. */
export function pieceOf({ id, evidence }: KeptEvidence): KeptPiece {
  return { id, type: evidence.type, accused: accusedOf(evidence), summary: describeEvidence(evidence) };
}

/** A piece that was read from the disk of a replica that does not run. */
export interface KeptOnDisk extends KeptPiece {
  readonly document: EvidenceDocument;
}

/**
 * Reads what the replica of a data folder keeps while it does not run.
 *
 * @throws StorageError when it does run, or when the store cannot be opened; RecoveryError for a piece that is damaged.
 */
export async function readKeptEvidence(folder: ReplicaFolder, cryptography: Cryptography): Promise<KeptOnDisk[]> {
  const { cluster, owner, config } = folder;
  const lock = lockFolder(folder.path);
  try {
    const store = openStore(folder.storePath, { cluster, owner }, config);
    try {
      const { codec, epochs } = judgesOf(folder, cryptography, store.local);
      const shelf = new EvidenceShelf(store.local, codec, cryptography.hasher);
      return [...shelf.kept()].map((kept) => ({
        ...pieceOf(kept),
        document: evidenceDocumentOf(kept.evidence, cluster, codec, epochs),
      }));
    } finally {
      await store.close();
    }
  } finally {
    lock.release();
  }
}

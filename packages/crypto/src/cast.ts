import {
  type BatchComposer,
  type ClientSigner,
  type ClusterId,
  clusterId,
  type Digest,
  epochNumber,
  type Hasher,
  hexToBytes,
  type Membership,
  membershipOf,
  type ReplicaMessage,
  replicaId,
  type Signer,
  utf8,
  type VerifiedEnvelope,
} from "@quorate/protocol";
import { createBatchComposer } from "./batch-composer.ts";
import type { SignatureBackend } from "./signature-backend.ts";
import { createClientSigner, createReplicaSigner } from "./signers.ts";
import { Verifier } from "./verifier.ts";

/** Who plays in a test: replicas and clients whose keys follow from their names, in one cluster and epoch 0. */
export interface Cast {
  readonly cluster: ClusterId;
  readonly composer: BatchComposer;
  readonly verifier: Verifier;
  digestOf(label: string): Digest;
  seedOf(label: string): Uint8Array;
  /** Replicas 0 … n-1; four unless it says otherwise. */
  membersOf(n?: number): Membership;
  signerOf(replica: number): Signer;
  envelopeOf<M extends ReplicaMessage>(replica: number, message: M): VerifiedEnvelope<M>;
  /** "client" unless another name is given. */
  clientOf(label?: string): ClientSigner;
}

/** Casts one cluster; `cluster` is the digest of that word unless genesis says otherwise. */
export function createCast(hasher: Hasher, backend: SignatureBackend, cluster?: ClusterId): Cast {
  const digestOf = (label: string): Digest => hasher.digest(utf8(label));
  const seedOf = (label: string): Uint8Array => hexToBytes(digestOf(label));
  const id = cluster ?? clusterId(digestOf("cluster"));
  const signerOf = (replica: number): Signer =>
    createReplicaSigner({ backend, seed: seedOf(`replica ${replica}`), self: replicaId(replica), cluster: id });
  return {
    cluster: id,
    composer: createBatchComposer(hasher, id),
    verifier: new Verifier({ backend, hasher, cluster: id }),
    digestOf,
    seedOf,
    membersOf: (n = 4) =>
      membershipOf(
        epochNumber(0),
        Array.from({ length: n }, (_, at) => ({
          id: replicaId(at),
          publicKey: backend.publicKeyOf(seedOf(`replica ${at}`)),
          address: `127.0.0.1:${7000 + at}`,
        })),
      ),
    signerOf,
    envelopeOf: (replica, message) => signerOf(replica).sign(message),
    clientOf: (label = "client") => createClientSigner({ backend, hasher, seed: seedOf(label), cluster: id }),
  };
}

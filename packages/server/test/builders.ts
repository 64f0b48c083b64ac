import { type Codec, createCodec, wireLimitsOf } from "@quorate/codec";
import {
  clusterIdOf,
  createBatchComposer,
  createClientSigner,
  createReplicaSigner,
  createViewChangeComposer,
  type SignatureBackend,
  Verifier,
} from "@quorate/crypto";
import { createNodeBackend, createNodeHasher } from "@quorate/crypto/node";
import {
  type BatchComposer,
  type CheckpointCertificate,
  type ClientSigner,
  type ClusterId,
  DEFAULT_LIMITS,
  DEFAULT_TIMEOUTS,
  type Digest,
  type Epoch,
  epochNumber,
  FORMAT_VERSION,
  type Genesis,
  genesisMembership,
  type Hasher,
  type Membership,
  type ReplicaMessage,
  replicaId,
  requestNumber,
  type SequenceNumber,
  type Signer,
  sequenceNumber,
  sessionId,
  type VerifiedEnvelope,
  type VerifiedNewView,
  type VerifiedRequest,
  type VerifiedViewChange,
  viewNumber,
} from "@quorate/protocol";

export const hasher: Hasher = createNodeHasher();
export const digestOf = (label: string): Digest => hasher.digest(new TextEncoder().encode(label));
export const seedOf = (label: string): Uint8Array => new Uint8Array(Buffer.from(digestOf(label), "hex"));
export const seqOf: (value: number) => SequenceNumber = sequenceNumber;
export const epoch: Epoch = epochNumber(0);

/** A real back end that counts what it verifies. */
export class CountingBackend implements SignatureBackend {
  readonly name = "node";
  readonly #backend = createNodeBackend();
  verifications = 0;

  publicKeyOf(seed: Uint8Array): ReturnType<SignatureBackend["publicKeyOf"]> {
    return this.#backend.publicKeyOf(seed);
  }
  sign(seed: Uint8Array, message: Uint8Array): Uint8Array {
    return this.#backend.sign(seed, message);
  }
  isAdmissible(key: Parameters<SignatureBackend["isAdmissible"]>[0]): boolean {
    return this.#backend.isAdmissible(key);
  }
  verify(...given: Parameters<SignatureBackend["verify"]>): boolean {
    this.verifications += 1;
    return this.#backend.verify(...given);
  }
}
export const backend: CountingBackend = new CountingBackend();

export const genesis: Genesis = {
  formatVersion: FORMAT_VERSION,
  name: "test",
  faultModel: "byzantine",
  members: [0, 1, 2, 3].map((id) => ({
    id: replicaId(id),
    publicKey: backend.publicKeyOf(seedOf(`replica ${id}`)),
    address: `127.0.0.1:${7100 + id}`,
  })),
  admins: { threshold: 1, keys: [backend.publicKeyOf(seedOf("admin"))] },
  clients: "open",
  checkpointInterval: 8,
  windowSize: 16,
  limits: DEFAULT_LIMITS,
  timeouts: DEFAULT_TIMEOUTS,
};
export const cluster: ClusterId = clusterIdOf(hasher, genesis);
export const membership: Membership = genesisMembership(genesis);
export const codec: Codec = createCodec(wireLimitsOf(genesis));
export const composer: BatchComposer = createBatchComposer(hasher, cluster);
export const newVerifier = (): Verifier => new Verifier({ backend, hasher, cluster });

export function signerOf(id: number): Signer {
  return createReplicaSigner({ backend, seed: seedOf(`replica ${id}`), self: replicaId(id), cluster });
}
export function envelopeOf<M extends ReplicaMessage>(id: number, message: M): VerifiedEnvelope<M> {
  return signerOf(id).sign(message);
}
/** From a replica that never did anything, for view 1. */
export function bareViewChangeOf(id: number): VerifiedViewChange {
  const checkpoint: CheckpointCertificate = {
    epoch,
    seq: seqOf(0),
    stateRoot: cluster as string as Digest,
    signatures: [],
  };
  const { seq, stateRoot } = checkpoint;
  const message = {
    type: "view-change",
    epoch,
    view: viewNumber(1),
    stable: { seq, stateRoot },
    prepared: [],
  } as const;
  return viewChangeComposerOf(id).viewChange(message, checkpoint, []);
}
/** Of the primary of view 1, from three replicas that never did anything; unjustified with any digest. */
export function newViewOf(digests: readonly Digest[] = []): VerifiedNewView {
  const quorum = [0, 1, 2].map(bareViewChangeOf);
  const viewChanges = quorum.map(({ digest, viewChange }) => ({ from: viewChange.envelope.from, digest }));
  const message = { type: "new-view", epoch, view: viewNumber(1), viewChanges, start: seqOf(0), digests } as const;
  const [first] = quorum;
  if (first === undefined) throw new Error("no VIEW-CHANGE");
  return viewChangeComposerOf(1).newView(message, quorum, first.viewChange.checkpoint, []);
}
function viewChangeComposerOf(id: number): ReturnType<typeof createViewChangeComposer> {
  return createViewChangeComposer({ signer: signerOf(id), hasher, cluster });
}
export function clientOf(label = "client"): ClientSigner {
  return createClientSigner({ backend, hasher, seed: seedOf(label), cluster });
}
export function requestOf(label: string, client = "client"): VerifiedRequest {
  return clientOf(client).signOperations({
    session: sessionId(digestOf(label)),
    number: requestNumber(1),
    operations: [new TextEncoder().encode(label)],
  });
}

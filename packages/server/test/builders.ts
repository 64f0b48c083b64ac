import { type Codec, createCodec, wireLimitsOf } from "@quorate/codec";
import { clusterIdOf, createBatchComposer, Verifier } from "@quorate/crypto";
import { createNodeBackend, createNodeHasher } from "@quorate/crypto/node";
import { type Cast, CountingBackend, createCast } from "@quorate/crypto/testing";
import {
  type BatchComposer,
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
  replicaId,
  requestNumber,
  type SequenceNumber,
  sequenceNumber,
  sessionId,
  type VerifiedRequest,
} from "@quorate/protocol";

export const hasher: Hasher = createNodeHasher();
export const digestOf = (label: string): Digest => hasher.digest(new TextEncoder().encode(label));
export const seedOf = (label: string): Uint8Array => new Uint8Array(Buffer.from(digestOf(label), "hex"));
export const seqOf: (value: number) => SequenceNumber = sequenceNumber;
export const epoch: Epoch = epochNumber(0);

/** A real one. */
export const backend: CountingBackend = new CountingBackend(createNodeBackend());

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

const cast: Cast = createCast(hasher, backend, cluster);
export const clientOf: Cast["clientOf"] = cast.clientOf;
export const envelopeOf: Cast["envelopeOf"] = cast.envelopeOf;
export const signerOf: Cast["signerOf"] = cast.signerOf;
export function requestOf(label: string, client = "client"): VerifiedRequest {
  return clientOf(client).signOperations({
    session: sessionId(digestOf(label)),
    number: requestNumber(1),
    operations: [new TextEncoder().encode(label)],
  });
}

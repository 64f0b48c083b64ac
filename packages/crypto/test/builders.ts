import {
  clusterIdOf,
  createClientSigner,
  createReplicaSigner,
  MerkleTree,
  outputLeafOf,
  outputsRootOf,
  Verifier,
  type VerifierOptions,
} from "@quorate/crypto";
import { createNodeBackend, createNodeHasher } from "@quorate/crypto/node";
import { CountingBackend } from "@quorate/crypto/testing";
import {
  type Batch,
  type CheckpointCertificate,
  type ClientSigner,
  type ClusterId,
  type CommitCertificate,
  clusterId,
  DEFAULT_LIMITS,
  DEFAULT_TIMEOUTS,
  type Digest,
  type Envelope,
  type Epoch,
  epochNumber,
  type Genesis,
  genesisMembership,
  type Hasher,
  type MemberSignature,
  type Membership,
  membershipOf,
  type OperationResult,
  outputLeafPreimage,
  type PreparedCertificate,
  type PublicKey,
  type Receipt,
  type ReplicaMessage,
  type Reply,
  replicaId,
  requestNumber,
  type SequenceNumber,
  type SessionId,
  type Signer,
  type Statement,
  sequenceNumber,
  sessionId,
  timestampMs,
  type ViewNumber,
  viewNumber,
} from "@quorate/protocol";

export const hasher: Hasher = createNodeHasher();

export const backend: CountingBackend = new CountingBackend(createNodeBackend());

export function seedOf(label: string): Uint8Array {
  return Buffer.from(hasher.digest(new TextEncoder().encode(label)), "hex");
}

export function digestOf(label: string): Digest {
  return hasher.digest(new TextEncoder().encode(`digest ${label}`));
}

export function replicaKey(id: number): PublicKey {
  return backend.publicKeyOf(seedOf(`replica ${id}`));
}

export const genesis: Genesis = {
  formatVersion: 3,
  name: "test",
  faultModel: "byzantine",
  members: [0, 1, 2, 3].map((id) => ({
    id: replicaId(id),
    publicKey: replicaKey(id),
    address: `127.0.0.1:${7000 + id}`,
  })),
  admins: { threshold: 1, keys: [backend.publicKeyOf(seedOf("admin"))] },
  clients: [backend.publicKeyOf(seedOf("client"))],
  checkpointInterval: 8,
  windowSize: 16,
  rotateEveryBatches: 0,
  limits: DEFAULT_LIMITS,
  timeouts: DEFAULT_TIMEOUTS,
};
export const cluster: ClusterId = clusterIdOf(hasher, genesis);
export const otherCluster: ClusterId = clusterId(digestOf("another cluster"));
export const membership: Membership = genesisMembership(genesis);
export const epoch0: Epoch = epochNumber(0);
export const epoch1: Epoch = epochNumber(1);
/** The same members in the epoch after, which begins at 8. */
export const membership1: Membership = membershipOf(epoch1, genesis.members, {
  seq: sequenceNumber(8),
  stateRoot: digestOf("state at the activation"),
});
export const view3: ViewNumber = viewNumber(3);
export const seq5: SequenceNumber = sequenceNumber(5);

export function signerOf(id: number, of: ClusterId = cluster): Signer {
  return createReplicaSigner({ backend, seed: seedOf(`replica ${id}`), self: replicaId(id), cluster: of });
}

export function clientOf(label = "client", of: ClusterId = cluster): ClientSigner {
  return createClientSigner({ backend, hasher, seed: seedOf(label), cluster: of });
}

export function newVerifier(limits: Partial<VerifierOptions> = {}): Verifier {
  return new Verifier({ backend, hasher, cluster, ...limits });
}

/** How many signatures `act` had verified. */
export function verificationsOf(act: () => unknown): number {
  const before = backend.verifications;
  act();
  return backend.verifications - before;
}

export function voteOf(type: "pre-prepare" | "prepare" | "commit", digest: Digest = digestOf("batch")): ReplicaMessage {
  return { type, epoch: epoch0, view: view3, seq: seq5, digest };
}

export function checkpointOf(root: string): ReplicaMessage {
  return { type: "checkpoint", epoch: epoch0, seq: sequenceNumber(8), stateRoot: digestOf(root) };
}

export function signaturesOf(ids: readonly number[], message: ReplicaMessage): MemberSignature[] {
  return ids.map((id) => ({ from: replicaId(id), signature: signerOf(id).sign(message).signature }));
}

export function commitCertificateOf(ids: readonly number[], digest: Digest = digestOf("batch")): CommitCertificate {
  const signatures = signaturesOf(ids, voteOf("commit", digest));
  return { epoch: epoch0, view: view3, seq: seq5, digest, signatures };
}

export function checkpointCertificateOf(ids: readonly number[]): CheckpointCertificate {
  const signatures = signaturesOf(ids, checkpointOf("root"));
  return { epoch: epoch0, seq: sequenceNumber(8), stateRoot: digestOf("root"), signatures };
}

/** Replica 3 is the primary of view 3. */
export function preparedCertificateOf(ids: readonly number[], primary = 3): PreparedCertificate {
  const prePrepare = signerOf(primary).sign(voteOf("pre-prepare")) as PreparedCertificate["prePrepare"];
  return { prePrepare, prepares: signaturesOf(ids, voteOf("prepare")) };
}

export const session: SessionId = sessionId(digestOf("session"));

export function operationsOf(number: number, ...operations: string[]): ReturnType<ClientSigner["signOperations"]> {
  const bytes = operations.map((operation) => new TextEncoder().encode(operation));
  return clientOf().signOperations({ session, number: requestNumber(number), operations: bytes });
}

export function registrationOf(nonce: string): ReturnType<ClientSigner["signRegistration"]> {
  return clientOf().signRegistration({ nonce: digestOf(nonce), lastValid: sequenceNumber(100) });
}

export function batchOf(...requests: { request: Batch["requests"][number] }[]): Batch {
  return { timestampMs: timestampMs(1_700_000_000_000), requests: requests.map(({ request }) => request) };
}

/** The outputs of a batch of three requests, of which the reply is for the second. */
export interface Outputs {
  readonly statement: Statement;
  readonly output: Omit<Receipt, "statement" | "signatures">;
}

export function outputsOf(value = "done"): Outputs {
  const results: OperationResult[] = [value, "second"].map((text) => ({
    status: "ok",
    value: new TextEncoder().encode(text),
  }));
  const outputs = [1, 2, 3].map((number) => ({
    session,
    number: requestNumber(number),
    requestDigest: digestOf(`request ${number}`),
    results,
  }));
  const leaves = outputs.map((output) => outputLeafOf(hasher, output));
  const path = new MerkleTree(hasher, leaves.map(outputLeafPreimage)).path(1);
  const outputsRoot = outputsRootOf(hasher, leaves);
  const statement = { epoch: epoch0, seq: seq5, historyDigest: digestOf("history"), outputsRoot };
  return { statement, output: { ...outputs[1]!, path } };
}

export function replyOf(id: number, { statement, output }: Outputs = outputsOf()): Reply {
  const signature = signerOf(id).signStatement(statement);
  return { from: replicaId(id), statement, signature, ...output, view: view3 };
}

export function receiptOf(ids: readonly number[], { statement, output }: Outputs = outputsOf()): Receipt {
  const signatures = ids.map((id) => ({ from: replicaId(id), signature: signerOf(id).signStatement(statement) }));
  return { statement, signatures, ...output };
}

export function envelopeOf<M extends ReplicaMessage>(id: number, message: M): Envelope<M> {
  return signerOf(id).sign(message);
}

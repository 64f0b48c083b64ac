import { type Codec, createCodec, wireLimitsOf } from "@quorate/codec";
import { clusterIdOf, createBatchComposer, createViewChangeComposer, Verifier } from "@quorate/crypto";
import { createNodeBackend, createNodeHasher } from "@quorate/crypto/node";
import { type Cast, CountingBackend, createCast } from "@quorate/crypto/testing";
import {
  type BatchComposer,
  type CheckpointCertificate,
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
  type ReconfigurationChange,
  replicaId,
  requestNumber,
  type SequenceNumber,
  sequenceNumber,
  sessionId,
  type VerifiedNewView,
  type VerifiedRequest,
  type VerifiedViewChange,
  viewNumber,
} from "@quorate/protocol";
import { EpochChain } from "@quorate/reconfiguration";
import { ScriptedEpochs } from "@quorate/reconfiguration/testing";
import { type ReplicaStore, StorageError } from "@quorate/storage";

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
  rotateEveryBatches: 0,
  limits: DEFAULT_LIMITS,
  timeouts: DEFAULT_TIMEOUTS,
};
export const cluster: ClusterId = clusterIdOf(hasher, genesis);
export const membership: Membership = genesisMembership(genesis);
export const codec: Codec = createCodec(wireLimitsOf(genesis));
export const composer: BatchComposer = createBatchComposer(hasher, cluster);
export const newVerifier = (): Verifier => new Verifier({ backend, hasher, cluster });

export const newEpochs = (): EpochChain => new EpochChain({ hasher, cluster, verifier: newVerifier() }, genesis);
/** Epochs that a test makes up, of this cluster. */
export const newScript = (): ScriptedEpochs =>
  new ScriptedEpochs({ genesis, hasher, backend, seedOf: (id) => seedOf(`replica ${id}`) });

const cast: Cast = createCast(hasher, backend, cluster);
export const clientOf: Cast["clientOf"] = cast.clientOf;
export const envelopeOf: Cast["envelopeOf"] = cast.envelopeOf;
export const signerOf: Cast["signerOf"] = cast.signerOf;
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
export function requestOf(label: string, client = "client"): VerifiedRequest {
  return clientOf(client).signOperations({
    session: sessionId(digestOf(label)),
    number: requestNumber(1),
    operations: [new TextEncoder().encode(label)],
  });
}

/** Ordered for one epoch, by the one admin of genesis. */
export function changeOf(change: ReconfigurationChange, of: number = epoch): VerifiedRequest {
  const asked = { epoch: epochNumber(of), nonce: digestOf(`change of ${change.type} in ${of}`), change };
  const approvals = [clientOf("admin").approve(asked)];
  return clientOf("submitter").signReconfiguration({ ...asked, approvals, possession: new Uint8Array(0) });
}

/** A store whose history has changed on the disk at these numbers. */
export function withDamageAt(seqs: ReadonlySet<number>, store: ReplicaStore): ReplicaStore {
  const { lossNonce, log, history, state, local, bulk } = store;
  return {
    lossNonce,
    log,
    state,
    local,
    bulk,
    history: {
      clear: () => history.clear(),
      get first() {
        return history.first;
      },
      get last() {
        return history.last;
      },
      get bytes() {
        return history.bytes;
      },
      put: (at, entry) => history.put(at, entry),
      trim: (below) => history.trim(below),
      get: (at) => {
        const entry = history.get(at);
        if (seqs.has(at) && entry !== undefined) throw new StorageError("storage.damaged", `history entry ${at}`);
        return entry;
      },
    },
    writeAtomically: (changes) => store.writeAtomically(changes),
    flushLog: (done) => store.flushLog(done),
    flush: (done) => store.flush(done),
    close: () => store.close(),
  };
}

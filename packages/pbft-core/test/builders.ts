import { createNodeHasher } from "@quorate/crypto/node";
import { type Cast, createCast, createFakeBackend } from "@quorate/crypto/testing";
import { type Decision, Ordering, type OrderingOptions } from "@quorate/pbft-core";
import {
  type Batch,
  type Checkpoint,
  type Commit,
  type CommitCertificate,
  type Digest,
  type Effect,
  type Epoch,
  epochNumber,
  type PrePrepare,
  type Prepare,
  type ReplicaFrame,
  replicaId,
  requestNumber,
  type SequenceNumber,
  type Signer,
  sequenceNumber,
  sessionId,
  timestampMs,
  type VerifiedBatch,
  type VerifiedCommittedEntry,
  type VerifiedEnvelope,
  type VerifiedRequest,
  type ViewNumber,
  viewNumber,
} from "@quorate/protocol";

const hasher = createNodeHasher();
const cast: Cast = createCast(hasher, createFakeBackend(hasher));
const { signerOf } = cast;
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
export const clientOf: Cast["clientOf"] = cast.clientOf;
export const composer: Cast["composer"] = cast.composer;
export const digestOf: Cast["digestOf"] = cast.digestOf;
/** Replica 0 is the primary of view 0. */
export const membersOf: Cast["membersOf"] = cast.membersOf;
export const verifier: Cast["verifier"] = cast.verifier;

const epoch: Epoch = epochNumber(0);
const view0: ViewNumber = viewNumber(0);
export const seqOf: (value: number) => SequenceNumber = sequenceNumber;
export const nullBatch: VerifiedBatch = composer.compose(timestampMs(0), []);

/** The request of one client and session; the session is named by a label. */
export function requestOf(
  number: number,
  { client = "client", session = "session", operations = [`operation ${number}`] }: RequestParts = {},
): VerifiedRequest {
  return clientOf(client).signOperations({
    session: sessionId(digestOf(session)),
    number: requestNumber(number),
    operations: operations.map(text),
  });
}
export interface RequestParts {
  readonly client?: string;
  readonly session?: string;
  readonly operations?: readonly string[];
}

/** An order of a checkpoint. */
export function orderOf(above: number, client = "admin"): VerifiedRequest {
  return clientOf(client).signCheckpoint({ epoch, above: seqOf(above) });
}

export function registrationOf(nonce: string, client = "client"): VerifiedRequest {
  return clientOf(client).signRegistration({ nonce: digestOf(nonce), lastValid: seqOf(100) });
}

/** An admin of each label agrees with it. */
export function reconfigurationOf(nonce: string, admins: readonly string[] = [], client = "client"): VerifiedRequest {
  const change = { type: "leave", id: replicaId(3), mayLowerFaultThreshold: true } as const;
  const request = { epoch, nonce: digestOf(nonce), change };
  const approvals = admins.map((admin) => clientOf(admin).approve(request)).sort((a, b) => (a.key < b.key ? -1 : 1));
  return clientOf(client).signReconfiguration({ ...request, approvals, possession: new Uint8Array(0) });
}

export function batchOf(label = "a", atMs = 1_000): VerifiedBatch {
  return composer.compose(timestampMs(atMs), [requestOf(1, { session: label })]);
}

/** What replicas sign, by name. */
export function prePrepareOf(digest: Digest, seq = 1, from = 0): VerifiedEnvelope<PrePrepare> {
  return signerOf(from).sign({ type: "pre-prepare", epoch, view: view0, seq: seqOf(seq), digest });
}
export function prepareOf(from: number, digest: Digest, seq = 1): VerifiedEnvelope<Prepare> {
  return signerOf(from).sign({ type: "prepare", epoch, view: view0, seq: seqOf(seq), digest });
}
export function commitOf(from: number, digest: Digest, seq = 1): VerifiedEnvelope<Commit> {
  return signerOf(from).sign({ type: "commit", epoch, view: view0, seq: seqOf(seq), digest });
}
export function checkpointOf(from: number, root: string, seq: number): VerifiedEnvelope<Checkpoint> {
  return signerOf(from).sign({ type: "checkpoint", epoch, seq: seqOf(seq), stateRoot: digestOf(root) });
}

/** A batch decided by replicas 0, 1 and 2 of four. */
export function entryOf(seq: number, batch: VerifiedBatch): VerifiedCommittedEntry {
  const certificate: CommitCertificate = {
    epoch,
    view: view0,
    seq: seqOf(seq),
    digest: batch.digest,
    signatures: [0, 1, 2].map((id) => ({
      from: replicaId(id),
      signature: commitOf(id, batch.digest, seq).signature,
    })),
  };
  const entry = verifier.verifyCommittedEntry({ batch: batch.batch, certificate }, membersOf());
  if (entry === undefined) throw new Error("the builder's own entry does not verify");
  return entry;
}

export interface SceneOptions {
  readonly self?: number;
  readonly n?: number;
  readonly stable?: number;
  readonly executed?: number;
  readonly view?: number;
  /** Known from the start. */
  readonly activation?: number;
  /** Where the epoch may end: whoever awaits its state does not know. */
  readonly possibleEnd?: number;
  readonly options?: Partial<Omit<OrderingOptions, "signer" | "composer">>;
}

/** Small sizes, so that few messages fill everything. */
export function orderingOptionsOf(signer: Signer): OrderingOptions {
  return {
    signer,
    composer,
    nullBatch,
    windowSize: 16,
    rotateEveryBatches: 0,
    limits: { batchRequestsMax: 4, batchBytesMax: 1024, batchOperationsMax: 64 },
    clockToleranceMs: 100,
    pipelineDepthMax: 2,
    queue: { pendingMax: 64, pendingPerClientMax: 64, pendingBytesMax: 65_536, clockedMax: 64 },
  };
}

/** One `Ordering` whose messages come from replicas played by the test, and what it did so far. */
export class Scene {
  readonly ordering: Ordering;
  readonly effects: Effect[] = [];
  readonly decisions: Decision[] = [];
  nowMs = 1_000;

  constructor(given: SceneOptions = {}) {
    const { self = 1, n = 4, stable = 0, executed = stable, view = 0, activation, possibleEnd, options = {} } = given;
    const last = activation ?? possibleEnd;
    const end = last === undefined ? undefined : { seq: seqOf(last), isKnown: activation !== undefined };
    const base = {
      stable: { epoch, seq: seqOf(stable), stateRoot: digestOf("genesis"), signatures: [] },
      membership: membersOf(n),
      view: viewNumber(view),
    };
    this.ordering = new Ordering({ ...orderingOptionsOf(signerOf(self)), ...options }, base, seqOf(executed), end);
  }

  prePrepare(batch: VerifiedBatch, seq = 1, body: VerifiedBatch | undefined = batch): this {
    return this.take(this.ordering.onPrePrepare(prePrepareOf(batch.digest, seq), body, this.nowMs, this.out));
  }
  /** The proposal comes without a body that verifies. */
  prePrepareAlone(batch: VerifiedBatch, seq = 1): this {
    return this.take(this.ordering.onPrePrepare(prePrepareOf(batch.digest, seq), undefined, this.nowMs, this.out));
  }
  prepares(from: readonly number[], digest: Digest, seq = 1): this {
    for (const id of from) this.take(this.ordering.onPrepare(prepareOf(id, digest, seq), this.nowMs, this.out));
    return this;
  }
  commits(from: readonly number[], digest: Digest, seq = 1): this {
    for (const id of from) this.take(this.ordering.onCommit(commitOf(id, digest, seq), this.out));
    return this;
  }
  request(request: VerifiedRequest): "added" | "known" | "full" {
    return this.ordering.onRequest(request, { type: "executable" }, this.nowMs, this.out);
  }
  take(decisions: readonly Decision[]): this {
    this.decisions.push(...decisions);
    this.ordering.checkInvariants();
    return this;
  }

  get out(): Effect[] {
    return this.effects;
  }
  /** Effects of one type since the last `forget`. */
  of<T extends Effect["type"]>(type: T): Extract<Effect, { type: T }>[] {
    return this.effects.filter((effect): effect is Extract<Effect, { type: T }> => effect.type === type);
  }
  /** What was said to all: message types of signed frames, in order. */
  get spoken(): string[] {
    return this.of("broadcast").map(({ frame }) => typeOf(frame));
  }
  /** Writes and broadcasts in their order. */
  get order(): string[] {
    return this.effects.flatMap((effect) => {
      if (effect.type === "persist") return [`write ${effect.record.type}`];
      return effect.type === "broadcast" ? [`say ${typeOf(effect.frame)}`] : [];
    });
  }
  get rejections(): string[] {
    return this.of("rejected").map(({ rejection }) => rejection.code);
  }
  get delivered(): number[] {
    return this.decisions.map(({ seq }) => seq);
  }
  forget(): this {
    this.effects.length = 0;
    return this;
  }
}

/** The batches that a primary has proposed, as they went out. */
export function proposalsIn(effects: readonly Effect[]): { readonly seq: number; readonly batch: Batch }[] {
  return effects.flatMap((effect) =>
    effect.type === "broadcast" && effect.frame.type === "pre-prepare"
      ? [{ seq: effect.frame.envelope.message.seq, batch: effect.frame.batch }]
      : [],
  );
}

function typeOf(frame: ReplicaFrame): string {
  return frame.type === "signed" ? frame.envelope.message.type : frame.type;
}

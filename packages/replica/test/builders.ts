import { createViewChangeComposer, requestDigest, type Verifier } from "@quorate/crypto";
import { createNodeHasher } from "@quorate/crypto/node";
import { type Cast, createCast, createFakeBackend } from "@quorate/crypto/testing";
import {
  activationOf,
  type Base,
  type CommittedEntry,
  type Digest,
  type Effect,
  type Epoch,
  epochNumber,
  type LogRecord,
  type Membership,
  NO_MEMBER,
  observerPeerId,
  placeOf,
  type ReplicaFrame,
  type ReplicaId,
  type RequestStanding,
  replicaId,
  requestNumber,
  type SequenceNumber,
  type Signer,
  sequenceNumber,
  sessionId,
  type TimerName,
  timestampMs,
  type VerifiedRequest,
  viewNumber,
} from "@quorate/protocol";
import { OutputGate, Replica, type ReplicaEvent, recover, type VerifiedLogRecord } from "@quorate/replica";

const hasher = createNodeHasher();
export const cast: Cast = createCast(hasher, createFakeBackend(hasher));
const { cluster } = cast;
export const verifier: Verifier = cast.verifier;
export const composer: Cast["composer"] = cast.composer;
export const digestOf: Cast["digestOf"] = cast.digestOf;
export const envelopeOf: Cast["envelopeOf"] = cast.envelopeOf;
export const signerOf: Cast["signerOf"] = cast.signerOf;
export const epoch: Epoch = epochNumber(0);
export const seqOf: (value: number) => SequenceNumber = sequenceNumber;
export const K = 4;
export const L = 8;
const SIZES = { checkpointInterval: K, windowSize: L };
export const STATUS_MS = 100;
export const VIEW_CHANGE_MS = 1_000;

export const membership: Membership = cast.membersOf();
/** The one request of a session of its own. */
export function requestOf(label: string, client?: string): VerifiedRequest {
  return cast.clientOf(client).signOperations({
    session: sessionId(digestOf(label)),
    number: requestNumber(1),
    operations: [new TextEncoder().encode(label)],
  });
}
export const genesisBase: Base = {
  stable: { epoch, seq: seqOf(0), stateRoot: cluster as string as Digest, signatures: [] },
  membership,
  view: viewNumber(0),
};

/** Where one that is no member is known to the others; what it signs is an error. */
export const OBSERVER: number = observerPeerId(0);
const silent: Signer = {
  self: NO_MEMBER,
  sign: ({ type }) => {
    throw new Error(`an observer signs a ${type}`);
  },
  signStatement: () => {
    throw new Error("an observer signs a statement");
  },
};

export function newReplica(
  id: number,
  ...rest: [base?: Base, recovery?: ConstructorParameters<typeof Replica>[2], rotateEveryBatches?: number]
): Replica {
  const [base = genesisBase, recovery, rotateEveryBatches = 0] = rest;
  const signer = id === OBSERVER ? silent : signerOf(id);
  return new Replica(
    {
      signer,
      composer,
      nullBatch: composer.compose(timestampMs(0), []),
      viewChangeComposer: createViewChangeComposer({ signer, hasher, cluster }),
      viewChangeMs: VIEW_CHANGE_MS,
      viewChangeMaxMs: 8 * VIEW_CHANGE_MS,
      checkpointInterval: K,
      windowSize: L,
      rotateEveryBatches,
      limits: { batchRequestsMax: 4, batchBytesMax: 4096, batchOperationsMax: 64 },
      clockToleranceMs: 100,
      statusIntervalMs: STATUS_MS,
      pipelineDepthMax: 4,
      queue: { pendingMax: 64, pendingPerClientMax: 64, pendingBytesMax: 65_536, clockedMax: 64 },
    },
    base,
    recovery,
  );
}

/** The first time that it is executed it changes the members: an activation is waited for. */
export const CHANGE: VerifiedRequest = requestOf("a change of the members");

/** What a replica keeps; a crash leaves it. */
export class Disk {
  log: LogRecord[] = [];
  readonly history: Map<number, CommittedEntry> = new Map();
  /** Digests of the executed batches, in order; the state is nothing else. */
  executed: Digest[] = [];
  /** Undefined for the first disk of a replica. */
  lossNonce: Digest | undefined;
  /** The state is being brought here, see `RecoveredDisk`. */
  awaitsState = false;
  /** Zero unless it was quarantined. */
  silentUpTo = 0;
  /** At or above it. */
  outputsSilentUpTo = 0;
  /** What the state says of a change that was ordered, see `CHANGE`. */
  activation: SequenceNumber | undefined;
  /** What its epoch begins with. */
  base: Base = genesisBase;
}

/** From frames to events, as a host does it: verified, or dropped. */
export function eventOf(from: number, frame: ReplicaFrame, members: Membership = membership): ReplicaEvent | undefined {
  switch (frame.type) {
    case "pre-prepare": {
      const envelope = verifier.verifyEnvelope(frame.envelope, members);
      return envelope && { type: "message", envelope, batch: verifier.verifyBatch(frame.batch) };
    }
    case "signed": {
      const envelope = verifier.verifyEnvelope(frame.envelope, members);
      return envelope && { type: "message", envelope };
    }
    case "request": {
      const request = verifier.verifyRequest(frame.request);
      return request && { type: "request", request, standing: { type: "executable" } };
    }
    case "batch-body": {
      const batch = verifier.verifyBatch(frame.batch);
      return batch && { type: "batch-body", from: replicaId(from), batch };
    }
    case "committed": {
      const entry = verifier.verifyCommittedEntry(frame.entry, members);
      return entry && { type: "committed", from: replicaId(from), entry };
    }
    case "view-change": {
      const viewChange = verifier.verifyViewChange(frame.viewChange, members);
      return viewChange && { type: "view-change", from: replicaId(from), viewChange };
    }
    case "new-view": {
      const newView = verifier.verifyNewView(frame.newView, members);
      return newView && { type: "new-view", from: replicaId(from), newView };
    }
    case "query-stable": {
      const envelope = verifier.verifyEnvelope(frame.envelope, members);
      return envelope && { type: "query-stable", from: replicaId(from), envelope };
    }
    case "reply-stable": {
      const reply = verifier.verifyReplyStable(frame.reply, members);
      return reply && { type: "reply-stable", from: replicaId(from), reply };
    }
    case "fetch-state":
    case "state-chunk":
    case "deflated-chunk":
    case "state-unavailable":
    case "fetch-epochs":
    case "epoch-links":
    case "fetch-history":
      // They are not the replica's: its host serves and fetches state and epochs.
      return undefined;
    default: {
      const certificate = verifier.verifyCheckpointCertificate(frame.checkpoint, members);
      const isBelowHistory = frame.type === "below-history";
      return certificate && { type: "certificate", from: replicaId(from), certificate, isBelowHistory };
    }
  }
}

/** A frame on its way. */
export interface Packet {
  readonly from: number;
  readonly to: number;
  readonly frame: ReplicaFrame;
}

/** One replica with its gate, disk and timers; writes become durable when `flush` is called. */
export class Node {
  readonly id: number;
  readonly disk: Disk;
  readonly effects: Effect[] = [];
  readonly timers: Map<TimerName, number> = new Map();
  readonly #emit: (packet: Packet) => void;
  readonly #rotateEvery: number;
  readonly #replica: Replica;
  readonly #gate = new OutputGate(1_000);
  readonly #unflushed = new Set<LogRecord>();
  readonly #answered = new Set<Digest>();
  #lastCheckpoint = sequenceNumber(0);
  /** What is wrong with its state, and with what it puts out; nothing at first. */
  wrong = "";
  nowMs = 1_000;

  constructor(id: number, emit: (packet: Packet) => void, disk: Disk = new Disk(), rotateEvery = 0) {
    this.id = id;
    this.disk = disk;
    this.#emit = emit;
    this.#rotateEvery = rotateEvery;
    this.#replica = this.#recovered();
    this.#step({ type: "start" });
  }

  get status(): Replica["status"] {
    return this.#replica.status;
  }
  get leaveCause(): Replica["leaveCause"] {
    return this.#replica.leaveCause;
  }
  receive({ from, frame }: Packet): void {
    if (frame.type === "fetch-history") return this.#sendHistory({ to: from as ReplicaId, ...frame.fetch });
    // As a host does: who has the answer does not order again.
    if (frame.type === "request" && this.#answered.has(requestDigest(hasher, cluster, frame.request))) return;
    const event = eventOf(from, frame, this.disk.base.membership);
    if (event !== undefined) this.#step(event);
  }
  request(request: VerifiedRequest, standing: RequestStanding = { type: "executable" }): void {
    this.#step({ type: "request", request, standing });
  }
  handOver(): void {
    this.#step({ type: "hand-over-asked" });
  }
  /** What a power cut leaves: the log up to the last flush, and all that waited behind it done or undone with it. */
  durable(): Disk {
    this.disk.log = this.disk.log.filter((record) => !this.#unflushed.has(record));
    return this.disk;
  }
  /** The timer ends, if it runs. */
  fire(timer: TimerName): void {
    const token = this.timers.get(timer);
    // The others are started again by what they are for, or fire late to no effect.
    if (timer === "null-batch") this.timers.delete(timer);
    if (token !== undefined) this.#step({ type: "timeout", timer, token });
  }
  flush(): void {
    this.#unflushed.clear();
    for (const effect of this.#gate.onDurable(this.#gate.lastWrite)) this.#perform(effect);
  }

  #recovered(): Replica {
    const { base: start, activation } = this.disk;
    const { membership: members } = start;
    const records = this.disk.log.map((record) => verifiedRecordOf(record, members));
    const executed = seqOf(this.disk.executed.length);
    const committed = [];
    for (let at = executed + 1; this.disk.history.has(at); at++) {
      const entry = verifier.verifyCommittedEntry(this.disk.history.get(at)!, members);
      if (entry !== undefined) committed.push(entry);
    }
    const { lossNonce, awaitsState, silentUpTo, outputsSilentUpTo } = this.disk;
    const { base, recovery } = recover(start, {
      records,
      activation,
      executed,
      committed,
      lossNonce,
      awaitsState,
      executionDigest: this.#digest,
      silentUpTo: seqOf(silentUpTo),
      outputsSilentUpTo: seqOf(outputsSilentUpTo),
    });
    return newReplica(this.id, base, recovery, this.#rotateEvery);
  }

  #step(event: ReplicaEvent): void {
    const effects = this.#replica.step(event, this.nowMs);
    this.effects.push(...effects);
    const { writes, effects: now } = this.#gate.push(effects);
    this.disk.log.push(...writes);
    for (const record of writes) this.#unflushed.add(record);
    for (const effect of now) this.#perform(effect);
  }

  #perform(effect: Exclude<Effect, { type: "persist" }>): void {
    switch (effect.type) {
      case "send":
        return this.#emit({ from: this.id, to: effect.to, frame: effect.frame });
      case "broadcast":
        for (const { id } of this.disk.base.membership.members)
          if (id !== this.id) this.#emit({ from: this.id, to: id, frame: effect.frame });
        return;
      case "tell-observers":
        return this.#emit({ from: this.id, to: OBSERVER, frame: effect.frame });
      case "archive":
        this.disk.history.set(effect.seq, effect.entry);
        return;
      case "cut":
        this.disk.log = this.disk.log.filter((record) => placeOf(record).seq > effect.upTo);
        return;
      case "send-history":
        return this.#sendHistory(effect);
      case "execute":
        return this.#execute(effect);
      case "start-timer":
        this.timers.set(effect.timer, effect.token);
        return;
      case "cancel-timer":
        this.timers.delete(effect.timer);
        return;
      default:
        return;
    }
  }

  /** The state is what was executed, and all that is put out by it. */
  get #digest(): Digest {
    return digestOf(this.wrong + this.disk.executed.join());
  }

  #sendHistory({ to, first, last }: Pick<Extract<Effect, { type: "send-history" }>, "to" | "first" | "last">): void {
    for (let seq: number = first; seq <= last; seq++) {
      const entry = this.disk.history.get(seq);
      if (entry !== undefined) this.#emit({ from: this.id, to, frame: { type: "committed", entry } });
    }
  }

  #execute({ seq, batch }: Extract<Effect, { type: "execute" }>): void {
    this.disk.executed.push(batch.digest);
    const answered = batch.requests.map(({ digest }) => digest);
    for (const digest of answered) this.#answered.add(digest);
    if (answered.includes(CHANGE.digest)) this.disk.activation ??= activationOf(seq, SIZES);
    const { activation } = this.disk;
    const isCheckpoint = seq % K === 0 || batch.requests.some(({ request }) => request.type === "checkpoint");
    if (isCheckpoint) this.#lastCheckpoint = seq;
    const progress = { answered, sessions: [], evicted: [], lastCheckpoint: this.#lastCheckpoint };
    const stateRoot = this.#digest;
    this.#step({ type: "executed", seq, progress, executionDigest: stateRoot, activation });
    if (isCheckpoint) this.#step({ type: "state-durable", seq, stateRoot });
  }
}

function verifiedRecordOf(record: LogRecord, members: Membership): VerifiedLogRecord {
  switch (record.type) {
    case "stable":
      return {
        type: "stable",
        checkpoint: present(verifier.verifyCheckpointCertificate(record.checkpoint, members)),
      };
    case "pre-prepared":
      return {
        type: "pre-prepared",
        envelope: present(verifier.verifyEnvelope(record.envelope, members)),
        batch: present(verifier.verifyBatch(record.batch)),
      };
    case "prepared": {
      const { message } = record.certificate.prePrepare;
      const prepares = record.certificate.prepares.map(({ from, signature }) =>
        present(
          verifier.verifyEnvelope({ from, message: { ...message, type: "prepare" as const }, signature }, members),
        ),
      );
      const certificate = present(verifier.verifyPreparedCertificate(record.certificate, members));
      return { type: "prepared", certificate, prepares };
    }
    case "view-change":
      return {
        type: "view-change",
        viewChange: present(verifier.verifyViewChange(record.viewChange, members)),
      };
    case "new-view":
      return { type: "new-view", newView: present(verifier.verifyNewView(record.newView, members)) };
    case "mute": {
      const replies = record.replies.map((reply) => present(verifier.verifyReplyStable(reply, members)));
      return { type: "mute", replies };
    }
    case "released":
      return record;
  }
}
function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("a record of the own log does not verify");
  return value;
}

/** Four replicas and the packets between them; `isLost` decides what is dropped. */
export class Cluster {
  readonly nodes: Node[] = [];
  readonly packets: Packet[] = [];
  readonly rotateEvery: number;
  isLost: (packet: Packet) => boolean = () => false;
  /** Follows the others, from when `observe` is called. */
  observer: Node | undefined;

  constructor(rotateEvery = 0, disks: readonly Disk[] = membership.members.map(() => new Disk())) {
    this.rotateEvery = rotateEvery;
    for (const [id, disk] of disks.entries()) this.nodes.push(new Node(id, this.emit, disk, rotateEvery));
    this.run();
  }

  readonly emit = (packet: Packet): void => {
    if (packet.to === OBSERVER && this.observer === undefined) return;
    this.packets.push(packet);
  };
  observe(disk: Disk = new Disk()): Node {
    this.observer = new Node(OBSERVER, this.emit, disk, this.rotateEvery);
    return this.observer;
  }
  at(id: number): Node {
    const node = id === OBSERVER ? this.observer : this.nodes[id];
    if (node === undefined) throw new Error(`no replica ${id}`);
    return node;
  }
  /** Delivers, flushes and lets pauses between null batches end until nothing moves. */
  run(): this {
    for (;;) {
      for (const node of this.#all) node.flush();
      const packet = this.packets.shift();
      if (packet === undefined) {
        const pausing = this.#all.filter(({ timers }) => timers.has("null-batch"));
        if (pausing.length === 0) return this;
        for (const node of pausing) node.fire("null-batch");
      } else if (!this.isLost(packet)) this.at(packet.to).receive(packet);
    }
  }
  /** One status interval for everyone. */
  tick(times = 1): this {
    for (let i = 0; i < times; i++) {
      for (const node of this.#all) {
        node.nowMs += STATUS_MS;
        node.fire("status");
      }
      this.run();
    }
    return this;
  }
  /** It comes back with another disk: an empty one that says so, unless given. */
  lose(id: number, ...given: [nonce?: Digest | undefined]): this {
    const disk = new Disk();
    disk.lossNonce = given.length > 0 ? given[0] : digestOf(`loss of ${id}`);
    this.nodes[id] = new Node(id, this.emit, disk, this.rotateEvery);
    return this;
  }
  request(label: string): this {
    for (const node of this.nodes) node.request(requestOf(label));
    return this.run();
  }
  /** Power cut of one, which comes back with what was durable. */
  restart(id: number): this {
    this.nodes[id] = new Node(id, this.emit, this.at(id).durable(), this.rotateEvery);
    return this;
  }
  get #all(): readonly Node[] {
    return this.observer === undefined ? this.nodes : [...this.nodes, this.observer];
  }
  get views(): number[] {
    return this.nodes.map(({ status }) => status.view);
  }
  get executed(): number[] {
    return this.nodes.map(({ status }) => status.executed);
  }
}

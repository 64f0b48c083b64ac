import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { type Codec, createCodec, wireLimitsOf } from "@quorate/codec";
import {
  createBatchComposer,
  createClientSigner,
  createReplicaSigner,
  type SignatureBackend,
  Verifier,
} from "@quorate/crypto";
import {
  accusedOf,
  bytesToHex,
  type ClusterId,
  type Contradiction,
  type Divergence,
  type Genesis,
  genesisMembership,
  type Hasher,
  type PublicKey,
  primaryOf,
  type ReplicaId,
} from "@quorate/protocol";
import { isVerdict, type MuteStatus, type ReplicaStatus } from "@quorate/replica";
import type { Service } from "@quorate/state-machine";
import type { FetchProgress } from "@quorate/state-transfer";
import type { ScrubSlice } from "@quorate/state-tree";
import { lockFolder, openStore, type ReplicaStore, StorageError } from "@quorate/storage";
import type { Endpoint } from "@quorate/transport";
import type { Logger } from "pino";
import { AdminEndpoint } from "./admin-endpoint.ts";
import type { AuditDocument } from "./audit-document.ts";
import type { BackupFault } from "./backup/stream-backup.ts";
import { type DamageRepair, RecurringDamage } from "./damage-count.ts";
import { type EvidenceDocument, evidenceDocumentOf } from "./evidence-document.ts";
import { exposition, type MetricFamily } from "./exposition.ts";
import type { NumberRange } from "./history-reading.ts";
import type { HostSettings } from "./host-settings.ts";
import { type KeptEvidenceList, pieceOf } from "./kept-evidence.ts";
import { type LogPage, logPageOf } from "./log-page.ts";
import { isLostDisk, replaceLostStore } from "./lost-disk.ts";
import type { HostPorts, HostTimer, IngressRejection, ViewTurn } from "./ports.ts";
import type { QuarantineStatus } from "./quarantine.ts";
import { type Readiness, readinessOf } from "./readiness.ts";
import { ReplicaCounters } from "./replica-counters.ts";
import type { ReplicaFolder } from "./replica-folder.ts";

import { type ClientOutputStatus, type PeerStatus, ReplicaLinks } from "./replica-links.ts";
import { replicaMetrics } from "./replica-metrics.ts";
import { type RepairStatus, ReplicaRunner, type TransferStatus } from "./replica-runner.ts";
import { encodeReplicaTrace } from "./replica-trace.ts";
import { saveTrace } from "./save-trace.ts";
import { createZlibCompressor } from "./zlib-compressor.ts";

/** How to run a replica on its data folder. */
export interface StartOptions {
  readonly folder: ReplicaFolder;
  readonly service: Service;
  readonly backend: SignatureBackend;
  readonly hasher: Hasher;
  readonly log: Logger;
  readonly settings?: Partial<HostSettings>;
  /** Called once when the replica cannot go on. It has spoken its last; the process is to end with an error. */
  readonly onFatal: (error: Error) => void;
}

/** What `quorate status` shows of one replica. */
export interface ProcessStatus extends ClientOutputStatus {
  readonly cluster: ClusterId;
  readonly replica: ReplicaId;
  readonly pid: number;
  readonly role: "primary" | "backup";
  readonly epoch: number;
  /** The view entered last. */
  readonly view: number;
  /** The view it moves to; equal to `view` while it orders. */
  readonly target: number;
  /** How long a request may wait in this view, in milliseconds. */
  readonly timeOutMs: number;
  readonly primary: ReplicaId;
  readonly executed: number;
  readonly lowWatermark: number;
  readonly highWatermark: number;
  readonly pendingRequests: number;
  /** How many views were left since it started, by cause. */
  readonly viewsLeft: ReplicaStatus["viewsLeft"];
  readonly isStranded: boolean;
  /** It lost its disk and does not vote yet. */
  readonly mute: MuteStatus | undefined;
  /** What is brought here of the others' state; undefined while the own is whole. */
  readonly transfer: TransferStatus | undefined;
  /** Its state is damaged again, and is repaired after a pause. */
  readonly repair: RepairStatus | undefined;
  /** Others contradict it, and it stands still until there is something to repair it towards. */
  readonly quarantine: QuarantineStatus | undefined;
  /** Why the last backup was cut short; undefined once one has been given whole since. */
  readonly backupFault: BackupFault | undefined;
  readonly peers: readonly PeerStatus[];
  readonly clients: number;
  readonly uptimeMs: number;
  readonly durability: string;
  readonly signatures: string;
  /** Of what was executed, and of what was put out by it; empty while the state is brought here. */
  readonly historyDigest: string;
  readonly executionDigest: string;
  readonly evidence: number;
  /** The scrubber's round since the process started, how much of it is done (0 to 1), and how often it found damage. */
  readonly scrub: { readonly round: number; readonly position: number; readonly findings: number };
  /** Dropped inputs by reason. */
  readonly rejections: Readonly<Record<string, number>>;
}

/** A replica that runs in this process. */
export interface RunningReplica {
  readonly status: ProcessStatus;
  /** Stops cleanly: what was promised is durable, and the folder is free afterwards. */
  stop(): Promise<void>;
}

/**
 * Runs a replica: takes the folder's lock, recovers, listens, dials, orders.
 *
 * @throws ConfigurationError, StorageError, RecoveryError or TransportError in one line; nothing is left running then.
 */
export async function startReplica(options: StartOptions): Promise<RunningReplica> {
  const { folder, log } = options;
  const identity = { cluster: folder.cluster, replica: folder.self.id };
  const lock = lockFolder(folder.path);
  let process: ReplicaProcess | undefined;
  let store: ReplicaStore | undefined;
  try {
    const recover = (): ReplicaProcess => {
      store = openStore(folder.storePath, identity, folder.config);
      return new ReplicaProcess(options, store, () => lock.release());
    };
    try {
      process = recover();
    } catch (error) {
      if (!isLostDisk(error)) throw error;
      await store?.close();
      store = undefined;
      const aside = await replaceLostStore(folder.storePath, identity);
      log.error({ reason: error.message, ...(aside && { aside }) }, "the disk is lost: this replica goes on mute");
      process = recover();
    }
    await process.open();
    return process;
  } catch (error) {
    log.debug({ error }, "start failed");
    if (process !== undefined) await process.stop();
    else {
      await store?.close();
      lock.release();
    }
    throw error;
  }
}

class ReplicaProcess implements RunningReplica {
  readonly #options: StartOptions;
  readonly #store: ReplicaStore;
  readonly #releaseLock: () => void;
  readonly #codec: Codec;
  readonly #links: ReplicaLinks;
  readonly #host: ReplicaRunner;
  readonly #admin = new AdminEndpoint({
    status: () => this.status,
    audit: () => this.#audit(),
    evidence: () => this.#evidence(),
    isHealthy: () => !this.#isDead,
    readiness: () => this.#readiness,
    metrics: () => exposition(this.#metrics()),
    evidenceDocument: (id) => this.#evidenceDocument(id),
    log: (range) => this.#log(range),
    backup: () => this.#host.openBackup(),
    onBackupCutShort: (fault) => this.#options.log.warn(fault, "a backup was cut short, and is of no use"),
    handOver: () => this.#host.askHandOver(),
  });
  readonly #timers = new Map<HostTimer, NodeJS.Timeout>();
  readonly #counters = new ReplicaCounters();
  readonly #startedMs = Date.now();
  /** When it was last said of each peer that it is wrong. */
  readonly #divergenceLoggedMs = new Map<ReplicaId, number>();
  #isDead = false;
  #stopped: Promise<void> | undefined;

  constructor(options: StartOptions, store: ReplicaStore, releaseLock: () => void) {
    this.#options = options;
    this.#store = store;
    this.#releaseLock = releaseLock;
    const { folder, backend, hasher, service } = options;
    const { genesis, cluster, self, seed } = folder;
    const codec = createCodec(wireLimitsOf(genesis));
    this.#codec = codec;
    this.#links = new ReplicaLinks({
      self: self.id,
      membership: genesisMembership(genesis),
      listen: folder.config.listen,
      endpoint: this.#endpoint(),
      codec,
      isClientAdmitted: admissionOf(genesis),
      log: options.log,
      events: {
        onReplicaFrame: (peer, frame) => this.#host.onReplicaFrame(peer, frame),
        onClientFrame: (client, frame) => this.#host.onClientFrame(client, frame),
        welcome: () => this.#host.welcome(),
      },
    });
    this.#host = new ReplicaRunner({
      genesis,
      cluster,
      service,
      store,
      signer: createReplicaSigner({ backend, seed, self: self.id, cluster }),
      checkpointSigner: createClientSigner({ backend, hasher, seed, cluster }),
      verifier: new Verifier({ backend, hasher, cluster, windowSize: genesis.windowSize }),
      hasher,
      composer: createBatchComposer(hasher, cluster),
      codec,
      ports: this.#ports(),
      observer: {
        onExecuted: (executed) => this.#counters.onExecuted(executed),
        onViewChange: (turn) => this.#onViewChange(turn),
        onMute: (mute) => this.#onMute(mute),
        onTransferStarted: ({ target: { seq }, distrustsEntries }) =>
          options.log.warn(
            { checkpoint: seq },
            distrustsEntries
              ? "the state is compared with this checkpoint, and what differs is fetched from the others"
              : "left behind: the state at this checkpoint is fetched from the others",
          ),
        onVoting: (checkpoint) => options.log.debug({ checkpoint }, "votes while the state is brought here"),
        onTransferred: (progress, { executed }) => this.#onTransferred(progress, executed),
        onStateDamaged: ({ message: reason }) => {
          this.#counters.onStateDamaged();
          options.log.error({ reason }, "a part of the state is damaged: nothing was made of it");
        },
        onRepair: (repair, damage) => this.#onRepair(repair, damage),
        onScrubbed: (slice) => this.#onScrubbed(slice),
        onScrubFound: () => this.#counters.onScrubFound(),
        onQuarantined: (contradiction, quarantine) => this.#onQuarantined(contradiction, quarantine),
        onDivergence: (divergence) => this.#onDivergence(divergence),
        onLogFlushed: (tookMs) => this.#counters.onLogFlushed(tookMs),
        onStable: (seq) => {
          this.#counters.onStable();
          options.log.debug({ seq }, "stable checkpoint");
        },
        onEvidence: (evidence) => options.log.warn({ from: accusedOf(evidence) }, `${evidence.type}: evidence kept`),
        onRejection: (rejection) => this.#onRejection(rejection),
        onHistoryDamaged: ({ message: reason }) =>
          options.log.error(
            { reason },
            "the history is damaged: what is damaged is given to nobody, and the replica goes on",
          ),
        onFatal: (error) => this.#onFatal(error),
      },
      compressor: folder.config.stateCompression ? createZlibCompressor() : undefined,
      settings: { scrubBytesPerSecond: folder.config.scrubBytesPerSecond, ...options.settings },
    });
  }

  get status(): ProcessStatus {
    const { folder, backend } = this.#options;
    const status = this.#host.status;
    const { epoch } = genesisMembership(folder.genesis);
    return {
      cluster: folder.cluster,
      replica: folder.self.id,
      pid: globalThis.process.pid,
      role: this.#isPrimary ? "primary" : "backup",
      epoch,
      ...status,
      transfer: this.#host.transfer,
      repair: this.#host.repair,
      quarantine: this.#host.quarantine,
      backupFault: this.#admin.backupFault,
      peers: this.#links.peers,
      clients: this.#links.clientCount,
      ...this.#links.clientOutput,
      uptimeMs: Date.now() - this.#startedMs,
      durability: folder.config.durability,
      signatures: backend.name,
      ...(this.#host.digests ?? { historyDigest: "", executionDigest: "" }),
      evidence: this.#host.evidenceCount,
      scrub: {
        round: this.#counters.scrubRounds + 1,
        position: this.#host.scrubbed,
        findings: this.#counters.scrubFindings,
      },
      rejections: Object.fromEntries(this.#counters.rejections.filter(([, count]) => count > 0)),
    };
  }

  get #isPrimary(): boolean {
    const { primary, mute } = this.#host.status;
    return primary === this.#options.folder.self.id && mute === undefined && !this.#host.isInstalling;
  }

  async open(): Promise<void> {
    const { folder, backend, log } = this.#options;
    const { config, genesis, cluster, self } = folder;
    await this.#admin.open(config.admin);
    await this.#links.open();
    log.info(
      {
        cluster,
        members: genesis.members.length,
        listen: config.listen,
        advertise: self.address,
        admin: config.admin,
        durability: config.durability,
        signatures: backend.name,
        primary: primaryOf(genesisMembership(genesis), this.#host.status.view),
        executed: this.#host.status.executed,
      },
      "replica started",
    );
    const { mute } = this.#host.status;
    if (mute !== undefined) this.#onMute(mute);
    this.#host.start();
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#host.stop();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    await this.#links.close("replica stops");
    await this.#admin.close();
    await this.#store.close();
    this.#releaseLock();
  }

  get #readiness(): Readiness {
    const connected = this.#links.peers.filter(({ isConnected }) => isConnected).length;
    return readinessOf(
      this.#host.status,
      genesisMembership(this.#options.folder.genesis),
      connected,
      this.#host.isInstalling,
      this.#host.quarantine !== undefined,
    );
  }

  #metrics(): MetricFamily[] {
    const { folder, backend } = this.#options;
    const { user, system } = globalThis.process.cpuUsage();
    return replicaMetrics({
      replica: folder.self.id,
      durability: folder.config.durability,
      signatures: backend.name,
      status: this.#host.status,
      readiness: this.#readiness,
      counters: this.#counters,
      transfer: this.#host.transfer,
      repairsInARow: this.#host.repairs,
      scrubbed: this.#host.scrubbed,
      isQuarantined: this.#host.quarantine !== undefined,
      fills: this.#host.fills,
      gatedEffects: this.#host.gatedEffects,
      evidence: { kept: this.#host.evidenceCount, dropped: this.#host.evidenceDropped },
      peers: this.#links.peers,
      clients: this.#links.clientCount,
      listener: this.#links.listener,
      links: this.#links.counts,
      process: {
        startedMs: performance.timeOrigin,
        cpuSeconds: (user + system) / 1e6,
        residentBytes: globalThis.process.memoryUsage.rss(),
        loopActiveMs: performance.eventLoopUtilization().active,
      },
    });
  }

  #audit(): AuditDocument {
    const { cluster, self } = this.#options.folder;
    return {
      cluster,
      replica: self.id,
      own: this.#host.audited,
      quarantine: this.#host.quarantine,
      isInstalling: this.#host.isInstalling,
      divergent: this.#host.status.divergent.map(({ from, part, seq }) => ({ replica: from, part, seq })),
    };
  }

  #evidence(): KeptEvidenceList {
    const { cluster, self } = this.#options.folder;
    return { cluster, replica: self.id, evidence: [...this.#host.keptEvidence()].map(pieceOf) };
  }

  #evidenceDocument(id: string): EvidenceDocument | undefined {
    for (const kept of this.#host.keptEvidence())
      if (kept.id === id) return evidenceDocumentOf(kept.evidence, this.#options.folder.cluster, this.#codec);
    return undefined;
  }

  #log(range: NumberRange): LogPage {
    const { cluster, self } = this.#options.folder;
    const { executed } = this.#host.status;
    return logPageOf({ cluster, replica: self.id, history: this.#store.history, executed }, range);
  }

  #endpoint(): Endpoint {
    const { folder, backend } = this.#options;
    const { self, seed, cluster } = folder;
    return {
      cluster,
      credentials: {
        identity: { role: "replica", id: self.id, publicKey: self.publicKey },
        sign: (preimage) => backend.sign(seed, preimage),
        verify: (publicKey, preimage, signature) => backend.verify(publicKey, preimage, signature),
        isAdmissible: (publicKey) => backend.isAdmissible(publicKey),
      },
      randomBytes: (length) => randomBytes(length),
    };
  }

  #ports(): HostPorts {
    return {
      nowMs: () => Date.now(),
      monotonicMs: () => performance.now(),
      sendToReplica: (to, frame) => this.#links.sendToReplica(to, frame),
      sendToReplicas: (to, frame) => this.#links.sendToReplicas(to, frame),
      sendToClient: (client, frame) => this.#links.sendToClient(client, frame),
      startTimer: (timer, afterMs, fire) => {
        clearTimeout(this.#timers.get(timer));
        this.#timers.set(timer, setTimeout(fire, afterMs));
      },
      cancelTimer: (timer) => {
        clearTimeout(this.#timers.get(timer));
        this.#timers.delete(timer);
      },
    };
  }

  #onViewChange(turn: ViewTurn): void {
    const { log } = this.#options;
    this.#counters.onViewChange(turn);
    if (turn.type === "entered") return log.info({ view: turn.view }, "view entered");
    const { target, cause } = turn;
    // Those who come after others say nothing that the others do not say.
    const level = cause === "failed" || isVerdict(cause) ? "warn" : "info";
    log[level]({ target, cause }, "view given up");
  }

  #onMute(mute: MuteStatus | undefined): void {
    const { log } = this.#options;
    if (mute === undefined) return log.warn("mute no more: this replica votes again");
    const { lowWatermark: stable, view } = this.#host.status;
    log.warn(
      {
        replies: `${mute.replies} of ${mute.repliesNeeded}`,
        checkpoint: mute.checkpoint,
        stable,
        from: mute.view,
        view,
      },
      "mute: its disk was lost; it votes again when this checkpoint is stable here, from this view on",
    );
  }

  #onQuarantined(contradiction: Contradiction, { attempt, isGivenUp }: QuarantineStatus): void {
    const { log } = this.#options;
    this.#counters.onQuarantined();
    const what =
      contradiction.by === "certificate"
        ? `state at ${contradiction.seq}, by a quorum`
        : contradiction.divergences.map(({ from, part, seq }) => `${part} at ${seq}, by replica ${from}`).join("; ");
    log.error({ contradicted: what, attempt }, "quarantined: others contradict this replica, which says nothing more");
    if (isGivenUp)
      log.error("given up: each repair was followed by the next divergence; the service or the machine is at fault");
    else if (attempt > 1)
      log.warn({ attempt }, "it was repaired before, and is wrong again: the service may not be deterministic");
  }

  #onRepair({ attempt, pauseMs }: DamageRepair, { message: reason }: Error): void {
    const { log } = this.#options;
    this.#counters.onRepair();
    if (attempt === 1) return;
    const what = "damaged again after a repair: the disk or the memory of this machine is to be tested";
    log.error({ attempt, pauseMs, reason }, what);
  }

  /** However often one is found to be wrong, it is said once in a while. */
  #onDivergence({ from, part, seq, own, theirs }: Divergence): void {
    this.#counters.onDivergence();
    const nowMs = performance.now();
    if (nowMs - (this.#divergenceLoggedMs.get(from) ?? -DIVERGENCE_LOG_MS) < DIVERGENCE_LOG_MS) return;
    this.#divergenceLoggedMs.set(from, nowMs);
    this.#options.log.error({ from, part, seq, own, theirs }, "divergence: this peer is wrong, others agree with us");
  }

  #onTransferred(progress: FetchProgress, executed: number): void {
    this.#counters.onTransferred(progress);
    const { leaves, leavesFetched, leavesSkipped, bytesReceived, bytesOnWire, chunksRejected, differing } = progress;
    this.#options.log.info(
      {
        ...{ executed, entries: leaves, fetched: leavesFetched, alike: leavesSkipped },
        ...{ bytes: bytesReceived, bytesOnWire, chunksRejected },
      },
      "the state is here, and this replica goes on from it",
    );
    if (differing.count > 0)
      this.#options.log.info(
        { differing: differing.count, keys: differing.keys.slice(0, KEYS_LOGGED_MAX).map(bytesToHex) },
        "entries that differed; their first keys in hex",
      );
  }

  #onScrubbed(slice: ScrubSlice): void {
    this.#counters.onScrubbed(slice);
    const { scrubRounds: rounds, scrubbedEntries: entries } = this.#counters;
    if (slice.isRoundOver) this.#options.log.debug({ rounds, entries }, "the scrubber has looked at the whole state");
  }

  #onRejection(rejection: IngressRejection): void {
    this.#counters.onRejection(rejection);
    this.#options.log.debug(rejection, "input dropped");
  }

  #onFatal(thrown: Error): void {
    const isOfTheDisk = thrown instanceof StorageError || thrown instanceof RecurringDamage;
    const error = thrown instanceof RecurringDamage ? thrown.at(this.#options.folder.storePath) : thrown;
    this.#isDead = true;
    this.#options.log.fatal({ err: error }, "this replica cannot go on");
    // A disk that fails is told by its error; whatever else ends a replica is a bug, and is to be found.
    if (!isOfTheDisk) this.#saveTrace(error);
    this.#options.onFatal(error);
  }

  #saveTrace(error: Error): void {
    const { folder, log } = this.#options;
    const now = new Date();
    const trace = this.#host.trace(error, programOf(now));
    if (trace === undefined) return;
    const encode = (): Uint8Array => encodeReplicaTrace(trace);
    const saved = saveTrace(folder.path, encode, now);
    if ("path" in saved) log.error({ trace: saved.path }, `npm run simulate -- --replay ${saved.path}`);
    else log.error({ reason: saved.reason }, "no trace was saved");
  }
}

const KEYS_LOGGED_MAX = 20;
const DIVERGENCE_LOG_MS = 60_000;

/** For whoever reads a trace. */
function programOf(now: Date): string {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  return `@quorate/server ${version}, Node ${globalThis.process.version}, ${now.toISOString()}`;
}

/** Admins and members may open no session where they are not listed, but order a checkpoint (protocol rule 9.1). */
function admissionOf({ clients, admins, members }: Genesis): ((client: PublicKey) => boolean) | undefined {
  if (clients === "open") return undefined;
  const admitted = new Set([...clients, ...admins.keys, ...members.map(({ publicKey }) => publicKey)]);
  return (client) => admitted.has(client);
}

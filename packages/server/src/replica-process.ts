import { randomBytes } from "node:crypto";
import { type Codec, createCodec, wireLimitsOf } from "@quorate/codec";
import { createBatchComposer, Verifier } from "@quorate/crypto";
import type { PublicKey } from "@quorate/protocol";
import type { ReplicaStore } from "@quorate/storage";
import type { Endpoint } from "@quorate/transport";
import { AdminEndpoint } from "./admin-endpoint.ts";
import { exposition } from "./exposition.ts";
import { sayLastWords } from "./last-words.ts";
import { ProcessDocuments } from "./process-documents.ts";
import { ProcessObserver } from "./process-observer.ts";
import { ProcessPorts } from "./process-ports.ts";
import type { ProcessStatus } from "./process-status.ts";
import { ReplicaCounters } from "./replica-counters.ts";
import { createReplicaKeys } from "./replica-keys.ts";
import { ReplicaLinks } from "./replica-links.ts";
import { ReplicaRunner } from "./replica-runner.ts";
import type { StartOptions } from "./start-options.ts";
import { createZlibCompressor } from "./zlib-compressor.ts";

/** A replica that runs in this process. */
export interface RunningReplica {
  readonly status: ProcessStatus;
  /** Stops cleanly: what was promised is durable, and the folder is free afterwards. */
  stop(): Promise<void>;
}

/** A replica with its store, its links, its admin endpoint and the clock of this process: puts them together, starts and stops them. */
export class ReplicaProcess implements RunningReplica {
  readonly #options: StartOptions;
  readonly #store: ReplicaStore;
  readonly #releaseLock: () => void;
  readonly #codec: Codec;
  readonly #links: ReplicaLinks;
  readonly #ports: ProcessPorts;
  readonly #counters = new ReplicaCounters();
  readonly #observer: ProcessObserver;
  readonly #host: ReplicaRunner;
  readonly #documents: ProcessDocuments;
  readonly #admin: AdminEndpoint;
  #isDead = false;
  #stopped: Promise<void> | undefined;

  /** @throws RecoveryError or StorageError when the store holds what this replica cannot have written. */
  constructor(options: StartOptions, store: ReplicaStore, releaseLock: () => void) {
    this.#options = options;
    this.#store = store;
    this.#releaseLock = releaseLock;
    this.#codec = createCodec(wireLimitsOf(options.folder.genesis));
    this.#links = this.#newLinks();
    this.#ports = new ProcessPorts(this.#links);
    this.#observer = new ProcessObserver({
      log: options.log,
      counters: this.#counters,
      status: () => this.#host.status,
      onEpoch: () => this.#links.onEpoch(),
      onFatal: (error) => this.#onFatal(error),
    });
    this.#host = this.#newHost();
    this.#documents = new ProcessDocuments({
      ...options,
      store,
      codec: this.#codec,
      host: this.#host,
      links: this.#links,
      counters: this.#counters,
      backupFault: () => this.#admin.backupFault,
    });
    this.#admin = this.#newAdmin(this.#documents);
  }

  get status(): ProcessStatus {
    return this.#documents.status;
  }

  #newLinks(): ReplicaLinks {
    const { folder, log } = this.#options;
    const { genesis, self, config } = folder;
    return new ReplicaLinks({
      self: self.id,
      epochs: () => this.#host.epochs,
      listen: config.listen,
      endpoint: this.#endpoint(),
      codec: this.#codec,
      ...(genesis.clients !== "open" && {
        isClientAdmitted: (client: PublicKey) => this.#host.isClientAdmitted(client),
      }),
      log,
      events: {
        onReplicaFrame: (peer, frame) => this.#host.onReplicaFrame(peer, frame),
        onClientFrame: (client, frame) => this.#host.onClientFrame(client, frame),
        welcome: () => this.#host.welcome(),
      },
    });
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

  #newHost(): ReplicaRunner {
    const { folder, backend, hasher, service, settings } = this.#options;
    const { genesis, cluster, seed, config } = folder;
    return new ReplicaRunner({
      genesis,
      cluster,
      service,
      store: this.#store,
      keys: createReplicaKeys({ backend, hasher, cluster, seeds: () => [seed] }),
      verifier: new Verifier({ backend, hasher, cluster, windowSize: genesis.windowSize }),
      hasher,
      composer: createBatchComposer(hasher, cluster),
      codec: this.#codec,
      ports: this.#ports,
      observer: this.#observer,
      compressor: config.stateCompression ? createZlibCompressor() : undefined,
      settings: { scrubBytesPerSecond: config.scrubBytesPerSecond, ...settings },
    });
  }

  #newAdmin(documents: ProcessDocuments): AdminEndpoint {
    return new AdminEndpoint({
      status: () => documents.status,
      audit: () => documents.audit(),
      evidence: () => documents.evidence(),
      isHealthy: () => !this.#isDead,
      readiness: () => documents.readiness,
      metrics: () => exposition(documents.metrics()),
      evidenceDocument: (id) => documents.evidenceDocument(id),
      log: (range) => documents.log(range),
      backup: () => this.#host.openBackup(),
      onBackupCutShort: (fault) => this.#options.log.warn(fault, "a backup was cut short, and is of no use"),
      handOver: () => this.#host.askHandOver(),
    });
  }

  /** Listens, dials, and orders from here on. */
  async open(): Promise<void> {
    const { folder, backend, log } = this.#options;
    const { config, cluster, self } = folder;
    await this.#admin.open(config.admin);
    await this.#links.open();
    log.info(
      {
        cluster,
        epoch: this.#host.epochs.epoch,
        members: this.#host.epochs.membership.members.length,
        listen: config.listen,
        advertise: self.address,
        admin: config.admin,
        durability: config.durability,
        signatures: backend.name,
        primary: this.#host.status.primary,
        executed: this.#host.status.executed,
      },
      "replica started",
    );
    const { mute } = this.#host.status;
    if (mute !== undefined) this.#observer.onMute(mute);
    this.#host.start();
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#host.stop();
    this.#ports.stop();
    await this.#links.close("replica stops");
    await this.#admin.close();
    await this.#store.close();
    this.#releaseLock();
  }

  #onFatal(thrown: Error): void {
    const { folder, log, onFatal } = this.#options;
    this.#isDead = true;
    onFatal(sayLastWords(thrown, { folder, log, host: this.#host }));
  }
}

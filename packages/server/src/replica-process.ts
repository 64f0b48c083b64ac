import { type Codec, createCodec, wireLimitsOf } from "@quorate/codec";
import { createBatchComposer, signPossession, Verifier } from "@quorate/crypto";
import { invariant, type PublicKey } from "@quorate/protocol";
import type { ReplicaStore } from "@quorate/storage";
import { advertisedAddress } from "./addresses.ts";
import { AdminEndpoint } from "./admin-endpoint.ts";
import { exposition } from "./exposition.ts";
import { FolderKeys, hasBegunForGood } from "./folder-keys.ts";
import type { Claimant } from "./join-claims.ts";
import { sayLastWords } from "./last-words.ts";
import { ProcessDocuments } from "./process-documents.ts";
import { ProcessObserver } from "./process-observer.ts";
import { ProcessPorts } from "./process-ports.ts";
import type { ProcessStatus } from "./process-status.ts";
import { ReplicaCounters } from "./replica-counters.ts";
import { ReplicaEndpoint } from "./replica-endpoint.ts";
import type { HeldKey } from "./replica-folder.ts";
import { createReplicaKeys } from "./replica-keys.ts";
import { ReplicaLinks } from "./replica-links.ts";
import { ReplicaRunner } from "./replica-runner.ts";
import type { ReplicaName } from "./replica-standing.ts";
import type { StartOptions } from "./start-options.ts";
import { createZlibCompressor } from "./zlib-compressor.ts";

/** A replica that runs in this process. */
export interface RunningReplica {
  readonly status: ProcessStatus;
  /** Who it is in the latest epoch that it knows. */
  readonly name: ReplicaName;
  /** Stops cleanly: what was promised is durable, and the folder is free afterwards. */
  stop(): Promise<void>;
}

/** A replica with its store, its links, its admin endpoint and the clock of this process: puts them together, starts and stops them. */
export class ReplicaProcess implements RunningReplica {
  readonly #options: StartOptions;
  readonly #store: ReplicaStore;
  readonly #releaseLock: () => void;
  readonly #codec: Codec;
  readonly #keys: FolderKeys;
  readonly #endpoint: ReplicaEndpoint;
  readonly #links: ReplicaLinks;
  readonly #ports: ProcessPorts;
  readonly #counters = new ReplicaCounters();
  readonly #observer: ProcessObserver;
  readonly #host: ReplicaRunner;
  readonly #documents: ProcessDocuments;
  readonly #admin: AdminEndpoint;
  #isDead = false;
  #hasToldMayStop = false;
  #stopped: Promise<void> | undefined;

  /** @throws RecoveryError or StorageError when the store holds what this replica cannot have written. */
  constructor(options: StartOptions, store: ReplicaStore, releaseLock: () => void) {
    this.#options = options;
    this.#store = store;
    this.#releaseLock = releaseLock;
    this.#codec = createCodec(wireLimitsOf(options.folder.genesis));
    const { folder, backend, log } = options;
    this.#keys = new FolderKeys({ folder, backend, log });
    this.#endpoint = new ReplicaEndpoint({
      cluster: folder.cluster,
      backend,
      keys: this.#keys,
      membership: () => this.#host.epochs.membership,
    });
    this.#links = this.#newLinks();
    this.#ports = new ProcessPorts(this.#links);
    this.#observer = new ProcessObserver({
      log: options.log,
      counters: this.#counters,
      status: () => this.#host.status,
      nowMs: () => this.#ports.monotonicMs(),
      onEpoch: () => {
        this.#links.onEpoch();
        this.#settleKeys();
      },
      onStable: () => {
        this.#settleKeys();
        this.#tellMayStop();
      },
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
      member: () => this.#endpoint.member,
      backupFault: () => this.#admin.backupFault,
    });
    this.#admin = this.#newAdmin(this.#documents);
  }

  get status(): ProcessStatus {
    return this.#documents.status;
  }
  get name(): ReplicaName {
    return this.#endpoint.member?.id ?? "observer";
  }

  #newLinks(): ReplicaLinks {
    const { folder, log } = this.#options;
    const { genesis, config } = folder;
    return new ReplicaLinks({
      epochs: () => this.#host.epochs,
      epoch: () => this.#host.epoch,
      listen: config.listen,
      peers: config.peers,
      endpoint: this.#endpoint,
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

  #newHost(): ReplicaRunner {
    const { folder, backend, hasher, service, settings } = this.#options;
    const { genesis, trusted, cluster, config } = folder;
    const seeds = (): Uint8Array[] => this.#keys.held.map(({ seed }) => seed);
    return new ReplicaRunner({
      genesis,
      trusted,
      cluster,
      service,
      store: this.#store,
      claimant: this.#claimant(),
      keys: createReplicaKeys({ backend, hasher, cluster, seeds }),
      verifier: new Verifier({ backend, hasher, cluster }),
      hasher,
      composer: createBatchComposer(hasher, cluster),
      codec: this.#codec,
      ports: this.#ports,
      observer: this.#observer,
      compressor: config.stateCompression ? createZlibCompressor() : undefined,
      settings: { scrubBytesPerSecond: config.scrubBytesPerSecond, ...settings },
    });
  }

  /** Who it would be as a member. */
  #claimant(): Claimant {
    const { folder, backend } = this.#options;
    const { cluster, config } = folder;
    const held = (): HeldKey => {
      const [key] = this.#keys.held;
      invariant(key !== undefined, "process.no-key");
      return key;
    };
    return {
      get publicKey() {
        return held().publicKey;
      },
      address: advertisedAddress(config),
      possess: (request) => signPossession({ backend, cluster, seed: held().seed }, request),
    };
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
    const { config, cluster } = folder;
    this.#settleKeys();
    await this.#admin.open(config.admin);
    await this.#links.open();
    log.info(
      {
        cluster,
        epoch: this.#host.epochs.epoch,
        members: this.#host.epochs.membership.members.length,
        listen: config.listen,
        advertise: this.#endpoint.member?.address ?? advertisedAddress(config),
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

  /** A new key is the only one once the epoch in which it is the member's has begun here for good. */
  #settleKeys(): void {
    const { epochs, status } = this.#host;
    const { membership } = epochs;
    if (hasBegunForGood(membership, status)) this.#keys.onBegun(membership);
  }

  #tellMayStop(): void {
    const { mayStop } = this.#host;
    if (mayStop && !this.#hasToldMayStop)
      this.#options.log.info({ epoch: this.#host.epochs.epoch }, "no member any more: this replica may be stopped");
    this.#hasToldMayStop = mayStop;
  }

  #onFatal(thrown: Error): void {
    const { folder, log, onFatal } = this.#options;
    this.#isDead = true;
    onFatal(sayLastWords(thrown, { folder, log, host: this.#host }));
  }
}

import type { Codec } from "@quorate/codec";
import type { SignatureBackend } from "@quorate/crypto";
import type { Member, ReplicaId } from "@quorate/protocol";
import type { ReplicaStore } from "@quorate/storage";
import type { AuditDocument } from "./audit-document.ts";
import type { BackupFault } from "./backup/stream-backup.ts";
import { type EvidenceDocument, evidenceDocumentOf } from "./evidence-document.ts";
import type { MetricFamily } from "./exposition.ts";
import { type KeptEvidenceList, pieceOf } from "./kept-evidence.ts";
import { knownMembersOf } from "./known-members.ts";
import { type LogPage, type LogPageRequest, logPageOf } from "./log-page.ts";
import type { ProcessStatus } from "./process-status.ts";
import { type Readiness, readinessOf } from "./readiness.ts";
import type { ReplicaCounters } from "./replica-counters.ts";
import type { ReplicaFolder } from "./replica-folder.ts";
import type { ReplicaLinks } from "./replica-links.ts";
import { replicaMetrics } from "./replica-metrics.ts";
import type { ReplicaRunner } from "./replica-runner.ts";

/** The parts of a process that its documents are read from. */
export interface ProcessDocumentsOptions {
  readonly folder: ReplicaFolder;
  readonly backend: Pick<SignatureBackend, "name">;
  readonly store: Pick<ReplicaStore, "history">;
  readonly codec: Codec;
  readonly host: ReplicaRunner;
  readonly links: ReplicaLinks;
  readonly counters: ReplicaCounters;
  /** In the latest epoch that is known; undefined: it is none. */
  readonly member: () => Member | undefined;
  readonly backupFault: () => BackupFault | undefined;
}

/** What a running replica shows of itself to its operator. */
export class ProcessDocuments {
  readonly #o: ProcessDocumentsOptions;
  readonly #startedMs = Date.now();

  constructor(options: ProcessDocumentsOptions) {
    this.#o = options;
  }

  get status(): ProcessStatus {
    const { folder, backend, host, links, counters } = this.#o;
    return {
      cluster: folder.cluster,
      owner: folder.owner,
      replica: this.#id,
      pid: globalThis.process.pid,
      role: this.#role,
      mayStop: host.mayStop,
      ...host.status,
      membership: knownMembersOf(host.epochs.membership),
      pendingChange: host.pendingChange,
      transfer: host.transfer,
      repair: host.repair,
      quarantine: host.quarantine,
      backupFault: this.#o.backupFault(),
      peers: links.peers,
      clients: links.clientCount,
      observers: links.observerCount,
      ...links.clientOutput,
      uptimeMs: Date.now() - this.#startedMs,
      durability: folder.config.durability,
      signatures: backend.name,
      ...(host.digests ?? { historyDigest: "", executionDigest: "" }),
      evidence: host.evidenceCount,
      scrub: { round: counters.scrubRounds + 1, position: host.scrubbed, findings: counters.scrubFindings },
      rejections: Object.fromEntries(counters.rejections.filter(([, count]) => count > 0)),
    };
  }

  /** Who it is in the latest epoch that it knows; null: no member. */
  get #id(): ReplicaId | null {
    return this.#o.member()?.id ?? null;
  }

  get #role(): ProcessStatus["role"] {
    const id = this.#id;
    if (id === null) return "observer";
    const { primary, mute } = this.#o.host.status;
    return primary === id && mute === undefined && !this.#o.host.isInstalling ? "primary" : "backup";
  }

  get readiness(): Readiness {
    const { host, links } = this.#o;
    const connected = links.peers.filter(({ isConnected }) => isConnected).length;
    return readinessOf(
      host.status,
      host.epochs.membership,
      connected,
      host.isInstalling,
      host.quarantine !== undefined,
      this.#id === null,
    );
  }

  metrics(): MetricFamily[] {
    const { folder, backend, host, links, counters } = this.#o;
    const { user, system } = globalThis.process.cpuUsage();
    return replicaMetrics({
      replica: this.#id,
      isPrimary: this.#role === "primary",
      members: (host.epochs.membershipAt(host.epoch) ?? host.epochs.membership).members.length,
      observers: links.observerCount,
      durability: folder.config.durability,
      signatures: backend.name,
      status: host.status,
      readiness: this.readiness,
      counters,
      transfer: host.transfer,
      repairsInARow: host.repairs,
      scrubbed: host.scrubbed,
      isQuarantined: host.quarantine !== undefined,
      fills: host.fills,
      gatedEffects: host.gatedEffects,
      evidence: { kept: host.evidenceCount, dropped: host.evidenceDropped },
      peers: links.peers,
      clients: links.clientCount,
      listener: links.listener,
      links: links.counts,
      process: {
        startedMs: performance.timeOrigin,
        cpuSeconds: (user + system) / 1e6,
        residentBytes: globalThis.process.memoryUsage.rss(),
        loopActiveMs: performance.eventLoopUtilization().active,
      },
    });
  }

  audit(): AuditDocument {
    const { folder, host } = this.#o;
    return {
      cluster: folder.cluster,
      owner: folder.owner,
      replica: this.#id,
      membership: knownMembersOf(host.epochs.membership),
      own: host.audited,
      quarantine: host.quarantine,
      isInstalling: host.isInstalling,
      divergent: host.status.divergent.map(({ from, part, seq }) => ({ replica: from, part, seq })),
    };
  }

  evidence(): KeptEvidenceList {
    const { folder, host } = this.#o;
    const { cluster, owner } = folder;
    return { cluster, owner, replica: this.#id, evidence: [...host.keptEvidence()].map(pieceOf) };
  }

  /** @returns undefined for an id that is not among those that are kept. */
  evidenceDocument(id: string): EvidenceDocument | undefined {
    const { folder, host, codec } = this.#o;
    for (const kept of host.keptEvidence())
      if (kept.id === id) return evidenceDocumentOf(kept.evidence, folder.cluster, codec, host.epochs);
    return undefined;
  }

  /** A page of the ordered log that begins at or behind `request.from`. */
  log(request: LogPageRequest): LogPage {
    const { folder, host, store, codec } = this.#o;
    const { cluster, owner } = folder;
    const { history } = store;
    const { epochs } = host;
    const { executed } = host.status;
    return logPageOf({ cluster, owner, replica: this.#id, history, executed, epochs, codec }, request);
  }
}

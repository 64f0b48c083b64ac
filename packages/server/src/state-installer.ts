import type { Codec } from "@quorate/codec";
import type { Verifier } from "@quorate/crypto";
import {
  type ClusterId,
  type Genesis,
  genesisMembership,
  type Hasher,
  invariant,
  type LogRecord,
  type Membership,
  type ReplicaFrame,
  type ReplicaId,
  sequenceNumber,
  sequenceNumberOf,
  stateChunkBytesMax,
} from "@quorate/protocol";
import { logAfterInstallation } from "@quorate/replica";
import { partOf } from "@quorate/state-machine";
import { type FetchProgress, type FetchStep, StateFetcher } from "@quorate/state-transfer";
import type { ReplicaStore, StorageError } from "@quorate/storage";
import { type Installation, writeInstallation } from "./installation-record.ts";
import type { HostPorts, IngressRejection } from "./ports.ts";
import { SteadyClock } from "./steady-clock.ts";

export interface StateInstallerOptions {
  readonly genesis: Genesis;
  readonly cluster: ClusterId;
  readonly self: ReplicaId;
  readonly store: ReplicaStore;
  readonly codec: Codec;
  readonly verifier: Verifier;
  readonly hasher: Hasher;
  readonly ports: HostPorts;
  readonly installation: Installation;
  readonly onRejection: (rejection: IngressRejection) => void;
  /** The state is that of the target, durably; the log says so too. Nothing happens afterwards. */
  readonly onInstalled: (progress: FetchProgress) => void;
  /** It cannot go on: a failed flush, or a broken invariant. Nothing happens afterwards. */
  readonly onFatal: (error: Error) => void;
}

/** Time-outs are looked at so often. */
const TICK_MS = 100;

/**
 * Brings the state of this replica to a certified checkpoint while nothing else reads or writes it (protocol rule 10.1). What
 * the replica has promised stays in its log.
 *
 * The end has an order. First the log says that the checkpoint is stable and forgets what is below, while the store is still
 * marked as being installed; then the last of the state and the mark go in one group. A crash between the two goes on installing.
 */
export class StateInstaller {
  readonly #o: StateInstallerOptions;
  readonly #membership: Membership;
  readonly #fetcher: StateFetcher;
  readonly #clock: SteadyClock;
  #installation: Installation;
  #isOver = false;

  constructor(options: StateInstallerOptions) {
    this.#o = options;
    const { genesis, cluster, self, store, hasher, ports, installation } = options;
    this.#installation = installation;
    this.#membership = genesisMembership(genesis);
    this.#clock = new SteadyClock(
      () => ports.nowMs(),
      () => ports.monotonicMs(),
    );
    this.#fetcher = new StateFetcher({
      hasher,
      cluster,
      partOf,
      state: store.state,
      local: store.local,
      donors: this.#membership.members.map(({ id }) => id).filter((id) => id !== self),
      chunkBytesMax: stateChunkBytesMax(genesis.limits),
      distrustsEntries: installation.distrustsEntries,
    });
  }

  get progress(): FetchProgress | undefined {
    return this.#fetcher.progress;
  }
  get installation(): Installation {
    return this.#installation;
  }

  /** To be called once, when frames can be sent. */
  start(): void {
    this.#guarded(() => {
      this.#note();
      this.#perform(this.#fetcher.start(this.#installation.target, this.#clock.nowMs()));
    });
  }

  /** Nothing happens any more. */
  stop(): void {
    this.#isOver = true;
    this.#o.ports.cancelTimer("fetch");
  }

  /** A frame from the replica at the other end of an authenticated link; most have nothing to say to it. */
  onReplicaFrame(peer: ReplicaId, frame: ReplicaFrame): void {
    this.#guarded(() => {
      const atMs = this.#clock.nowMs();
      switch (frame.type) {
        case "state-chunk":
          return this.#perform(this.#fetcher.onChunk(peer, frame.chunk, atMs));
        case "state-unavailable":
          return this.#perform(this.#fetcher.onUnavailable(peer, frame.unavailable.seq, atMs));
        case "stable-checkpoint":
        case "below-history":
          return this.#onCertificate(peer, frame, atMs);
        default:
          return;
      }
    });
  }

  /** Donors say what they have instead of what was asked for: a newer one is as good, and what is here counts for it. */
  #onCertificate(
    peer: ReplicaId,
    { checkpoint }: Extract<ReplicaFrame, { type: "stable-checkpoint" | "below-history" }>,
    atMs: number,
  ): void {
    if (checkpoint.seq <= this.#installation.target.seq) return;
    const target = this.#o.verifier.verifyCheckpointCertificate(checkpoint, this.#membership);
    if (target === undefined) return this.#o.onRejection({ from: peer, code: "ingress.bad-certificate" });
    this.#installation = { ...this.#installation, target };
    this.#note();
    this.#perform(this.#fetcher.supersede(target, atMs));
  }

  #note(): void {
    writeInstallation(this.#o.store.local, this.#o.codec, this.#installation);
  }

  #perform({ requests, writes, rejections, done, hasMore }: FetchStep): void {
    const { ports, store, onRejection } = this.#o;
    for (const rejection of rejections) onRejection(rejection);
    if (done !== undefined) return this.#finish(writes);
    if (writes !== undefined) store.writeAtomically(writes);
    for (const { to, request } of requests) ports.sendToReplica(to, { type: "fetch-state", fetch: request });
    ports.startTimer("fetch", hasMore ? 0 : TICK_MS, () =>
      this.#guarded(() => this.#perform(this.#fetcher.onTick(this.#clock.nowMs()))),
    );
  }

  #finish(last: FetchStep["writes"]): void {
    const { store, codec, ports } = this.#o;
    const { target } = this.#installation;
    ports.cancelTimer("fetch");
    for (const record of logAfterInstallation(this.#log(), target))
      store.log.append(sequenceNumberOf(record), codec.encodeLogRecord(record));
    store.log.cut(sequenceNumber(target.seq - 1));
    store.flush((failure) => {
      if (this.#isLost(failure)) return;
      if (last !== undefined) store.writeAtomically(last);
      writeInstallation(store.local, codec, undefined);
      store.flush((lastFailure) => {
        if (!this.#isLost(lastFailure)) this.#end();
      });
    });
  }

  #end(): void {
    const { progress } = this.#fetcher;
    invariant(progress !== undefined, "host.installed-nothing");
    this.#isOver = true;
    this.#o.onInstalled(progress);
  }

  #log(): LogRecord[] {
    const { store, codec } = this.#o;
    return [...store.log.entries()].map(({ seq, record }) => {
      const decoded = codec.decodeLogRecord(record);
      invariant(decoded.ok, "host.log-does-not-decode", { seq });
      return decoded.value;
    });
  }

  #isLost(failure: StorageError | undefined): boolean {
    if (this.#isOver) return true;
    if (failure !== undefined) this.#die(failure);
    return failure !== undefined;
  }

  #guarded(act: () => void): void {
    if (this.#isOver) return;
    try {
      act();
    } catch (error) {
      this.#die(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #die(error: Error): void {
    this.#isOver = true;
    this.#o.onFatal(error);
  }
}

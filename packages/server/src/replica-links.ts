import { type Codec, describeDecodeError } from "@quorate/codec";
import {
  type ClientFrame,
  epochNumber,
  type Member,
  type Memberships,
  memberOf,
  type PublicKey,
  type ReplicaFrame,
  type ReplicaId,
  type ServerFrame,
} from "@quorate/protocol";
import {
  CLIENT_LINK_LIMITS,
  dial,
  type Endpoint,
  type FramedLink,
  type LinkHandlers,
  type Listener,
  type ListenerSnapshot,
  listen,
  type PersistentLink,
  parseAddress,
  REPLICA_LINK_LIMITS,
  type TransportError,
} from "@quorate/transport";
import type { Logger } from "pino";
import { LinkCounts } from "./link-counts.ts";
import { PeerTraffic, type Traffic } from "./peer-traffic.ts";

/** What the links bring. */
export interface LinkEvents {
  /** @returns false when the link is to be cut. */
  onReplicaFrame(peer: ReplicaId, frame: ReplicaFrame): boolean;
  /** @returns false when the client is to be disconnected. */
  onClientFrame(client: PublicKey, frame: ClientFrame): boolean;
  /** What a client is told first. */
  welcome(): ServerFrame;
}

export interface ReplicaLinksOptions {
  readonly self: ReplicaId;
  /** The epochs that are known: members of the latest are dialed, and those of the one before may still ask. */
  readonly epochs: () => Memberships;
  readonly listen: string;
  readonly endpoint: Endpoint;
  readonly codec: Codec;
  /** Who may connect as a client; undefined: everyone with an admissible key. */
  readonly isClientAdmitted?: (client: PublicKey) => boolean;
  readonly events: LinkEvents;
  readonly log: Logger;
}

/** Whether a peer can be reached now. */
export interface PeerStatus {
  readonly replica: ReplicaId;
  readonly isConnected: boolean;
  readonly queuedBytes: number;
  readonly droppedFrames: number;
  /** Over all links with it since the process started. */
  readonly traffic: Traffic;
}

/** Output to clients, all links together. */
export interface ClientOutputStatus {
  /** Bytes in this process that clients have not taken yet. */
  readonly clientQueuedBytes: number;
  /** Links that were cut, the one with the most queued first, because the total had come to its bound. */
  readonly clientLinksCut: number;
}

/** A peer that this replica dials, as it was when it was dialed first. */
interface DialedPeer extends Pick<Member, "address" | "publicKey"> {
  readonly link: PersistentLink;
}

/**
 * All links of a replica: one with each other member (the lower id dials the higher) and those of clients. Turns frames
 * into bytes and back; a frame that does not decode closes the link it came by, and nothing else.
 */
export class ReplicaLinks {
  readonly #options: ReplicaLinksOptions;
  readonly #dialed = new Map<ReplicaId, DialedPeer>();
  readonly #accepted = new Map<ReplicaId, FramedLink>();
  readonly #clients = new Map<PublicKey, Set<FramedLink>>();
  readonly #traffic = new PeerTraffic();
  readonly #counts = new LinkCounts();
  #listener: Listener | undefined;

  constructor(options: ReplicaLinksOptions) {
    this.#options = options;
  }

  get clientCount(): number {
    return this.#clients.size;
  }

  /** What waits for all clients together, and how many of their links were cut because it was too much. */
  get clientOutput(): ClientOutputStatus {
    const { clientQueuedBytes = 0, clientLinksCut = 0 } = this.#listener?.snapshot() ?? {};
    return { clientQueuedBytes, clientLinksCut };
  }

  /** Undefined before it listens. */
  get listener(): ListenerSnapshot | undefined {
    return this.#listener?.snapshot();
  }
  get counts(): LinkCounts {
    return this.#counts;
  }

  get peers(): PeerStatus[] {
    const { self, epochs } = this.#options;
    return epochs()
      .membership.members.filter(({ id }) => id !== self)
      .map(({ id }) => {
        const dialed = this.#dialed.get(id)?.link;
        const snapshot = dialed === undefined ? this.#accepted.get(id)?.snapshot() : dialed.snapshot();
        const traffic = this.#traffic.of(id, snapshot);
        const droppedDown = dialed?.droppedDown ?? 0;
        const { queueFull = 0, tooLarge = 0, down = 0 } = snapshot?.dropped ?? {};
        return {
          replica: id,
          isConnected: snapshot !== undefined,
          queuedBytes: snapshot?.queuedBytes ?? 0,
          droppedFrames: queueFull + tooLarge + down + droppedDown,
          traffic: { ...traffic, down: traffic.down + droppedDown },
        };
      });
  }

  /**
   * Listens, then dials.
   *
   * @throws TransportError `listen.*` when the address cannot be had.
   */
  async open(): Promise<void> {
    const { endpoint, codec, isClientAdmitted, log } = this.#options;
    this.#listener = await listen({
      address: parseAddress(this.#options.listen),
      endpoint,
      replicaLimits: { ...REPLICA_LINK_LIMITS, frameBytesMax: codec.limits.replicaFrame.bytesMax },
      clientLimits: {
        ...CLIENT_LINK_LIMITS,
        frameBytesMax: Math.max(codec.limits.clientFrame.bytesMax, codec.limits.serverFrame.bytesMax),
      },
      membershipKeyOf: (id) => this.#keyOf(id),
      ...(isClientAdmitted && { isClientAdmitted }),
      onLink: (_peer, link) =>
        link.peer.role === "replica" ? this.#onReplica(link, link.peer.id) : this.#onClient(link),
      onRefused: (error, remoteAddress) => log.debug({ code: error.code, remoteAddress }, error.message),
    });
    this.#follow();
  }

  /** A new epoch has begun: clients are told, who else would learn it from a reply only, and its members are dialed. */
  onEpoch(): void {
    const { codec, events } = this.#options;
    const welcome = codec.encodeServerFrame(events.welcome());
    for (const links of this.#clients.values()) for (const link of links) link.send(welcome);
    this.#follow();
  }

  /** Members may have come, gone, moved or changed their keys: dials whom it has to, and no one else. */
  #follow(): void {
    const { self, epochs } = this.#options;
    const { members } = epochs().membership;
    const toDial = new Map(members.filter(({ id }) => id > self).map((member) => [member.id, member]));
    for (const [id, dialed] of this.#dialed) {
      const member = toDial.get(id);
      if (member?.address === dialed.address && member.publicKey === dialed.publicKey) continue;
      this.#dialed.delete(id);
      dialed.link.close("the members have changed");
    }
    for (const member of toDial.values()) if (!this.#dialed.has(member.id)) this.#dial(member);
  }

  /** Whose link is taken: a member of the latest epoch, or of the one before, which may not know better yet. */
  #keyOf(id: ReplicaId): PublicKey | undefined {
    if (id === this.#options.self) return undefined;
    const epochs = this.#options.epochs();
    const { epoch } = epochs.membership;
    const before = epoch > 0 ? epochs.membershipAt(epochNumber(epoch - 1)) : undefined;
    return memberOf(epochs.membership, id)?.publicKey ?? (before && memberOf(before, id)?.publicKey);
  }

  sendToReplica(to: ReplicaId, frame: ReplicaFrame): void {
    this.#send(to, this.#options.codec.encodeReplicaFrame(frame));
  }

  /** Encodes once for all. */
  sendToReplicas(to: readonly ReplicaId[], frame: ReplicaFrame): void {
    const bytes = this.#options.codec.encodeReplicaFrame(frame);
    for (const id of to) this.#send(id, bytes);
  }

  /** There are none yet. */
  sendToObservers(_frame: ReplicaFrame): void {}

  sendToClient(client: PublicKey, frame: ServerFrame): void {
    const links = this.#clients.get(client);
    if (links === undefined) return this.#counts.onClientFrameDropped("gone");
    const bytes = this.#options.codec.encodeServerFrame(frame);
    for (const link of links) if (!link.send(bytes)) this.#counts.onClientFrameDropped("not-taken");
  }

  async close(reason: string): Promise<void> {
    for (const { link } of this.#dialed.values()) link.close(reason);
    await this.#listener?.close(reason);
  }

  #send(id: ReplicaId, frame: Uint8Array): void {
    const link = this.#dialed.get(id)?.link ?? this.#accepted.get(id);
    if (link === undefined) this.#traffic.onUnsent(id);
    else link.send(frame);
  }

  #dial({ id, address, publicKey }: Member): void {
    const { endpoint, codec, log } = this.#options;
    let lastReason = "";
    let current: FramedLink | undefined;
    // Only the link of now: the next one is dialed after a pause that grows.
    const close = (reason: string): void => current?.close(reason);
    const link = dial({
      address,
      expected: { role: "replica", id, publicKey },
      endpoint,
      limits: { ...REPLICA_LINK_LIMITS, frameBytesMax: codec.limits.replicaFrame.bytesMax },
      onUp: (up) => {
        current = up;
        lastReason = "";
        log.info({ peer: id }, "link up");
      },
      onFrame: (bytes) => this.#onReplicaBytes(id, bytes, close),
      onDown: (reason) => {
        if (current !== undefined) this.#traffic.onEnded(id, current.snapshot());
        current = undefined;
        this.#counts.onEnded("replica", reason.code);
        // A peer that stays away is told of once, not at every attempt.
        if (reason.code !== lastReason) log.info({ peer: id, code: reason.code }, reason.message);
        lastReason = reason.code;
      },
    });
    this.#dialed.set(id, { address, publicKey, link });
  }

  #onReplica(link: FramedLink, id: ReplicaId): LinkHandlers {
    const { log } = this.#options;
    this.#accepted.set(id, link);
    log.info({ peer: id }, "link up");
    const close = (reason: string): void => link.close(reason);
    return {
      onFrame: (bytes) => this.#onReplicaBytes(id, bytes, close),
      onDown: (reason: TransportError) => {
        this.#traffic.onEnded(id, link.snapshot());
        this.#counts.onEnded("replica", reason.code);
        if (this.#accepted.get(id) === link) this.#accepted.delete(id);
        log.info({ peer: id, code: reason.code }, reason.message);
      },
    };
  }

  #onReplicaBytes(id: ReplicaId, bytes: Uint8Array, close: (reason: string) => void): void {
    const { codec, events, log } = this.#options;
    const decoded = codec.decodeReplicaFrame(bytes);
    if (decoded.ok && events.onReplicaFrame(id, decoded.value)) return;
    this.#counts.onInvalid("replica", decoded.ok ? "not-correct" : decoded.error.code);
    log.warn({ peer: id, error: decoded.ok ? "ingress" : decoded.error }, "a replica sent what no correct one sends");
    close(decoded.ok ? "invalid frame" : describeDecodeError(decoded.error));
  }

  #onClient(link: FramedLink): LinkHandlers {
    const { codec, events, log } = this.#options;
    const client = link.peer.publicKey;
    const links = this.#clients.get(client) ?? new Set();
    links.add(link);
    this.#clients.set(client, links);
    link.send(codec.encodeServerFrame(events.welcome()));
    return {
      onFrame: (bytes) => {
        const decoded = codec.decodeClientFrame(bytes);
        if (decoded.ok && events.onClientFrame(client, decoded.value)) return;
        this.#counts.onInvalid("client", decoded.ok ? "not-correct" : decoded.error.code);
        log.debug({ client, error: decoded.ok ? "ingress" : decoded.error }, "a client sent what no correct one sends");
        // Whoever writes a client of its own is told which limit it passed, or what is wrong where.
        link.close(decoded.ok ? "invalid request" : describeDecodeError(decoded.error));
      },
      onDown: (reason: TransportError) => {
        this.#counts.onEnded("client", reason.code);
        links.delete(link);
        if (links.size === 0 && this.#clients.get(client) === links) this.#clients.delete(client);
      },
    };
  }
}

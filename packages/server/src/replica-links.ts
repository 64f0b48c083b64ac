import { type Codec, describeDecodeError } from "@quorate/codec";
import {
  type ClientFrame,
  type Epoch,
  isObserverPeer,
  type LinkIdentity,
  type Memberships,
  OBSERVER_LINKS_MAX,
  type PublicKey,
  type ReplicaFrame,
  type ReplicaId,
  type ServerFrame,
} from "@quorate/protocol";
import {
  CLIENT_LINK_LIMITS,
  type FramedLink,
  type LinkHandlers,
  type Listener,
  type ListenerSnapshot,
  listen,
  parseAddress,
  REPLICA_LINK_LIMITS,
} from "@quorate/transport";
import type { Logger } from "pino";
import { ClientLinks } from "./client-links.ts";
import { LinkCounts } from "./link-counts.ts";
import { LinkSpeakers } from "./link-speakers.ts";
import { LinksByKey } from "./links-by-key.ts";
import { ObserverLinks } from "./observer-links.ts";
import { PeerLinks } from "./peer-links.ts";
import { PeerTraffic, type Traffic } from "./peer-traffic.ts";
import type { ReplicaEndpoint } from "./replica-endpoint.ts";

/** What the links bring. */
export interface LinkEvents {
  /**
   * @param peer the member, or the number of an observer or of a stranger that was dialed by address (`isObserverPeer`).
   * @returns false when the link is to be cut.
   */
  onReplicaFrame(peer: ReplicaId, frame: ReplicaFrame): boolean;
  /** @returns false when the client is to be disconnected. */
  onClientFrame(client: PublicKey, frame: ClientFrame): boolean;
  /** What a client is told first. */
  welcome(): ServerFrame;
}

export interface ReplicaLinksOptions {
  readonly endpoint: ReplicaEndpoint;
  /** The epochs that are known: members of the latest are dialed, and those of the one before may still ask. */
  readonly epochs: () => Memberships;
  /** The epoch that this replica is in: the latest that is known, or one before it. */
  readonly epoch: () => Epoch;
  readonly listen: string;
  /** Addresses that an observer dials beside those of the members, and a member that has lost touch with all of them. */
  readonly peers: readonly string[];
  readonly codec: Codec;
  /** Who may connect as a client; undefined: everyone with an admissible key. Who may be a client may observe. */
  readonly isClientAdmitted?: (client: PublicKey) => boolean;
  readonly events: LinkEvents;
  readonly log: Logger;
  /** See `LOST_TOUCH_MS`. */
  readonly lostTouchMs?: number;
}

/**
 * A member with which there was no link for so long is dialed as an observer does: the two may know different epochs, and take one
 * another for somebody who is no member, or has another key.
 */
const LOST_TOUCH_MS = 5_000;

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

/**
 * All links of a replica: with the other members, with observers or as one, and those of clients. Turns frames into bytes and
 * back; a frame that does not decode closes the link it came by, and nothing else.
 */
export class ReplicaLinks {
  readonly #options: ReplicaLinksOptions;
  readonly #traffic = new PeerTraffic();
  readonly #counts = new LinkCounts();
  readonly #speakers: LinkSpeakers;
  readonly #byKey = new LinksByKey();
  readonly #peers: PeerLinks;
  readonly #observers: ObserverLinks;
  readonly #clients: ClientLinks;
  /** Members without a link when this was looked at last. */
  #missing: ReadonlySet<ReplicaId> = new Set();
  #tending: NodeJS.Timeout | undefined;
  #listener: Listener | undefined;

  constructor(options: ReplicaLinksOptions) {
    this.#options = options;
    const { endpoint, codec, log, events } = options;
    const limits = { ...REPLICA_LINK_LIMITS, frameBytesMax: codec.limits.replicaFrame.bytesMax };
    this.#speakers = new LinkSpeakers({ ...options, self: () => endpoint.member?.id });
    const shared = {
      ...{ limits, log, counts: this.#counts, traffic: this.#traffic, speakers: this.#speakers, byKey: this.#byKey },
      onBytes: (link: FramedLink, bytes: Uint8Array) => this.#onBytes(link, bytes),
    };
    this.#peers = new PeerLinks({ ...shared, endpoint, onUp: () => this.#observe() });
    this.#observers = new ObserverLinks({
      ...shared,
      endpoint: endpoint.observing,
      askForEpochs: (link) => this.#askForEpochs(link),
    });
    this.#clients = new ClientLinks({
      codec,
      log,
      counts: this.#counts,
      onClientFrame: (client, frame) => events.onClientFrame(client, frame),
      welcome: () => events.welcome(),
    });
  }

  get clientCount(): number {
    return this.#clients.count;
  }
  get observerCount(): number {
    return this.#observers.count;
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
    return this.#others().map(({ id }) => {
      const snapshot = this.#linkTo(id)?.snapshot();
      const traffic = this.#traffic.of(id, snapshot);
      const droppedDown = this.#peers.droppedDownOf(id);
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
    const { endpoint, codec, isClientAdmitted, log, lostTouchMs = LOST_TOUCH_MS } = this.#options;
    this.#listener = await listen({
      address: parseAddress(this.#options.listen),
      endpoint,
      replicaLimits: { ...REPLICA_LINK_LIMITS, frameBytesMax: codec.limits.replicaFrame.bytesMax },
      clientLimits: {
        ...CLIENT_LINK_LIMITS,
        frameBytesMax: Math.max(codec.limits.clientFrame.bytesMax, codec.limits.serverFrame.bytesMax),
      },
      bounds: { observerLinksMax: OBSERVER_LINKS_MAX },
      memberKeysOf: (id) => this.#peers.keysOf(id),
      ...(isClientAdmitted && { isClientAdmitted }),
      isObserverAdmitted: (key) => isClientAdmitted?.(key) ?? true,
      onLink: (peer, link) => this.#onLink(peer, link),
      onRefused: (error, remoteAddress) => log.debug({ code: error.code, remoteAddress }, error.message),
    });
    this.#follow();
    this.#tending = setInterval(() => this.#tend(), lostTouchMs);
  }

  /** A new epoch has begun, or is known: clients are told, and its members are dialed. */
  onEpoch(): void {
    this.#clients.welcomeAll();
    this.#follow();
  }

  sendToReplica(to: ReplicaId, frame: ReplicaFrame): void {
    this.#send(to, this.#options.codec.encodeReplicaFrame(frame));
  }

  /** Encodes once for all. */
  sendToReplicas(to: readonly ReplicaId[], frame: ReplicaFrame): void {
    const bytes = this.#options.codec.encodeReplicaFrame(frame);
    for (const id of to) this.#send(id, bytes);
  }

  sendToObservers(frame: ReplicaFrame): void {
    if (this.#observers.count > 0) this.#observers.sendToAll(this.#options.codec.encodeReplicaFrame(frame));
  }

  sendToClient(client: PublicKey, frame: ServerFrame): void {
    this.#clients.send(client, frame);
  }

  async close(reason: string): Promise<void> {
    clearInterval(this.#tending);
    this.#peers.close(reason);
    this.#observers.close(reason);
    await this.#listener?.close(reason);
  }

  #others(): Memberships["membership"]["members"] {
    const { endpoint, epochs } = this.#options;
    const self = endpoint.member?.id;
    return epochs().membership.members.filter(({ id }) => id !== self);
  }

  #follow(): void {
    this.#peers.follow(this.#options.epochs().membership.members);
    this.#observe();
  }

  #tend(): void {
    this.#follow();
    this.#observers.askStrangers();
    for (const link of this.#peers.late()) this.#askForEpochs(link);
    this.#missing = new Set(this.#others().flatMap(({ id }) => (this.#peers.isUp(id) ? [] : [id])));
  }

  /**
   * Dials as an observer: all members and what it was told, where it is one; as a member those whom it has had no link with for a
   * while, and, until there is a better one, those whom it has dialed so as the observer that it was.
   */
  #observe(): void {
    const { endpoint, peers } = this.#options;
    const others = this.#others();
    if (endpoint.member === undefined)
      return this.#observers.dial(new Set([...others.map(({ address }) => address), ...peers]));
    const wanted = others.filter(
      ({ id, address }) => !this.#peers.isUp(id) && (this.#missing.has(id) || this.#observers.isDialed(address)),
    );
    const isAlone = others.every(({ id }) => !this.#peers.isUp(id) && this.#missing.has(id));
    this.#observers.dial(new Set([...wanted.map(({ address }) => address), ...(isAlone ? peers : [])]));
  }

  #send(id: ReplicaId, frame: Uint8Array): void {
    if (isObserverPeer(id)) return void this.#byKey.ofPeer(id)?.send(frame);
    const link = this.#linkTo(id);
    if (link !== undefined) link.send(frame);
    else if (!this.#peers.sendDown(id, frame)) this.#traffic.onUnsent(id);
  }

  /** The link that is up with a member, the newest under the newest of its keys. */
  #linkTo(id: ReplicaId): FramedLink | undefined {
    for (const key of this.#speakers.keysOf(id)) {
      const link = this.#byKey.ofKey(key);
      if (link !== undefined) return link;
    }
    return undefined;
  }

  /** Whoever is behind learns from the question that there is more to know, and asks in turn. */
  #askForEpochs(link: FramedLink): void {
    const { epoch: above } = this.#options.epochs().membership;
    link.send(this.#options.codec.encodeReplicaFrame({ type: "fetch-epochs", fetch: { above } }));
  }

  #onLink(peer: LinkIdentity, link: FramedLink): LinkHandlers {
    if (peer.role === "replica") return this.#peers.accept(link, peer.id);
    return peer.role === "client" ? this.#clients.accept(link) : this.#observers.accept(link);
  }

  #onBytes(link: FramedLink, bytes: Uint8Array): void {
    const { codec, events, log } = this.#options;
    const { publicKey, role } = link.peer;
    const decoded = codec.decodeReplicaFrame(bytes);
    const speaker = decoded.ok ? this.#speakers.speakerOf(publicKey, decoded.value) : undefined;
    const peer = speaker ?? this.#byKey.peerOf(publicKey);
    if (peer === undefined) return;
    if (decoded.ok && events.onReplicaFrame(peer, decoded.value)) return;
    this.#counts.onInvalid(role, decoded.ok ? "not-correct" : decoded.error.code);
    log.warn({ peer, error: decoded.ok ? "ingress" : decoded.error }, "a replica sent what no correct one sends");
    link.close(decoded.ok ? "invalid frame" : describeDecodeError(decoded.error));
  }
}

import type { Codec } from "@quorate/codec";
import type { Memberships, PublicKey, ReplicaFrame, ReplicaId } from "@quorate/protocol";
import type { Endpoint, FramedLink, LinkHandlers, LinkLimits } from "@quorate/transport";
import type { Logger } from "pino";
import type { LinkCounts } from "./link-counts.ts";
import { LinksByKey } from "./links-by-key.ts";
import { ObservingLinks } from "./observing-links.ts";
import type { PeerTraffic } from "./peer-traffic.ts";

/** @returns false when the link is to be cut. */
export type HearFrame = (peer: ReplicaId, frame: ReplicaFrame) => boolean;

export interface ObserverLinksOptions {
  /** It says of itself that it is an observer. */
  readonly endpoint: Endpoint;
  readonly epochs: () => Memberships;
  readonly codec: Codec;
  readonly limits: LinkLimits;
  readonly log: Logger;
  readonly counts: LinkCounts;
  readonly traffic: PeerTraffic;
  /** Takes the bytes of a frame; `hear` is told what they say. */
  onBytes(peer: ReplicaId, bytes: Uint8Array, close: (reason: string) => void, hear: HearFrame): void;
  /** What a member says, or an observer asks. */
  readonly hear: HearFrame;
  /** See `LinkEvents.onStrangersLinks`. */
  readonly hearStranger: HearFrame;
}

/**
 * Links at which one end is an observer: those that observers have dialed, and those that this replica has dialed as one. Whoever is
 * at the other end is known by its key, and is a member as soon as its key is one's in the latest epoch that is known here: it may
 * know that before this replica does, and have no other link yet.
 */
export class ObserverLinks {
  readonly #o: ObserverLinksOptions;
  readonly #byKey = new LinksByKey();
  /** Dialed by observers. */
  readonly #observers = new Set<FramedLink>();
  /** Dialed as an observer, and up. */
  readonly #found = new Set<FramedLink>();
  readonly #observing: ObservingLinks;

  constructor(options: ObserverLinksOptions) {
    this.#o = options;
    const { endpoint, limits, log, counts } = options;
    this.#observing = new ObservingLinks({ endpoint, limits, log, counts, onLink: (link) => this.#onFound(link) });
  }

  /** Observers that follow this replica. */
  get count(): number {
    return this.#observers.size;
  }

  /** The link with the replica of this key, or of this number. */
  ofKey(key: PublicKey): FramedLink | undefined {
    return this.#byKey.ofKey(key);
  }
  ofPeer(peer: ReplicaId): FramedLink | undefined {
    return this.#byKey.ofPeer(peer);
  }

  /** Whether this address is dialed. */
  isDialed(address: string): boolean {
    return this.#observing.has(address);
  }
  /** Dials these addresses as an observer, and no other. */
  dial(addresses: ReadonlySet<string>): void {
    this.#observing.follow(addresses);
  }

  /** To every observer that follows. */
  sendToAll(bytes: Uint8Array): void {
    for (const link of this.#observers) link.send(bytes);
  }

  /** To be called now and then: a stranger may be a member of an epoch that is not known here. */
  askStrangers(): void {
    for (const link of this.#found) this.#askStranger(link);
  }

  /** An observer has dialed. */
  accept(link: FramedLink): LinkHandlers {
    const { log, counts, hear } = this.#o;
    const handlers = this.#take(link, hear);
    if (handlers === undefined) {
      link.close("no place for another observer");
      return { onFrame: () => undefined, onDown: () => undefined };
    }
    this.#observers.add(link);
    const key = link.peer.publicKey;
    log.info({ key }, "an observer follows");
    return {
      onFrame: handlers.onFrame,
      onDown: (reason) => {
        this.#observers.delete(link);
        handlers.onDown(reason);
        counts.onEnded("observer", reason.code);
        log.info({ key, code: reason.code }, reason.message);
      },
    };
  }

  close(reason: string): void {
    this.#observing.close(reason);
  }

  /** Somebody is at an address that was dialed. */
  #onFound(link: FramedLink): LinkHandlers | undefined {
    const handlers = this.#take(link, this.#o.hearStranger);
    if (handlers === undefined) return undefined;
    this.#found.add(link);
    this.#askStranger(link);
    return {
      onFrame: handlers.onFrame,
      onDown: (reason) => {
        this.#found.delete(link);
        handlers.onDown(reason);
      },
    };
  }

  #askStranger(link: FramedLink): void {
    if (this.#memberOf(link) !== undefined) return;
    const { epoch: above } = this.#o.epochs().membership;
    link.send(this.#o.codec.encodeReplicaFrame({ type: "fetch-epochs", fetch: { above } }));
  }

  /**
   * Undefined when there is no place.
   *
   * @param hearOther takes what comes as long as the key is no member's.
   */
  #take(link: FramedLink, hearOther: HearFrame): LinkHandlers | undefined {
    if (!this.#byKey.add(link)) return undefined;
    const { hear, traffic, onBytes } = this.#o;
    const close = (reason: string): void => link.close(reason);
    return {
      onFrame: (bytes) => {
        const member = this.#memberOf(link);
        const peer = member ?? this.#byKey.peerOf(link.peer.publicKey);
        if (peer !== undefined) onBytes(peer, bytes, close, member === undefined ? hearOther : hear);
      },
      onDown: () => {
        const member = this.#memberOf(link);
        if (member !== undefined) traffic.onEnded(member, link.snapshot());
        this.#byKey.remove(link);
      },
    };
  }

  #memberOf({ peer }: FramedLink): ReplicaId | undefined {
    return this.#o.epochs().membership.members.find(({ publicKey }) => publicKey === peer.publicKey)?.id;
  }
}

import type { Member, PublicKey, ReplicaId } from "@quorate/protocol";
import {
  dial,
  type Endpoint,
  type FramedLink,
  type LinkHandlers,
  type LinkLimits,
  type LinkSnapshot,
  type PersistentLink,
  type TransportError,
} from "@quorate/transport";
import type { Logger } from "pino";
import type { LinkCounts } from "./link-counts.ts";
import type { PeerTraffic } from "./peer-traffic.ts";

export interface PeerLinksOptions {
  readonly endpoint: Endpoint;
  readonly limits: LinkLimits;
  readonly log: Logger;
  readonly counts: LinkCounts;
  readonly traffic: PeerTraffic;
  onBytes(peer: ReplicaId, bytes: Uint8Array, close: (reason: string) => void): void;
  /** There is a link with this member now. */
  onUp(peer: ReplicaId): void;
}

/** Who dials, and whom. */
export interface OwnPlace {
  /** Undefined: it is no member, and dials nobody as one. */
  readonly self: ReplicaId | undefined;
  /** The key that it proves itself with. */
  readonly key: PublicKey;
}

/** A peer that this replica dials, as the two were when it was dialed first. */
interface DialedPeer extends Pick<Member, "address" | "publicKey"> {
  readonly ownKey: PublicKey;
  readonly link: PersistentLink;
}

/** One link with each other member: the lower id dials the higher. */
export class PeerLinks {
  readonly #o: PeerLinksOptions;
  readonly #dialed = new Map<ReplicaId, DialedPeer>();
  readonly #accepted = new Map<ReplicaId, FramedLink>();

  constructor(options: PeerLinksOptions) {
    this.#o = options;
  }

  isUp(id: ReplicaId): boolean {
    return this.#dialed.get(id)?.link.isUp === true || this.#accepted.has(id);
  }
  /** Undefined while there is no link. */
  snapshotOf(id: ReplicaId): LinkSnapshot | undefined {
    return this.#dialed.get(id)?.link.snapshot() ?? this.#accepted.get(id)?.snapshot();
  }
  /** Frames that were given to a link that was to be dialed, while it was not up. */
  droppedDownOf(id: ReplicaId): number {
    return this.#dialed.get(id)?.link.droppedDown ?? 0;
  }

  /**
   * Members may have come, gone, moved or changed their keys, and so may this one: dials whom it has to anew, and no one else.
   * Accepted links of keys that are none any more are closed.
   */
  follow({ self, key }: OwnPlace, members: readonly Member[], keysOf: (id: ReplicaId) => readonly PublicKey[]): void {
    const higher = self === undefined ? [] : members.filter(({ id }) => id > self);
    const toDial = new Map(higher.map((member) => [member.id, member]));
    for (const [id, dialed] of this.#dialed) {
      const { address, publicKey } = toDial.get(id) ?? {};
      if (address === dialed.address && publicKey === dialed.publicKey && key === dialed.ownKey) continue;
      this.#dialed.delete(id);
      dialed.link.close("the members have changed");
    }
    for (const [id, link] of this.#accepted)
      if (!keysOf(id).includes(link.peer.publicKey)) link.close("the members have changed");
    for (const member of toDial.values()) if (!this.#dialed.has(member.id)) this.#dial(member, key);
  }

  /** A member has dialed. */
  accept(link: FramedLink, id: ReplicaId): LinkHandlers {
    const { log, counts, traffic } = this.#o;
    this.#accepted.set(id, link);
    log.info({ peer: id }, "link up");
    this.#o.onUp(id);
    const close = (reason: string): void => link.close(reason);
    return {
      onFrame: (bytes) => this.#o.onBytes(id, bytes, close),
      onDown: (reason: TransportError) => {
        traffic.onEnded(id, link.snapshot());
        counts.onEnded("replica", reason.code);
        if (this.#accepted.get(id) === link) this.#accepted.delete(id);
        log.info({ peer: id, code: reason.code }, reason.message);
      },
    };
  }

  /** @returns false when there is no such link, up or to be dialed. */
  send(id: ReplicaId, frame: Uint8Array): boolean {
    const dialed = this.#dialed.get(id)?.link;
    const link = dialed?.isUp === true ? dialed : (this.#accepted.get(id) ?? dialed);
    link?.send(frame);
    return link !== undefined;
  }

  close(reason: string): void {
    for (const { link } of this.#dialed.values()) link.close(reason);
  }

  #dial({ id, address, publicKey }: Member, ownKey: PublicKey): void {
    const { endpoint, limits, log, counts, traffic } = this.#o;
    let lastReason = "";
    let current: FramedLink | undefined;
    // Only the link of now: the next one is dialed after a pause that grows.
    const close = (reason: string): void => current?.close(reason);
    const link = dial({
      address,
      expected: { role: "replica", id, publicKey },
      endpoint,
      limits,
      onUp: (up) => {
        current = up;
        lastReason = "";
        log.info({ peer: id }, "link up");
        this.#o.onUp(id);
      },
      onFrame: (bytes) => this.#o.onBytes(id, bytes, close),
      onDown: (reason) => {
        if (current !== undefined) traffic.onEnded(id, current.snapshot());
        current = undefined;
        counts.onEnded("replica", reason.code);
        // A peer that stays away is told of once, not at every attempt.
        if (reason.code !== lastReason) log.info({ peer: id, code: reason.code }, reason.message);
        lastReason = reason.code;
      },
    });
    this.#dialed.set(id, { address, publicKey, ownKey, link });
  }
}

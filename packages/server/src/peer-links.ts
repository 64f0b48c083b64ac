import type { Member, PublicKey, ReplicaId } from "@quorate/protocol";
import {
  dial,
  type FramedLink,
  type LinkHandlers,
  type LinkLimits,
  type PersistentLink,
  type TransportError,
} from "@quorate/transport";
import type { Logger } from "pino";
import type { LinkCounts } from "./link-counts.ts";
import type { LinkSpeakers } from "./link-speakers.ts";
import type { LinksByKey } from "./links-by-key.ts";
import type { PeerTraffic } from "./peer-traffic.ts";
import type { ReplicaEndpoint } from "./replica-endpoint.ts";

export interface PeerLinksOptions {
  /** Who dials: no member dials nobody here. */
  readonly endpoint: ReplicaEndpoint;
  readonly limits: LinkLimits;
  readonly log: Logger;
  readonly counts: LinkCounts;
  readonly traffic: PeerTraffic;
  readonly speakers: LinkSpeakers;
  /** Where the links are while they are up. */
  readonly byKey: LinksByKey;
  onBytes(link: FramedLink, bytes: Uint8Array): void;
  /** There is a link with this member now. */
  onUp(peer: ReplicaId): void;
}

/** A peer that this replica dials, as the two were when it was dialed first. */
interface DialedPeer extends Pick<Member, "address" | "publicKey"> {
  readonly ownKey: PublicKey;
  readonly link: PersistentLink;
}

/** A link that a member has dialed, by the name that it gave itself. */
interface AcceptedLink {
  readonly id: ReplicaId;
  readonly link: FramedLink;
}

/**
 * Links with the other members: the lower id dials the higher. Whoever dials may have the key of the epoch before, as one that has not
 * heard of the latest, until its member had a link with the key of the latest: from then on that key is only a stranger's.
 */
export class PeerLinks {
  readonly #o: PeerLinksOptions;
  readonly #dialed = new Map<ReplicaId, DialedPeer>();
  /** Of each key of a member one at most: the listener replaces the older. */
  readonly #accepted = new Set<AcceptedLink>();
  /** The last key under which a member had a link that was its latest then. Bounded by n: of members only. */
  readonly #proven = new Map<ReplicaId, PublicKey>();

  constructor(options: PeerLinksOptions) {
    this.#o = options;
  }

  /** Whether there is a link with this member under its latest key. */
  isUp(id: ReplicaId): boolean {
    const key = this.#o.speakers.keyOf(id);
    if (this.#dialed.get(id)?.link.isUp === true) return true;
    return [...this.#accepted].some(({ id: of, link }) => of === id && link.peer.publicKey === key);
  }
  /** Frames that were given to a link that was to be dialed, while it was not up. */
  droppedDownOf(id: ReplicaId): number {
    return this.#dialed.get(id)?.link.droppedDown ?? 0;
  }

  /** The keys that a member may dial with, that of the latest epoch first; none for a stranger. */
  keysOf(id: ReplicaId): readonly PublicKey[] {
    const { speakers, endpoint } = this.#o;
    if (id === endpoint.member?.id) return [];
    const latest = speakers.keyOf(id);
    return latest !== undefined && this.#proven.get(id) === latest ? [latest] : speakers.admittedKeysOf(id);
  }

  /** Links of those who have dialed with a key that is none in the latest epoch. */
  *late(): Iterable<FramedLink> {
    for (const { link } of this.#accepted) if (this.#o.speakers.memberOf(link.peer.publicKey) === undefined) yield link;
  }

  /**
   * Members may have come, gone, moved or changed their keys, and so may this one: dials whom it has to anew, and no one else.
   * Accepted links of keys that nobody dials with any more are closed.
   */
  follow(members: readonly Member[]): void {
    const { endpoint, speakers } = this.#o;
    const { key } = endpoint;
    const self = endpoint.member?.id;
    const higher = self === undefined ? [] : members.filter(({ id }) => id > self);
    const toDial = new Map(higher.map((member) => [member.id, member]));
    for (const [id, dialed] of this.#dialed) {
      const { address, publicKey } = toDial.get(id) ?? {};
      if (address === dialed.address && publicKey === dialed.publicKey && key === dialed.ownKey) continue;
      this.#dialed.delete(id);
      dialed.link.close("the members have changed");
    }
    for (const id of this.#proven.keys()) if (speakers.keyOf(id) === undefined) this.#proven.delete(id);
    this.#closeOld();
    for (const member of toDial.values()) if (!this.#dialed.has(member.id)) this.#dial(member, key);
  }

  /** A member has dialed. */
  accept(link: FramedLink, id: ReplicaId): LinkHandlers {
    const { log, counts, byKey } = this.#o;
    const { publicKey } = link.peer;
    // The key may have become an old one since the handshake began.
    if (!this.keysOf(id).includes(publicKey) || !byKey.add(link)) {
      link.close("the members have changed");
      return { onFrame: () => undefined, onDown: () => undefined };
    }
    const accepted = { id, link };
    const isLatest = this.#o.speakers.keyOf(id) === publicKey;
    this.#accepted.add(accepted);
    log.info({ peer: id, isLatestKey: isLatest }, "link up");
    if (isLatest) this.#onProven(id, publicKey);
    return {
      onFrame: (bytes) => this.#o.onBytes(link, bytes),
      onDown: (reason: TransportError) => {
        this.#accepted.delete(accepted);
        byKey.remove(link);
        if (isLatest) this.#o.traffic.onEnded(id, link.snapshot());
        counts.onEnded("replica", reason.code);
        log.info({ peer: id, code: reason.code }, reason.message);
      },
    };
  }

  /** For a member that has no link that is up. @returns false when none is to be dialed either. */
  sendDown(id: ReplicaId, frame: Uint8Array): boolean {
    const { link } = this.#dialed.get(id) ?? {};
    link?.send(frame);
    return link !== undefined;
  }

  close(reason: string): void {
    for (const { link } of this.#dialed.values()) link.close(reason);
  }

  /** There is a link with this member under the key that is its latest. */
  #onProven(id: ReplicaId, key: PublicKey): void {
    this.#proven.set(id, key);
    this.#closeOld();
    this.#o.onUp(id);
  }

  #closeOld(): void {
    for (const { id, link } of this.#accepted)
      if (!this.keysOf(id).includes(link.peer.publicKey)) link.close("the members have changed");
  }

  #dial({ id, address, publicKey }: Member, ownKey: PublicKey): void {
    const { endpoint, limits, log, counts, traffic, byKey } = this.#o;
    let lastReason = "";
    let current: FramedLink | undefined;
    const link = dial({
      address,
      expected: { role: "replica", id, publicKey },
      endpoint,
      limits,
      onUp: (up) => {
        if (!byKey.add(up)) return up.close("no place for another link");
        current = up;
        lastReason = "";
        log.info({ peer: id }, "link up");
        this.#onProven(id, publicKey);
      },
      // Closing closes only the link of now: the next one is dialed after a pause that grows.
      onFrame: (bytes) => current && this.#o.onBytes(current, bytes),
      onDown: (reason) => {
        if (current !== undefined) {
          byKey.remove(current);
          traffic.onEnded(id, current.snapshot());
        }
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

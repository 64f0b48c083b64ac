import { observerPeerId, PEERS_BY_KEY_MAX, type PublicKey, type ReplicaId } from "@quorate/protocol";
import type { FramedLink } from "@quorate/transport";

/**
 * The links that are up with replicas, by their keys. Each key has a number on this side (`observerPeerId`) as long as it has a link,
 * for whoever is no member by it.
 *
 * Bounded by those who bring the links: the listener takes so many observers and two keys of each member, and dialed are the members
 * and the addresses that were given. None of them takes the place of another.
 */
export class LinksByKey {
  readonly #links = new Map<PublicKey, { readonly peer: ReplicaId; readonly links: FramedLink[] }>();

  /** Takes a link in; false when `PEERS_BY_KEY_MAX` other keys have the places. */
  add(link: FramedLink): boolean {
    const { publicKey } = link.peer;
    const known = this.#links.get(publicKey);
    if (known !== undefined) {
      known.links.push(link);
      return true;
    }
    const taken = new Set([...this.#links.values()].map(({ peer }) => peer));
    for (let place = 0; place < PEERS_BY_KEY_MAX; place++) {
      const peer = observerPeerId(place);
      if (taken.has(peer)) continue;
      this.#links.set(publicKey, { peer, links: [link] });
      return true;
    }
    return false;
  }

  /** The link is down. */
  remove(link: FramedLink): void {
    const { publicKey } = link.peer;
    const known = this.#links.get(publicKey);
    if (known === undefined) return;
    const at = known.links.indexOf(link);
    if (at >= 0) known.links.splice(at, 1);
    if (known.links.length === 0) this.#links.delete(publicKey);
  }

  /** The number of a key that has a link. */
  peerOf(key: PublicKey): ReplicaId | undefined {
    return this.#links.get(key)?.peer;
  }

  /** The newest link with the replica of this key. */
  ofKey(key: PublicKey): FramedLink | undefined {
    return this.#links.get(key)?.links.at(-1);
  }

  /** The newest link with the replica of this number. */
  ofPeer(peer: ReplicaId): FramedLink | undefined {
    for (const known of this.#links.values()) if (known.peer === peer) return known.links.at(-1);
    return undefined;
  }
}

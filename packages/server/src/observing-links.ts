import type { PublicKey } from "@quorate/protocol";
import {
  dial,
  type Endpoint,
  type FramedLink,
  type LinkHandlers,
  type LinkLimits,
  type PersistentLink,
} from "@quorate/transport";
import type { Logger } from "pino";
import type { LinkCounts } from "./link-counts.ts";

export interface ObservingLinksOptions {
  /** It says of itself that it is an observer. */
  readonly endpoint: Endpoint;
  readonly limits: LinkLimits;
  readonly log: Logger;
  readonly counts: LinkCounts;
  /** Takes a link in; undefined when there is no place for it. */
  onLink(link: FramedLink): LinkHandlers | undefined;
}

interface DialedAddress {
  readonly link: PersistentLink;
  /** Who was found there last. */
  key?: PublicKey;
}

/**
 * Links as an observer, by address: whoever is there is known by its key. Bounded by those who say what to dial: the members, and
 * the addresses of `replica.json`.
 */
export class ObservingLinks {
  readonly #o: ObservingLinksOptions;
  readonly #dialed = new Map<string, DialedAddress>();
  /** Addresses where somebody was found who has a link by another address already, and his key. */
  readonly #same = new Map<string, PublicKey>();

  constructor(options: ObservingLinksOptions) {
    this.#o = options;
  }

  has(address: string): boolean {
    return this.#dialed.has(address);
  }

  /** Dials these addresses, and no other. */
  follow(addresses: ReadonlySet<string>): void {
    for (const [address, { link }] of this.#dialed) {
      if (addresses.has(address)) continue;
      this.#dialed.delete(address);
      link.close("this replica does not observe here any more");
    }
    const found = new Set([...this.#dialed.values()].flatMap(({ link, key }) => (link.isUp && key ? [key] : [])));
    for (const [address, key] of this.#same) if (!addresses.has(address) || !found.has(key)) this.#same.delete(address);
    for (const address of addresses) if (!this.#dialed.has(address) && !this.#same.has(address)) this.#dial(address);
  }

  close(reason: string): void {
    for (const { link } of this.#dialed.values()) link.close(reason);
  }

  #dial(address: string): void {
    const { endpoint, limits, log, counts } = this.#o;
    let lastReason = "";
    let handlers: LinkHandlers | undefined;
    const link = dial({
      address,
      expected: "any-replica",
      endpoint,
      limits,
      onUp: (up) => {
        lastReason = "";
        handlers = this.#o.onLink(up);
        if (handlers === undefined) return up.close("no place for another link");
        this.#onFound(address, up.peer.publicKey);
        log.info({ address, peer: up.peer }, "link up, as an observer");
      },
      onFrame: (bytes) => handlers?.onFrame(bytes),
      onDown: (reason) => {
        handlers?.onDown(reason);
        handlers = undefined;
        counts.onEnded("observer", reason.code);
        if (reason.code !== lastReason) log.info({ address, code: reason.code }, reason.message);
        lastReason = reason.code;
      },
    });
    this.#dialed.set(address, { link });
  }

  /** A replica takes one link of an observer: dialed by two addresses, it would close each of them for the other, for ever. */
  #onFound(address: string, key: PublicKey): void {
    for (const [other, dialed] of this.#dialed) {
      if (other === address) dialed.key = key;
      else if (dialed.key === key) {
        this.#dialed.delete(other);
        this.#same.set(other, key);
        dialed.link.close("another address leads to the same replica");
      }
    }
  }
}

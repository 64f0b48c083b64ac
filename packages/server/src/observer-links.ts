import type { Endpoint, FramedLink, LinkHandlers, LinkLimits } from "@quorate/transport";
import type { Logger } from "pino";
import type { LinkCounts } from "./link-counts.ts";
import type { LinkSpeakers } from "./link-speakers.ts";
import type { LinksByKey } from "./links-by-key.ts";
import { ObservingLinks } from "./observing-links.ts";
import type { PeerTraffic } from "./peer-traffic.ts";

export interface ObserverLinksOptions {
  /** It says of itself that it is an observer. */
  readonly endpoint: Endpoint;
  readonly speakers: LinkSpeakers;
  /** Where the links are while they are up. */
  readonly byKey: LinksByKey;
  readonly limits: LinkLimits;
  readonly log: Logger;
  readonly counts: LinkCounts;
  readonly traffic: PeerTraffic;
  onBytes(link: FramedLink, bytes: Uint8Array): void;
  /** Asks whoever is there for the epochs that are not known here. */
  askForEpochs(link: FramedLink): void;
}

/**
 * Links at which one end is an observer: those that observers have dialed, and those that this replica has dialed as one. Whoever is
 * at the other end is known by its key, and is a member as soon as its key is one's in the latest epoch that is known here: it may
 * know that before this replica does, and have no other link yet.
 */
export class ObserverLinks {
  readonly #o: ObserverLinksOptions;
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
    const { log, counts } = this.#o;
    const handlers = this.#take(link);
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
    const handlers = this.#take(link);
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
    const { speakers, askForEpochs } = this.#o;
    if (speakers.memberOf(link.peer.publicKey) === undefined) askForEpochs(link);
  }

  /** Undefined when there is no place. */
  #take(link: FramedLink): LinkHandlers | undefined {
    const { byKey, speakers, traffic, onBytes } = this.#o;
    if (!byKey.add(link)) return undefined;
    return {
      onFrame: (bytes) => onBytes(link, bytes),
      onDown: () => {
        const member = speakers.memberOf(link.peer.publicKey);
        if (member !== undefined) traffic.onEnded(member, link.snapshot());
        byKey.remove(link);
      },
    };
  }
}

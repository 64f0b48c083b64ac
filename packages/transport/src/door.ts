import { TransportError } from "./transport-error.ts";

/** How many strangers, connections and links a listener holds at once. */
export interface ListenerBounds {
  /** Connections without a proven peer; one more, and the oldest of them is cut. */
  readonly unauthenticatedMax: number;
  /** Connections from one IPv4 address or one IPv6 network of 64 bits, proven or not. */
  readonly connectionsPerAddressMax: number;
  /** New connections of one such address in a second: each may cost a signature to verify. */
  readonly connectionsPerAddressPerSecondMax: number;
  /** Links of clients. */
  readonly clientLinksMax: number;
  /** Links of one client key; one more, and its oldest is closed. */
  readonly linksPerClientMax: number;
  /** Links of observers, each with a key of its own: all that is executed is fetched over each of them. */
  readonly observerLinksMax: number;
  /** Bytes that wait in this process for all clients together; beyond, the links with the most waiting are cut. */
  readonly clientQueuedBytesMax: number;
  /** The same of observers. */
  readonly observerQueuedBytesMax: number;
}
export const DEFAULT_LISTENER_BOUNDS: ListenerBounds = {
  unauthenticatedMax: 256,
  connectionsPerAddressMax: 1_024,
  connectionsPerAddressPerSecondMax: 512,
  clientLinksMax: 4_096,
  linksPerClientMax: 16,
  observerLinksMax: 16,
  clientQueuedBytesMax: 256 * 1024 * 1024,
  observerQueuedBytesMax: 256 * 1024 * 1024,
};

/** Addresses whose arrivals of this second are remembered; with more of them the count starts again early. */
const ARRIVING_ADDRESSES_MAX = 10_000;

/** One connection at the door. */
export interface Visit {
  /** The peer has proven itself: the visit no longer counts as a stranger's. */
  onProven(): void;
  /** The connection is gone. */
  onLeft(): void;
}

/** Counts connections per address and strangers in all. */
export class Door {
  readonly #bounds: ListenerBounds;
  readonly #perAddress = new Map<string, number>();
  /** Connections per address since the last `onSecond`. */
  readonly #arrivals = new Map<string, number>();
  /** Oldest first. */
  readonly #strangers = new Map<Visit, (error: TransportError) => void>();

  constructor(bounds: ListenerBounds) {
    this.#bounds = bounds;
  }

  get strangers(): number {
    return this.#strangers.size;
  }

  /**
   * Lets a connection in, or not: undefined when its address has too many, or too many a second. When there are too many strangers the
   * oldest goes, for an honest handshake takes milliseconds and a held-open one seconds.
   */
  enter(remoteAddress: string, cut: (error: TransportError) => void): Visit | undefined {
    const address = addressKey(remoteAddress);
    const count = this.#perAddress.get(address) ?? 0;
    if (count >= this.#bounds.connectionsPerAddressMax || !this.#isInRate(address)) return undefined;
    this.#perAddress.set(address, count + 1);
    if (this.#strangers.size >= this.#bounds.unauthenticatedMax) this.#cutOldest();
    let isIn = true;
    const visit: Visit = {
      onProven: () => void this.#strangers.delete(visit),
      onLeft: () => {
        this.#strangers.delete(visit);
        if (isIn) this.#leave(address);
        isIn = false;
      },
    };
    this.#strangers.set(visit, cut);
    return visit;
  }

  /** To be called every second. */
  onSecond(): void {
    this.#arrivals.clear();
  }

  #isInRate(address: string): boolean {
    const arrivals = (this.#arrivals.get(address) ?? 0) + 1;
    if (arrivals > this.#bounds.connectionsPerAddressPerSecondMax) return false;
    if (this.#arrivals.size >= ARRIVING_ADDRESSES_MAX) this.#arrivals.clear();
    this.#arrivals.set(address, arrivals);
    return true;
  }

  #cutOldest(): void {
    for (const [visit, cut] of this.#strangers) {
      this.#strangers.delete(visit);
      return cut(new TransportError("hello.timeout", "too many connections without a handshake; this was the oldest"));
    }
  }

  #leave(address: string): void {
    const count = (this.#perAddress.get(address) ?? 1) - 1;
    if (count === 0) this.#perAddress.delete(address);
    else this.#perAddress.set(address, count);
  }
}

/** One key for all the addresses that one host can take: IPv4 as it is, IPv6 by its network of 64 bits. */
export function addressKey(remoteAddress: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(remoteAddress);
  if (mapped?.[1] !== undefined) return mapped[1];
  if (!remoteAddress.includes(":")) return remoteAddress;
  const [head = "", tail] = (remoteAddress.split("%")[0] ?? "").toLowerCase().split("::");
  const groups = head === "" ? [] : head.split(":");
  const tailGroups = tail === undefined || tail === "" ? [] : tail.split(":");
  while (groups.length + tailGroups.length < 8) groups.push("0");
  return `${[...groups, ...tailGroups].slice(0, 4).join(":")}::/64`;
}

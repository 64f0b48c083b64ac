import { type ClusterId, invariant } from "@quorate/protocol";
import type { AddressedDialOptions } from "./dial.ts";
import type { Endpoint } from "./identity.ts";
import { type Address, formatAddress, REPLICA_LINK_LIMITS } from "./limits.ts";
import type { FramedLink } from "./link.ts";
import type { Listener, ListenOptions } from "./listen.ts";
import type { PersistentLink } from "./persistent-link.ts";
import type { TransportError } from "./transport-error.ts";

/** The transport to be judged, and keys to judge it with. */
export interface TransportUnderTest {
  listen(options: ListenOptions): Promise<Listener>;
  dial(options: AddressedDialOptions): PersistentLink;
  /** Where its listeners may be. */
  readonly host: string;
  readonly cluster: ClusterId;
  /** Fresh credentials of a replica with this id, of an observer, or of a client. */
  endpoint(replicaId: number | "observer" | "client", cluster?: ClusterId): Endpoint;
}

/** @throws InvariantViolation that says what was expected. */
export function check(condition: boolean, expected: string, facts: Readonly<Record<string, unknown>> = {}): void {
  invariant(condition, `compliance: expected ${expected}`, facts);
}

/** One listener and those who dial it; `close` ends them all. */
export class Scene {
  readonly transport: TransportUnderTest;
  readonly server: Endpoint;
  readonly #listeners: Listener[] = [];
  readonly #dialers: PersistentLink[] = [];

  constructor(transport: TransportUnderTest) {
    this.transport = transport;
    this.server = transport.endpoint(2);
  }

  /** Listens as `server`; everything that happens goes to the returned log. */
  async listen(
    members: readonly Endpoint[],
    options: Partial<ListenOptions> = {},
  ): Promise<{
    listener: Listener;
    links: EventLog<FramedLink>;
    frames: EventLog<Uint8Array>;
    downs: EventLog<TransportError>;
  }> {
    const links = new EventLog<FramedLink>();
    const frames = new EventLog<Uint8Array>();
    const downs = new EventLog<TransportError>();
    const listener = await this.transport.listen({
      address: { host: this.transport.host, port: 0 },
      endpoint: this.server,
      memberKeysOf: (id) =>
        members
          .map((member) => member.credentials.identity)
          .filter((member) => member.role === "replica" && member.id === id)
          .map(({ publicKey }) => publicKey),
      onLink: (_peer, link) => {
        links.add(link);
        return { onFrame: (frame) => frames.add(frame.slice()), onDown: (reason) => downs.add(reason) };
      },
      ...options,
    });
    this.#listeners.push(listener);
    return { listener, links, frames, downs };
  }

  /** Dials `server` as `endpoint`. */
  dial(
    endpoint: Endpoint,
    address: Address,
    options: Partial<AddressedDialOptions> = {},
  ): {
    link: PersistentLink;
    ups: EventLog<FramedLink>;
    frames: EventLog<Uint8Array>;
    downs: EventLog<TransportError>;
  } {
    const ups = new EventLog<FramedLink>();
    const frames = new EventLog<Uint8Array>();
    const downs = new EventLog<TransportError>();
    const link = this.transport.dial({
      address: formatAddress(address),
      endpoint,
      expected: this.server.credentials.identity,
      limits: REPLICA_LINK_LIMITS,
      backOff: { firstMs: 5, longestMs: 40 },
      onUp: (up) => ups.add(up),
      onFrame: (frame) => frames.add(frame.slice()),
      onDown: (reason) => downs.add(reason),
      ...options,
    });
    this.#dialers.push(link);
    return { link, ups, frames, downs };
  }

  async close(): Promise<void> {
    for (const dialer of this.#dialers) dialer.close("the scene is over");
    await Promise.all(this.#listeners.map((listener) => listener.close("the scene is over")));
  }
}

/** What happened so far, and a way to wait for the next of it without a clock. */
export class EventLog<T> {
  readonly events: T[] = [];
  #waiting: { readonly count: number; resolve(): void }[] = [];

  add(event: T): void {
    this.events.push(event);
    const ready = this.#waiting.filter(({ count }) => count <= this.events.length);
    this.#waiting = this.#waiting.filter(({ count }) => count > this.events.length);
    for (const { resolve } of ready) resolve();
  }

  /** Waits until the `number`-th event (from 1) has happened, and gives it. */
  async nth(number: number): Promise<T> {
    if (this.events.length < number)
      await new Promise<void>((resolve) => this.#waiting.push({ count: number, resolve }));
    const event = this.events[number - 1];
    invariant(event !== undefined, "compliance.event");
    return event;
  }
}

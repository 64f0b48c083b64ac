import { type ClientFrame, EPOCH_LINKS_MAX, type Epoch, type EpochLink, type ServerFrame } from "@quorate/protocol";
import type { PersistentLink } from "@quorate/transport/client";
import type { LinkCalls } from "./member-links.ts";

export interface IntroductionsOptions {
  /** Dials whoever is at an address, whatever its key. */
  readonly dial: (address: string, calls: LinkCalls) => PersistentLink;
  readonly encode: (frame: ClientFrame) => Uint8Array;
  /** Undefined for what is no frame. */
  readonly decode: (bytes: Uint8Array) => ServerFrame | undefined;
  readonly epoch: () => Epoch;
  /** Adds what is proven. */
  readonly onLinks: (links: readonly EpochLink[]) => void;
}

/** A question at one address. */
interface Introduction {
  link: PersistentLink | undefined;
  /** The epoch above which links were asked for; undefined while nothing was asked. */
  above: Epoch | undefined;
}

/**
 * Finds the members of a later epoch through an address at which someone answers whose key no known epoch names. That key
 * proves nothing, and nothing is believed of it: all that it is asked for is links of the epoch chain, which prove themselves
 * (docs/decisions/0042). Nothing else that it says is looked at, and it gets no request.
 */
export class Introductions {
  readonly #o: IntroductionsOptions;
  /** One at an address. */
  readonly #open = new Map<string, Introduction>();

  constructor(options: IntroductionsOptions) {
    this.#o = options;
  }

  /** Asks at an address, until there is an answer. */
  introduce(address: string): void {
    if (this.#open.has(address)) return;
    const own: Introduction = { link: undefined, above: undefined };
    this.#open.set(address, own);
    try {
      own.link = this.#o.dial(address, {
        onUp: () => this.#ask(own),
        onDown: () => {
          own.above = undefined;
        },
        onFrame: (bytes) => this.#onFrame(address, own, bytes),
      });
    } catch {
      // An address that admins have given wrongly: nobody is there, and there is no reason to try again.
    }
  }

  /** Nobody is asked any more. */
  close(reason: string): void {
    for (const address of [...this.#open.keys()]) this.#end(address, reason);
  }

  #onFrame(address: string, own: Introduction, bytes: Uint8Array): void {
    const { above } = own;
    if (above === undefined || this.#open.get(address) !== own) return;
    const frame = this.#o.decode(bytes);
    if (frame?.type !== "epoch-links") return;
    own.above = undefined;
    this.#o.onLinks(frame.links);
    // Every further question is above the one before, so nobody is asked for ever.
    if (this.#open.get(address) !== own) return;
    if (frame.links.length >= EPOCH_LINKS_MAX && this.#o.epoch() > above) this.#ask(own);
    else this.#end(address, "introduced");
  }

  #ask(own: Introduction): void {
    own.above = this.#o.epoch();
    own.link?.send(this.#o.encode({ type: "fetch-epochs", fetch: { above: own.above } }));
  }

  #end(address: string, reason: string): void {
    const own = this.#open.get(address);
    this.#open.delete(address);
    own?.link?.close(reason);
  }
}

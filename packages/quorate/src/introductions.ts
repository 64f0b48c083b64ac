import { EpochQuestion } from "@quorate/client-proxy";
import type { ClientFrame, Epoch, EpochLink, ServerFrame } from "@quorate/protocol";
import type { PersistentLink } from "@quorate/transport/client";
import type { LinkCalls } from "./member-links.ts";

export interface IntroductionsOptions {
  /** Dials whoever is at an address, whatever its key. */
  readonly dial: (address: string, calls: LinkCalls) => PersistentLink;
  readonly encode: (frame: ClientFrame) => Uint8Array;
  /** Undefined for what is no frame. */
  readonly decode: (bytes: Uint8Array) => ServerFrame | undefined;
  readonly chain: { readonly epoch: Epoch };
  /** Milliseconds that never go back. */
  readonly nowMs: () => number;
  /** Adds what is proven. */
  readonly onLinks: (links: readonly EpochLink[]) => void;
}

/** A question at one address. */
interface Introduction {
  link: PersistentLink | undefined;
  readonly question: EpochQuestion;
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

  /** Asks at an address, until there is an answer. To be called again from time to time, for as long as one is needed. */
  introduce(address: string): void {
    const open = this.#open.get(address);
    if (open !== undefined) {
      if (open.question.isLate(this.#o.nowMs())) this.#ask(open);
      return;
    }
    const own: Introduction = { link: undefined, question: new EpochQuestion(this.#o.chain) };
    this.#open.set(address, own);
    try {
      own.link = this.#o.dial(address, {
        onUp: () => this.#ask(own),
        onDown: () => own.question.onDown(),
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
    if (!own.question.isOpen || this.#open.get(address) !== own) return;
    const frame = this.#o.decode(bytes);
    if (frame === undefined) return this.#end(address, "no frame of a replica");
    if (frame.type !== "epoch-links") return;
    const answer = own.question.onLinks(frame.links, this.#o.onLinks);
    if (this.#open.get(address) !== own) return;
    if (answer === "more") this.#ask(own);
    else this.#end(address, "introduced");
  }

  #ask(own: Introduction): void {
    own.link?.send(this.#o.encode(own.question.ask(this.#o.nowMs())));
  }

  #end(address: string, reason: string): void {
    const own = this.#open.get(address);
    this.#open.delete(address);
    own?.link?.close(reason);
  }
}

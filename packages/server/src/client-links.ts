import { type Codec, describeDecodeError } from "@quorate/codec";
import type { ClientFrame, PublicKey, ServerFrame } from "@quorate/protocol";
import type { FramedLink, LinkHandlers, TransportError } from "@quorate/transport";
import type { Logger } from "pino";
import type { LinkCounts } from "./link-counts.ts";

export interface ClientLinksOptions {
  readonly codec: Codec;
  readonly log: Logger;
  readonly counts: LinkCounts;
  /** @returns false when the client is to be disconnected. */
  onClientFrame(client: PublicKey, frame: ClientFrame): boolean;
  /** What a client is told first. */
  welcome(): ServerFrame;
}

/** Links of clients, some of each key. */
export class ClientLinks {
  readonly #o: ClientLinksOptions;
  readonly #links = new Map<PublicKey, Set<FramedLink>>();

  constructor(options: ClientLinksOptions) {
    this.#o = options;
  }

  get count(): number {
    return this.#links.size;
  }

  /** Who else would learn of a new epoch from a reply only. */
  welcomeAll(): void {
    const { codec, welcome } = this.#o;
    const bytes = codec.encodeServerFrame(welcome());
    for (const links of this.#links.values()) for (const link of links) link.send(bytes);
  }

  send(client: PublicKey, frame: ServerFrame): void {
    const { codec, counts } = this.#o;
    const links = this.#links.get(client);
    if (links === undefined) return counts.onClientFrameDropped("gone");
    const bytes = codec.encodeServerFrame(frame);
    for (const link of links) if (!link.send(bytes)) counts.onClientFrameDropped("not-taken");
  }

  accept(link: FramedLink): LinkHandlers {
    const { codec, log, counts } = this.#o;
    const client = link.peer.publicKey;
    const links = this.#links.get(client) ?? new Set();
    links.add(link);
    this.#links.set(client, links);
    link.send(codec.encodeServerFrame(this.#o.welcome()));
    return {
      onFrame: (bytes) => {
        const decoded = codec.decodeClientFrame(bytes);
        if (decoded.ok && this.#o.onClientFrame(client, decoded.value)) return;
        counts.onInvalid("client", decoded.ok ? "not-correct" : decoded.error.code);
        log.debug({ client, error: decoded.ok ? "ingress" : decoded.error }, "a client sent what no correct one sends");
        // Whoever writes a client of its own is told which limit it passed, or what is wrong where.
        link.close(decoded.ok ? "invalid request" : describeDecodeError(decoded.error));
      },
      onDown: (reason: TransportError) => {
        counts.onEnded("client", reason.code);
        links.delete(link);
        if (links.size === 0 && this.#links.get(client) === links) this.#links.delete(client);
      },
    };
  }
}

import type { LinkIdentity } from "@quorate/protocol";
import type { AuthenticatedLink } from "./authenticated-link.ts";
import type { ListenerBounds } from "./door.ts";
import { QueuedOutput } from "./queued-output.ts";
import { TransportError } from "./transport-error.ts";

/** The links of one listener by who is at their other end: one of each key of a replica or observer, some of each client. */
export class LinkRegister {
  readonly #bounds: ListenerBounds;
  /** What waits for all clients. */
  readonly output: QueuedOutput;
  /** What waits for all observers. */
  readonly #observerOutput: QueuedOutput;
  readonly #links = new Map<string, AuthenticatedLink[]>();
  #clientLinks = 0;
  #replicaLinks = 0;
  #observerLinks = 0;

  constructor(bounds: ListenerBounds) {
    this.#bounds = bounds;
    this.output = new QueuedOutput(bounds.clientQueuedBytesMax);
    this.#observerOutput = new QueuedOutput(bounds.observerQueuedBytesMax);
  }

  get clientLinks(): number {
    return this.#clientLinks;
  }
  get replicaLinks(): number {
    return this.#replicaLinks;
  }
  get observerLinks(): number {
    return this.#observerLinks;
  }

  /** Why one more link of `peer` is too much; a link that replaces another never is. */
  refusePlace(peer: LinkIdentity): TransportError | undefined {
    const { clientLinksMax, observerLinksMax } = this.#bounds;
    if (peer.role === "replica" || this.#of(peer).length >= this.#placesOf(peer)) return undefined;
    if (peer.role === "observer")
      return this.#observerLinks < observerLinksMax
        ? undefined
        : new TransportError("link.observer-links", `this replica serves ${observerLinksMax} observers already`);
    return this.#clientLinks < clientLinksMax
      ? undefined
      : new TransportError("link.client-links", `this replica serves ${clientLinksMax} clients already`);
  }

  /** Takes a link in; the oldest of the same identity goes first where it is one too many. */
  add(link: AuthenticatedLink): void {
    const places = this.#placesOf(link.peer);
    const links = this.#of(link.peer);
    while (links.length >= places) links[0]?.replace();
    const now = this.#of(link.peer);
    now.push(link);
    this.#links.set(keyOf(link.peer), now);
    this.#count(link.peer, 1);
    if (link.peer.role !== "replica") link.shareOutput(this.#outputOf(link.peer));
  }

  /** The link is down. */
  remove(link: AuthenticatedLink): void {
    const links = this.#of(link.peer);
    const at = links.indexOf(link);
    if (at < 0) return;
    links.splice(at, 1);
    if (links.length === 0) this.#links.delete(keyOf(link.peer));
    this.#count(link.peer, -1);
    this.#outputOf(link.peer).remove(link);
  }

  all(): AuthenticatedLink[] {
    return [...this.#links.values()].flat();
  }

  #placesOf({ role }: LinkIdentity): number {
    return role === "client" ? this.#bounds.linksPerClientMax : 1;
  }

  #outputOf({ role }: LinkIdentity): QueuedOutput {
    return role === "observer" ? this.#observerOutput : this.output;
  }

  #of(peer: LinkIdentity): AuthenticatedLink[] {
    return this.#links.get(keyOf(peer)) ?? [];
  }

  #count(peer: LinkIdentity, change: number): void {
    if (peer.role === "client") this.#clientLinks += change;
    else if (peer.role === "observer") this.#observerLinks += change;
    else this.#replicaLinks += change;
  }
}

/** A replica by its key, too: whoever has only an old one of it takes nothing from the holder of the new one. */
function keyOf(peer: LinkIdentity): string {
  return peer.role === "replica" ? `${peer.role} ${peer.id} ${peer.publicKey}` : `${peer.role} ${peer.publicKey}`;
}

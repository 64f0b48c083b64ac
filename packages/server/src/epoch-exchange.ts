import { EPOCH_LINKS_MAX, type Epoch, type EpochLink, type PublicKey, type ReplicaId } from "@quorate/protocol";
import { ServingBudget } from "@quorate/state-transfer";
import { ClientShare } from "./client-share.ts";
import { ClientTurns } from "./client-turns.ts";
import { writeEpochLink } from "./epoch-records.ts";
import type { EpochOptions } from "./host-options.ts";

/** Links are as long as a certificate and a record with all members: each peer and each client has a share. */
const SERVED = { burst: 16, refillMs: 50 } as const;
/** A client that follows from genesis needs one for each eight epochs. */
const CLIENT_ANSWERS_PER_SECOND_MAX = 32;
/** Whoever is ahead is asked so often, at most. */
const ASKED = { burst: 1, refillMs: 50 } as const;

/** What it looks at, and speaks through. */
export type EpochExchangeOptions = Pick<EpochOptions, "epochs" | "store" | "codec" | "ports" | "observer">;

/** Brings the epoch chain from whoever is ahead, and to whoever is behind (protocol rules 11.3 and 11.4). */
export class EpochExchange {
  readonly #o: EpochExchangeOptions;
  readonly #served = new ServingBudget(SERVED);
  readonly #asked = new ServingBudget(ASKED);
  readonly #servedToClients = new ClientShare(CLIENT_ANSWERS_PER_SECOND_MAX);
  readonly #clients: ClientTurns<Epoch>;

  constructor(options: EpochExchangeOptions) {
    this.#o = options;
    this.#clients = new ClientTurns({
      timer: "tell-epochs",
      ports: options.ports,
      answer: (client, above) => this.#answerClient(client, above),
      refuse: () => undefined,
    });
  }

  /** A peer asks, or has said something of an epoch that is over: it is given the links above. Who asks for more is ahead. */
  answer(peer: ReplicaId, above: Epoch): void {
    if (above > this.#o.epochs.epoch) return this.ask(peer);
    const links = this.#o.epochs.linksAbove(above);
    if (links.length === 0) return;
    if (!this.#served.take(peer, this.#nowMs())) return this.#reject(peer, "epochs.over-budget");
    this.#o.ports.sendToReplica(peer, { type: "epoch-links", links });
  }

  /** A client asks. It is told in its turn; one that asks for too much asks again, and takes no place in the queue from others. */
  onClient(client: PublicKey, above: Epoch): void {
    if (!this.#servedToClients.isLeft(client, this.#nowMs())) return;
    this.#clients.ask(client, above);
  }

  /** No client is told anything any more. */
  stop(): void {
    this.#clients.stop();
  }

  /** A peer is ahead. */
  ask(peer: ReplicaId): void {
    const { epochs, ports } = this.#o;
    if (this.#asked.take(peer, this.#nowMs()))
      ports.sendToReplica(peer, { type: "fetch-epochs", fetch: { above: epochs.epoch } });
  }

  /**
   * Adds what is proven, and notes it beside the state.
   *
   * @returns whether the chain has grown, or `junk`: no correct replica sends such a link.
   */
  onLinks(peer: ReplicaId, links: readonly EpochLink[]): boolean | "junk" {
    const { epochs, store, codec, ports } = this.#o;
    let hasGrown = false;
    for (const link of links) {
      const verdict = epochs.add(link);
      if (verdict === "known" || verdict === "gap") continue;
      if (verdict !== "added") {
        this.#reject(peer, "epochs.bad-link");
        return "junk";
      }
      writeEpochLink(store.local, codec, link);
      hasGrown = true;
    }
    if (hasGrown && links.length === EPOCH_LINKS_MAX)
      ports.sendToReplica(peer, { type: "fetch-epochs", fetch: { above: epochs.epoch } });
    return hasGrown;
  }

  #answerClient(client: PublicKey, above: Epoch): void {
    const { epochs, ports } = this.#o;
    const atMs = this.#nowMs();
    if (!this.#servedToClients.isLeft(client, atMs)) return;
    this.#servedToClients.spend(client, atMs, 1);
    ports.sendToClient(client, { type: "epoch-links", links: epochs.linksAbove(above) });
  }

  #reject(from: ReplicaId, code: "epochs.over-budget" | "epochs.bad-link"): void {
    this.#o.observer.onRejection?.({ from, code });
  }

  #nowMs(): number {
    return this.#o.ports.monotonicMs();
  }
}

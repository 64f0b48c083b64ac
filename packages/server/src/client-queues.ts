import type { PublicKey } from "@quorate/protocol";

/** How much may wait: of one client, and of all together; in a unit that `add` is given the weight in. */
export interface QueueBounds {
  readonly ofEachMax: number;
  readonly inAllMax: number;
}

/** Something of a client that waits. */
export interface Waiting<T> {
  readonly client: PublicKey;
  readonly item: T;
}

/** Of one client, the oldest first. */
interface Queue<T> {
  readonly items: { readonly item: T; readonly weight: number }[];
  weight: number;
}

/**
 * What clients have sent and waits, shared out between them (protocol rule 13.1): none has more than its bound, and where all places
 * are taken whoever has most gives up its newest to one that has less. So it takes as many keys as there are places to keep a client out.
 */
export class ClientQueues<T> {
  readonly #bounds: QueueBounds;
  /** The client that had its turn last is the last. */
  readonly #queues = new Map<PublicKey, Queue<T>>();
  #weight = 0;

  constructor(bounds: QueueBounds) {
    this.#bounds = bounds;
  }

  get isEmpty(): boolean {
    return this.#queues.size === 0;
  }

  /** @returns what waits no more, or does not wait at all: it had to give way. */
  add(client: PublicKey, item: T, weight = 1): Waiting<T>[] {
    const { ofEachMax, inAllMax } = this.#bounds;
    const queue = this.#queues.get(client) ?? { items: [], weight: 0 };
    if (queue.weight + weight > ofEachMax) return [{ client, item }];
    const gone: Waiting<T>[] = [];
    while (this.#weight + weight > inAllMax) {
      const given = this.#giveUp(queue.weight + weight);
      if (given === undefined) return [...gone, { client, item }];
      gone.push(given);
    }
    queue.items.push({ item, weight });
    queue.weight += weight;
    this.#weight += weight;
    this.#queues.set(client, queue);
    return gone;
  }

  /** The oldest of the client whose turn it is. */
  next(): Waiting<T> | undefined {
    for (const [client, queue] of this.#queues) {
      const first = queue.items.shift();
      this.#queues.delete(client);
      if (first === undefined) continue;
      queue.weight -= first.weight;
      this.#weight -= first.weight;
      if (queue.items.length > 0) this.#queues.set(client, queue);
      return { client, item: first.item };
    }
    return undefined;
  }

  clear(): void {
    this.#queues.clear();
    this.#weight = 0;
  }

  /** The newest of whoever has most, if that is more than `weight`. */
  #giveUp(weight: number): Waiting<T> | undefined {
    let most: { readonly client: PublicKey; readonly queue: Queue<T> } | undefined;
    for (const [client, queue] of this.#queues)
      if (queue.weight > (most?.queue.weight ?? weight)) most = { client, queue };
    const last = most?.queue.items.pop();
    if (most === undefined || last === undefined) return undefined;
    const { client, queue } = most;
    queue.weight -= last.weight;
    this.#weight -= last.weight;
    if (queue.items.length === 0) this.#queues.delete(client);
    return { client, item: last.item };
  }
}

import { type Epoch, memberOf, type ReplicaId, type VerifiedReply } from "@quorate/protocol";
import type { ClientEpochs } from "./epoch-follower.ts";
import { type AcceptedOutput, OutputFilter } from "./output-filter.ts";

/**
 * The output filters of one request, one for each epoch that it may have been executed in: f+1 members of one epoch make an
 * output, for one of them is correct; members of two epochs together make none. It was not executed in an epoch that
 * was over when it was first sent: of such a one, whose members may have lost their keys since, nothing is believed.
 *
 * There are at most as many as admins have begun epochs while the request is on the way.
 */
export class EpochFilters {
  readonly #chain: ClientEpochs;
  readonly #since: Epoch;
  readonly #filters = new Map<Epoch, OutputFilter>();

  constructor(chain: ClientEpochs) {
    this.#chain = chain;
    this.#since = chain.epoch;
  }

  /** Whether a reply of this replica, under a statement of this epoch, is still worth verifying. */
  wants(from: ReplicaId, epoch: Epoch): boolean {
    if (epoch < this.#since) return false;
    const membership = this.#chain.membershipAt(epoch);
    if (membership === undefined || memberOf(membership, from) === undefined) return false;
    return this.#filters.get(epoch)?.wants(from) ?? true;
  }

  /** Counts a reply to this request; the accepted output if it is the one that was missing. */
  offer(reply: VerifiedReply): AcceptedOutput | undefined {
    const { epoch } = reply.statement;
    const membership = this.#chain.membershipAt(epoch);
    if (membership === undefined || !this.wants(reply.from, epoch)) return undefined;
    let filter = this.#filters.get(epoch);
    if (filter === undefined) {
      filter = new OutputFilter(membership);
      this.#filters.set(epoch, filter);
    }
    return filter.offer(reply);
  }

  /** The request was sent to this replica again: it may answer again. */
  renew(replica: ReplicaId): void {
    for (const filter of this.#filters.values()) filter.renew(replica);
  }

  /** Whether no f+1 members of the current epoch can agree any more. Those of earlier ones need not be there to do so. */
  isDivergent(): boolean {
    return this.#filters.get(this.#chain.epoch)?.isDivergent() ?? false;
  }

  /** All signed replies that are held, for people and for evidence. */
  replies(): readonly VerifiedReply[] {
    return [...this.#filters.values()].flatMap((filter) => filter.replies());
  }

  /** How many replies are held. */
  get held(): number {
    let held = 0;
    for (const filter of this.#filters.values()) held += filter.held;
    return held;
  }

  /** How many there may be, of the epochs of which there are any. */
  get heldMax(): number {
    let heldMax = 0;
    for (const filter of this.#filters.values()) heldMax += filter.heldMax;
    return heldMax;
  }
}

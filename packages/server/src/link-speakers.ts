import {
  type Epoch,
  epochNumber,
  epochOfFrame,
  type Membership,
  type Memberships,
  memberOf,
  type PublicKey,
  type ReplicaFrame,
  type ReplicaId,
} from "@quorate/protocol";

export interface LinkSpeakersOptions {
  /** The epochs that are known. */
  readonly epochs: () => Memberships;
  /** The one that this replica is in: the latest that is known, or one before it. */
  readonly epoch: () => Epoch;
  /** The member that this replica is in the latest; undefined: it is none. */
  readonly self: () => ReplicaId | undefined;
}

/**
 * Whose word it is that comes over a link, and which link reaches a member: a link proves a key, and a key is a member's in the
 * epochs in which the member has it (decision 0052). In the epoch before the latest it speaks for that member as long as this replica
 * is not in the latest itself, and only of what lies before that.
 */
export class LinkSpeakers {
  readonly #o: LinkSpeakersOptions;

  constructor(options: LinkSpeakersOptions) {
    this.#o = options;
  }

  /** The member that a frame over a link of this key is from; undefined for one of nobody who is a member. */
  speakerOf(key: PublicKey, frame: ReplicaFrame): ReplicaId | undefined {
    const { membership } = this.#o.epochs();
    const speaker = memberWithKey(membership, key);
    const before = this.#beforeThatCounts;
    const isOfLatest = (epochOfFrame(frame) ?? this.#o.epoch()) >= membership.epoch;
    if (speaker !== undefined || isOfLatest || before === undefined) return speaker;
    const then = memberWithKey(before, key);
    // Whoever comes with the key that this replica had is not this replica.
    return then === this.#o.self() ? undefined : then;
  }

  /** The member that has this key in the latest epoch. */
  memberOf(key: PublicKey): ReplicaId | undefined {
    return memberWithKey(this.#o.epochs().membership, key);
  }

  /** The key that a member has in the latest epoch. */
  keyOf(id: ReplicaId): PublicKey | undefined {
    return memberOf(this.#o.epochs().membership, id)?.publicKey;
  }

  /** The keys by which a member is spoken to, that of the latest epoch first. */
  keysOf(id: ReplicaId): readonly PublicKey[] {
    return keysIn(id, [this.#o.epochs().membership, this.#beforeThatCounts]);
  }

  /** The keys that a member may dial with: whoever does not know of the latest epoch yet has that of the one before. */
  admittedKeysOf(id: ReplicaId): readonly PublicKey[] {
    return keysIn(id, [this.#o.epochs().membership, this.#before]);
  }

  get #before(): Membership | undefined {
    const epochs = this.#o.epochs();
    const { epoch } = epochs.membership;
    return epoch > 0 ? epochs.membershipAt(epochNumber(epoch - 1)) : undefined;
  }
  get #beforeThatCounts(): Membership | undefined {
    return this.#o.epoch() < this.#o.epochs().membership.epoch ? this.#before : undefined;
  }
}

function memberWithKey({ members }: Membership, key: PublicKey): ReplicaId | undefined {
  return members.find(({ publicKey }) => publicKey === key)?.id;
}

function keysIn(id: ReplicaId, memberships: readonly (Membership | undefined)[]): PublicKey[] {
  const keys = memberships.flatMap((membership) => (membership && memberOf(membership, id)?.publicKey) ?? []);
  return [...new Set(keys)];
}

import type {
  CheckpointClaim,
  Digest,
  FetchClaim,
  JoinClaim,
  Memberships,
  NoClaimReason,
  PublicKey,
  ReconfigurationRequest,
  ServerFrame,
} from "@quorate/protocol";
import { ClientShare } from "./client-share.ts";

/** Who may become a member, and signs that it agrees. */
export interface Claimant {
  /** The key that it would have as a member. */
  readonly publicKey: PublicKey;
  /** Where others can dial it; undefined when it does not know that. */
  readonly address: string | undefined;
  /** 64 bytes over `possessionPreimage`, with that key. */
  possess(request: Pick<ReconfigurationRequest, "epoch" | "change">): Uint8Array;
}

export interface JoinClaimsOptions {
  readonly claimant: Claimant;
  readonly epochs: () => Pick<Memberships, "membership">;
  /** Its last stable checkpoint, of which it has the state; undefined before there is one. */
  readonly stable: () => CheckpointClaim | undefined;
  /** Which loss of a disk its store was made after; undefined: after none. */
  readonly loss: Digest | undefined;
  readonly nowMs: () => number;
}

/** A claim costs a signature, as a request does: so many a second for each client. */
const CLAIMS_PER_SECOND_MAX = 5;

/**
 * What an observer says of itself to whoever orders that it becomes a member (protocol rule 11.5). It says so to any client: the
 * claim is worth nothing without the admins, in no other epoch and for no other key.
 */
export class JoinClaims {
  readonly #o: JoinClaimsOptions;
  readonly #share = new ClientShare(CLAIMS_PER_SECOND_MAX);

  constructor(options: JoinClaimsOptions) {
    this.#o = options;
  }

  /** @returns undefined for a client that asks too often. */
  answer(client: PublicKey, fetch: FetchClaim): ServerFrame | undefined {
    const nowMs = this.#o.nowMs();
    if (!this.#share.isLeft(client, nowMs)) return undefined;
    this.#share.spend(client, nowMs, 1);
    const claim = this.#claim(fetch);
    return typeof claim === "string" ? { type: "no-claim", reason: claim } : { type: "join-claim", claim };
  }

  #claim({ epoch, id }: FetchClaim): JoinClaim | NoClaimReason {
    const { claimant } = this.#o;
    const { publicKey, address } = claimant;
    const { membership } = this.#o.epochs();
    if (membership.members.some((member) => member.publicKey === publicKey)) return "member";
    if (epoch !== membership.epoch) return "epoch-other";
    if (address === undefined) return "no-address";
    const checkpoint = this.#o.stable();
    if (checkpoint === undefined) return "not-level";
    const { loss } = this.#o;
    const member = { id, publicKey, address };
    const change = { type: "join", member, checkpoint, ...(loss !== undefined && { loss }) } as const;
    return { change, possession: claimant.possess({ epoch, change }) };
  }
}

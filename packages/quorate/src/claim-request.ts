import type { ClientCodec } from "@quorate/codec";
import type { Epoch, JoinClaim, NoClaimReason, PublicKey, ReplicaId, ServerFrame } from "@quorate/protocol";
import type { PersistentLink } from "@quorate/transport/client";
import type { ClientDial } from "./client-dialing.ts";

/** What is asked of a replica that is to become a member: for which epoch, and with which id. */
export interface ClaimQuestion {
  readonly address: string;
  readonly epoch: Epoch;
  readonly id: ReplicaId;
}

/** There is no claim to be had. The message is one line and says what to do. */
export class ClaimError extends Error {
  /** `claim.late`: not in time, which may be different later. */
  readonly code: "claim.late" | "claim.refused" | "claim.bad";
  /** The key of whoever answered, where it is a member already. */
  readonly member: PublicKey | undefined;

  constructor(code: ClaimError["code"], message: string, member?: PublicKey) {
    super(message);
    this.name = "ClaimError";
    this.code = code;
    this.member = member;
  }
}

export interface ClaimRequestOptions {
  readonly dial: ClientDial;
  readonly codec: ClientCodec;
  /** Whether the joiner's key has signed it for the question's epoch. */
  readonly isProven: (claim: JoinClaim) => boolean;
  readonly timeoutMs: number;
  /** Whoever is not ready, or has not heard the question, is asked again after so long. */
  readonly askAgainMs: number;
}

/** What a joiner says that has no claim, and what to do. */
const REASONS: Readonly<Record<NoClaimReason, string>> = {
  member: "is a member already",
  "epoch-other": "has not come to the latest epoch; let it catch up",
  "no-address": "does not know where others can dial it; start it with --advertise",
  "not-level": "has no stable checkpoint yet; let it catch up, or make one with `quorate checkpoint`",
};
/** Of these it may know better in a moment. */
const PASSING: ReadonlySet<NoClaimReason> = new Set(["epoch-other", "not-level"]);

/**
 * Asks the replica at an address for its claim to become a member (protocol rule 11.5): what it would be, how far it has come, and the
 * signature of its key over both. It is asked until it has one, or the time is over.
 *
 * @throws ClaimError (the promise rejects).
 */
export function requestClaim(
  { address, epoch, id }: ClaimQuestion,
  { dial, codec, isProven, timeoutMs, askAgainMs }: ClaimRequestOptions,
): Promise<JoinClaim> {
  return new Promise((resolve, reject) => {
    let why = "nobody answers there";
    let link: PersistentLink | undefined;
    let peer: PublicKey | undefined;
    const ask = (): void => {
      link?.send(codec.encodeClientFrame({ type: "fetch-claim", fetch: { epoch, id } }));
    };
    const asking = setInterval(ask, askAgainMs);
    const late = setTimeout(() => {
      settle(new ClaimError("claim.late", `there is no claim of ${address} in time: ${why}`));
    }, timeoutMs);
    const settle = (outcome: JoinClaim | ClaimError): void => {
      clearInterval(asking);
      clearTimeout(late);
      link?.close("the claim is there, or given up");
      if (outcome instanceof ClaimError) reject(outcome);
      else resolve(outcome);
    };
    const onFrame = (frame: ServerFrame | undefined): void => {
      if (frame?.type === "join-claim") settle(judged(frame.claim));
      if (frame?.type !== "no-claim") return;
      why = `the replica there ${REASONS[frame.reason]}`;
      const member = frame.reason === "member" ? peer : undefined;
      if (!PASSING.has(frame.reason))
        settle(new ClaimError("claim.refused", `${address} gives no claim: ${why}`, member));
    };
    const judged = (claim: JoinClaim): JoinClaim | ClaimError =>
      claim.change.member.id === id && isProven(claim)
        ? claim
        : new ClaimError(
            "claim.bad",
            `${address} gives a claim that proves nothing: its key has not signed it for epoch ${epoch} and id ${id}`,
          );
    link = dial(address, "any-replica", {
      onUp: (up) => {
        peer = up.peer.publicKey;
        queueMicrotask(ask);
      },
      onDown: (reason) => {
        why = reason.message;
      },
      onFrame: (bytes) => {
        const decoded = codec.decodeServerFrame(bytes);
        onFrame(decoded.ok ? decoded.value : undefined);
      },
    });
  });
}

import type { Verifier } from "@quorate/crypto";
import {
  assertNever,
  type Batch,
  type Digest,
  type DigestedRequest,
  type Envelope,
  epochOfFrame,
  type JustifiedNewView,
  type JustifiedReplyStable,
  type JustifiedViewChange,
  type Membership,
  type Memberships,
  outOfEpoch,
  type PrePrepare,
  type PublicKey,
  type QueryStable,
  type ReplicaFrame,
  type ReplicaId,
  type ReplicaMessage,
  type Request,
  type RequestStanding,
  type VerifiedRequest,
  type ViewNumber,
} from "@quorate/protocol";
import type { Relevance, ReplicaEvent } from "@quorate/replica";
import { ServingBudget } from "@quorate/state-transfer";
import { certificateIn } from "./certificate-in-frame.ts";
import type { IngressRejection } from "./ports.ts";

/** What a correct replica has checked before it sends or passes on. */
export const JUNK_CODES: ReadonlySet<IngressRejection["code"]> = new Set([
  "ingress.bad-signature",
  "ingress.bad-batch",
  "ingress.bad-certificate",
  "ingress.bad-view-change",
  "ingress.bad-new-view",
  "ingress.bad-reply-stable",
  "ingress.foreign-vote",
]);

/** They have no signature: a link is authenticated, and chunks and links of the epoch chain prove themselves. */
type UnsignedFrame = Extract<
  ReplicaFrame,
  {
    type:
      | "fetch-state"
      | "state-chunk"
      | "deflated-chunk"
      | "state-unavailable"
      | "fetch-epochs"
      | "epoch-links"
      | "fetch-history";
  }
>;

export interface IngressOptions {
  readonly verifier: Verifier;
  readonly membership: Membership;
  /** The epochs that are known, which may be more than the one that this replica is in. */
  readonly epochs: Pick<Memberships, "membershipAt">;
  /** Asked for cheap judgements before any signature is looked at. */
  readonly relevance: Pick<Relevance, keyof Relevance>;
  /** The view entered last. */
  readonly view: () => ViewNumber;
  /** The digest of a batch, without a look at its signatures. */
  readonly digestOf: (batch: Batch) => Digest;
  readonly nowMs: () => number;
  /** The state machine's judgement of a request. */
  readonly standingOf: (request: DigestedRequest) => RequestStanding;
  readonly reject: (rejection: IngressRejection) => void;
}

/**
 * From decoded frames to verified events: cheap checks first, then signatures (protocol rule 13.1). Nothing that did
 * not pass here can reach `Replica.step`; the types see to it.
 */
export class Ingress {
  readonly #options: IngressOptions;
  /** Questions and reports cost a signature each and nothing limits their number: each member has its share. */
  readonly #questions = new ServingBudget({ burst: 64, refillMs: 5 });
  /**
   * Checkpoint votes that contradict each other are evidence, however many there are: they have a share, too, of their
   * own, for neither a peer that asks much nor one that votes much may lose the other.
   */
  readonly #checkpoints = new ServingBudget({ burst: 32, refillMs: 5 });
  /** So have requests that would only be ordered to be refused: anyone who ever saw them can replay them. */
  readonly #refusable = new ServingBudget({ burst: 16, refillMs: 50 });
  /**
   * VIEW-CHANGEs and NEW-VIEWs cost a quorum of signatures for each number of the window, and a faulty member can sign
   * one for every view there is. A view that is entered took one of each, and a quorum: where primaries take turns
   * quickly, that is paid for.
   */
  readonly #viewChanges = new ServingBudget({ burst: 8, refillMs: 250 });
  #viewPaid: number;

  constructor(options: IngressOptions) {
    this.#options = options;
    this.#viewPaid = options.view();
  }

  /** A frame from the replica at the other end of an authenticated link. */
  fromReplica(peer: ReplicaId, frame: ReplicaFrame): ReplicaEvent | undefined {
    const { epoch } = this.#options.membership;
    const ofFrame = epochOfFrame(frame) ?? epoch;
    if (ofFrame !== epoch) {
      this.#options.reject({ from: peer, code: "epoch.other", epoch: ofFrame });
      return undefined;
    }
    const certificate = certificateIn(frame);
    const outside = certificate && outOfEpoch(this.#options.epochs, certificate);
    // What is below its epoch is not awaited, and whoever is in the epoch knows that: no excuse is made for it.
    if (outside?.last !== undefined && outside.seq > outside.last) {
      this.#options.reject({ from: peer, code: "ingress.out-of-epoch", ...outside });
      return undefined;
    }
    switch (frame.type) {
      case "pre-prepare":
        return this.#prePrepare(peer, frame.envelope, frame.batch);
      case "signed":
        return this.#signed(peer, frame.envelope);
      case "request":
        return this.#request(frame.request, peer);
      case "batch-body":
        return this.#batchBody(peer, frame.batch);
      case "committed":
        return this.#committed(peer, frame);
      case "stable-checkpoint":
      case "below-history":
        return this.#certificate(peer, frame);
      case "view-change":
        return this.#viewChange(peer, frame.viewChange);
      case "new-view":
        return this.#newView(peer, frame.newView);
      case "query-stable":
        return this.#queryStable(peer, frame.envelope);
      case "reply-stable":
        return this.#replyStable(peer, frame.reply);
      case "fetch-state":
      case "state-chunk":
      case "deflated-chunk":
      case "state-unavailable":
      case "fetch-epochs":
      case "epoch-links":
      case "fetch-history":
        return this.#unsigned(peer, frame);
      default:
        return assertNever(frame);
    }
  }

  /**
   * A client's request over the client's own link, verified; undefined for another's request or a bad signature: that
   * client is not a correct one.
   */
  verifyFromClient(client: PublicKey, request: Request): VerifiedRequest | undefined {
    if (request.client !== client) return this.#refuse(client, "ingress.foreign-request");
    const verified = this.#options.verifier.verifyRequest(request);
    return verified ?? this.#refuse(client, "ingress.bad-signature");
  }

  /** Questions are answered by the host or its runner, and answers concern nobody who does not wait for them. */
  #unsigned(peer: ReplicaId, _frame: UnsignedFrame): undefined {
    this.#options.reject({ from: peer, code: "state-transfer.unexpected" });
  }

  #prePrepare(peer: ReplicaId, envelope: Envelope<PrePrepare>, body: Batch): ReplicaEvent | undefined {
    const { relevance, verifier, membership, digestOf } = this.#options;
    // Anyone may pass a pre-prepare on: a lost one must not depend on its sender alone.
    if (relevance.isRedundant(envelope.from, envelope.message)) return this.#refuse(peer, "ingress.redundant");
    const { digest } = envelope.message;
    // Only its body is missing, and this is not it: the proposal could be repeated with body after body.
    if (relevance.isProposalHeld(envelope.message) && digestOf(body) !== digest)
      return this.#refuse(peer, "ingress.bad-batch");
    const verified = verifier.verifyEnvelope(envelope, membership);
    if (verified === undefined) return this.#refuse(peer, "ingress.bad-signature");
    const batch = verifier.verifyBatch(body, digest);
    // Another body, or one whose signatures fail, is a missing body (protocol rule 4.4): the proposal itself may still be
    // decided. Whoever passed it on is to blame: the proposal's signature does not cover the body.
    if (batch === undefined) this.#refuse(peer, "ingress.bad-batch");
    return { type: "message", envelope: verified, batch };
  }

  #signed(peer: ReplicaId, envelope: Envelope): ReplicaEvent | undefined {
    const { relevance, verifier, membership } = this.#options;
    if (envelope.from !== peer) return this.#refuse(peer, "ingress.foreign-vote");
    if (relevance.isRedundant(peer, envelope.message)) return this.#refuse(peer, "ingress.redundant");
    const budget = this.#budgetOf(envelope.message);
    if (budget?.take(peer, this.#options.nowMs()) === false) return this.#refuse(peer, "ingress.over-budget");
    const verified = verifier.verifyEnvelope(envelope, membership);
    return verified === undefined
      ? this.#refuse(peer, "ingress.bad-signature")
      : { type: "message", envelope: verified };
  }

  /** Undefined for the votes of the three phases: a slot takes one of each member, and one that convicts it. */
  #budgetOf({ type }: ReplicaMessage): ServingBudget | undefined {
    if (type === "pre-prepare" || type === "prepare" || type === "commit") return undefined;
    return type === "checkpoint" ? this.#checkpoints : this.#questions;
  }

  #request(request: Request, peer: ReplicaId): ReplicaEvent | undefined {
    const verified = this.#options.verifier.verifyRequest(request);
    if (verified === undefined) return this.#refuse(peer, "ingress.bad-signature");
    const standing = this.#options.standingOf(verified);
    if (standing.type === "answered") return this.#refuse(peer, "ingress.redundant");
    // A client that reaches backups only learns in no other way that its session is gone or its registration too late.
    if (standing.type === "refusable" && !this.#refusable.take(peer, this.#options.nowMs()))
      return this.#refuse(peer, "ingress.over-budget");
    return { type: "request", request: verified, standing };
  }

  #batchBody(peer: ReplicaId, body: Batch): ReplicaEvent | undefined {
    const { relevance, verifier, digestOf } = this.#options;
    if (!relevance.isBodyAwaited(digestOf(body))) return this.#refuse(peer, "ingress.redundant");
    const batch = verifier.verifyBatch(body);
    return batch === undefined ? this.#refuse(peer, "ingress.bad-batch") : { type: "batch-body", from: peer, batch };
  }

  #committed(peer: ReplicaId, frame: Extract<ReplicaFrame, { type: "committed" }>): ReplicaEvent | undefined {
    const { relevance, verifier, membership } = this.#options;
    if (!relevance.isEntryAwaited(frame.entry.certificate.seq)) return this.#refuse(peer, "ingress.redundant");
    const entry = verifier.verifyCommittedEntry(frame.entry, membership);
    return entry === undefined
      ? this.#refuse(peer, "ingress.bad-certificate")
      : { type: "committed", from: peer, entry };
  }

  #certificate(
    peer: ReplicaId,
    { type, checkpoint }: Extract<ReplicaFrame, { type: "stable-checkpoint" | "below-history" }>,
  ): ReplicaEvent | undefined {
    const { relevance, verifier, membership } = this.#options;
    const isBelowHistory = type === "below-history" && relevance.isDonor(peer);
    if (!isBelowHistory && !relevance.isCertificateAwaited(checkpoint.seq))
      return this.#refuse(peer, "ingress.redundant");
    const certificate = verifier.verifyCheckpointCertificate(checkpoint, membership);
    return certificate === undefined
      ? this.#refuse(peer, "ingress.bad-certificate")
      : { type: "certificate", from: peer, certificate, isBelowHistory };
  }

  /** Whoever passes one on has verified it, so a bad one is always the peer's own fault; as in `#newView`. */
  #viewChange(peer: ReplicaId, given: JustifiedViewChange): ReplicaEvent | undefined {
    const { relevance, verifier, membership } = this.#options;
    if (relevance.isViewChangeRedundant(given.envelope)) return this.#refuse(peer, "ingress.redundant");
    if (!this.#takeViewChange(peer)) return this.#refuse(peer, "ingress.over-budget");
    const viewChange = verifier.verifyViewChange(given, membership);
    return viewChange === undefined
      ? this.#refuse(peer, "ingress.bad-view-change")
      : { type: "view-change", from: peer, viewChange };
  }

  #newView(peer: ReplicaId, given: JustifiedNewView): ReplicaEvent | undefined {
    const { relevance, verifier, membership } = this.#options;
    if (relevance.isNewViewRedundant(given.envelope)) return this.#refuse(peer, "ingress.redundant");
    if (!this.#takeViewChange(peer)) return this.#refuse(peer, "ingress.over-budget");
    const newView = verifier.verifyNewView(given, membership);
    return newView === undefined
      ? this.#refuse(peer, "ingress.bad-new-view")
      : { type: "new-view", from: peer, newView };
  }

  #takeViewChange(peer: ReplicaId): boolean {
    const { view, nowMs } = this.#options;
    const entered = view();
    this.#viewChanges.grant(2 * (entered - this.#viewPaid));
    this.#viewPaid = entered;
    return this.#viewChanges.take(peer, nowMs());
  }

  #queryStable(peer: ReplicaId, envelope: Envelope<QueryStable>): ReplicaEvent | undefined {
    const { relevance, verifier, membership, nowMs } = this.#options;
    if (relevance.isQueryRedundant(peer, envelope)) return this.#refuse(peer, "ingress.redundant");
    if (!this.#questions.take(peer, nowMs())) return this.#refuse(peer, "ingress.over-budget");
    const verified = verifier.verifyEnvelope(envelope, membership);
    return verified === undefined
      ? this.#refuse(peer, "ingress.bad-signature")
      : { type: "query-stable", from: peer, envelope: verified };
  }

  /** Of each member one is awaited, so that it needs no share; a bad one costs its sender the link. */
  #replyStable(peer: ReplicaId, given: JustifiedReplyStable): ReplicaEvent | undefined {
    const { relevance, verifier, membership } = this.#options;
    if (given.envelope.from !== peer) return this.#refuse(peer, "ingress.foreign-vote");
    if (!relevance.isReplyAwaited(given.envelope)) return this.#refuse(peer, "ingress.redundant");
    const reply = verifier.verifyReplyStable(given, membership);
    return reply === undefined
      ? this.#refuse(peer, "ingress.bad-reply-stable")
      : { type: "reply-stable", from: peer, reply };
  }

  #refuse(
    from: ReplicaId | PublicKey,
    code: Extract<IngressRejection, { from: ReplicaId | PublicKey }>["code"],
  ): undefined {
    this.#options.reject({ from, code } as IngressRejection);
    return undefined;
  }
}

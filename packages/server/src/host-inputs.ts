import { digestBatch, EpochVerifier } from "@quorate/crypto";
import {
  assertNever,
  type CheckpointCertificate,
  FETCH_COMMITTED_MAX,
  type FetchHistory,
  type Membership,
  NO_MEMBER,
  type PublicKey,
  type ReplicaFrame,
  type ReplicaId,
  type Request,
  type SequenceNumber,
  sequenceNumber,
} from "@quorate/protocol";
import type { Replica, ReplicaEvent } from "@quorate/replica";
import type { ExecutedReply } from "@quorate/state-machine";
import { ServingBudget } from "@quorate/state-transfer";
import { ClientRequests } from "./client-requests.ts";
import type { HistoryDonor } from "./history-donor.ts";
import type { HostOptions } from "./host-options.ts";
import type { HostState } from "./host-state.ts";
import { Ingress, JUNK_CODES } from "./ingress.ts";
import type { IngressRejection } from "./ports.ts";

export interface HostInputsOptions
  extends Pick<HostOptions, "verifier" | "hasher" | "cluster" | "observer" | "epochs" | "signer"> {
  readonly donor: Pick<HistoryDonor, "send">;
  readonly membership: Membership;
  readonly replica: Pick<Replica, "relevance" | "view" | "stable" | "executed">;
  readonly state: HostState;
  readonly nowMs: () => number;
  /** What came is verified, and news to the replica. */
  readonly step: (event: ReplicaEvent) => void;
  readonly reply: (client: PublicKey, executed: ExecutedReply) => void;
}

/** The doors of a host: frames of peers and clients, verified, become events, answers or nothing (protocol rule 13.1). */
export class HostInputs {
  readonly #o: HostInputsOptions;
  readonly #ingress: Ingress;
  readonly #clientRequests: ClientRequests;
  /** Questions of those who are in an earlier epoch cost a signature each. */
  readonly #earlier = new ServingBudget({ burst: 64, refillMs: 5 });
  /** Those for history that nobody has signed; what answers cost has a share of its own, see `HistoryDonor`. */
  readonly #questions = new ServingBudget({ burst: 64, refillMs: 5 });
  /** The frame at hand cannot come from a correct replica. */
  #isJunk = false;

  constructor(options: HostInputsOptions) {
    this.#o = options;
    const { verifier, hasher, cluster, membership, epochs, replica, state, nowMs } = options;
    const reject = (rejection: IngressRejection): void => this.#onRejection(rejection);
    this.#ingress = new Ingress({
      verifier,
      membership,
      epochs,
      relevance: replica.relevance,
      view: () => replica.view,
      digestOf: (batch) => digestBatch(hasher, cluster, batch).digest,
      nowMs,
      standingOf: (request) => state.execution.standing(request),
      reject,
    });
    this.#clientRequests = new ClientRequests({ ingress: this.#ingress, executor: state.execution, reject });
  }

  /** The frame that was given to `onReplicaFrame` last is one that no correct replica sends. */
  get isJunk(): boolean {
    return this.#isJunk;
  }

  /** A decoded frame from the replica at the other end of an authenticated link. */
  onReplicaFrame(peer: ReplicaId, frame: ReplicaFrame): void {
    this.#isJunk = false;
    const { state, replica, step } = this.#o;
    if (frame.type === "fetch-state") return state.serve(peer, frame.fetch, replica.stable);
    if (frame.type === "fetch-history") return this.#giveHistory(peer, frame.fetch, replica.executed, replica.stable);
    if (frame.type === "request" && !this.#takesRequests) return;
    const event = this.#ingress.fromReplica(peer, frame);
    if (event !== undefined) step(event);
  }

  /**
   * A peer is in an epoch that is over, and asks for the batches that it lacks of it: with those it comes to the end of that epoch
   * by itself. The rest of what it says there concerns nobody here.
   */
  onEarlierEpoch(peer: ReplicaId, frame: ReplicaFrame): void {
    this.#isJunk = false;
    if (frame.type === "fetch-history") return this.#onEarlierFetch(peer, frame.fetch);
    if (frame.type !== "signed" || frame.envelope.message.type !== "fetch-committed") return;
    const { epochs, verifier, nowMs } = this.#o;
    const { message } = frame.envelope;
    const judge = new EpochVerifier(verifier, epochs);
    if (!judge.isKnown(message.epoch) || !this.#earlier.take(peer, nowMs())) return;
    if (judge.verifyEnvelope(frame.envelope) === undefined) {
      this.#onRejection({ from: peer, code: "ingress.bad-signature" });
      return;
    }
    this.#onEarlierFetch(peer, message);
  }

  #onEarlierFetch(peer: ReplicaId, fetch: FetchHistory): void {
    const [link] = this.#o.epochs.linksAbove(fetch.epoch);
    if (link !== undefined) this.#giveHistory(peer, fetch, link.certificate.seq, link.certificate);
  }

  /** @param upTo the last number that there is to give; `stable` tells who asks for what is not in the history any more. */
  #giveHistory(
    to: ReplicaId,
    { first, last }: FetchHistory,
    upTo: SequenceNumber,
    stable: CheckpointCertificate,
  ): void {
    const { donor, epochs, nowMs } = this.#o;
    const reject = (code: "fetch.over-budget" | "fetch.not-here"): void => this.#onRejection({ from: to, code });
    if (!this.#questions.take(to, nowMs())) return reject("fetch.over-budget");
    const end = sequenceNumber(Math.min(last, first + FETCH_COMMITTED_MAX - 1, upTo));
    if (first === 0 || first > end) return reject("fetch.not-here");
    // What an epoch begins with has no signatures in it: those of the epoch before prove it.
    const proven = stable.signatures.length > 0 ? stable : (epochs.link?.certificate ?? stable);
    donor.send({ type: "send-history", to, first, last: end, stable: proven }, nowMs());
  }

  /** Clients are left to the members, and while the state is brought here, to the others. */
  get #takesRequests(): boolean {
    return this.#o.state.takesRequests && this.#o.signer.self !== NO_MEMBER;
  }

  /**
   * A request from a client over its own authenticated link.
   *
   * @returns false when no correct client sends such a thing.
   */
  onClientRequest(client: PublicKey, request: Request): boolean {
    const { nowMs, step, reply } = this.#o;
    if (!this.#takesRequests) return true;
    const outcome = this.#clientRequests.onRequest(client, request, nowMs());
    switch (outcome.type) {
      case "junk":
        return false;
      case "over-budget":
      case "silent":
        return true;
      case "answered":
        reply(client, outcome.reply);
        return true;
      case "pending":
        step({ type: "request", request: outcome.request, standing: outcome.standing });
        return true;
      default:
        return assertNever(outcome);
    }
  }

  #onRejection(rejection: IngressRejection): void {
    if (JUNK_CODES.has(rejection.code)) this.#isJunk = true;
    this.#o.observer.onRejection?.(rejection);
  }
}

import { digestBatch, EpochVerifier } from "@quorate/crypto";
import {
  assertNever,
  FETCH_COMMITTED_MAX,
  type Membership,
  type PublicKey,
  type ReplicaFrame,
  type ReplicaId,
  type Request,
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
  extends Pick<HostOptions, "verifier" | "hasher" | "cluster" | "observer" | "epochs"> {
  readonly donor: Pick<HistoryDonor, "send">;
  readonly membership: Membership;
  readonly replica: Pick<Replica, "relevance" | "view" | "stable">;
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
  /** The frame at hand cannot come from a correct replica. */
  #isJunk = false;

  constructor(options: HostInputsOptions) {
    this.#o = options;
    const { verifier, hasher, cluster, membership, replica, state, nowMs } = options;
    const reject = (rejection: IngressRejection): void => this.#onRejection(rejection);
    this.#ingress = new Ingress({
      verifier,
      membership,
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
    if (frame.type === "request" && !state.takesRequests) return;
    const event = this.#ingress.fromReplica(peer, frame);
    if (event !== undefined) step(event);
  }

  /**
   * A peer is in an epoch that is over, and asks for the batches that it lacks of it: with those it comes to the end of that epoch
   * by itself. The rest of what it says there concerns nobody here.
   */
  onEarlierEpoch(peer: ReplicaId, frame: ReplicaFrame): void {
    if (frame.type !== "signed" || frame.envelope.message.type !== "fetch-committed") return;
    const { epochs, verifier, donor, nowMs } = this.#o;
    const { message } = frame.envelope;
    const [link] = epochs.linksAbove(message.epoch);
    if (link === undefined || !this.#earlier.take(peer, nowMs())) return;
    if (new EpochVerifier(verifier, epochs).verifyEnvelope(frame.envelope) === undefined) {
      this.#onRejection({ from: peer, code: "ingress.bad-signature" });
      return;
    }
    const stable = link.certificate;
    const last = sequenceNumber(Math.min(message.last, message.first + FETCH_COMMITTED_MAX - 1, stable.seq));
    donor.send({ type: "send-history", to: peer, first: message.first, last, stable }, nowMs());
  }

  /**
   * A request from a client over its own authenticated link. While the state is brought here, clients are left to
   * the others.
   *
   * @returns false when no correct client sends such a thing.
   */
  onClientRequest(client: PublicKey, request: Request): boolean {
    const { state, nowMs, step, reply } = this.#o;
    if (!state.takesRequests) return true;
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

import { digestBatch } from "@quorate/crypto";
import {
  assertNever,
  type ClientFrame,
  type Membership,
  type PublicKey,
  type ReplicaFrame,
  type ReplicaId,
} from "@quorate/protocol";
import type { Replica, ReplicaEvent } from "@quorate/replica";
import type { ExecutedReply } from "@quorate/state-machine";
import { ClientRequests } from "./client-requests.ts";
import type { HostOptions } from "./host-options.ts";
import type { HostState } from "./host-state.ts";
import { Ingress, JUNK_CODES } from "./ingress.ts";
import type { IngressRejection } from "./ports.ts";

export interface HostInputsOptions extends Pick<HostOptions, "verifier" | "hasher" | "cluster" | "observer"> {
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
    const { state, replica, nowMs, step } = this.#o;
    if (frame.type === "fetch-state") return state.serve(peer, frame.fetch, replica.stable, nowMs());
    if (frame.type === "request" && !state.takesRequests) return;
    const event = this.#ingress.fromReplica(peer, frame);
    if (event !== undefined) step(event);
  }

  /**
   * A decoded frame from a client over its own authenticated link. While the state is brought here, clients are left to
   * the others.
   *
   * @returns false when no correct client sends such a thing.
   */
  onClientFrame(client: PublicKey, { request }: ClientFrame): boolean {
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

import type { PublicKey, Request, RequestStanding, VerifiedRequest } from "@quorate/protocol";
import type { ExecutedReply, Executor } from "@quorate/state-machine";
import { ClientShare } from "./client-share.ts";
import type { Ingress } from "./ingress.ts";
import type { IngressRejection } from "./ports.ts";

/** Bytes of replies that are made again for one client in a second. */
const REPEATED_BYTES_PER_SECOND_MAX = 8 * 1024 * 1024;
/** What a reply costs beside its results. */
const REPLY_BYTES = 512;
/** Requests of one client in a second; a client packs what waits, so a correct one needs far fewer. */
const CLIENT_REQUESTS_PER_SECOND_MAX = 4_000;

/** What a client's request leads to. */
export type ClientRequestOutcome =
  /** No correct client sends such a thing. */
  | { readonly type: "junk" }
  /** Its client has used up its share; it asks again. */
  | { readonly type: "over-budget" }
  /** It was executed where this replica is silent after a quarantine: the others answer (protocol rule 9.5). */
  | { readonly type: "silent" }
  /** It was executed, and its reply is made again. */
  | { readonly type: "answered"; readonly reply: ExecutedReply }
  | { readonly type: "pending"; readonly request: VerifiedRequest; readonly standing: RequestStanding };

export interface ClientRequestsOptions {
  readonly ingress: Pick<Ingress, "verifyFromClient">;
  readonly executor: Pick<Executor, "standing" | "replyTo">;
  readonly reject: (rejection: IngressRejection) => void;
}

/** What clients send over their own links: verified, within each one's share (protocol rule 13.1). */
export class ClientRequests {
  readonly #options: ClientRequestsOptions;
  /** Bytes of replies made again: a retry of some hundred bytes can ask for megabytes. */
  readonly #repeats = new ClientShare(REPEATED_BYTES_PER_SECOND_MAX);
  /** Requests whose signatures are looked at: each costs far more than it costs to send. */
  readonly #requests = new ClientShare(CLIENT_REQUESTS_PER_SECOND_MAX);

  constructor(options: ClientRequestsOptions) {
    this.#options = options;
  }

  onRequest(client: PublicKey, request: Request, atMs: number): ClientRequestOutcome {
    const { ingress, executor } = this.#options;
    if (!this.#requests.isLeft(client, atMs)) return this.#overBudget(client);
    this.#requests.spend(client, atMs, 1);
    const verified = ingress.verifyFromClient(client, request);
    if (verified === undefined) return { type: "junk" };
    const standing = executor.standing(verified);
    return standing.type === "answered"
      ? this.#answerAgain(client, verified, atMs)
      : { type: "pending", request: verified, standing };
  }

  /** Makes the reply of an executed request again from what is kept, or leaves it to the next retry. */
  #answerAgain(client: PublicKey, request: VerifiedRequest, atMs: number): ClientRequestOutcome {
    if (!this.#repeats.isLeft(client, atMs)) return this.#overBudget(client);
    const reply = this.#options.executor.replyTo(request);
    if (reply === undefined) return { type: "silent" };
    const bytes = reply.results.reduce((sum, { value }) => sum + value.length, REPLY_BYTES);
    this.#repeats.spend(client, atMs, bytes);
    return { type: "answered", reply };
  }

  #overBudget(client: PublicKey): ClientRequestOutcome {
    this.#options.reject({ from: client, code: "ingress.over-budget" });
    return { type: "over-budget" };
  }
}

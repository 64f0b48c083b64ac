import { type ClientSigner, type Digest, invariant, type Limits, type Timeouts } from "@quorate/protocol";
import type { ClientEpochs } from "./epoch-follower.ts";

/** The limits of genesis that a client keeps to. */
export type ClientLimits = Pick<
  Limits,
  "requestOperationsMax" | "requestBytesMax" | "sessionWindow" | "registrationValidityMax"
>;

/** What a client core is made of. All that is left out has the value of `CLIENT_DEFAULTS`. */
export interface ClientOptions {
  readonly signer: ClientSigner;
  /** Whose replies count, by the epoch of their statements; the core makes it grow. */
  readonly chain: ClientEpochs;
  readonly limits: ClientLimits;
  /** A fresh random nonce at each call, never one twice: the only randomness, and it comes from outside. */
  readonly nextNonce: () => Digest;
  /** Requests on the way at once; at most `limits.sessionWindow`, to which a greater default is lowered. */
  readonly requestsOutstandingMax?: number;
  /** Operations that wait to be packed; one more is refused with `client.overloaded`. */
  readonly waitingOperationsMax?: number;
  /** Their bytes in sum; at least `limits.requestBytesMax`, to which a smaller default is raised. */
  readonly waitingBytesMax?: number;
  /** Silence after which a request goes to all members; doubled each time up to `resendAfterMaxMs`. */
  readonly resendAfterMs?: number;
  readonly resendAfterMaxMs?: number;
  /** Whether a session is opened before any call waits for one: not for whoever only reads. */
  readonly sessionAtOnce?: boolean;
  /** For calls that name no deadline of their own. */
  readonly defaultTimeoutMs?: number;
}

/** The options a user need not think about. */
export const CLIENT_DEFAULTS: Required<
  Omit<ClientOptions, "signer" | "chain" | "limits" | "nextNonce" | "sessionAtOnce">
> = {
  requestsOutstandingMax: 4,
  waitingOperationsMax: 16_384,
  waitingBytesMax: 64 * 1024 * 1024,
  resendAfterMs: 500,
  resendAfterMaxMs: 8_000,
  defaultTimeoutMs: 30_000,
};

/**
 * For how many milliseconds a client of this cluster stays silent before it tells all members: the silence comes on top
 * of the time-out that it starts at backups, and a primary that answers within it is not seen to be slow; so it is at most a
 * quarter of the shortest one.
 */
export function decideResendAfterMs({ viewChangeMs }: Pick<Timeouts, "viewChangeMs">): number {
  return Math.min(CLIENT_DEFAULTS.resendAfterMs, Math.ceil(viewChangeMs / 4));
}

/**
 * Fills in the defaults.
 *
 * @throws InvariantViolation for a number that is not a positive integer or does not fit the limits.
 */
export function completeOptions(options: ClientOptions): Required<ClientOptions> {
  const { sessionWindow, requestBytesMax } = options.limits;
  const complete: Required<ClientOptions> = {
    ...CLIENT_DEFAULTS,
    sessionAtOnce: true,
    requestsOutstandingMax: Math.min(CLIENT_DEFAULTS.requestsOutstandingMax, sessionWindow),
    waitingBytesMax: Math.max(CLIENT_DEFAULTS.waitingBytesMax, requestBytesMax),
    ...options,
  };
  for (const name of Object.keys(CLIENT_DEFAULTS) as (keyof typeof CLIENT_DEFAULTS)[]) {
    const value = complete[name];
    invariant(Number.isSafeInteger(value) && value >= 1, "client.option", { name, value });
  }
  invariant(complete.requestsOutstandingMax <= sessionWindow, "client.outstanding-beyond-window", {
    requestsOutstandingMax: complete.requestsOutstandingMax,
    sessionWindow,
  });
  invariant(complete.waitingBytesMax >= requestBytesMax, "client.waiting-below-request", { requestBytesMax });
  invariant(complete.resendAfterMs <= complete.resendAfterMaxMs, "client.resend-cap", {
    resendAfterMs: complete.resendAfterMs,
    resendAfterMaxMs: complete.resendAfterMaxMs,
  });
  return complete;
}

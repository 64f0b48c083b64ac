import type { ResultStatus, SequenceNumber, SessionId } from "@quorate/protocol";
import { sequenceNumber } from "@quorate/protocol";
import { notAdmitted, registrationRefused } from "./failures.ts";
import type { ClientFailure } from "./outcome.ts";
import type { AcceptedOutput } from "./output-filter.ts";

/** Registrations in a row that the cluster may answer with "too late" before the calls that wait are given up. */
export const REGISTRATION_ATTEMPTS_MAX = 8;

/** What the accepted output of a registration means. */
export type RegistrationOutcome =
  | { readonly type: "opened"; readonly session: SessionId }
  /** Its time or its session is over: try again with a fresh nonce. */
  | { readonly type: "again"; readonly reason: ResultStatus }
  | { readonly type: "refused"; readonly failure: ClientFailure };

/** How many sequence numbers the first attempt is valid for. */
const VALIDITY_FIRST = 256;

/**
 * Until when a registration shall be valid. The cluster remembers its nonce that long, against the key's quota of
 * sessions (protocol rule 3.2), and a command-line client opens a session for each command: so it starts short, and
 * doubles with each attempt (from 1) up to half of what the cluster allows, as far from "too far" as from "expired".
 */
export function selectLastValid(
  executed: SequenceNumber,
  registrationValidityMax: number,
  attempt: number,
): SequenceNumber {
  const validity = Math.min(VALIDITY_FIRST * 2 ** (attempt - 1), Math.floor(registrationValidityMax / 2));
  return sequenceNumber(Math.min(executed + validity, Number.MAX_SAFE_INTEGER));
}

/** Judges the accepted output of a registration. `attempt` counts from 1. */
export function decideRegistration({ reply }: AcceptedOutput, attempt: number): RegistrationOutcome {
  const reason = reply.results[0]?.status ?? "session-unknown";
  switch (reason) {
    case "ok":
      return { type: "opened", session: reply.session };
    case "client-not-admitted":
      return { type: "refused", failure: notAdmitted("none") };
    case "registration-expired":
    case "registration-too-far":
    case "session-unknown":
      if (attempt < REGISTRATION_ATTEMPTS_MAX) return { type: "again", reason };
      return { type: "refused", failure: registrationRefused(reason) };
    default:
      return { type: "refused", failure: registrationRefused(reason) };
  }
}

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

/** Half of what the cluster allows: as far from "too far" as from "expired" (protocol rule 3.2). */
export function selectLastValid(executed: SequenceNumber, registrationValidityMax: number): SequenceNumber {
  return sequenceNumber(Math.min(executed + Math.floor(registrationValidityMax / 2), Number.MAX_SAFE_INTEGER));
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

/** Evidence on the wire. */
import { assertNever, type Evidence } from "@quorate/protocol";
import { readEnvelope, writeEnvelope } from "./messages.ts";
import type { Tuple } from "./tuple.ts";
import { readReferred, writeEnvelopes } from "./view-changes.ts";
import type { Writer } from "./writer.ts";

/** The type numbers of evidence; append only. */
const EVIDENCE_CODES: Readonly<Record<Evidence["type"], number>> = { equivocation: 1, "unjustified-new-view": 2 };
const CONTRADICTING = ["pre-prepare", "prepare", "commit", "checkpoint", "view-change", "new-view"] as const;

export function writeEvidence(writer: Writer, evidence: Evidence): void {
  writer.array(3).uint(EVIDENCE_CODES[evidence.type]);
  switch (evidence.type) {
    case "equivocation":
      writeEnvelope(writer, evidence.first);
      return writeEnvelope(writer, evidence.second);
    case "unjustified-new-view":
      writeEnvelope(writer, evidence.newView);
      return writeEnvelopes(writer, evidence.viewChanges);
    default:
      return assertNever(evidence);
  }
}

export function readEvidence(tuple: Tuple): Evidence {
  if (tuple.uint(0, "type") === EVIDENCE_CODES["unjustified-new-view"]) {
    tuple.shape(3);
    const newView = readEnvelope(tuple.tuple(1, "newView"), ["new-view"]);
    return { type: "unjustified-new-view", newView, viewChanges: readReferred(tuple, 2, newView.message) };
  }
  tuple.typed(EVIDENCE_CODES.equivocation, 3);
  return {
    type: "equivocation",
    first: readEnvelope(tuple.tuple(1, "first"), CONTRADICTING),
    second: readEnvelope(tuple.tuple(2, "second"), CONTRADICTING),
  };
}

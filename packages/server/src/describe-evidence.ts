import { accusedOf, assertNever, type Evidence, type UniqueMessage } from "@quorate/protocol";

/** Who is accused of what, in one line of words. It says what the evidence claims; whether it proves it is for `Verifier`. */
export function describeEvidence(evidence: Evidence): string {
  const accused = `replica ${accusedOf(evidence)}`;
  switch (evidence.type) {
    case "equivocation": {
      const { message: first } = evidence.first;
      const { message: second } = evidence.second;
      const name = first.type.toUpperCase();
      const doubt = first.type === "checkpoint" ? " (it lies, its state diverged, or it has lost its disk)" : "";
      return `${accused} signed two different ${name}s for ${placeOf(first)}: ${contentOf(first)}; and ${contentOf(second)}${doubt}`;
    }
    case "unjustified-new-view": {
      const { message } = evidence.newView;
      const senders = evidence.viewChanges.map(({ from }) => from).join(", ");
      return `${accused} signed a NEW-VIEW for view ${message.view} that does not follow from the VIEW-CHANGEs it names (of replicas ${senders}): ${contentOf(message)}`;
    }
    default:
      return assertNever(evidence);
  }
}

function placeOf(message: UniqueMessage): string {
  switch (message.type) {
    case "checkpoint":
      return `sequence number ${message.seq}`;
    case "view-change":
    case "new-view":
      return `view ${message.view}`;
    default:
      return `sequence number ${message.seq} in view ${message.view}`;
  }
}

function contentOf(message: UniqueMessage): string {
  switch (message.type) {
    case "checkpoint":
      return `state root ${short(message.stateRoot)}`;
    case "view-change": {
      const { stable, prepared } = message;
      const claims = prepared.map(({ seq, view, digest }) => `${seq} (view ${view}, batch ${short(digest)})`);
      return `stable checkpoint ${stable.seq} with state root ${short(stable.stateRoot)}, prepared ${listOf(claims)}`;
    }
    case "new-view": {
      const senders = message.viewChanges.map(({ from }) => from).join(", ");
      const proposals = message.digests.map((digest, i) => `${message.start + 1 + i} (batch ${short(digest)})`);
      return `from the VIEW-CHANGEs of replicas ${senders}, after checkpoint ${message.start}, proposed again ${listOf(proposals)}`;
    }
    default:
      return `batch ${short(message.digest)}`;
  }
}

/** A window has up to thousands of numbers: the first few tell enough, the document holds them all. */
const LISTED_MAX = 4;

function listOf(items: readonly string[]): string {
  if (items.length === 0) return "nothing";
  const more = items.length > LISTED_MAX ? ` and ${items.length - LISTED_MAX} more` : "";
  return `${items.slice(0, LISTED_MAX).join(", ")}${more}`;
}

/** Enough of a digest to tell two apart. */
function short(digest: string): string {
  return digest.slice(0, 16);
}

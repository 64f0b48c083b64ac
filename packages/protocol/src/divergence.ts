import type { Digest, ReplicaId, SequenceNumber } from "./ids.ts";

/** What replicas that executed the same must say alike: what they put out up to a number, and the state at a checkpoint. */
export type AuditedPart = "outputs" | "state";

/** A member says something else of a number than this replica (protocol rule 9.5). */
export interface Divergence {
  readonly from: ReplicaId;
  readonly part: AuditedPart;
  readonly seq: SequenceNumber;
  /** What this replica says. */
  readonly own: Digest;
  readonly theirs: Digest;
}

/** Whom or what this replica is contradicted by: f+1 members, or a certificate. Either way it is wrong. */
export type Contradiction =
  | { readonly by: "members"; readonly divergences: readonly Divergence[] }
  | { readonly by: "certificate"; readonly seq: SequenceNumber; readonly own: Digest; readonly certified: Digest };

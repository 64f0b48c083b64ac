import { type Envelope, invariant, type ReplicaMessage, type Verified, type VerifiedEnvelope } from "@quorate/protocol";

/** The discriminant of a message does not narrow the envelope around it; this says so once. */
export function narrow<M extends ReplicaMessage>(envelope: Verified<Envelope>, message: M): VerifiedEnvelope<M> {
  invariant(envelope.message === message, "replica.narrow");
  return envelope as Verified<Envelope & { readonly message: M }>;
}

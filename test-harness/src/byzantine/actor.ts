import { digestBatch } from "@quorate/crypto";
import {
  type Batch,
  type CheckpointClaim,
  type ClientFrame,
  type ClusterId,
  type Digest,
  digest,
  type Envelope,
  type Hasher,
  type Membership,
  type PrePrepare,
  type ReplicaFrame,
  type ReplicaId,
  type ServerFrame,
  type Signer,
  type Status,
} from "@quorate/protocol";
import type { Prng } from "../prng.ts";

/** Rewrites what a replica sends, and chooses what it hears; inside it is an ordinary one. */
export interface ByzantineActor {
  /** What it was sent. */
  fromReplica(frame: ReplicaFrame): void;
  /** Whether the ordinary replica inside gets what a client or a replica sent. */
  hears(frame: ReplicaFrame | ClientFrame): boolean;
  toReplica(to: ReplicaId, frame: ReplicaFrame): readonly ReplicaFrame[];
  toClient(frame: ServerFrame): readonly ServerFrame[];
  /** How long it keeps a frame back, in milliseconds. */
  delayMs(frame: ReplicaFrame): number;
  /** What it says of where it stands to whoever orders that it joins. */
  claim(truth: CheckpointClaim): CheckpointClaim;
}

/** What an actor needs: its own key and nobody else's. */
export interface ByzantineTools {
  readonly self: ReplicaId;
  readonly signer: Signer;
  /** Its own key again, for messages of another cluster. */
  readonly foreignSigner: Signer;
  readonly hasher: Hasher;
  readonly cluster: ClusterId;
  readonly membership: Membership;
  /** K and L of genesis. */
  readonly checkpointInterval: number;
  readonly windowSize: number;
  /** In milliseconds: the first time-out of a view. */
  readonly viewChangeMs: number;
  readonly prng: Prng;
  /** Virtual milliseconds. */
  nowMs(): number;
  /** Something worth counting was done. */
  mark(name: string): void;
}

/** Makes one actor of one kind. */
export type CreateActor = (tools: ByzantineTools) => ByzantineActor;

/** Does nothing but what the replica inside does. */
export const HONEST: ByzantineActor = {
  fromReplica: () => undefined,
  hears: () => true,
  toReplica: (_to, frame) => [frame],
  toClient: (frame) => [frame],
  delayMs: () => 0,
  claim: (truth) => truth,
};

/** A proposal with its batch. */
export type ProposalFrame = Extract<ReplicaFrame, { type: "pre-prepare" }>;
/** A message that travels alone. */
export type SignedFrame = Extract<ReplicaFrame, { type: "signed" }>;

/** The frame as this replica's own proposal, if it is one. */
export function ownProposal(frame: ReplicaFrame, { self }: ByzantineTools): ProposalFrame | undefined {
  return frame.type === "pre-prepare" && frame.envelope.from === self ? frame : undefined;
}

/** The STATUS in a frame, if it is one: the heartbeat of actors that act of their own accord. */
export function statusIn(frame: ReplicaFrame): Status | undefined {
  if (frame.type !== "signed" || frame.envelope.message.type !== "status") return undefined;
  return frame.envelope.message;
}

/** Proposes `batch` in the place of `message`, under its true digest. */
export function propose(message: PrePrepare, batch: Batch, tools: ByzantineTools): ProposalFrame {
  return { type: "pre-prepare", envelope: tools.signer.sign({ ...message, digest: digestOf(batch, tools) }), batch };
}

/** A message of the three phases, or any other that travels alone, signed with the own key. */
export function signed(
  message: SignedFrame["envelope"]["message"],
  { signer }: Pick<ByzantineTools, "signer">,
): SignedFrame {
  return { type: "signed", envelope: signer.sign(message) as Envelope<SignedFrame["envelope"]["message"]> };
}

/** The digest that names a batch. */
function digestOf(batch: Batch, { hasher, cluster }: ByzantineTools): Digest {
  return digestBatch(hasher, cluster, batch).digest;
}

/** Not this one. */
export function otherDigest(of: Digest): Digest {
  return digest(of.slice(1) + (of[0] === "0" ? "1" : "0"));
}

/** Not these. */
export function flipped(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte) => ~byte);
}

/** The place of another among all others, from 0 to n-2, counted from the own one. */
export function placeOf(to: ReplicaId, { self, membership }: ByzantineTools): number {
  const n = membership.members.length;
  return (to - self + n - 1) % n;
}

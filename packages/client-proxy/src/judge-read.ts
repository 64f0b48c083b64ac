import {
  type CheckpointCertificate,
  compareBytes,
  type Digest,
  type Membership,
  type Memberships,
  outOfEpoch,
  type StateProof,
  type StateQuery,
  type StateRead,
} from "@quorate/protocol";

/** What answers are judged with. */
export interface ReadJudge {
  readonly epochs: Pick<Memberships, "membershipAt"> & { readonly epoch: number };
  /** Whether a quorum of these members has signed it. */
  readonly isCertified: (certificate: CheckpointCertificate, membership: Membership) => boolean;
  /** Whether the state with this root has this value, or none, at a key of the service. */
  readonly isProven: (stateRoot: Digest, key: Uint8Array, value: Uint8Array | undefined, proof: StateProof) => boolean;
}

/** Why no correct replica gives such an answer. */
export type ReadLie = "other-question" | "bad-certificate" | "out-of-epoch" | "bad-proof";

type AnsweredRead = Exclude<StateRead, { readonly type: "unavailable" }>;

/** Whether an answer is to this query, and all that it says is true of the checkpoint that it names. Cheap things first. */
export function judgeRead(
  query: StateQuery,
  read: AnsweredRead,
  judge: ReadJudge,
): "proven" | "unknown-epoch" | ReadLie {
  if (!isAnswer(query, read)) return "other-question";
  const { certificate } = read;
  if (certificate.epoch > judge.epochs.epoch) return "unknown-epoch";
  if (outOfEpoch(judge.epochs, certificate) !== undefined) return "out-of-epoch";
  const membership = judge.epochs.membershipAt(certificate.epoch);
  if (membership === undefined || !judge.isCertified(certificate, membership)) return "bad-certificate";
  return areProven(query, read, judge) ? "proven" : "bad-proof";
}

function areProven(query: StateQuery, read: AnsweredRead, { isProven }: ReadJudge): boolean {
  const { stateRoot } = read.certificate;
  if (read.type === "entries")
    return read.entries.every(({ key, value, proof }) => isProven(stateRoot, key, value, proof));
  const keys = query.type === "keys" ? query.keys : [];
  return read.values.every(({ value, proof }, i) => {
    const key = keys[i];
    return key !== undefined && isProven(stateRoot, key, value, proof);
  });
}

function isAnswer(query: StateQuery, read: AnsweredRead): boolean {
  if (query.type === "keys") return read.type === "values" && read.values.length === query.keys.length;
  if (read.type !== "entries" || read.entries.length > query.limit) return false;
  const { from, to } = query;
  const keys = read.entries.map(({ key }) => key);
  // It goes on behind what was given, so that whoever follows it comes to an end.
  if (read.next !== undefined && keys.length === 0) return false;
  if (read.next !== undefined) keys.push(read.next);
  return keys.every((key, i) => {
    const before = keys[i - 1];
    const isAfter = before === undefined ? compareBytes(key, from) >= 0 : compareBytes(key, before) > 0;
    return isAfter && (to === undefined || compareBytes(key, to) < 0);
  });
}

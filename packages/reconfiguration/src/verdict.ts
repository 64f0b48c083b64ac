import {
  type AcceptedChange,
  type AdminKeys,
  APPROVALS_MAX,
  activationOf,
  addressOf,
  assertNever,
  type CheckpointClaim,
  type Configuration,
  EPOCHS_MAX,
  epochNumber,
  faultThresholdOf,
  JOIN_ID_STEP_MAX,
  MEMBERS_MAX,
  MEMBERS_MIN,
  type Member,
  type PublicKey,
  REPLICA_ID_MAX,
  type ReconfigurationChange,
  type ReconfigurationRefusal,
  type ReconfigurationRequest,
  type ReplicaId,
  type SequenceNumber,
} from "@quorate/protocol";
import type { ConfigurationRecord, PendingChange, Rejoin } from "./configuration-record.ts";

/** Where in the order a change is judged, and what else it is judged by: all of it replicated state. */
export interface ChangePlace {
  readonly seq: SequenceNumber;
  readonly isNonceUsed: boolean;
  /** As many nonces as are remembered in an epoch are spent. */
  readonly areNoncesSpent: boolean;
  /** The last checkpoints before this batch: a joiner must have come to one of them. */
  readonly recentCheckpoints: readonly CheckpointClaim[];
  /** See `windowSizeMaxOf`. */
  readonly windowSizeMax: number;
  /** Undefined where genesis lets everyone open sessions. */
  readonly clients: { readonly count: number; readonly isAdmitted: (client: PublicKey) => boolean } | undefined;
  /** The most clients that may be admitted. */
  readonly clientsMax: number;
}

/**
 * What becomes of a change. A nonce is spent as soon as the admins have signed, refused or not; by a member alone only if its change is
 * accepted, for else it could spend those of admins, and as many as are remembered (protocol rule 11.1).
 */
export type ReconfigurationVerdict =
  | { readonly type: "refused"; readonly refusal: ReconfigurationRefusal; readonly isNonceSpent: boolean }
  /** It waits for its activation. */
  | { readonly type: "ordered"; readonly record: ConfigurationRecord; readonly accepted: AcceptedChange }
  /** In force at once. */
  | {
      readonly type: "admission";
      readonly client: PublicKey;
      readonly isAdmitted: boolean;
      readonly accepted: AcceptedChange;
    };

/** A member that rejoined less than so many windows ago needs the admins to rejoin again. */
const REJOIN_WINDOWS = 64;

/**
 * A member that rejoins by itself makes an epoch that no admin asked for: faulty ones, each once in so many windows, may not use up
 * those that admins need.
 */
const EPOCHS_BY_MEMBERS_MAX = EPOCHS_MAX / 2;

/** Judges a change whose signatures are all valid. A pure function of the replicated state and the request. */
export function judgeReconfiguration(
  record: ConfigurationRecord,
  request: ReconfigurationRequest,
  place: ChangePlace,
): ReconfigurationVerdict {
  const { current } = record;
  if (request.epoch !== current.epoch) return refused("epoch-other", false);
  if (place.isNonceUsed) return refused("nonce-used", false);
  const authority = authorityOf(request, current);
  if (authority !== "admins" && authority !== "member") return refused(authority, false);
  const { change } = request;
  if (change.type === "admit" || change.type === "expel") return judgeAdmission(change, current, place);
  if (record.pending !== undefined) return queuedOrRefused(record, record.pending, change, authority);
  const isNonceSpent = authority === "admins";
  if (current.epoch >= EPOCHS_MAX) return refused("epochs-too-many", isNonceSpent);
  const next = nextOf(record, change, place, authority);
  if (typeof next === "string") return refused(next, isNonceSpent);
  const activation = activationOf(place.seq, current);
  const epoch = epochNumber(current.epoch + 1);
  const rejoins = change.type === "rejoin" ? change.id : undefined;
  const pending = { ordered: place.seq, activation, next: { ...current, ...next, epoch }, rejoins, queued: undefined };
  const noted = noteOf(record, change, place.seq);
  return { type: "ordered", record: { ...noted, pending }, accepted: { epoch, activation } };
}

function refused(refusal: ReconfigurationRefusal, isNonceSpent: boolean): ReconfigurationVerdict {
  return { type: "refused", refusal, isNonceSpent };
}

/** Who stands behind a change: m of the admins, or the member that it concerns and nobody else. */
function authorityOf(
  { client, change, approvals }: ReconfigurationRequest,
  { epoch, admins, members }: Configuration,
): "admins" | "member" | "approval-foreign" | "approvals-too-few" {
  if (approvals.some(({ key }) => !admins.keys.includes(key))) return "approval-foreign";
  if (approvals.length >= admins.threshold) return "admins";
  const mayBeOwn = change.type === "leave" || (change.type === "rejoin" && epoch < EPOCHS_BY_MEMBERS_MAX);
  const isOwn = mayBeOwn && memberIn(members, change.id)?.publicKey === client;
  return isOwn ? "member" : "approvals-too-few";
}

function judgeAdmission(
  change: Extract<ReconfigurationChange, { type: "admit" | "expel" }>,
  { epoch }: Configuration,
  { seq, areNoncesSpent, clients, clientsMax }: ChangePlace,
): ReconfigurationVerdict {
  // What is in force at once begins no epoch, after which its order is worth nothing: whoever has it could undo what came later.
  if (areNoncesSpent) return refused("nonces-spent", false);
  if (clients === undefined) return refused("clients-open", true);
  const { client } = change;
  const isAdmitted = change.type === "admit";
  if (clients.isAdmitted(client) === isAdmitted) return refused("changes-nothing", true);
  if (isAdmitted && clients.count >= clientsMax) return refused("clients-too-many", true);
  return { type: "admission", client, isAdmitted, accepted: { epoch, activation: seq } };
}

/** One change at a time, but admins do not wait for a member that rejoins: there is one place behind it. */
function queuedOrRefused(
  record: ConfigurationRecord,
  pending: PendingChange,
  change: ReconfigurationChange,
  authority: "admins" | "member",
): ReconfigurationVerdict {
  const isPlaceFree = pending.rejoins !== undefined && pending.queued === undefined;
  if (change.type !== "admins" || !isPlaceFree) return refused("in-flight", authority === "admins");
  const fault = adminsFault(change.admins, record.current.admins);
  if (fault !== undefined) return refused(fault, true);
  if (pending.next.epoch >= EPOCHS_MAX) return refused("epochs-too-many", true);
  const queued = normalized(change.admins);
  const ordered = (pending.activation + 1) as SequenceNumber;
  const accepted = { epoch: epochNumber(pending.next.epoch + 1), activation: activationOf(ordered, pending.next) };
  return { type: "ordered", record: { ...record, pending: { ...pending, queued } }, accepted };
}

type Changed = Partial<Omit<Configuration, "epoch">>;

/** What a change makes of the configuration, or why it is refused. */
function nextOf(
  record: ConfigurationRecord,
  change: Exclude<ReconfigurationChange, { type: "admit" | "expel" }>,
  place: ChangePlace,
  authority: "admins" | "member",
): Changed | ReconfigurationRefusal {
  const { current } = record;
  switch (change.type) {
    case "join":
      return afterJoin(record, change, place);
    case "leave":
      return afterLeave(current, change);
    case "rejoin":
      return afterRejoin(record, change, place.seq, authority);
    case "rotate-key":
      return afterRotation(current, change);
    case "admins":
      return adminsFault(change.admins, current.admins) ?? { admins: normalized(change.admins) };
    case "parameters":
      return afterParameters(current, change, place);
    default:
      return assertNever(change);
  }
}

function afterJoin(
  { current: { members }, highestId }: ConfigurationRecord,
  { member, checkpoint }: Extract<ReconfigurationChange, { type: "join" }>,
  { recentCheckpoints }: ChangePlace,
): Changed | ReconfigurationRefusal {
  const isInvalid = member.id > Math.min(REPLICA_ID_MAX, highestId + JOIN_ID_STEP_MAX);
  if (isInvalid || addressOf(member.address) === undefined) return "member-invalid";
  if (member.id <= highestId) return "id-used";
  if (members.some(({ publicKey }) => publicKey === member.publicKey)) return "key-used";
  if (members.some(({ address }) => address === member.address)) return "address-used";
  if (members.length >= MEMBERS_MAX) return "members-too-many";
  const isLevel = recentCheckpoints.some(
    ({ seq, stateRoot }) => seq === checkpoint.seq && stateRoot === checkpoint.stateRoot,
  );
  return isLevel ? { members: ascending([...members, member]) } : "joiner-behind";
}

function afterLeave(
  { members }: Configuration,
  { id, mayLowerFaultThreshold }: Extract<ReconfigurationChange, { type: "leave" }>,
): Changed | ReconfigurationRefusal {
  if (memberIn(members, id) === undefined) return "member-unknown";
  if (members.length <= MEMBERS_MIN) return "members-too-few";
  const isLowered = faultThresholdOf(members.length - 1) < faultThresholdOf(members.length);
  if (isLowered && !mayLowerFaultThreshold) return "fault-threshold-lowered";
  return { members: members.filter((member) => member.id !== id) };
}

function afterRejoin(
  { current, rejoins }: ConfigurationRecord,
  { id, loss }: Extract<ReconfigurationChange, { type: "rejoin" }>,
  seq: SequenceNumber,
  authority: "admins" | "member",
): Changed | ReconfigurationRefusal {
  if (memberIn(current.members, id) === undefined) return "member-unknown";
  const last = rejoins.find((rejoin) => rejoin.id === id);
  if (last?.loss === loss) return "changes-nothing";
  const isSoon = last !== undefined && seq - last.ordered < REJOIN_WINDOWS * current.windowSize;
  return authority === "member" && isSoon ? "rejoin-too-soon" : {};
}

function afterRotation(
  { members }: Configuration,
  { id, publicKey }: Extract<ReconfigurationChange, { type: "rotate-key" }>,
): Changed | ReconfigurationRefusal {
  const member = memberIn(members, id);
  if (member === undefined) return "member-unknown";
  if (member.publicKey === publicKey) return "changes-nothing";
  if (members.some((other) => other.publicKey === publicKey)) return "key-used";
  return { members: members.map((other) => (other.id === id ? { ...other, publicKey } : other)) };
}

function afterParameters(
  current: Configuration,
  { checkpointInterval: k, windowSize: l }: Extract<ReconfigurationChange, { type: "parameters" }>,
  { windowSizeMax }: ChangePlace,
): Changed | ReconfigurationRefusal {
  const isValid = k >= 1 && l >= 2 * k && l % k === 0 && l <= windowSizeMax;
  if (!isValid) return "parameters-invalid";
  if (k === current.checkpointInterval && l === current.windowSize) return "changes-nothing";
  return { checkpointInterval: k, windowSize: l };
}

function adminsFault({ threshold, keys }: AdminKeys, current: AdminKeys): ReconfigurationRefusal | undefined {
  const isValid = threshold >= 1 && threshold <= keys.length && keys.length <= APPROVALS_MAX;
  if (!isValid || new Set(keys).size !== keys.length) return "admins-invalid";
  const before = normalized(current).keys;
  const isSame = keys.length === before.length && keys.every((key) => before.includes(key));
  return isSame && threshold === current.threshold ? "changes-nothing" : undefined;
}

/** The same admins are the same record. */
function normalized({ threshold, keys }: AdminKeys): AdminKeys {
  return { threshold, keys: [...keys].sort() };
}

/** What the next change has to know of this one. */
function noteOf(
  record: ConfigurationRecord,
  change: ReconfigurationChange,
  ordered: SequenceNumber,
): ConfigurationRecord {
  switch (change.type) {
    case "join": {
      const { member, loss } = change;
      const joined = { ...record, highestId: member.id };
      return loss === undefined ? joined : withRejoin(joined, { id: member.id, loss, ordered });
    }
    case "rejoin":
      return withRejoin(record, { id: change.id, loss: change.loss, ordered });
    default:
      return record;
  }
}

/** A joiner that had lost its disk has got over that as one that rejoins, and its next loss is judged alike. */
function withRejoin(record: ConfigurationRecord, rejoin: Rejoin): ConfigurationRecord {
  const others = record.rejoins.filter(({ id }) => id !== rejoin.id);
  return { ...record, rejoins: [...others, rejoin].sort((a, b) => a.id - b.id) };
}

function ascending(members: readonly Member[]): Member[] {
  return [...members].sort((a, b) => a.id - b.id);
}

function memberIn(members: readonly Member[], id: ReplicaId): Member | undefined {
  return members.find((member) => member.id === id);
}

import {
  type Checkpoint,
  type Commit,
  type Digest,
  epochNumber,
  FETCH_COMMITTED_MAX,
  type Prepare,
  type ReplicaFrame,
  replicaId,
  STATUS_LACKS_MAX,
  type Status,
  sequenceNumber,
  viewNumber,
} from "@quorate/protocol";
import {
  type ByzantineActor,
  type ByzantineTools,
  flipped,
  HONEST,
  otherDigest,
  placeOf,
  type SignedFrame,
  signed,
  statusIn,
} from "./actor.ts";

/** Votes for digests of its own, to some, and sometimes for both: an equivocation. */
export function wrongVotes(tools: ByzantineTools): ByzantineActor {
  const { prng } = tools;
  return {
    ...HONEST,
    toReplica: (_to, frame) => {
      const message = voteIn(frame);
      if (message === undefined || prng.chance(0.3)) return [frame];
      const wrong = signed({ ...message, digest: otherDigest(message.digest) }, tools);
      // Sometimes both: whoever gets the two has evidence.
      return prng.chance(0.3) ? [wrong, frame] : [wrong];
    },
  };
}

/** Beside each vote one that it has no right to. */
export function votesAstray(tools: ByzantineTools): ByzantineActor {
  const { prng, mark } = tools;
  return {
    ...HONEST,
    toReplica: (_to, frame) => {
      const message = voteIn(frame);
      if (message === undefined) return [frame];
      const [name, lie] = prng.pick(ASTRAY);
      mark(`votes ${name}`);
      const astray = lie(message, (frame as SignedFrame).envelope, tools);
      return prng.chance(0.5) ? [...astray, frame] : [frame, ...astray];
    },
  };
}

type AstrayVote = (
  message: Prepare | Commit,
  envelope: SignedFrame["envelope"],
  tools: ByzantineTools,
) => readonly ReplicaFrame[];

/** Under this member's signature of another vote. */
const resent = (envelope: SignedFrame["envelope"], changed: Partial<SignedFrame["envelope"]>): ReplicaFrame[] => [
  { type: "signed", envelope: { ...envelope, ...changed } },
];
/** Under a signature of its own. */
const given = (message: Prepare | Commit, tools: ByzantineTools): ReplicaFrame[] => [signed(message, tools)];

/** How many views it votes in at once, for one number. */
const VIEWS_AT_ONCE = 3;

const ASTRAY: readonly [readonly [string, AstrayVote], ...(readonly [string, AstrayVote])[]] = [
  [
    "in another's name",
    (_, envelope, { membership }) =>
      resent(envelope, { from: replicaId((envelope.from + 1) % membership.members.length) }),
  ],
  [
    "in a stranger's name",
    (_, envelope, { membership }) => resent(envelope, { from: replicaId(membership.members.length) }),
  ],
  ["with a bad signature", (_, envelope) => resent(envelope, { signature: flipped(envelope.signature) })],
  [
    "with the signature of another type",
    (message, envelope) =>
      resent(envelope, { message: { ...message, type: message.type === "prepare" ? "commit" : "prepare" } }),
  ],
  [
    "for another cluster",
    (message, envelope, { foreignSigner }) => resent(envelope, { signature: foreignSigner.sign(message).signature }),
  ],
  ["for another epoch", (message, _, tools) => given({ ...message, epoch: epochNumber(message.epoch + 1) }, tools)],
  ["for another view", (message, _, tools) => given({ ...message, view: viewNumber(message.view + 1) }, tools)],
  [
    "in several views at once",
    (message, _, tools) =>
      Array.from({ length: VIEWS_AT_ONCE }, (_view, i) =>
        signed({ ...message, view: viewNumber(message.view + 1 + i) }, tools),
      ),
  ],
  ["before it may", (message, _, tools) => given({ ...message, type: "commit" }, tools)],
  ["as the primary", (message, _, tools) => given({ ...message, type: "prepare" }, tools)],
  [
    "far ahead",
    (message, _, tools) => given({ ...message, seq: sequenceNumber(message.seq + tools.windowSize) }, tools),
  ],
  [
    "for what was never proposed",
    (message, _, tools) =>
      given(
        { ...message, seq: sequenceNumber(message.seq + 1), digest: otherDigest(otherDigest(message.digest)) },
        tools,
      ),
  ],
];

/** The names of what is wrong with votes. */
export const ASTRAY_VOTES: readonly string[] = ASTRAY.map(([name]) => name);

/** Votes for wrong state roots, and lies about where it stands. */
export function wrongCheckpoints(tools: ByzantineTools): ByzantineActor {
  return { ...HONEST, toReplica: (_to, frame) => [wrongCheckpoint(frame, tools)] };
}

function wrongCheckpoint(frame: ReplicaFrame, tools: ByzantineTools): ReplicaFrame {
  if (frame.type === "stable-checkpoint")
    return { ...frame, checkpoint: { ...frame.checkpoint, stateRoot: otherDigest(frame.checkpoint.stateRoot) } };
  if (frame.type !== "signed") return frame;
  const { message } = frame.envelope;
  if (message.type === "checkpoint") return signed({ ...message, stateRoot: otherDigest(message.stateRoot) }, tools);
  if (message.type !== "status" || tools.prng.chance(0.5)) return frame;
  const far = sequenceNumber(message.executed + 1000);
  return signed({ ...message, executed: far, accepted: far }, tools);
}

/** Votes for one state root to some, for another to others, for both to the rest. */
export function contradictoryCheckpoints(tools: ByzantineTools): ByzantineActor {
  return {
    ...HONEST,
    toReplica: (to, frame) => {
      if (frame.type !== "signed" || frame.envelope.message.type !== "checkpoint") return [frame];
      const message: Checkpoint = frame.envelope.message;
      const other = signed({ ...message, stateRoot: otherDigest(message.stateRoot) }, tools);
      return [[frame], [other], [other, frame]][placeOf(to, tools) % 3] ?? [frame];
    },
  };
}

/**
 * Votes for every batch and for no state, nor answers anyone with a certificate that has its vote: a checkpoint is stable only
 * where as many others vote as a quorum has, or by the certificate of a view change.
 */
export function withholdsCheckpoints({ self }: ByzantineTools): ByzantineActor {
  const isWithheld = (frame: ReplicaFrame): boolean => {
    if (frame.type === "signed") return frame.envelope.message.type === "checkpoint";
    const isAnswer = frame.type === "stable-checkpoint" || frame.type === "below-history";
    return isAnswer && frame.checkpoint.signatures.some(({ from }) => from === self);
  };
  return { ...HONEST, toReplica: (_to, frame) => (isWithheld(frame) ? [] : [frame]) };
}

/** Frames of one flood. */
const FLOOD = 12;

/** With each status a flood: well signed junk of every kind, and as much with bad signatures. */
export function floods(tools: ByzantineTools): ByzantineActor {
  return {
    ...HONEST,
    toReplica: (_to, frame) => {
      const status = statusIn(frame);
      if (status === undefined || tools.prng.chance(0.5)) return [frame];
      return [frame, ...Array.from({ length: FLOOD }, (_, i) => junk(status, i, tools))];
    },
  };
}

function junk(status: Status, i: number, tools: ByzantineTools): ReplicaFrame {
  const { prng, hasher, checkpointInterval } = tools;
  const { epoch, view, stable, executed } = status;
  const digest: Digest = hasher.digest(prng.bytes(8));
  const seq = sequenceNumber(executed + 1 + i);
  const frame = signed(
    prng.pick<SignedFrame["envelope"]["message"]>([
      { type: "prepare", epoch, view, seq, digest },
      { type: "commit", epoch, view, seq, digest },
      { type: "checkpoint", epoch, seq: sequenceNumber(stable + checkpointInterval * (1 + i)), stateRoot: digest },
      { type: "fetch-batch", epoch, seq, digest },
      { type: "fetch-committed", epoch, first: seq, last: sequenceNumber(seq + 1) },
      { ...status, executed: sequenceNumber(executed + i) },
    ]),
    tools,
  );
  if (prng.chance(0.6)) return frame;
  tools.mark("flood with bad signatures");
  return { ...frame, envelope: { ...frame.envelope, signature: flipped(frame.envelope.signature) } };
}

/** Questions of one greedy actor at once. */
const QUESTIONS = 6;

/** With each status asks for all of the history, and says that it lacks everything. */
export function asksForEverything(tools: ByzantineTools): ByzantineActor {
  const questions = (status: Status): readonly ReplicaFrame[] => {
    const { epoch, executed } = status;
    const lacks = Array.from({ length: STATUS_LACKS_MAX }, (_, i) => ({
      seq: sequenceNumber(1 + i),
      prePrepare: true,
      prepares: true,
      commits: true,
    }));
    const zero = sequenceNumber(0);
    const poor: Status = { ...status, executed: zero, stable: zero, lacks, view: viewNumber(0) };
    const fetches = Array.from({ length: QUESTIONS }, (_, i) => {
      const first = sequenceNumber(1 + i);
      const last = sequenceNumber(Math.max(first, Math.min(executed, first + FETCH_COMMITTED_MAX - 1)));
      return signed({ type: "fetch-committed", epoch, first, last }, tools);
    });
    return [signed(poor, tools), ...fetches];
  };
  return {
    ...HONEST,
    toReplica: (_to, frame) => {
      const status = statusIn(frame);
      return status === undefined || tools.prng.chance(0.5) ? [frame] : [frame, ...questions(status)];
    },
  };
}

/** The names of what is wrong with answers to FETCH-COMMITTED. */
export const GARBAGE_ANSWERS = ["of another number", "with too few", "with one doubled", "swapped"] as const;

/** Answers what it is asked for with garbage. */
export function garbageAnswers(tools: ByzantineTools): ByzantineActor {
  const { prng, mark } = tools;
  let other: Extract<ReplicaFrame, { type: "committed" }> | undefined;
  const garble = (frame: ReplicaFrame): readonly ReplicaFrame[] => {
    if (frame.type === "batch-body")
      return [{ ...frame, batch: other?.entry.batch ?? { ...frame.batch, requests: [] } }];
    if (frame.type === "stable-checkpoint" || frame.type === "below-history")
      return [{ type: "below-history", checkpoint: { ...frame.checkpoint, signatures: [] } }, frame];
    if (frame.type !== "committed") return [frame];
    const { entry } = frame;
    const before = other ?? frame;
    other = frame;
    const { signatures } = entry.certificate;
    const wrong: Readonly<Record<(typeof GARBAGE_ANSWERS)[number], typeof entry>> = {
      "of another number": { ...entry, batch: before.entry.batch },
      "with too few": { ...entry, certificate: { ...entry.certificate, signatures: signatures.slice(1) } },
      "with one doubled": { ...entry, certificate: { ...entry.certificate, signatures: doubled(signatures) } },
      swapped: { ...entry, certificate: { ...before.entry.certificate, seq: entry.certificate.seq } },
    };
    const name = prng.pick([...GARBAGE_ANSWERS]);
    mark(`answers ${name}`);
    return [{ type: "committed", entry: wrong[name] }];
  };
  return { ...HONEST, toReplica: (_to, frame) => garble(frame) };
}

function doubled<T>(items: readonly T[]): readonly T[] {
  return items.flatMap((item, i) => (i === 0 ? [item, item] : i === 1 ? [] : [item]));
}

function voteIn(frame: ReplicaFrame): Prepare | Commit | undefined {
  if (frame.type !== "signed") return undefined;
  const { message } = frame.envelope;
  return message.type === "prepare" || message.type === "commit" ? message : undefined;
}

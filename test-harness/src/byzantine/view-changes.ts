import {
  type CheckpointCertificate,
  type JustifiedViewChange,
  type PreparedCertificate,
  type PreparedClaim,
  primaryOf,
  type ReplicaFrame,
  type Status,
  sequenceNumber,
  type ViewChange,
  type ViewNumber,
  viewNumber,
} from "@quorate/protocol";
import {
  type ByzantineActor,
  type ByzantineTools,
  flipped,
  HONEST,
  otherDigest,
  placeOf,
  signed,
  statusIn,
} from "./actor.ts";

/**
 * With each status a VIEW-CHANGE for some view, near or far ahead: valid, for it claims nothing. And a HAND-OVER, to some,
 * of the view that it is in or of one near it, whether it is the primary there or not.
 */
export function viewChangeStorms(tools: ByzantineTools): ByzantineActor {
  const { prng, mark } = tools;
  return {
    ...HONEST,
    toReplica: (_to, frame) => {
      const status = statusIn(frame);
      if (status === undefined) return [frame];
      const [name, view] = prng.pick([
        ["VIEW-CHANGE for the next view", status.target + 1],
        ["VIEW-CHANGE some views ahead", status.target + prng.integer(2, 50)],
        ["VIEW-CHANGE far ahead", 2 ** 40 + prng.integer(0, 1000)],
        ["VIEW-CHANGE for the view it is in", Math.max(1, status.view)],
      ]);
      mark(name);
      const viewChange = fromGenesis(viewNumber(view), status.epoch, tools);
      return [frame, { type: "view-change", viewChange }, falseHandOver(status, tools)];
    },
  };
}

function falseHandOver({ epoch, target }: Status, tools: ByzantineTools): ReplicaFrame {
  const view = viewNumber(target + tools.prng.integer(0, 3));
  const isItsTurn = primaryOf(tools.membership, view) === tools.self;
  tools.mark(`HAND-OVER of ${isItsTurn ? "its own" : "another's"} view`);
  return signed({ type: "hand-over", epoch, view }, tools);
}

/** Sends VIEW-CHANGEs with certificates that prove nothing: its own ones made worse, and some out of the blue. */
export function falseViewChanges(tools: ByzantineTools): ByzantineActor {
  const { prng, mark } = tools;
  let last: JustifiedViewChange | undefined;
  const worsen = (viewChange: JustifiedViewChange): ReplicaFrame => {
    const [name, lie] = prng.pick(LIES);
    mark(`VIEW-CHANGE ${name}`);
    return { type: "view-change", viewChange: lie(viewChange, tools) };
  };
  return {
    ...HONEST,
    toReplica: (_to, frame) => {
      if (frame.type === "view-change" && frame.viewChange.envelope.from === tools.self) {
        last = frame.viewChange;
        return [worsen(last)];
      }
      const status = statusIn(frame);
      if (status === undefined || prng.chance(0.6)) return [frame];
      const view = viewNumber(status.target + 1);
      const base = last === undefined ? fromGenesis(view, status.epoch, tools) : resigned(last, { view }, tools);
      return [frame, worsen(base)];
    },
  };
}

/**
 * Says one thing to some and another to others: all that it promised, or nothing; and both, of its own accord, for the next
 * view, once it has seen a certificate of a checkpoint. Each is proven.
 */
export function twoViewChanges(tools: ByzantineTools): ByzantineActor {
  let checkpoint: CheckpointCertificate | undefined;
  const learn = (frame: ReplicaFrame): void => {
    if (frame.type === "stable-checkpoint" && frame.checkpoint.seq > 0) checkpoint = frame.checkpoint;
  };
  const both = ({ target, epoch }: Status): readonly ReplicaFrame[] => {
    if (checkpoint === undefined || tools.prng.chance(0.8)) return [];
    tools.mark("two VIEW-CHANGEs of its own accord");
    const { seq, stateRoot } = checkpoint;
    const nothing = fromGenesis(viewNumber(target + 1), epoch, tools);
    const something = { ...resigned(nothing, { stable: { seq, stateRoot } }, tools), checkpoint };
    return [something, nothing].map((viewChange) => ({ type: "view-change", viewChange }));
  };
  return {
    ...HONEST,
    fromReplica: learn,
    toReplica: (to, frame) => {
      learn(frame);
      const status = statusIn(frame);
      if (status !== undefined) return [frame, ...both(status)];
      if (frame.type !== "view-change" || frame.viewChange.envelope.from !== tools.self) return [frame];
      const place = placeOf(to, tools) % 3;
      if (place === 0) return [frame];
      tools.mark("two VIEW-CHANGEs");
      const other: ReplicaFrame = { type: "view-change", viewChange: bare(frame.viewChange, tools) };
      return place === 1 ? [other] : [frame, other];
    },
  };
}

/** The same VIEW-CHANGE without what prepared; when nothing did, from genesis. */
export function bare({ envelope, checkpoint }: JustifiedViewChange, tools: ByzantineTools): JustifiedViewChange {
  const { message } = envelope;
  if (message.prepared.length === 0) return fromGenesis(message.view, message.epoch, tools);
  return { envelope: tools.signer.sign({ ...message, prepared: [] }), checkpoint, certificates: [] };
}

/** "Nothing was stable here, and nothing prepared": never wrong by itself. */
function fromGenesis(view: ViewNumber, epoch: ViewChange["epoch"], tools: ByzantineTools): JustifiedViewChange {
  const seq = sequenceNumber(0);
  const stateRoot = tools.cluster as string as CheckpointCertificate["stateRoot"];
  const message: ViewChange = { type: "view-change", epoch, view, stable: { seq, stateRoot }, prepared: [] };
  const checkpoint = { epoch, seq, stateRoot, signatures: [] };
  return { envelope: tools.signer.sign(message), checkpoint, certificates: [] };
}

/** The same certificates under a message that differs in this. */
export function resigned(
  viewChange: JustifiedViewChange,
  change: Partial<ViewChange>,
  { signer }: ByzantineTools,
): JustifiedViewChange {
  return { ...viewChange, envelope: signer.sign({ ...viewChange.envelope.message, ...change }) };
}

type ViewChangeLie = (viewChange: JustifiedViewChange, tools: ByzantineTools) => JustifiedViewChange;

/** What is wrong with a VIEW-CHANGE, by name. */
const LIES: readonly [readonly [string, ViewChangeLie], ...(readonly [string, ViewChangeLie])[]] = [
  ["without certificates", (given, tools) => ({ ...invented(given, tools), certificates: [] })],
  ["with certificates it does not have", (given, tools) => invented(given, tools)],
  [
    "of another batch",
    (given, tools) => claiming(given, (claim) => ({ ...claim, digest: otherDigest(claim.digest) }), tools),
  ],
  [
    "of a wrong view",
    (given, tools) => claiming(given, (claim) => ({ ...claim, view: viewNumber(claim.view + 1) }), tools),
  ],
  [
    "of another number",
    (given, tools) => claiming(given, (claim) => ({ ...claim, seq: sequenceNumber(claim.seq + 1) }), tools),
  ],
  [
    "with too few votes",
    (given, tools) => proving(invented(given, tools), (proof) => ({ ...proof, prepares: proof.prepares.slice(1) })),
  ],
  [
    "with bad votes",
    (given, tools) =>
      proving(invented(given, tools), (proof) => ({
        ...proof,
        prepares: proof.prepares.map((each) => ({ ...each, signature: flipped(each.signature) })),
      })),
  ],
  [
    "with a vote of another view",
    (given, tools) => proving(given, (proof) => ({ ...proof, prepares: withVoteOfAnotherView(proof, tools) })),
  ],
  ["that is huge", huge],
  [
    "with a false checkpoint",
    (given, tools) => {
      const { stable } = given.envelope.message;
      const seq = sequenceNumber(stable.seq + tools.checkpointInterval);
      return { ...resigned(given, { stable: { ...stable, seq } }, tools), checkpoint: { ...given.checkpoint, seq } };
    },
  ],
  [
    "with a bad signature",
    (given) => ({ ...given, envelope: { ...given.envelope, signature: flipped(given.envelope.signature) } }),
  ],
];

/** The names of what is wrong with VIEW-CHANGEs. */
export const VIEW_CHANGE_LIES: readonly string[] = LIES.map(([name]) => name);

/** One of the votes is its own, of the next view: each is signed as it should be, and together they prove nothing. */
function withVoteOfAnotherView(
  { prePrepare, prepares }: PreparedCertificate,
  { signer }: ByzantineTools,
): PreparedCertificate["prepares"] {
  const { epoch, view, seq, digest } = prePrepare.message;
  const { signature } = signer.sign({ type: "prepare", epoch, view: viewNumber(view + 1), seq, digest });
  const own = { from: signer.self, signature };
  const others = prepares.filter(({ from }) => from !== signer.self).slice(0, prepares.length - 1);
  return [...others, own].sort((a, b) => a.from - b.from);
}

/** With one claim more, of a batch that nobody knows, under a certificate of its own making. */
function invented(viewChange: JustifiedViewChange, tools: ByzantineTools): JustifiedViewChange {
  const { hasher, prng, signer, membership } = tools;
  const { epoch, stable, prepared } = viewChange.envelope.message;
  const seq = sequenceNumber((prepared.at(-1)?.seq ?? stable.seq) + 1);
  const view = viewNumber(0);
  const digest = hasher.digest(prng.bytes(8));
  const prePrepare = signer.sign({ type: "pre-prepare", epoch, view, seq, digest });
  const { signature } = signer.sign({ type: "prepare", epoch, view, seq, digest });
  const prepares = membership.members.filter(({ id }) => id !== signer.self).map(({ id }) => ({ from: id, signature }));
  const certificates = [...viewChange.certificates, { prePrepare, prepares }];
  return { ...resigned(viewChange, { prepared: [...prepared, { seq, view, digest }] }, tools), certificates };
}

/** A claim for each number of the window, and beyond. */
function huge(viewChange: JustifiedViewChange, tools: ByzantineTools): JustifiedViewChange {
  let grown = viewChange;
  for (let i = viewChange.certificates.length; i < tools.windowSize + 2; i++) grown = invented(grown, tools);
  return grown;
}

function claiming(
  viewChange: JustifiedViewChange,
  change: (claim: PreparedClaim) => PreparedClaim,
  tools: ByzantineTools,
): JustifiedViewChange {
  const base = viewChange.certificates.length > 0 ? viewChange : invented(viewChange, tools);
  return resigned(base, { prepared: base.envelope.message.prepared.map(change) }, tools);
}

function proving(
  viewChange: JustifiedViewChange,
  change: (proof: PreparedCertificate) => PreparedCertificate,
): JustifiedViewChange {
  return { ...viewChange, certificates: viewChange.certificates.map(change) };
}

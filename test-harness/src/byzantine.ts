import { type ByzantineActor, type ByzantineTools, type CreateActor, HONEST } from "./byzantine/actor.ts";
import { badBatches, emptyBatches, wrongTimes } from "./byzantine/batches.ts";
import { falseMutes } from "./byzantine/false-mutes.ts";
import {
  corruptBodies,
  replays,
  silent,
  silentToOneReplica,
  starvesOneClient,
  wrongReplies,
} from "./byzantine/general.ts";
import { falseNewViews, twoNewViews } from "./byzantine/new-views.ts";
import {
  delaysProposals,
  equivocates,
  keepsOrdering,
  leavesGaps,
  proposesAstray,
  proposesToSome,
} from "./byzantine/proposals.ts";
import { falseViewChanges, twoViewChanges, viewChangeStorms } from "./byzantine/view-changes.ts";
import {
  asksForEverything,
  contradictoryCheckpoints,
  floods,
  garbageAnswers,
  votesAstray,
  wrongCheckpoints,
  wrongVotes,
} from "./byzantine/votes.ts";

export type { ByzantineActor, ByzantineTools } from "./byzantine/actor.ts";

/**
 * The part that a behaviour needs, for the simulation to give it: the first primary, the next one after a view change, or
 * anyone.
 */
export type ByzantineRole = "primary" | "next-primary" | "anyone";

/**
 * What a Byzantine replica does to others; inside it is an ordinary one.
 *
 * Not here, and why: a fetch answered a byte a second, black holes, half frames: the simulator carries whole frames, links
 * are tested against real sockets; a primary that crashes while it sends: a crash comes between two events here, its effect
 * on others is that of `proposes-to-some`; a body withheld for good under a right digest: its frame has no body to leave
 * out, a body that does not match (`bad-batches`, `corrupt-bodies`) counts as none; a replica in two places with one key:
 * what twins say to different replicas is what the equivocating actors say.
 */
export type ByzantineBehaviour = (typeof BYZANTINE_BEHAVIOURS)[number];
export const BYZANTINE_BEHAVIOURS = [
  "silent",
  "silent-to-one-replica",
  "starves-one-client",
  "wrong-replies",
  "wrong-votes",
  "votes-astray",
  "corrupt-bodies",
  "wrong-checkpoints",
  "contradictory-checkpoints",
  "replays",
  "floods",
  "asks-for-everything",
  "garbage-answers",
  "forgets",
  "equivocates",
  "delays-proposals",
  "leaves-gaps",
  "proposes-to-some",
  "proposes-astray",
  "keeps-ordering",
  "bad-batches",
  "wrong-times",
  "empty-batches",
  "false-new-views",
  "two-new-views",
  "view-change-storms",
  "false-view-changes",
  "two-view-changes",
  "false-mutes",
] as const;

interface Behaviour {
  readonly role: ByzantineRole;
  readonly create: CreateActor;
}

const BEHAVIOURS: Readonly<Record<ByzantineBehaviour, Behaviour>> = {
  silent: { role: "anyone", create: silent },
  "silent-to-one-replica": { role: "anyone", create: silentToOneReplica },
  "starves-one-client": { role: "primary", create: starvesOneClient },
  "wrong-replies": { role: "anyone", create: wrongReplies },
  "wrong-votes": { role: "anyone", create: wrongVotes },
  "votes-astray": { role: "anyone", create: votesAstray },
  "corrupt-bodies": { role: "anyone", create: corruptBodies },
  "wrong-checkpoints": { role: "anyone", create: wrongCheckpoints },
  "contradictory-checkpoints": { role: "anyone", create: contradictoryCheckpoints },
  replays: { role: "anyone", create: replays },
  floods: { role: "anyone", create: floods },
  "asks-for-everything": { role: "anyone", create: asksForEverything },
  "garbage-answers": { role: "anyone", create: garbageAnswers },
  /** Comes back from each crash with an empty disk, and votes at once. */
  forgets: { role: "anyone", create: (): ByzantineActor => HONEST },
  equivocates: { role: "primary", create: equivocates },
  "delays-proposals": { role: "primary", create: delaysProposals },
  "leaves-gaps": { role: "primary", create: leavesGaps },
  "proposes-to-some": { role: "primary", create: proposesToSome },
  "proposes-astray": { role: "primary", create: proposesAstray },
  "keeps-ordering": { role: "primary", create: keepsOrdering },
  "bad-batches": { role: "primary", create: badBatches },
  "wrong-times": { role: "primary", create: wrongTimes },
  "empty-batches": { role: "primary", create: emptyBatches },
  "false-new-views": { role: "next-primary", create: falseNewViews },
  "two-new-views": { role: "next-primary", create: twoNewViews },
  "view-change-storms": { role: "anyone", create: viewChangeStorms },
  "false-view-changes": { role: "next-primary", create: falseViewChanges },
  "two-view-changes": { role: "next-primary", create: twoViewChanges },
  "false-mutes": { role: "anyone", create: falseMutes },
};

export function roleOf(behaviour: ByzantineBehaviour): ByzantineRole {
  return BEHAVIOURS[behaviour].role;
}

export function createByzantineActor(behaviour: ByzantineBehaviour, tools: ByzantineTools): ByzantineActor {
  const { create }: Behaviour = BEHAVIOURS[behaviour];
  return create(tools);
}

import { type ByzantineActor, type ByzantineTools, type CreateActor, HONEST } from "./byzantine/actor.ts";
import { diesWhileSending, dripsAnswers } from "./byzantine/answers.ts";
import { badBatches, emptyBatches, wrongTimes } from "./byzantine/batches.ts";
import { colludes, hidesDecisions } from "./byzantine/collusion.ts";
import { falseMutes } from "./byzantine/false-mutes.ts";
import {
  corruptBodies,
  delaysOneClient,
  replays,
  silent,
  silentToOneReplica,
  starvesOneClient,
  wrongReplies,
} from "./byzantine/general.ts";
import { hidesCertificates } from "./byzantine/hidden-certificates.ts";
import { mutates } from "./byzantine/mutations.ts";
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
  withholdsCheckpoints,
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
 * What a Byzantine replica does to others; inside it is an ordinary one. The README of this package says which of them
 * stands for which fault, and which faults are tested elsewhere.
 */
export type ByzantineBehaviour = (typeof BYZANTINE_BEHAVIOURS)[number];
export const BYZANTINE_BEHAVIOURS = [
  "silent",
  "silent-to-one-replica",
  "starves-one-client",
  "delays-one-client",
  "wrong-replies",
  "wrong-votes",
  "votes-astray",
  "corrupt-bodies",
  "wrong-checkpoints",
  "contradictory-checkpoints",
  "withholds-checkpoints",
  "replays",
  "mutates",
  "mutates-as-primary",
  "floods",
  "asks-for-everything",
  "garbage-answers",
  "forgets",
  "rolls-back",
  "twins",
  "twins-with-an-old-disk",
  "equivocates",
  "colludes",
  "hides-decisions",
  "hides-certificates",
  "dies-while-sending",
  "drips-answers",
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
  "delays-one-client": { role: "primary", create: delaysOneClient },
  "wrong-replies": { role: "anyone", create: wrongReplies },
  "wrong-votes": { role: "anyone", create: wrongVotes },
  "votes-astray": { role: "anyone", create: votesAstray },
  "corrupt-bodies": { role: "anyone", create: corruptBodies },
  "wrong-checkpoints": { role: "anyone", create: wrongCheckpoints },
  "contradictory-checkpoints": { role: "anyone", create: contradictoryCheckpoints },
  "withholds-checkpoints": { role: "anyone", create: withholdsCheckpoints },
  mutates: { role: "anyone", create: mutates },
  "mutates-as-primary": { role: "next-primary", create: mutates },
  replays: { role: "anyone", create: replays },
  floods: { role: "anyone", create: floods },
  "asks-for-everything": { role: "anyone", create: asksForEverything },
  "garbage-answers": { role: "anyone", create: garbageAnswers },
  /** Comes back from each crash with an empty disk, and votes at once. */
  forgets: { role: "anyone", create: (): ByzantineActor => HONEST },
  /** Comes back from each crash with its disk as it was at the first one. */
  "rolls-back": { role: "anyone", create: (): ByzantineActor => HONEST },
  /** Exists twice, see `Twins`: two ordinary replicas with one key. */
  twins: { role: "anyone", create: (): ByzantineActor => HONEST },
  "twins-with-an-old-disk": { role: "anyone", create: (): ByzantineActor => HONEST },
  equivocates: { role: "primary", create: equivocates },
  colludes: { role: "primary", create: colludes },
  "hides-decisions": { role: "primary", create: hidesDecisions },
  /** Best as neither of the first two primaries: the view in between is to begin without what it hides, and to fail. */
  "hides-certificates": { role: "anyone", create: hidesCertificates },
  "dies-while-sending": { role: "primary", create: diesWhileSending },
  "drips-answers": { role: "anyone", create: dripsAnswers },
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

import type { ReconfigurationChange } from "@quorate/protocol";
import { BYZANTINE_BEHAVIOURS, type ByzantineBehaviour } from "./byzantine.ts";
import { ORDERED_CHECKPOINT_STABLE } from "./checkers/checkpoints.ts";
import { markOfChange } from "./checkers/reconfiguration.ts";
import { DISK_DAMAGES } from "./disk/disk-damage.ts";
import { Marks } from "./marks.ts";
import type { SeedResult } from "./seed-run.ts";

/**
 * Two ordinary replicas with one key contradict each other in half of their seeds, with an old disk in a quarter of them: it
 * is demanded of more seeds only.
 */
const SELDOM_CONTRADICT_THEMSELVES: readonly ByzantineBehaviour[] = ["twins", "twins-with-an-old-disk"];

/** What is counted when a member with this behaviour does what a correct one does not. */
export function markOfBehaviour(behaviour: ByzantineBehaviour): string {
  return `byzantine: ${behaviour}`;
}

/**
 * What must have happened at least once in a campaign of `MARKS_AFTER_SEEDS` seeds: a kind of event that never happens
 * is not tested, whatever the number of seeds.
 */
export const EXPECTED_MARKS: readonly string[] = [
  // Faults.
  "network: frame lost",
  "network: frame duplicated",
  "network: frame overtaken",
  "network: frame cut off",
  "network: frame lost in a crash",
  "cut: in",
  "cut: out",
  "cut: both",
  "cut: one edge",
  "partition: into 2",
  "partition: into 3",
  "partition: 1/1/1/1",
  "links: ring",
  "links: bridge",
  "links: one-way",
  "session: evicted",
  "client cut: in",
  "client cut: out",
  "client cut: both",
  "client cut: off f",
  "client cut: off f+1",
  "client cut: off 2f",
  "client cut: off all",
  "client cut: in a half of a partition",
  "partition: several checkpoints behind when it heals",
  "isolated: primary",
  "pause: primary",
  "pause: backup",
  "crash: backup",
  "crash: primary",
  "crash: all at once",
  "restart: backup",
  "restart: primary",
  "disk: unflushed log records lost",
  "disk: unflushed log records kept",
  "disk: unflushed state lost",
  "disk: unflushed state kept",
  "disk: slow flush",
  "rejected: gate.full",
  "disk: flush failed",
  "disk: lost",
  "disk: flush of 0.3 s",
  "disk: flush of 2 s",
  "disk: flush of 30 s",
  "disk: full",
  "disk: segment begun",
  "disk: segment deleted",
  "disk: deleted segment came back",
  "disk: write lost",
  "disk: write cut short",
  "disk: write torn by sectors",
  "disk: write kept before it was confirmed",
  "disk: kill",
  "disk: group of a killed process taken over",
  "disk: power-cut",
  ...DISK_DAMAGES.map((damage) => `disk: ${damage}`),
  "disk: damage found, mute",
  "disk: damage found, storage.damaged",
  "disk: damage found, storage.foreign",
  "disk: damage found, storage.not-initialized",
  "disk: damage behind the mark, taken for a torn write",
  "state: damaged",
  "state transfer: begun",
  "state transfer: done",
  "state transfer: only what differs",
  "state transfer: deflated",
  "state transfer: damage found",
  "state transfer: repaired",
  "scrub: round",
  "audit: diverging",
  "audit: quarantined by members",
  "audit: another found to be wrong",
  "audit: repaired",
  "clock: an hour ahead",
  "clock: an hour behind",
  "clock: a second ahead",
  "clock: a second behind",
  "clock: strobes",
  "clock: set back",
  "clock: in 1970",
  "clock: in 2106",
  ...BYZANTINE_BEHAVIOURS.filter((behaviour) => !SELDOM_CONTRADICT_THEMSELVES.includes(behaviour)).map(markOfBehaviour),
  "byzantine: frame that does not decode",
  "byzantine: frame to a client that does not decode",
  "byzantine: mutated a batch-body",
  "byzantine: mutated a committed",
  "byzantine: mutated a new-view",
  "byzantine: mutated a pre-prepare",
  "byzantine: mutated a reply",
  "byzantine: mutated a request",
  "byzantine: mutated a signed",
  "byzantine: mutated a stable-checkpoint",
  "byzantine: mutated a view-change",
  "byzantine: HAND-OVER of another's view",
  "byzantine: HAND-OVER of its own view",
  "byzantine: NEW-VIEW badly signed",
  "byzantine: NEW-VIEW stale",
  "byzantine: VIEW-CHANGE far ahead",
  "byzantine: VIEW-CHANGE for the next view",
  "byzantine: VIEW-CHANGE of a wrong view",
  "byzantine: VIEW-CHANGE of another batch",
  "byzantine: VIEW-CHANGE that is huge",
  "byzantine: VIEW-CHANGE with a false checkpoint",
  "byzantine: VIEW-CHANGE with bad votes",
  "byzantine: VIEW-CHANGE with certificates it does not have",
  "byzantine: VIEW-CHANGE with too few votes",
  "byzantine: VIEW-CHANGE without certificates",
  "byzantine: answers of another number",
  "byzantine: answers with one doubled",
  "byzantine: answers with too few",
  "byzantine: batch duplicate",
  "byzantine: batch executed",
  "byzantine: batch forged",
  "byzantine: batch out-of-order",
  "byzantine: batch wrong-digest",
  "byzantine: empty batches",
  "byzantine: null batches",
  "byzantine: equivocates in halves",
  "byzantine: equivocates to one",
  "byzantine: flood with bad signatures",
  "byzantine: orders in a view that was left",
  "byzantine: proposes above the window",
  "byzantine: proposes far ahead",
  "byzantine: proposes in another's view",
  "byzantine: proposes in an own later view",
  "byzantine: proposes to a quorum only",
  "byzantine: proposes to k of n-1",
  "byzantine: request dropped",
  "byzantine: request kept back",
  "byzantine: time an hour ago",
  "byzantine: time an hour ahead",
  "byzantine: colludes with another",
  "byzantine: hides a decision",
  "byzantine: claims a hidden certificate",
  "byzantine: dies after some of n-1",
  "byzantine: answers without end",
  "twins: one from an old disk",
  "twins equivocated",
  "twins equivocated in pre-prepare",
  "evidence names a twin",
  "byzantine: two VIEW-CHANGEs",
  "byzantine: two justified NEW-VIEWs",
  "byzantine: says it is mute",
  "byzantine: votes before it may",
  "byzantine: votes for another cluster",
  "byzantine: votes for another epoch",
  "byzantine: votes for what was never proposed",
  "byzantine: votes in another's name",
  "byzantine: votes with the signature of another type",
  "faulty client: request",
  // What the cluster did about them.
  "replica: recovered with state",
  "checkpoint: stable",
  ORDERED_CHECKPOINT_STABLE,
  "ordered checkpoint: ok",
  "ordered checkpoint: checkpoint-superseded",
  "ordered checkpoint: checkpoint-too-soon",
  "backlog: message above the window",
  "batch body arrived",
  "evidence",
  "evidence: equivocation of pre-prepare",
  "evidence: equivocation of prepare",
  "evidence: equivocation of commit",
  "evidence: equivocation of checkpoint",
  "evidence: equivocation of view-change",
  "evidence: equivocation of new-view",
  "evidence: unjustified-new-view",
  "view: new one entered",
  "view: left after timer progress",
  "view: left after timer view-change",
  "view: joined by f+1",
  "view: slow primary replaced",
  "view: unfair primary replaced",
  "view: several in a row failed",
  "view: handed-over",
  "view: handed over for one that had left it alone",
  "view: rotated",
  "view: null batch executed",
  "view: body fetched in a new view",
  "view: NEW-VIEW waited for h",
  "view: recovered between two views",
  "view: recovered in a later view",
  "hand-over: asked",
  "hand-over: asked of a backup",
  "mute: voted again",
  "sent to all: fetch-batch",
  "sent to all: hand-over",
  "sent to all: query-stable",
  "sent to one: hand-over",
  "sent to one: batch-body",
  "sent to one: checkpoint",
  "sent to one: commit",
  "sent to one: committed",
  "sent to one: fetch-committed",
  "sent to one: pre-prepare",
  "sent to one: prepare",
  "sent to one: reply-stable",
  "sent to one: request",
  "sent to one: stable-checkpoint",
  "timer: clock-wait",
  "timer: fetch",
  "timer: status",
  // What it refused.
  "refused: overloaded",
  "rejected: ingress.bad-batch",
  "rejected: ingress.bad-certificate",
  "rejected: ingress.bad-signature",
  "rejected: ingress.foreign-vote",
  "rejected: ingress.redundant",
  "rejected: request.queue-full",
  "rejected: vote.conflicting",
  "rejected: window.below",
  "faulty client: refused",
  "faulty client: frame that does not decode",
  "faulty client: number-reused",
  "faulty client: too-old",
  "faulty client: session-unknown",
  "faulty client: registration-expired",
  "faulty client: registration-too-far",
  "faulty client: registration-quota",
  "faulty client: checkpoint-not-permitted",
  // What clients saw.
  "client: request sent again",
  "client: result of a retry",
  "client: request sent to another",
  "client: reply not needed",
  "reply: made again",
  "operation: threw",
  "settled: ok",
  "settled: failed",
  "settled: client.cancelled none",
  "settled: client.cancelled unknown",
  "settled: client.no-quorum none",
  "settled: client.no-quorum unknown",
];

/** The smallest campaign of which all expected marks may be demanded. */
export const MARKS_AFTER_SEEDS = 200;

/** A seed that failed. */
export type FailedSeed = Extract<SeedResult, { hasPassed: false }>;

/** What a campaign has seen so far. */
export interface CampaignTally {
  readonly seeds: number;
  readonly failures: readonly FailedSeed[];
  readonly marks: Marks;
  readonly steps: number;
  readonly operations: number;
  /** Seeds that draw reconfigurations. */
  readonly changing: number;
}

/** Adds up what happened in seed after seed. */
export class Campaign {
  readonly #marks = new Marks();
  readonly #failures: FailedSeed[] = [];
  #seeds = 0;
  #steps = 0;
  #operations = 0;
  #changing = 0;

  get tally(): CampaignTally {
    return {
      seeds: this.#seeds,
      failures: this.#failures,
      marks: this.#marks,
      steps: this.#steps,
      operations: this.#operations,
      changing: this.#changing,
    };
  }

  add(result: SeedResult): void {
    this.#seeds += 1;
    if (result.changes > 0) this.#changing += 1;
    if (!result.hasPassed) {
      this.#failures.push(result);
      return;
    }
    for (const [mark, count] of result.marks) this.#marks.add(mark, count);
    this.#steps += result.steps;
    this.#operations += result.operations;
  }
}

const CHANGES_IN_FORCE = [
  ["join", "joins"],
  ["leave", "leaves"],
  ["rotate-key", "rotations"],
  ["rejoin", "rejoins"],
  ["parameters", "of parameters"],
  ["admins", "of admins"],
] as const satisfies readonly (readonly [type: ReconfigurationChange["type"], plural: string])[];

/** How many seeds drew reconfigurations, and what came of them: `200 seeds, 83 with changes; in force: joins 31, …`. */
export function changesOf({ seeds, changing, marks }: CampaignTally): string {
  const inForce = CHANGES_IN_FORCE.map(([type, plural]) => `${plural} ${marks.count(markOfChange(type))}`);
  return `${seeds} seeds, ${changing} with changes; in force: ${inForce.join(", ")}`;
}

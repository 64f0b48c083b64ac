import type { ReconfigurationRefusal } from "@quorate/protocol";
import { type IngressRejection, REJECTION_CODES } from "@quorate/server/host";
import { NEW_VIEW_LIES } from "./byzantine/new-views.ts";
import { OBSERVER_LIES } from "./byzantine/observers.ts";
import { SPLITS } from "./byzantine/proposals.ts";
import { VIEW_CHANGE_LIES } from "./byzantine/view-changes.ts";
import { ASTRAY_VOTES, GARBAGE_ANSWERS } from "./byzantine/votes.ts";
import { BYZANTINE_BEHAVIOURS } from "./byzantine.ts";
import { EXPECTED_MARKS, markOfBehaviour } from "./campaign.ts";
import { EPOCH_MARKS } from "./epoch-marks.ts";
import type { Marks } from "./marks.ts";

type RejectionCode = IngressRejection["code"];

/** The smallest campaign of which the rare marks may be demanded, too. */
export const RARE_MARKS_AFTER_SEEDS = 2_000;

/** Why no replica behind its ingress can have this reason to drop something: the same question was asked before. */
const ASKED_BEFORE = "the ingress asks the same before it verifies, and counts it as ingress.redundant";

/** Reasons to drop an input that no campaign can reach, and why. Unit tests hand these inputs to the cores themselves. */
export const UNREACHABLE_REJECTIONS: Readonly<Partial<Record<RejectionCode, string>>> = {
  "membership.stranger": ASKED_BEFORE,
  "epoch.over": ASKED_BEFORE,
  "window.above": ASKED_BEFORE,
  "pre-prepare.not-from-primary": ASKED_BEFORE,
  "pre-prepare.digest-mismatch":
    "the ingress drops a body of another digest, as ingress.bad-batch, and keeps the proposal",
  "prepare.from-primary": ASKED_BEFORE,
  "body.not-asked-for": ASKED_BEFORE,
  "committed.not-asked-for": ASKED_BEFORE,
  "view-change.past": ASKED_BEFORE,
  "new-view.past": ASKED_BEFORE,
  "hand-over.not-from-primary": ASKED_BEFORE,
  "hand-over.other-view": ASKED_BEFORE,
  "query-stable.not-for-this-one": ASKED_BEFORE,
  "reply-stable.not-asked-for": ASKED_BEFORE,
};

/** Why a reason that has to do with fetched state is not demanded. */
const FEW_FETCH = "a replica must fetch the state, of a liar or of one that is late: few seeds have both";

/** Reasons that a campaign may reach and need not, and why. */
export const UNDEMANDED_REJECTIONS: Readonly<Partial<Record<RejectionCode, string>>> = {
  "view-change.malformed":
    "its claims must have certificates that hold, and yet not fit its checkpoint or its view: no actor makes such a one",
  "history.damaged":
    "a laggard must ask for the very entry that was damaged, of that donor: the disk itself is asked in each run instead",
  "ingress.bad-reply-stable":
    "a replica whose disk was lost must ask one that mutates its answer: few seeds have a liar beside a lost disk",
  "observer.not-for-this-one": ASKED_BEFORE,
  "state-transfer.unexpected": FEW_FETCH,
  "state-chunk.not-asked-for": FEW_FETCH,
  "state-chunk.other-than-asked": FEW_FETCH,
  "state-chunk.oversized": FEW_FETCH,
  "state-chunk.bad-deflate": FEW_FETCH,
  "state-chunk.incomplete": FEW_FETCH,
  "state-chunk.false-size": FEW_FETCH,
  "state-chunk.wrong-page": FEW_FETCH,
  "state-chunk.wrong-value": FEW_FETCH,
};

/** Why changes are refused that the admin of a run orders. */
const REFUSALS = [
  "epoch-other",
  "nonce-used",
  "approval-foreign",
  "approvals-too-few",
  "in-flight",
  "id-used",
  "key-used",
  "address-used",
  "joiner-behind",
  "admins-invalid",
  "parameters-invalid",
  "changes-nothing",
  "clients-open",
  "member-unknown",
  "members-too-few",
  "fault-threshold-lowered",
] as const satisfies readonly ReconfigurationRefusal[];

const CODES = Object.keys(REJECTION_CODES) as readonly RejectionCode[];

/**
 * What must have happened in a campaign of `RARE_MARKS_AFTER_SEEDS` seeds, beside the `EXPECTED_MARKS`: every lie and split
 * that is drawn from a table, and every reason to drop an input that can be reached.
 */
export const RARE_MARKS: readonly string[] = [
  ...BYZANTINE_BEHAVIOURS.map(markOfBehaviour),
  ...NEW_VIEW_LIES.map((name) => `byzantine: NEW-VIEW ${name}`),
  ...VIEW_CHANGE_LIES.map((name) => `byzantine: VIEW-CHANGE ${name}`),
  ...SPLITS.map((name) => `byzantine: equivocates ${name}`),
  ...ASTRAY_VOTES.map((name) => `byzantine: votes ${name}`),
  ...Object.values(OBSERVER_LIES).map((name) => `byzantine: ${name}`),
  ...GARBAGE_ANSWERS.map((name) => `byzantine: answers ${name}`),
  ...CODES.filter((code) => !(code in UNREACHABLE_REJECTIONS || code in UNDEMANDED_REJECTIONS)).map(markOf),
  // A repair that waits when its epoch ends is as rare as a quarantine then, and does the same.
  ...Object.values(EPOCH_MARKS).filter((mark) => mark !== EPOCH_MARKS.repair),
  ...REFUSALS.map((refusal) => `reconfiguration: ${refusal}`),
  // Few seeds damage a disk, and of a disk little is history alone; a test of its own damages just that.
  "disk: damage found, in the history only",
  // A state that is wrong is mostly contradicted by f+1 before there is a certificate.
  "audit: quarantined by certificate",
].filter((mark) => !EXPECTED_MARKS.includes(mark));

/** What must have happened at least once in a campaign of so many seeds; of fewer than `MARKS_AFTER_SEEDS` it may be missing. */
export function expectedMarks(seeds: number): readonly string[] {
  return seeds < RARE_MARKS_AFTER_SEEDS ? EXPECTED_MARKS : [...EXPECTED_MARKS, ...RARE_MARKS];
}

/** Rejections that are said to be out of reach and happened all the same: what is said of them is wrong by now. */
export function reachedAllTheSame(marks: Marks): readonly string[] {
  return Object.entries(UNREACHABLE_REJECTIONS)
    .filter(([code]) => marks.count(markOf(code)) > 0)
    .map(([code, why]) => `${markOf(code)}, though ${why}`);
}

function markOf(code: string): string {
  return `rejected: ${code}`;
}

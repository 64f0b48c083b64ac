import type { Mutant } from "./mutant.ts";

const NEW_VIEW = "packages/protocol/src/new-view.ts";
const VIEW_CHANGING = "packages/view-change/src/view-changing.ts";
const VIEW_CHANGE_SET = "packages/view-change/src/view-change-set.ts";
const FOLLOWING = "packages/view-change/test/following.test.ts";
const LEAVING = "packages/view-change/test/leaving.test.ts";
const ENTERING = "packages/view-change/test/new-view.test.ts";
const TIME_OUT = "packages/view-change/src/time-out.ts";

/** View changes and their time-outs (protocol rule 7). */
export const VIEW_MUTANTS: readonly Mutant[] = [
  {
    name: "lower-view-claim-wins",
    rule: "7.2",
    bug: "of two claims for a number the one of the lower view is chosen",
    file: NEW_VIEW,
    edits: [
      {
        find: "claim.view > (highest.get(claim.seq)?.view ?? -1)",
        replace: "claim.view < (highest.get(claim.seq)?.view ?? Number.POSITIVE_INFINITY)",
      },
    ],
    caughtBy: ["packages/protocol/test/new-view.test.ts"],
  },
  {
    name: "new-view-not-recomputed",
    rule: "7.2",
    bug: "backups take the word of the new primary for what follows from the VIEW-CHANGEs",
    file: NEW_VIEW,
    edits: [
      {
        find: '(isConclusionOf(envelope.message, viewChanges, nullDigest) ? undefined : "unjustified")',
        replace: "undefined",
      },
    ],
    caughtBy: ["packages/protocol/test/new-view.test.ts"],
  },
  {
    name: "gaps-left-out",
    rule: "7.2",
    bug: "a NEW-VIEW proposes nothing in the gaps, so what lies above one is never executed",
    file: NEW_VIEW,
    edits: [
      {
        find: "chosen.push(highest.get(seq));",
        replace: "if (highest.has(seq)) chosen.push(highest.get(seq));",
      },
    ],
    caughtBy: ["packages/protocol/test/new-view.test.ts"],
  },
  {
    name: "new-view-starts-at-the-lowest-checkpoint",
    rule: "7.2",
    bug: "the lowest of the claimed checkpoints is the start",
    file: NEW_VIEW,
    edits: [{ find: "stable.seq > highest.seq) highest", replace: "stable.seq < highest.seq) highest" }],
    caughtBy: ["packages/protocol/test/new-view.test.ts"],
  },
  {
    name: "choice-without-certificate",
    rule: "7.2",
    bug: "the chosen claims of a NEW-VIEW need no certificates",
    file: NEW_VIEW,
    edits: [
      { find: 'return isProven ? undefined : "unproven-choice";', replace: "return isProven ? undefined : undefined;" },
    ],
    caughtBy: ["packages/protocol/test/new-view.test.ts"],
  },
  {
    name: "new-view-of-anybody",
    rule: "7.2",
    bug: "a NEW-VIEW of another than the primary of its view is entered",
    file: NEW_VIEW,
    edits: [{ find: 'return "not-from-primary";', replace: "void from;" }],
    caughtBy: ["packages/protocol/test/new-view.test.ts"],
  },
  {
    name: "new-view-by-less-than-a-quorum",
    rule: "7.2",
    bug: "the new primary speaks with one VIEW-CHANGE too few",
    file: VIEW_CHANGING,
    edits: [
      {
        find: "if (held.length < quorum) return undefined;",
        replace: "if (held.length < quorum - 1) return undefined;",
      },
    ],
    caughtBy: [ENTERING, FOLLOWING],
  },
  {
    name: "joins-at-f",
    rule: "7.3",
    bug: "f others, who may all be liars, make a replica leave its view",
    file: VIEW_CHANGE_SET,
    edits: [{ find: "beyond.length < weakQuorumSize", replace: "beyond.length < -1 + weakQuorumSize" }],
    caughtBy: [LEAVING],
  },
  {
    name: "joins-the-highest-view",
    rule: "7.3",
    bug: "with f+1 VIEW-CHANGEs it moves to the highest of their views, which a liar chose",
    file: VIEW_CHANGE_SET,
    edits: [{ find: "viewNumber(Math.min(...beyond))", replace: "viewNumber(Math.max(...beyond))" }],
    caughtBy: [LEAVING],
  },
  {
    name: "clock-of-the-new-view-starts-at-once",
    rule: "7.3",
    bug: "the time-out of the new view runs before a quorum moves to it",
    file: VIEW_CHANGING,
    edits: [
      {
        find: "this.#viewChanges.countAtOrBeyond(this.#target) >= quorum",
        replace: "this.#viewChanges.countAtOrBeyond(this.#target) >= 1",
      },
    ],
    caughtBy: [LEAVING],
  },
  {
    name: "view-entered-backwards",
    rule: "7.2",
    bug: "a NEW-VIEW below a view that was left by a VIEW-CHANGE is entered",
    file: VIEW_CHANGING,
    edits: [
      {
        find: "if (message.view <= this.#view || message.view < this.#target) {",
        replace: "if (message.view <= this.#view) {",
      },
    ],
    caughtBy: [ENTERING, FOLLOWING],
  },
  {
    name: "new-view-above-h-entered-at-once",
    rule: "7.2",
    bug: "a view is entered before the state at its start is here",
    file: VIEW_CHANGING,
    edits: [
      { find: "if (message.start > this.#stable) {", replace: "if (message.start > this.#stable + 1_000_000) {" },
    ],
    caughtBy: [ENTERING],
  },
  {
    name: "view-change-said-before-written",
    rule: "7.1",
    bug: "a VIEW-CHANGE leaves before it is in the log",
    file: VIEW_CHANGING,
    edits: [
      {
        find: 'out.push({ type: "persist", record: { type: "view-change", at: promises.stable.seq, viewChange } });\n    out.push({ type: "broadcast", frame: { type: "view-change", viewChange } });',
        replace:
          'out.push({ type: "broadcast", frame: { type: "view-change", viewChange } });\n    out.push({ type: "persist", record: { type: "view-change", at: promises.stable.seq, viewChange } });',
      },
    ],
    caughtBy: [LEAVING],
  },
  {
    name: "new-view-not-written",
    rule: "8.1",
    bug: "the view that was entered is not in the log: after a restart the replica is in an earlier one",
    file: VIEW_CHANGING,
    edits: [
      { find: 'out.push({ type: "persist", record: { type: "new-view", at: this.#stable, newView } });', replace: "" },
    ],
    caughtBy: [ENTERING, "packages/replica/test/view-crash.test.ts"],
  },
  {
    name: "time-outs-never-grow",
    rule: "7.3",
    bug: "each view has the same time, however slow the network is",
    file: TIME_OUT,
    edits: [{ find: "this.#doublings += 1", replace: "this.#doublings += 0" }],
    caughtBy: ["packages/view-change/test/time-out.test.ts"],
  },
  {
    name: "time-outs-never-shrink",
    rule: "7.3",
    bug: "what failures have doubled stays, and the next failure is noticed late",
    file: TIME_OUT,
    edits: [
      {
        find: "waitedMs <= this.currentMs / 2) this.#doublings -= 1",
        replace: "waitedMs <= this.currentMs / 2) return",
      },
    ],
    caughtBy: ["packages/view-change/test/time-out.test.ts"],
  },
  {
    name: "time-outs-without-a-cap",
    rule: "7.3",
    bug: "failures double the time-out for ever",
    file: TIME_OUT,
    edits: [
      { find: "this.currentMs < this.#options.viewChangeMaxMs;", replace: "true;" },
      {
        find: "Math.min(viewChangeMs * 2 ** this.#doublings, viewChangeMaxMs)",
        replace: "viewChangeMs * 2 ** this.#doublings",
      },
      {
        find: "const { viewChangeMs, viewChangeMaxMs } = this.#options;\n    return",
        replace: "const { viewChangeMs } = this.#options;\n    return",
      },
    ],
    caughtBy: ["packages/view-change/test/time-out.test.ts"],
  },
  {
    name: "resent-view-change-is-evidence",
    rule: "13.2",
    bug: "a VIEW-CHANGE that says the same again accuses its sender",
    file: NEW_VIEW,
    edits: [
      {
        find: "export function isSameViewChange(a: ViewChange, b: ViewChange): boolean {\n  return (",
        replace: "export function isSameViewChange(a: ViewChange, b: ViewChange): boolean {\n  return a === b && (",
      },
    ],
    caughtBy: [FOLLOWING, LEAVING, "packages/protocol/test/new-view.test.ts"],
  },
  {
    name: "conviction-of-one-kind-silences-the-other",
    rule: "13.2",
    bug: "who contradicted itself in VIEW-CHANGEs for a view is not heard as its primary",
    file: "packages/view-change/src/convictions.ts",
    edits: [
      {
        find: "this.#views[message.type].get(from) === message.view",
        replace: "Object.values(this.#views).some((views) => views.get(from) === message.view)",
      },
    ],
    caughtBy: [ENTERING],
  },
];

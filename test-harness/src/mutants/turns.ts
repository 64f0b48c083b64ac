import type { Mutant } from "./mutant.ts";

const ORDERING = "packages/pbft-core/src/ordering.ts";
const REQUEST_QUEUE = "packages/pbft-core/src/request-queue.ts";
const VIEW_CHANGING = "packages/view-change/src/view-changing.ts";
const VIEW_CHANGE_SET = "packages/view-change/src/view-change-set.ts";
const HAND_OVER = "packages/view-change/test/hand-over.test.ts";
const JUDGE = "packages/view-change/test/primary-judge.test.ts";
const LONE_LEAVERS = "packages/replica/src/lone-leavers.ts";
const LEFT_BY_FEW = "packages/view-change/test/left-by-few.test.ts";
const LEAVERS = "packages/replica/test/lone-leavers.test.ts";
const VIEWS = "packages/pbft-core/test/views.test.ts";
const LEADERSHIP = "packages/replica/test/leadership.test.ts";

/** Who is primary for how long, and which waits it is held to (protocol rules 7.3, 7.4 and 7.6). */
export const TURN_MUTANTS: readonly Mutant[] = [
  {
    name: "anyone-hands-the-view-over",
    rule: "7.6",
    bug: "a HAND-OVER of a backup is followed: one liar takes any primary its place",
    file: VIEW_CHANGING,
    edits: [
      {
        find: "if (from !== primaryOf(this.#membership, view)) {",
        replace: "if (from === this.#options.composer.self) {",
      },
    ],
    caughtBy: [HAND_OVER],
  },
  {
    name: "hand-over-counts-as-a-failure",
    rule: "7.6",
    bug: "a primary that asks to be relieved doubles the time-out of the next one",
    file: VIEW_CHANGING,
    edits: [{ find: "this.#relieved = view;", replace: "this.#relieved = view;\n      this.#countFailure();" }],
    caughtBy: [HAND_OVER, LEADERSHIP],
  },
  {
    name: "turn-counts-from-the-start-of-the-new-view",
    rule: "7.6",
    bug: "what a NEW-VIEW proposes again counts for the turn of the new primary",
    file: ORDERING,
    edits: [{ find: "this.#view.enter(view, taken);", replace: "this.#view.enter(view, start);" }],
    // The cluster of the other tests would change its views for ever.
    caughtBy: [VIEWS],
  },
  {
    name: "proposes-after-its-turn",
    rule: "7.6",
    bug: "a primary goes on proposing above the last number of its view, where nobody takes it",
    file: "packages/pbft-core/src/proposer.ts",
    edits: [{ find: "Math.min(this.#window.high, last)", replace: "this.#window.high" }],
    caughtBy: [VIEWS],
  },
  {
    name: "turn-forgotten-with-a-restart",
    rule: "7.6",
    bug: "a view that was entered before a restart does not end any more",
    file: ORDERING,
    edits: [{ find: "this.#view.beganAt(taken);", replace: "" }],
    caughtBy: [LEADERSHIP],
  },
  {
    name: "judged-in-the-grace-period",
    rule: "7.4",
    bug: "a new primary is judged by what its predecessor, and the view change, left behind",
    file: "packages/view-change/src/primary-judge.ts",
    edits: [{ find: "this.#judgesFromMs = atMs + this.#options.viewChangeMs;", replace: "this.#judgesFromMs = 0;" }],
    caughtBy: [JUDGE],
  },
  {
    name: "one-liar-raises-what-is-tolerated",
    rule: "7.4",
    bug: "each faulty primary that is left makes all that follow it tolerated for twice as long",
    file: "packages/view-change/src/tolerated-wait.ts",
    edits: [{ find: "if (this.#left.size < this.#weakQuorum) return;", replace: "if (this.#weakQuorum < 1) return;" }],
    caughtBy: [JUDGE],
  },
  {
    name: "ordered-without-effect-again-and-again",
    rule: "3.3",
    bug: "a request whose number is ahead of its session is ordered for ever (seed 4722)",
    file: REQUEST_QUEUE,
    edits: [
      {
        find: "pending.isAlone = false;\n    this.#clocks.end(pending);",
        replace: "this.#setTurn(pending, atMs);",
      },
    ],
    caughtBy: ["packages/pbft-core/test/request-queue.test.ts"],
  },
  {
    name: "once-refusable-never-watched",
    rule: "7.4",
    bug: "a request that came before its session was known here never gets a clock (seed 1789)",
    file: REQUEST_QUEUE,
    edits: [
      {
        find: "if (!pending.isClockable) this.#admit(pending, standing, atMs);\n    else if",
        replace: "if (!pending.isClockable && atMs < 0) this.#admit(pending, standing, atMs);\n    else if",
      },
    ],
    caughtBy: ["packages/pbft-core/test/clocks.test.ts"],
  },
  {
    name: "who-has-gone-beyond-does-not-count",
    rule: "7.3",
    bug: "the clock of a view waits for VIEW-CHANGEs of members that are beyond it already (seed 1194)",
    file: VIEW_CHANGE_SET,
    edits: [
      {
        find: "if (viewOf(held) >= view) count += 1;",
        replace: "if (viewOf(held) === view) count += 1;",
      },
    ],
    caughtBy: ["packages/view-change/test/leaving.test.ts"],
  },
  {
    name: "lone-leaver-never-brought-back",
    rule: "7.5",
    bug: "a primary takes no notice of one that left its view, who stays out of an idle cluster for ever (seed 3)",
    file: LONE_LEAVERS,
    edits: [{ find: "this.#away = view === this.#view ?", replace: "this.#away = view === undefined ?" }],
    caughtBy: [LEAVERS],
  },
  {
    name: "patient-with-liars-no-longer-each-time",
    rule: "7.5",
    bug: "one liar that says again and again that it has left ends a view of each correct primary after a time-out",
    file: LONE_LEAVERS,
    edits: [{ find: "Math.min(2 * this.#patience, PATIENCE_MAX)", replace: "1" }],
    caughtBy: [LEAVERS],
  },
  {
    name: "patience-comes-back-at-once",
    rule: "7.5",
    bug: "a primary forgets, as soon as nobody is away, that it has handed over for one that was",
    file: LONE_LEAVERS,
    edits: [{ find: "this.#calm >= needed - ROUNDING", replace: "needed > ROUNDING" }],
    caughtBy: [LEAVERS],
  },
  {
    name: "a-liars-reign-buys-patience-back",
    rule: "7.5",
    bug: "a liar for which primaries handed over until it was one has them hand over as soon again when it has reigned for long",
    file: LONE_LEAVERS,
    edits: [{ find: "if (!this.#parts.ordering.isPrimary) return;", replace: "" }],
    caughtBy: [LEAVERS],
  },
  {
    name: "patience-in-the-time-out-of-the-last-tick",
    rule: "7.5",
    bug: "a view is handed over because its time-out has become shorter, not because somebody was away for long",
    file: LONE_LEAVERS,
    edits: [
      { find: "this.#away + tick", replace: "this.#away + this.#tickMs" },
      {
        find: "this.#away < this.#patience - ROUNDING",
        replace: "this.#away < this.#patience * viewChanging.timeOutMs",
      },
    ],
    caughtBy: [LEAVERS],
  },
  {
    name: "away-from-one-view-counts-for-another",
    rule: "7.5",
    bug: "a view is handed over for how long somebody was away from an earlier one",
    file: LONE_LEAVERS,
    edits: [
      {
        find: "view === this.#view ? this.#away + tick : 0",
        replace: "view === undefined ? 0 : this.#away + tick",
      },
    ],
    caughtBy: [LEAVERS],
  },
  {
    name: "hands-over-for-one-that-is-out-of-reach",
    rule: "7.5",
    bug: "a liar that names a view which no correct one can have gone to alone ends views without ever being caught up with",
    file: VIEW_CHANGING,
    edits: [
      {
        find: "return this.#viewChanges.hasFor(next) &&",
        replace: "return this.#viewChanges.countAtOrBeyond(next) > 0 &&",
      },
    ],
    caughtBy: [LEFT_BY_FEW, LEAVERS],
  },
];

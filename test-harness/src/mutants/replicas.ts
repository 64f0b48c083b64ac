import type { Mutant } from "./mutant.ts";

const ORDERING = "packages/pbft-core/src/ordering.ts";
const PHASES = "packages/pbft-core/src/three-phases.ts";
const CUT_LOG = "packages/replica/src/cut-log.ts";
const VIEWS = "packages/pbft-core/test/views.test.ts";
const CLUSTER = "packages/replica/test/replica.test.ts";

/** What outlives a view, what comes early or was missed, and who watches whom (protocol rules 4.3, 4.8 and 7). */
export const REPLICA_MUTANTS: readonly Mutant[] = [
  {
    name: "votes-in-a-view-that-was-left",
    rule: "7.1",
    bug: "a body that comes late is voted for though the VIEW-CHANGE has said that nothing prepared",
    file: PHASES,
    edits: [{ find: "if (!this.#view.mayVote) return NO_DECISIONS;", replace: "" }],
    caughtBy: [VIEWS],
  },
  {
    name: "bodies-go-with-their-view",
    rule: "4.4",
    bug: "a batch that one faulty member alone can prove to have prepared is forgotten when a view begins without it",
    file: ORDERING,
    edits: [{ find: "this.#phases.keepVoted();", replace: "" }],
    caughtBy: [VIEWS, "test-harness/test/hidden-certificate.simulation.test.ts"],
  },
  {
    name: "view-change-drops-a-prepared-number",
    rule: "7.1",
    bug: "what is delivered is not claimed any more, though others may not have it",
    file: "packages/pbft-core/src/prepared-set.ts",
    edits: [
      {
        find: "if (prepared !== undefined) prepared.batch = undefined;",
        replace: "if (prepared !== undefined) this.#prepared.delete(seq);",
      },
    ],
    caughtBy: [VIEWS],
  },
  {
    name: "prepared-forgotten-with-the-view",
    rule: "7.1",
    bug: "a VIEW-CHANGE claims only what prepared in the last view",
    file: ORDERING,
    edits: [
      {
        find: "this.#queue.onNewView(atMs);",
        replace: "this.#queue.onNewView(atMs);\n    this.#phases.preparedSet.collectGarbage(this.#window.high);",
      },
    ],
    caughtBy: [VIEWS],
  },
  {
    name: "delivered-numbers-voted-for-again",
    rule: "7.5",
    bug: "what is delivered goes through the phases again in a new view",
    file: "packages/pbft-core/src/reproposals.ts",
    edits: [
      {
        find: "if (seq <= this.#window.low || this.#window.isDecided(seq)) continue;",
        replace: "if (seq <= this.#window.low) continue;",
      },
    ],
    caughtBy: [VIEWS],
  },
  {
    name: "votes-of-the-last-view-count",
    rule: "7.5",
    bug: "slots with the votes of the view before stay when a view is entered",
    file: ORDERING,
    edits: [{ find: "this.#window.clearSlots();", replace: "" }],
    caughtBy: [VIEWS],
  },
  {
    name: "session-numbers-proposed-out-of-order",
    rule: "3.3",
    bug: "a primary proposes what comes first, whatever its number in the session",
    file: "packages/pbft-core/src/request-queue.ts",
    edits: [
      {
        find: 'const expected = standing.type === "ahead" ? standing.expected : operations.number;',
        replace: "const expected = operations.number;",
      },
    ],
    caughtBy: ["packages/pbft-core/test/request-queue.test.ts"],
  },
  {
    name: "no-backlog",
    rule: "4.3",
    bug: "what comes a little early is lost",
    file: "packages/replica/src/batch-intake.ts",
    edits: [
      {
        find: "if (!backlog.add({ envelope, batch })) reject",
        replace: "if (batch !== undefined || message.seq >= 0) reject",
      },
    ],
    caughtBy: ["packages/replica/test/backlog.test.ts"],
  },
  {
    name: "backlog-unbounded",
    rule: "4.3",
    bug: "one sender fills memory with votes of later views",
    file: "packages/replica/src/backlog.ts",
    edits: [{ find: "else if (messages.length >= BACKLOG_PER_SENDER_MAX) return false;", replace: "" }],
    caughtBy: ["packages/replica/test/backlog.test.ts"],
  },
  {
    name: "lacks-not-said",
    rule: "4.8",
    bug: "a replica never says what it misses, so that one lost message stops it",
    file: "packages/pbft-core/src/window.ts",
    edits: [{ find: "const last = Math.min(upTo, this.#high);", replace: "const last = Math.min(upTo, this.#low);" }],
    caughtBy: [CLUSTER],
  },
  {
    name: "history-not-served",
    rule: "4.8",
    bug: "whoever is behind hears nothing of what was decided meanwhile",
    file: "packages/replica/src/status-exchange.ts",
    edits: [{ find: "if (first > end || first === 0) return false;", replace: "if (first >= 0) return false;" }],
    caughtBy: [{ seeds: [0, 1, 2, 3] }],
  },
  {
    name: "log-cut-too-high",
    rule: "8.3",
    bug: "the record of the stable checkpoint is cut away with what lies below it",
    file: CUT_LOG,
    edits: [{ find: "upTo: sequenceNumber(seq - 1)", replace: "upTo: sequenceNumber(seq)" }],
    caughtBy: [CLUSTER],
  },
  {
    name: "standing-view-records-cut-away",
    rule: "7.1",
    bug: "the VIEW-CHANGE and the NEW-VIEW that stand go with the numbers below h",
    file: CUT_LOG,
    edits: [
      { find: "if (viewChange !== undefined)\n", replace: "if (viewChange !== undefined && seq < 0)\n" },
      { find: "if (newView !== undefined)\n", replace: "if (newView !== undefined && seq < 0)\n" },
    ],
    caughtBy: ["packages/replica/test/recovery.test.ts"],
  },
  {
    name: "requests-not-passed-on-to-the-new-primary",
    rule: "7.4",
    bug: "what waits in the old view waits for the next retry of its client",
    file: "packages/replica/src/view-following.ts",
    edits: [{ find: "relay.passOnAll(out);", replace: "" }],
    caughtBy: ["packages/replica/test/view-change.test.ts"],
  },
  {
    name: "nobody-watches-the-primary",
    rule: "7.4",
    bug: "a silent primary stays for ever",
    file: "packages/replica/src/primary-watch.ts",
    edits: [
      {
        find: "return oldestAtMs !== undefined && atMs - oldestAtMs >= timeOutMs;",
        replace: "return oldestAtMs !== undefined && atMs < 0 && timeOutMs < 0;",
      },
    ],
    caughtBy: ["packages/replica/test/primary-watch.test.ts"],
  },
  {
    name: "clocks-go-on-in-a-new-view",
    rule: "7.4",
    bug: "a new primary is blamed for the time that requests waited under the last one",
    file: "packages/pbft-core/src/request-queue.ts",
    edits: [{ find: "    this.#clocks.restart(atMs);\n", replace: "" }],
    caughtBy: ["packages/pbft-core/test/clocks.test.ts", VIEWS],
  },
];

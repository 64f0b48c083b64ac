import type { Mutant } from "./mutant.ts";

const ORDERING = "packages/pbft-core/src/ordering.ts";
const RESTORE = "packages/pbft-core/src/restore-ordering.ts";
const REPLICA = "packages/replica/src/replica.ts";
const VIEW_CHANGING = "packages/view-change/src/view-changing.ts";
const RECOVERY = "packages/replica/test/recovery.test.ts";
const VIEWS = "packages/pbft-core/test/views.test.ts";
const VOTES = "packages/pbft-core/test/votes.test.ts";

/** What a replica that starts again, or enters a view, must know of before (protocol rules 7 and 8.2). */
export const RECOVERED_MUTANTS: readonly Mutant[] = [
  {
    name: "bodies-of-left-views-not-restored",
    rule: "4.4",
    bug: "after a restart a replica has no body of what it voted for in earlier views",
    file: "packages/replica/src/recovery.ts",
    edits: [{ find: "voted: votedOf(promises, stable.seq, view),", replace: "voted: []," }],
    caughtBy: [RECOVERY, "test-harness/test/hidden-certificate.simulation.test.ts"],
  },
  {
    name: "orders-after-a-restart-in-a-view-it-had-left",
    rule: "8.2",
    bug: "a restart on the way to another view goes back to voting in the one that the VIEW-CHANGE has left",
    file: REPLICA,
    edits: [{ find: "if (!this.#viewChanging.isSettled) this.#ordering.leaveView(out);", replace: "" }],
    caughtBy: [RECOVERY, "packages/replica/test/view-crash.test.ts"],
  },
  {
    name: "own-prepare-not-restored",
    rule: "8.2",
    bug: "after a restart the own PREPARE of before is not known, and nobody who lacks it gets it",
    file: RESTORE,
    edits: [
      {
        find: 'else slot.addPrepare(signer.sign({ type: "prepare", epoch, view, seq, digest }));',
        replace: "",
      },
    ],
    caughtBy: [VIEWS, VOTES, RECOVERY],
  },
  {
    name: "own-commit-not-restored",
    rule: "8.2",
    bug: "after a restart of all nobody's COMMIT of before is known, and what was decided never is again",
    file: RESTORE,
    edits: [
      {
        find: 'slot.isPrepared = true;\n  slot.addCommit(signer.sign({ type: "commit", epoch, view, seq, digest }));',
        replace: "slot.isPrepared = true;",
      },
    ],
    caughtBy: [VIEWS, VOTES, RECOVERY],
  },
  {
    name: "primary-proposes-again-at-a-number-of-before",
    rule: "8.2",
    bug: "a primary that starts again proposes at numbers that it had proposed at before the crash",
    file: RESTORE,
    edits: [
      { find: "if (current.isPrimary) proposer.skipTo(seq);\n  else slot", replace: "if (!current.isPrimary) slot" },
    ],
    caughtBy: [VIEWS, VOTES, RECOVERY],
  },
  {
    name: "primary-proposes-again-at-a-number-of-its-new-view",
    rule: "8.2",
    bug: "a new primary that starts again proposes at numbers that its NEW-VIEW proposes at",
    file: ORDERING,
    edits: [
      {
        find: "this.#proposer.skipTo(taken);",
        replace: "",
      },
    ],
    caughtBy: [VIEWS, RECOVERY],
  },
  {
    name: "new-primary-proposes-inside-its-new-view",
    rule: "7.2",
    bug: "the first proposal of a new primary is at the first number that its NEW-VIEW proposes again",
    file: ORDERING,
    edits: [
      {
        find: "Math.max(taken, this.#window.lastDelivered)",
        replace: "Math.max(start, this.#window.lastDelivered)",
      },
    ],
    caughtBy: [VIEWS],
  },
  {
    name: "waiting-new-view-forgotten",
    rule: "7.2",
    bug: "a NEW-VIEW that starts above h is not looked at again when h is there",
    file: VIEW_CHANGING,
    edits: [
      {
        find: "return waiting === undefined ? undefined : this.#enter(waiting, out);",
        replace: "return waiting === undefined || stable >= 0 ? undefined : this.#enter(waiting, out);",
      },
    ],
    caughtBy: ["packages/view-change/test/new-view.test.ts"],
  },
  {
    name: "older-view-change-takes-the-place-of-the-newest",
    rule: "7.2",
    bug: "a VIEW-CHANGE that is repeated late makes the sender's newer one forgotten",
    file: VIEW_CHANGING,
    edits: [
      {
        find: "if (first !== undefined && message.view <= first.message.view) {",
        replace: "if (first !== undefined && message.view === first.message.view) {",
      },
    ],
    caughtBy: ["packages/view-change/test/leaving.test.ts"],
  },
  {
    name: "null-batches-shorten-the-time-out",
    rule: "7.3",
    bug: "a view in which nothing of clients is executed counts as one that works",
    file: REPLICA,
    edits: [{ find: "if (requests.length === 0 || decision.", replace: "if (decision." }],
    caughtBy: ["packages/replica/test/view-change.test.ts", "packages/replica/test/primary-watch.test.ts"],
  },
  {
    name: "work-of-the-last-view-shortens-the-time-out",
    rule: "7.3",
    bug: "what was ordered in an earlier view counts for the view that it is executed in",
    file: REPLICA,
    edits: [
      {
        find: "requests.length === 0 || decision.certificate.view !== this.#ordering.view",
        replace: "requests.length === 0",
      },
    ],
    caughtBy: ["packages/replica/test/view-change.test.ts", "packages/replica/test/primary-watch.test.ts"],
  },
  {
    name: "old-time-out-blames-the-new-primary",
    rule: "7.4",
    bug: "the time-out that ran under the last primary goes on under the new one",
    file: "packages/replica/src/primary-watch.ts",
    edits: [
      {
        find: "if (!this.#isRunning || token !== this.#token) return false;",
        replace: "if (token < 0) return false;",
      },
    ],
    caughtBy: ["packages/replica/test/primary-watch.test.ts"],
  },
  {
    name: "contradiction-dropped-unverified",
    rule: "13.2",
    bug: "a vote that contradicts an earlier one is taken for a repetition, so that equivocation leaves no evidence",
    file: "packages/pbft-core/src/slot.ts",
    edits: [
      {
        find: "if (own !== undefined && own.message.digest !== digest) return this.#convicted?.has(from) === true;",
        replace: "if (own !== undefined && own.message.digest !== digest) return true;",
      },
    ],
    caughtBy: [VOTES],
  },
  {
    name: "backup-takes-on-what-it-cannot-watch",
    rule: "7.4",
    bug: "a backup takes on requests beyond those that it can hold the primary to, and tells nobody",
    file: "packages/pbft-core/src/request-queue.ts",
    edits: [{ find: "this.#clocks.size >= this.#limits.clockedMax) return", replace: "this.#clocks.size < 0) return" }],
    caughtBy: ["packages/pbft-core/test/clocks.test.ts", "packages/pbft-core/test/request-queue.test.ts"],
  },
  {
    name: "clocks-of-evicted-sessions-run-on",
    rule: "7.4",
    bug: "a primary is blamed for requests that would only be refused",
    file: "packages/pbft-core/src/request-queue.ts",
    edits: [
      { find: "    pending.isOver = true;\n    this.#clocks.end(pending);", replace: "    pending.isOver = true;" },
    ],
    caughtBy: ["packages/pbft-core/test/clocks.test.ts"],
  },
  {
    name: "client-takes-the-share-of-others",
    rule: "13.1",
    bug: "one client may fill the queue",
    file: "packages/pbft-core/src/pending-shares.ts",
    edits: [{ find: ">= this.#limits.pendingPerClientMax;", replace: "> this.#limits.pendingMax;" }],
    caughtBy: ["packages/pbft-core/test/request-queue.test.ts"],
  },
];

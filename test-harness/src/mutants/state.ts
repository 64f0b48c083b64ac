import type { Mutant } from "./mutant.ts";

const TREE_TEST = "packages/state-tree/test/state-tree.test.ts";
const FETCHER_TEST = "packages/state-transfer/test/state-fetcher.test.ts";
const CHUNK_TEST = "packages/state-transfer/test/chunk-judgement.test.ts";
const VECTORS = "packages/state-machine/test/state-vectors.test.ts";
const AWAITING = "packages/replica/test/awaiting-state.test.ts";
const INSTALLER_TEST = "packages/server/test/state-installer.test.ts";
const INSTALLATIONS = "test-harness/test/state-transfer.simulation.test.ts";

/** The state's tree, and bringing it to a replica (protocol rules 9.1, 9.5 and 10.1). */
export const STATE_MUTANTS: readonly Mutant[] = [
  {
    name: "entry-read-unchecked",
    rule: "9.5",
    bug: "an entry that is not what was written is believed",
    file: "packages/state-tree/src/leaf.ts",
    edits: [
      {
        find: "return areSame(FOUND, 0, record, 0, DIGEST_BYTES) ? record.subarray(start) : undefined;",
        replace: "return record.subarray(start);",
      },
    ],
    caughtBy: [TREE_TEST],
  },
  {
    name: "undo-of-every-change",
    rule: "9.1",
    bug: "the second change after a checkpoint overwrites what stood there at the checkpoint",
    file: "packages/state-tree/src/state-tree.ts",
    edits: [{ find: "if (last !== undefined && !this.#touched.has(name))", replace: "if (last !== undefined)" }],
    caughtBy: [TREE_TEST],
  },
  {
    name: "undo-lost-with-the-checkpoint",
    rule: "9.1",
    bug: "what an older checkpoint needs goes with the one after it",
    file: "packages/state-tree/src/kept-checkpoints.ts",
    edits: [{ find: "bytes += this.#handDown(undo, older, changes);", replace: "" }],
    caughtBy: [TREE_TEST],
  },
  {
    name: "heir-overwritten",
    rule: "9.1",
    bug: "what a checkpoint that goes hands down takes the place of what stood there at the older one",
    file: "packages/state-tree/src/kept-checkpoints.ts",
    edits: [{ find: "if (this.#isThere(heir)) return 0;", replace: "" }],
    caughtBy: [TREE_TEST],
  },
  {
    name: "page-undone-twice",
    rule: "9.1",
    bug: "a page that changed before the checkpoint gets another undo record, of what it was changed to",
    file: "packages/state-tree/src/state-tree.ts",
    edits: [{ find: "if (last !== undefined && !this.#changedPages.has(name))", replace: "if (last !== undefined)" }],
    caughtBy: [TREE_TEST],
  },
  {
    name: "pages-ahead-stay",
    rule: "10.1",
    bug: "an installation begins with pages that are ahead of the entries that were taken back",
    file: "packages/state-transfer/src/preparation.ts",
    edits: [{ find: "else group.local({ key: pageKey(key), value: before });", replace: "" }],
    caughtBy: [FETCHER_TEST],
  },
  {
    name: "page-kept-unchecked",
    rule: "9.5",
    bug: "a page that is not what was written is kept in memory and believed from then on",
    file: "packages/state-tree/src/tree-update.ts",
    edits: [
      { find: "else if (this.#proven.isFor(prefix) || !isInnerPage(page))", replace: "else if (!isInnerPage(page))" },
    ],
    caughtBy: [TREE_TEST],
  },
  {
    name: "keys-outside-the-root",
    rule: "9.1",
    bug: "a page of the tree does not prove its keys",
    file: "packages/state-tree/src/bucket.ts",
    edits: [{ find: "  preimage.set(keys, end);\n", replace: "" }],
    caughtBy: [TREE_TEST, VECTORS],
  },
  {
    name: "sessions-outside-the-root",
    rule: "9.1",
    bug: "the session table is no part of the state root",
    file: "packages/state-tree/src/state-tree.ts",
    edits: [
      {
        find: "      const key = keyOf(name);\n",
        replace: "      const key = keyOf(name);\n      if (partOf(key) === 1) continue;\n",
      },
    ],
    caughtBy: [VECTORS],
  },
  {
    name: "fetched-value-unchecked",
    rule: "10.1",
    bug: "a donor's value is taken for what the tree names",
    file: "packages/state-transfer/src/chunk-judgement.ts",
    edits: [{ find: 'if (digestOfSealed(record) !== leaf.digest) return "state-chunk.wrong-value";', replace: "" }],
    caughtBy: [FETCHER_TEST],
  },
  {
    name: "fetched-bucket-unchecked",
    rule: "10.1",
    bug: "the values that come with a bucket are taken for what it names",
    file: "packages/state-tree/src/sealed-entries.ts",
    edits: [
      {
        find: "if (!areSame(memory, start, bucket, digestPlace(i), DIGEST_BYTES)) return undefined;",
        replace: "",
      },
    ],
    caughtBy: [CHUNK_TEST],
  },
  {
    name: "disk-outrun-by-donors",
    rule: "10.1",
    bug: "what donors send waits for the disk without a bound",
    file: "packages/server/src/state-installer.ts",
    edits: [{ find: "return this.#fetcher.pause();", replace: "return;" }],
    caughtBy: ["packages/server/test/state-installer.test.ts"],
  },
  {
    name: "inflated-without-a-bound",
    rule: "10.1",
    bug: "a deflated chunk is inflated to whatever length its donor says",
    file: "packages/server/src/chunk-inflater.ts",
    edits: [
      {
        find: 'if (length > chunkFrameBytesMax(asked)) return onFault(from, chunk, "state-chunk.oversized");',
        replace: "",
      },
    ],
    caughtBy: ["packages/server/test/state-installer.test.ts"],
  },
  {
    name: "fetched-page-unchecked",
    rule: "10.1",
    bug: "a donor's page is taken for that of the target",
    file: "packages/state-transfer/src/chunk-judgement.ts",
    edits: [{ find: "if (page === undefined || !this.#o.isPage(open, page))", replace: "if (page === undefined)" }],
    caughtBy: [FETCHER_TEST],
  },
  {
    name: "installation-forgotten",
    rule: "10.1",
    bug: "after a crash a replica runs on a state that is of no checkpoint",
    file: "packages/server/src/replica-stages.ts",
    edits: [
      {
        find: "const installation = readInstallation(options.store.local, options.codec);",
        replace: "const installation = undefined as ReturnType<typeof readInstallation>;",
      },
    ],
    caughtBy: [INSTALLATIONS],
  },
  {
    name: "checkpoints-without-the-state",
    rule: "9.1",
    bug: "a replica whose state is being brought to it signs CHECKPOINTs of others' roots",
    file: "packages/replica/src/create-sub-protocols.ts",
    edits: [
      { find: "isMute: signsNone, silentUpTo }, base);", replace: "isMute, silentUpTo }, base);" },
      { find: "const signsNone = isMute || awaitsState;\n", replace: "" },
    ],
    caughtBy: [AWAITING, INSTALLATIONS],
  },
  {
    name: "released-without-the-state",
    rule: "10.2",
    bug: "a replica that lost its disk votes before its state is here",
    file: "packages/replica/src/muteness.ts",
    edits: [{ find: "if (this.#awaitsState) return false;\n", replace: "" }],
    caughtBy: [AWAITING],
  },
  {
    name: "votes-on-without-the-batches",
    rule: "10.2",
    bug: "votes rest on a checkpoint although what was ordered below it is in no history",
    file: "packages/server/src/absent-state.ts",
    edits: [{ find: "seq > executed || seq === this.#raisedTo", replace: "seq === this.#raisedTo" }],
    caughtBy: [INSTALLATIONS],
  },
  {
    name: "votes-run-ahead-of-execution",
    rule: "10.2",
    bug: "while a replica catches up its votes go on as fast as they come, so that it never gets level under load",
    file: "packages/server/src/catch-up.ts",
    edits: [
      { find: "Math.floor((this.executed - executed) / EXECUTED_PER_VOTE)", replace: "Number.POSITIVE_INFINITY" },
    ],
    caughtBy: ["packages/server/test/replica-runner.test.ts"],
  },
  {
    name: "damage-repaired-for-ever",
    rule: "9.5",
    bug: "damage that comes again after each repair is repaired at once each time",
    file: "packages/server/src/damage-count.ts",
    edits: [{ find: "pauseMs: REPAIR_PAUSES_MS[attempt - 1]", replace: "pauseMs: 0" }],
    caughtBy: ["packages/server/test/replica-repair.test.ts"],
  },
  {
    name: "page-before-what-is-below-it",
    rule: "10.1",
    bug: "an inner page is written while entries below it are still on their way, and may be lost",
    file: "packages/state-transfer/src/local-tree.ts",
    edits: [{ find: "if (this.#awaitsSettling) this.#openBulk().local.push(change);\n    else ", replace: "" }],
    caughtBy: [FETCHER_TEST],
  },
  {
    name: "walk-beside-the-bulk",
    rule: "10.1",
    bug: "a walk towards another target compares with a store from which entries on their way are missing",
    file: "packages/state-transfer/src/state-fetcher.ts",
    edits: [
      {
        find: "this.#settles = this.#tree.awaitsSettling;",
        replace: 'this.#settles = this.#tree.awaitsSettling && phase !== "root";',
      },
    ],
    caughtBy: [FETCHER_TEST],
  },
  {
    name: "bulk-left-behind",
    rule: "10.1",
    bug: "what an interrupted installation had on its way is not moved before the next one goes on",
    file: "packages/server/src/state-installer.ts",
    edits: [
      {
        find: "if (this.#o.store.bulk.isEmpty) this.#perform",
        replace: "if (this.#installation !== undefined) this.#perform",
      },
    ],
    caughtBy: [INSTALLER_TEST],
  },
];

import type { Mutant } from "./mutant.ts";

const FRAMES_TEST = "packages/state-tree/test/tree-frames.test.ts";
const STREAM_TEST = "packages/server/test/stream-backup.test.ts";
const SCRUB_TEST = "packages/state-tree/test/scrub.test.ts";
const RESTORING_TEST = "packages/state-machine/test/restoring.test.ts";
const PLAIN_TEST = "packages/state-machine/test/plain-service.test.ts";

/** Backups and what is started from them, the scrubber, and services with plain objects (protocol rule 9.5, decisions 0036 and 0037). */
export const BACKUP_MUTANTS: readonly Mutant[] = [
  {
    name: "backup-value-unchecked",
    rule: "9.5",
    bug: "a value in a backup is taken for what the tree names",
    file: "packages/state-tree/src/tree-frames.ts",
    edits: [
      {
        find: 'return leafDigest(this.#hasher, key, frame) === digest ? { type: "entry", key, value: frame } : undefined;',
        replace: 'return digest.length > 0 ? { type: "entry", key, value: frame } : undefined;',
      },
    ],
    caughtBy: [FRAMES_TEST],
  },
  {
    name: "restored-cluster-starts-with-nothing",
    rule: "9.1",
    bug: "a replica of a restored cluster without its state begins with an empty one",
    file: "packages/state-machine/src/rooted-state.ts",
    edits: [{ find: "if (genesis.restored !== undefined)\n", replace: "if (genesis.restored?.entries === -1)\n" }],
    caughtBy: [RESTORING_TEST],
  },
  {
    name: "restored-time-goes-back",
    rule: "4.7",
    bug: "agreed time starts at zero again in a restored cluster",
    file: "packages/state-machine/src/genesis-state.ts",
    edits: [{ find: "genesis.restored?.timestampMs ?? timestampMs(0)", replace: "timestampMs(0)" }],
    caughtBy: [RESTORING_TEST],
  },
  {
    name: "scrub-believes-what-is-sealed",
    rule: "9.5",
    bug: "the scrubber takes an older entry of a key for the present one",
    file: "packages/state-tree/src/state-tree.ts",
    edits: [
      {
        find: "if ((record && digestOfSealed(record)) !== expected)",
        replace: "if (record === undefined && expected !== undefined)",
      },
    ],
    caughtBy: [SCRUB_TEST],
  },
  {
    name: "plain-objects-keep-what-failed",
    rule: "4.7",
    bug: "what a failed operation did to plain objects remains",
    file: "packages/state-machine/src/plain-service.ts",
    edits: [{ find: "if (this.#batch.pop()?.isRefused === true) return;", replace: "return void this.#batch.pop();" }],
    caughtBy: [PLAIN_TEST],
  },
  {
    name: "backup-in-one-turn",
    rule: "13.1",
    bug: "whoever asks for a backup keeps the replica from everything else until all of it is read",
    file: "packages/server/src/backup/stream-backup.ts",
    edits: [
      {
        find: "bytes < SLICE_BYTES && performance.now() - startedMs < SLICE_MS;",
        replace: "bytes < 2 ** 40 && startedMs > 0;",
      },
    ],
    caughtBy: [STREAM_TEST],
  },
  {
    name: "backup-without-rest",
    rule: "13.1",
    bug: "a backup that is expensive to read leaves little of the event loop to ordering",
    file: "packages/server/src/backup/stream-backup.ts",
    edits: [{ find: "Math.max(REST_FACTOR * tookMs,", replace: "Math.max(0 * tookMs," }],
    caughtBy: [STREAM_TEST],
  },
];

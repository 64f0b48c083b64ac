import type { Mutant } from "./mutant.ts";

const RULE = "packages/state-machine/src/ordered-checkpoint.ts";
const ORDERED = "packages/state-machine/test/ordered-checkpoints.test.ts";
const IN_A_CLUSTER = "packages/replica/test/ordered-checkpoint.test.ts";

/** Checkpoints that are ordered (protocol rule 9.1). */
export const CHECKPOINT_MUTANTS: readonly Mutant[] = [
  {
    name: "ordered-checkpoint-too-soon",
    rule: "9.1",
    bug: "checkpoints may be ordered one number after the other",
    file: RULE,
    edits: [{ find: "seq - last < this.#spacing", replace: "seq - last < 1" }],
    caughtBy: [ORDERED, { seeds: [76, 81] }],
  },
  {
    name: "ordered-checkpoint-of-a-stranger",
    rule: "9.1",
    bug: "whoever has a key may order a checkpoint",
    file: RULE,
    edits: [{ find: " || !this.#permitted.has(client)", replace: "" }],
    caughtBy: [ORDERED, { seeds: [3, 13] }],
  },
  {
    name: "ordered-checkpoint-repeated",
    rule: "9.1",
    bug: "an order that is repeated brings about a checkpoint again",
    file: RULE,
    edits: [{ find: 'if (above < last) return "checkpoint-superseded";', replace: "" }],
    caughtBy: [ORDERED],
  },
  {
    name: "ordered-checkpoint-of-the-future",
    rule: "9.1",
    bug: "an order above a number that is not executed yet counts, and counts again until that number is",
    file: RULE,
    edits: [{ find: 'if (above >= seq) return "checkpoint-too-far";', replace: "" }],
    caughtBy: [ORDERED],
  },
  {
    name: "ordered-checkpoint-not-in-the-state",
    rule: "9.2",
    bug: "the number of the last checkpoint in the state is that of the last multiple of K",
    file: "packages/state-machine/src/executor.ts",
    edits: [
      {
        find: "const lastCheckpoint = isCheckpoint ?",
        replace: "const lastCheckpoint = this.#checkpointRule.isRegular(seq) ?",
      },
    ],
    caughtBy: [ORDERED],
  },
  {
    name: "clock-for-a-checkpoint-that-is-there",
    rule: "7.4",
    bug: "an ordered checkpoint keeps its clock though there is one above its number, so that a primary fails that need not order it",
    file: "packages/pbft-core/src/request-queue.ts",
    edits: [{ find: "return request.above < lastCheckpoint;", replace: "return lastCheckpoint < 0;" }],
    caughtBy: ["packages/pbft-core/test/clocks.test.ts"],
  },
  {
    name: "null-batches-end-between-checkpoints",
    rule: "8.5",
    bug: "a mute member waits for numbers up to H+2L, which is no checkpoint where H was ordered",
    file: "packages/replica/src/muteness.ts",
    edits: [{ find: "regularCheckpointFrom(checkpoint, this.#sizes)", replace: "checkpoint" }],
    caughtBy: [IN_A_CLUSTER],
  },
  {
    name: "newest-certificate-only",
    rule: "9.1",
    bug: "h waits for the newest certificate, which the own states never come to under load",
    file: "packages/checkpoint/src/checkpointing.ts",
    edits: [{ find: "[...this.#passed.values(), this.#certified]", replace: "[this.#certified]" }],
    caughtBy: ["packages/checkpoint/test/checkpointing.test.ts"],
  },
  {
    name: "own-checkpoints-of-a-window-displaced",
    rule: "9.1",
    bug: "own votes are kept for as many numbers as a window has multiples of K",
    file: "packages/checkpoint/src/checkpointing.ts",
    edits: [
      {
        find: "return windowSize / checkpointInterval + ordered + 1;",
        replace: "return Math.min(ordered, windowSize / checkpointInterval) + 1;",
      },
    ],
    caughtBy: ["packages/checkpoint/test/checkpointing.test.ts"],
  },
];

import type { Mutant } from "./mutant.ts";

const RELEASE_BOUNDS = "packages/replica/src/release-bounds.ts";
const BOUNDS = "packages/replica/test/release-bounds.test.ts";
const LOST_DISK = "packages/replica/test/lost-disk.test.ts";

/** A replica that lost its disk, and what others do for it (protocol rule 8.5). */
export const LOST_DISK_MUTANTS: readonly Mutant[] = [
  {
    name: "votes-while-it-is-mute",
    rule: "8.5",
    bug: "a replica that may have promised something else votes in the ordering of batches",
    file: "packages/pbft-core/src/current-view.ts",
    edits: [{ find: "return this.#isActive && !this.#isMute;", replace: "return this.#isActive;" }],
    caughtBy: ["packages/pbft-core/test/lost-disks.test.ts"],
  },
  {
    name: "checkpoints-while-it-is-mute",
    rule: "8.5",
    bug: "a replica that may have promised something else signs CHECKPOINTs",
    file: "packages/checkpoint/src/checkpointing.ts",
    edits: [{ find: "if (!this.#isMute) this.#vote(", replace: "this.#vote(" }],
    caughtBy: [LOST_DISK],
  },
  {
    name: "votes-one-view-too-early",
    rule: "8.5",
    bug: "it votes in view w+1, for which it may have sent a VIEW-CHANGE before the loss",
    file: RELEASE_BOUNDS,
    edits: [{ find: "view + 2]", replace: "view + 1]" }],
    caughtBy: [BOUNDS],
  },
  {
    name: "votes-one-window-too-early",
    rule: "8.5",
    bug: "it votes above H+L, where it may have voted before the loss",
    file: RELEASE_BOUNDS,
    edits: [{ find: "stable + 2 * windowSize", replace: "stable + windowSize" }],
    caughtBy: [BOUNDS],
  },
  {
    name: "votes-before-its-release-is-written",
    rule: "8.5",
    bug: "the first votes leave before the record that it may vote: after a crash it is mute and has voted",
    file: "packages/replica/src/view-following.ts",
    edits: [
      { find: "muteness.release(parts.checkpointing.stable.seq, out);\n", replace: "" },
      {
        find: "deliveries.deliver(parts.ordering.unmute(atMs, out), out);",
        replace:
          "deliveries.deliver(parts.ordering.unmute(atMs, out), out);\n    muteness.release(parts.checkpointing.stable.seq, out);",
      },
    ],
    caughtBy: [LOST_DISK],
  },
  {
    name: "mute-replica-counts-as-having-answered",
    rule: "8.5",
    bug: "one that is mute itself says where it stands, so that two that know nothing release each other",
    file: "packages/replica/src/lost-disks.ts",
    edits: [
      {
        find: "if (this.#muteness.isMute || from === this.#signer.self) {",
        replace: "if (from === this.#signer.self) {",
      },
      {
        find: "if (this.#muteness.isMute || from === this.#signer.self) return true;",
        replace: "if (from === this.#signer.self) return true;",
      },
    ],
    caughtBy: [LOST_DISK],
  },
  {
    name: "null-batches-without-end",
    rule: "8.5",
    bug: "a member that only says that it is mute gets null batches and hand-overs as often as it says so",
    file: "packages/replica/src/mute-members.ts",
    edits: [
      {
        find: "if (grantedUntil > 0 && ground.delivered < grantedUntil + this.#numbersBetweenLosses) return false;",
        replace: "",
      },
    ],
    caughtBy: ["packages/replica/test/mute-members.test.ts", LOST_DISK],
  },
];

import type { Mutant } from "./mutant.ts";

const BULK_TEST = "packages/storage/test/bulk.test.ts";
const GATE = "packages/replica/src/output-gate.ts";
const RECOVERY = "packages/replica/src/recovery.ts";
const CHECKPOINTING = "packages/checkpoint/src/checkpointing.ts";

/** What must be durable before what, recovery, checkpoints, and what comes in (protocol rules 8, 9 and 13). */
export const DURABILITY_MUTANTS: readonly Mutant[] = [
  {
    name: "reply-before-flush",
    rule: "8.1",
    bug: "what is executed, and with it the reply, does not wait for the promises behind it",
    file: GATE,
    edits: [
      {
        find: 'case "refuse":\n      return true;',
        replace: 'case "refuse":\n    case "execute":\n      return true;',
      },
    ],
    caughtBy: ["packages/replica/test/output-gate.test.ts"],
  },
  {
    name: "vote-before-flush",
    rule: "8.1",
    bug: "sends do not wait for the promises that they make",
    file: GATE,
    edits: [
      {
        find: "this.#durable === this.#written ||",
        replace: 'effect.type === "broadcast" || this.#durable === this.#written ||',
      },
    ],
    caughtBy: ["packages/replica/test/output-gate.test.ts"],
  },
  {
    name: "gate-opens-too-far",
    rule: "8.1",
    bug: "a flush also releases what stands behind writes that came after it began",
    file: GATE,
    edits: [{ find: "if (after > this.#durable) break;", replace: "if (after > this.#written) break;" }],
    caughtBy: ["packages/replica/test/output-gate.test.ts"],
  },
  {
    name: "gate-without-bound",
    rule: "13.1",
    bug: "as many messages wait for a flush as others cause while it runs",
    file: GATE,
    edits: [{ find: "if (waiting >= this.#messagesMax) return false;", replace: "" }],
    caughtBy: ["packages/replica/test/output-gate.test.ts"],
  },
  {
    name: "recovery-forgets-what-prepared",
    rule: "8.2",
    bug: "of what prepared in lower views nothing is known after a restart",
    file: RECOVERY,
    edits: [
      { find: "if (seq > stable && view > before) highest", replace: "if (seq > stable && view < before) highest" },
    ],
    caughtBy: ["packages/replica/test/recovery.test.ts"],
  },
  {
    name: "damaged-history-is-below",
    rule: "8.4",
    bug: "what the own disk has damaged is said to have left the history, so that the asker looks for no other donor",
    file: "packages/server/src/history-donor.ts",
    edits: [{ find: 'return "damaged";', replace: "return undefined;" }],
    caughtBy: ["packages/server/test/replica-host.test.ts"],
  },
  {
    name: "last-checkpoint-not-voted-for-again",
    rule: "8.2",
    bug: "after a crash of all between a checkpoint and its certificate nobody votes for it, and the window stays shut",
    file: "packages/server/src/replica-host.ts",
    edits: [{ find: "this.#durableState.revoteLast(this.#replica.status.lowWatermark)", replace: "undefined" }],
    caughtBy: ["packages/server/test/replica-host.test.ts", "packages/server/test/disk.test.ts"],
  },
  {
    name: "noted-checkpoint-not-voted-for-again",
    rule: "8.2",
    bug: "a restart after a checkpoint was noted, and before it was certified, loses the vote",
    file: "packages/server/src/durable-state.ts",
    edits: [{ find: "last.seq > lowWatermark ? last", replace: "last.seq < 0 ? last" }],
    caughtBy: ["packages/server/test/replica-host.test.ts"],
  },
  {
    name: "recovery-forgets-what-it-accepted",
    rule: "8.2",
    bug: "after a restart another proposal for a number that was pre-prepared is accepted",
    file: RECOVERY,
    edits: [
      {
        find: "message.view === view && message.seq > stable)",
        replace: "message.view > view && message.seq > stable)",
      },
    ],
    caughtBy: ["packages/replica/test/recovery.test.ts"],
  },
  {
    name: "recovery-cuts-one-group-too-many",
    rule: "8.4",
    bug: "the last whole group of the log is taken for the trace of a flush that was cut short",
    file: "packages/storage/src/log-recovery.ts",
    edits: [
      {
        find: "index: indexOf(needed),",
        replace: "index: indexOf(needed.map((segment) => ({ ...segment, groups: segment.groups.slice(0, -1) }))),",
      },
    ],
    caughtBy: ["packages/storage/test/log-damage.test.ts", "packages/storage/test/property.test.ts"],
  },
  {
    name: "lost-end-of-the-log-unnoticed",
    rule: "8.4",
    bug: "a log that is shorter than what was flushed is taken for whole",
    file: "packages/storage/src/log-recovery.ts",
    edits: [{ find: "if (before.number < mark.number)", replace: "if (before.number < 0)" }],
    caughtBy: ["packages/storage/test/log-damage.test.ts", "packages/storage/test/damage.test.ts"],
  },
  {
    name: "flush-mark-never-made",
    rule: "8.4",
    bug: "damage of the last groups that were flushed is taken for a flush that was cut short",
    file: "packages/storage/src/write-ahead-log.ts",
    edits: [{ find: "finish(this.#mark(this.#flushed));", replace: "finish(undefined);" }],
    caughtBy: ["packages/storage/test/log-damage.test.ts"],
  },
  {
    name: "restart-leaves-the-log-unsynced",
    rule: "8.4",
    bug: "what a killed process wrote and did not sync counts from then on, and a power cut takes it away",
    file: "packages/storage/src/log-recovery.ts",
    edits: [{ find: "files.settle(last.number, marked);", replace: "" }],
    caughtBy: ["test-harness/test/disk.test.ts"],
  },
  {
    name: "restart-syncs-without-writing-again",
    rule: "8.4",
    bug: "what a failed write left in the operating system's memory alone is synced, which the disk never hears of",
    file: "packages/storage/src/log-recovery.ts",
    edits: [{ find: "files.settle(last.number, marked);", replace: "files.settle(last.number, last.end);" }],
    caughtBy: ["test-harness/test/disk.test.ts"],
  },
  {
    name: "restart-leaves-what-it-found-unmarked",
    rule: "8.4",
    bug: "damage to what a restart took over is taken for a flush that was cut short after the next kill",
    file: "packages/storage/src/write-ahead-log.ts",
    edits: [{ find: "last.number > found.number ?", replace: "last.number < 0 ?" }],
    caughtBy: ["test-harness/test/disk.test.ts"],
  },
  {
    name: "restart-removes-segments-before-it-syncs",
    rule: "8.4",
    bug: "a power cut takes the group that says the segments are not needed, and they are gone already",
    file: "packages/storage/src/log-recovery.ts",
    edits: [
      { find: "for (const number of needless) files.removeNow(number);", replace: "" },
      {
        find: "if (last.content.length > last.end) files.truncate",
        replace:
          "for (const number of needless) files.removeNow(number);\n    if (last.content.length > last.end) files.truncate",
      },
    ],
    caughtBy: ["test-harness/test/disk.test.ts"],
  },
  {
    name: "checksums-not-looked-at",
    rule: "8.4",
    bug: "bytes that have changed in the log are read as they are",
    file: "packages/storage/src/log-group.ts",
    edits: [
      {
        find: "if (crc32(bytes.subarray(AT.logId, length)) !== checksum) return;",
        replace: "if (checksum < 0) return;",
      },
    ],
    caughtBy: ["packages/storage/test/log-damage.test.ts"],
  },
  {
    name: "checkpoint-signed-before-the-state-is-durable",
    rule: "8.3",
    bug: "a CHECKPOINT says that the state can be given, while only the log is on the disk",
    file: "packages/server/src/durable-state.ts",
    edits: [{ find: "store.flush((failure) =>", replace: "store.flushLog((failure) =>" }],
    caughtBy: ["packages/server/test/replica-host.test.ts"],
  },
  {
    name: "checkpoint-by-less-than-a-quorum",
    rule: "9.1",
    bug: "a checkpoint is stable with one vote too few",
    file: CHECKPOINTING,
    edits: [
      { find: "if (matching.length < quorum) continue;", replace: "if (matching.length < quorum - 1) continue;" },
    ],
    caughtBy: ["packages/checkpoint/test/checkpointing.test.ts"],
  },
  {
    name: "h-moves-by-a-certificate-alone",
    rule: "9.1",
    bug: "the log is cut for a state that is not held",
    file: CHECKPOINTING,
    edits: [
      {
        find: "if (own === undefined || seq <= this.#stable.seq) continue;",
        replace: "if (seq <= this.#stable.seq) continue;",
      },
      {
        find: "if (own.stateRoot !== certified) {",
        replace: "if (own !== undefined && own.stateRoot !== certified) {",
      },
    ],
    caughtBy: ["packages/checkpoint/test/checkpointing.test.ts"],
  },
  {
    name: "differing-roots-counted-together",
    rule: "9.1",
    bug: "votes for different states make a certificate",
    file: CHECKPOINTING,
    edits: [
      {
        find: "votes.filter((vote) => vote.message.stateRoot === message.stateRoot)",
        replace: "votes.filter((vote) => vote.message.seq === message.seq)",
      },
    ],
    caughtBy: ["packages/checkpoint/test/checkpointing.test.ts"],
  },
  {
    name: "vote-passed-on-by-anybody",
    rule: "13.1",
    bug: "a vote is taken from another link than its signer's",
    file: "packages/server/src/ingress.ts",
    edits: [{ find: "if (envelope.from !== peer) return", replace: "if (envelope.from < 0) return" }],
    caughtBy: ["packages/server/test/ingress.test.ts"],
  },
  {
    name: "requests-of-clients-not-verified",
    rule: "13.1",
    bug: "a request whose signature fails steps the replica all the same",
    file: "packages/server/src/ingress.ts",
    edits: [
      {
        find: 'return verified ?? this.#refuse(client, "ingress.bad-signature");',
        replace: "return verified ?? ({ request, digest: request.client } as unknown as VerifiedRequest);",
      },
    ],
    caughtBy: ["packages/server/test/ingress.test.ts", "packages/server/test/replica-host.test.ts"],
  },
  {
    name: "bodies-of-proposals-not-verified",
    rule: "4.4",
    bug: "the requests of a proposed batch are ordered though their clients never signed them",
    file: "packages/server/src/ingress.ts",
    edits: [
      {
        find: "const batch = verifier.verifyBatch(body, digest);\n",
        replace:
          "const batch = verifier.verifyBatch(body, digest) ?? ({ digest, timestampMs: body.timestampMs, requests: [], batch: body } as never);\n",
      },
    ],
    caughtBy: ["packages/server/test/ingress.test.ts"],
  },
  {
    name: "bulk-before-what-it-stands-on",
    rule: "10.1",
    bug: "entries on their way are on the disk before what was written to the store before them",
    file: "packages/storage/src/bulk-loader.ts",
    edits: [
      {
        find: "this.#o.flush((failure) => {\n      if (failure !== undefined || pending",
        replace: "this.#o.later(() => {\n      const failure = undefined;\n      if (failure !== undefined || pending",
      },
    ],
    caughtBy: [BULK_TEST],
  },
  {
    name: "bulk-comes-back",
    rule: "10.1",
    bug: "entries that were settled are taken for entries on their way when their file comes back",
    file: "packages/storage/src/sorted-runs.ts",
    edits: [
      {
        find: "!file.read(0, HEAD_BYTES).equals(encodeHead(owner))",
        replace: "!file.read(0, HEAD.generation).equals(encodeHead(owner).subarray(0, HEAD.generation))",
      },
    ],
    caughtBy: [BULK_TEST],
  },
  {
    name: "bulk-gone-before-it-is-there",
    rule: "10.1",
    bug: "entries on their way are forgotten before those that were moved are durable",
    file: "packages/storage/src/bulk-loader.ts",
    edits: [
      {
        find: "if (isEnd) this.#o.flush((failure) => (failure === undefined ? this.#remove(done) : done(failure)));",
        replace: "if (isEnd) this.#remove(() => this.#o.flush(done));",
      },
    ],
    caughtBy: [BULK_TEST],
  },
];

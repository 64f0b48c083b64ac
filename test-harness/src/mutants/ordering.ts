import type { Mutant } from "./mutant.ts";

const ORDERING = "packages/pbft-core/src/ordering.ts";
const VOTE_STANDING = "packages/pbft-core/src/vote-standing.ts";
const PHASES = "packages/pbft-core/src/three-phases.ts";
const SLOT = "packages/pbft-core/src/slot.ts";
const PAPER = "packages/pbft-core/test/paper.test.ts";
const VOTES = "packages/pbft-core/test/votes.test.ts";
const CLUSTER = "packages/replica/test/replica.test.ts";

/** The normal case: votes, the window, bodies and time (protocol rules 4 and 8.1). */
export const ORDERING_MUTANTS: readonly Mutant[] = [
  {
    name: "prepare-not-bound-to-digest",
    rule: "4.2",
    bug: "PREPAREs for whatever digest make the proposal prepared",
    file: SLOT,
    edits: [
      {
        find: "digest !== undefined && countMatching(this.#prepares, digest) >= quorum - 1",
        replace: "digest !== undefined && this.#prepares.size >= quorum - 1",
      },
      {
        find: "const signatures: MemberSignature[] = [];",
        replace: "const signatures: MemberSignature[] = [];\n  void digest;",
      },
      {
        find: "if (message.digest === digest) signatures.push({ from, signature });",
        replace: "if (message.seq >= 0) signatures.push({ from, signature });",
      },
    ],
    caughtBy: [PAPER],
  },
  {
    name: "prepared-one-vote-short",
    rule: "4.2",
    bug: "q−2 PREPAREs of backups are enough",
    file: PHASES,
    edits: [
      { find: "!slot.hasPrepareQuorum(this.#quorum)", replace: "!slot.hasPrepareQuorum(this.#quorum - 1)" },
      { find: "slot.preparedCertificate(this.#quorum)", replace: "slot.preparedCertificate(this.#quorum - 1)" },
    ],
    caughtBy: [PAPER],
  },
  {
    name: "prepared-without-pre-prepare",
    rule: "4.2",
    bug: "a COMMIT is sent for a number whose proposal was not accepted here",
    file: SLOT,
    edits: [{ find: "return this.isAccepted && digest !== undefined &&", replace: "return digest !== undefined &&" }],
    caughtBy: [PAPER, VOTES],
  },
  {
    name: "votes-counted-per-message",
    rule: "4.2",
    bug: "a vote counts as often as it comes",
    file: SLOT,
    edits: [
      {
        find: "const first = votes.get(envelope.from);",
        replace: "const first = undefined as VerifiedEnvelope<M> | undefined;",
      },
      {
        find: "votes.set(envelope.from, envelope);",
        replace: "votes.set((envelope.from + 64 * votes.size) as ReplicaId, envelope);",
      },
    ],
    caughtBy: [VOTES, PAPER],
  },
  {
    name: "last-vote-counts",
    rule: "4.2",
    bug: "a second, contradicting vote takes the place of the first, and nobody is accused",
    file: SLOT,
    edits: [
      {
        find: "if (first !== undefined) return this.#repeatedOrConflicting(first, envelope);\n    votes.set",
        replace: 'if (first?.message.digest === envelope.message.digest) return { type: "repeated" };\n    votes.set',
      },
    ],
    caughtBy: [VOTES],
  },
  {
    name: "commits-for-different-digests",
    rule: "4.2",
    bug: "COMMITs are counted whatever they are for",
    file: SLOT,
    edits: [
      {
        find: "if (countMatching(this.#commits, message.digest) >= quorum) return message.digest;",
        replace: "if (this.#commits.size >= quorum) return message.digest;",
      },
      { find: "invariant(signatures.length >= count,", replace: "invariant(signatures.length >= 0," },
      { find: "signatures.length = count;", replace: "signatures.length = Math.min(count, signatures.length);" },
    ],
    caughtBy: [PAPER],
  },
  {
    name: "resent-vote-is-evidence",
    rule: "13.2",
    bug: "whoever signs the same vote again is accused of equivocation",
    file: SLOT,
    edits: [
      {
        find: 'if (first.message.digest === second.message.digest) return { type: "repeated" };',
        replace: 'if (first.signature === second.signature) return { type: "repeated" };',
      },
    ],
    caughtBy: [VOTES],
  },
  {
    name: "primarys-prepare-counted",
    rule: "4.2",
    bug: "the primary votes twice: by its PRE-PREPARE and by a PREPARE",
    file: VOTE_STANDING,
    edits: [{ find: 'return type === "prepare" && from === primary;', replace: "return false;" }],
    caughtBy: [PAPER],
  },
  {
    name: "pre-prepare-of-anybody",
    rule: "4.2",
    bug: "a backup takes proposals of other backups",
    file: VOTE_STANDING,
    edits: [
      {
        find: "return from !== primary || primary === this.#self;",
        replace: "return primary === this.#self;",
      },
    ],
    caughtBy: [PAPER],
  },
  {
    name: "window-not-checked",
    rule: "4.3",
    bug: "votes of any height are taken, so that a faulty primary fills memory or exhausts the numbers",
    file: VOTE_STANDING,
    edits: [{ find: 'return seq > this.#window.high ? "future" : "current";', replace: 'return "current";' }],
    caughtBy: [PAPER],
  },
  {
    name: "votes-below-h",
    rule: "4.3",
    bug: "votes for numbers that a stable checkpoint has passed are taken",
    file: VOTE_STANDING,
    edits: [
      {
        find: 'if (seq <= this.#window.low) return "window.below";',
        replace: 'if (seq < this.#window.low) return "window.below";',
      },
    ],
    caughtBy: [PAPER],
  },
  {
    name: "proposes-above-the-window",
    rule: "4.3",
    bug: "a primary goes on proposing where nobody may vote yet",
    file: "packages/pbft-core/src/proposer.ts",
    edits: [
      {
        find: "if (this.#lastProposed >= Math.min(this.#window.high, last)) return undefined;",
        replace: "if (this.#lastProposed >= last) return undefined;",
      },
    ],
    caughtBy: ["packages/pbft-core/test/window.test.ts", "packages/pbft-core/test/request-queue.test.ts", CLUSTER],
  },
  {
    name: "pre-prepared-not-written",
    rule: "8.1",
    bug: "a backup votes for a proposal that it may have forgotten after a crash",
    file: PHASES,
    edits: [
      {
        find: 'out.push({ type: "persist", record: { type: "pre-prepared", envelope: prePrepare, batch: batch.batch } });',
        replace: "",
      },
    ],
    caughtBy: [VOTES, "packages/replica/test/recovery.test.ts"],
  },
  {
    name: "prepared-not-written",
    rule: "8.1",
    bug: "a COMMIT is sent without a prepared certificate in the log",
    file: PHASES,
    edits: [{ find: 'out.push({ type: "persist", record: { type: "prepared", certificate } });', replace: "" }],
    caughtBy: [VOTES, "packages/replica/test/view-crash.test.ts"],
  },
  {
    name: "proposal-not-written",
    rule: "8.1",
    bug: "a primary that crashes may propose another batch for the same number",
    file: ORDERING,
    edits: [
      {
        find: 'out.push({ type: "persist", record: { type: "pre-prepared", envelope: prePrepare, batch: batch.batch } });\n',
        replace: "",
      },
    ],
    caughtBy: [VOTES, "packages/replica/test/recovery.test.ts"],
  },
  {
    name: "time-ahead-vouched-for-by-f",
    rule: "4.7",
    bug: "the PREPAREs of f others, who may all be liars, end the wait for a time that is ahead",
    file: PHASES,
    edits: [
      {
        find: "slot.prepareCount(digest) >= this.#weakQuorum",
        replace: "slot.prepareCount(digest) >= this.#weakQuorum - 1",
      },
    ],
    caughtBy: ["packages/pbft-core/test/agreed-time.test.ts"],
  },
  {
    name: "time-ahead-not-waited-for",
    rule: "4.7",
    bug: "a primary may stamp its batches with any time",
    file: "packages/pbft-core/src/clock-wait.ts",
    edits: [
      { find: "if (aheadMs <= 0) return false;", replace: "if (aheadMs <= Number.MAX_SAFE_INTEGER) return false;" },
    ],
    caughtBy: ["packages/pbft-core/test/agreed-time.test.ts"],
  },
  {
    name: "empty-batch-accepted",
    rule: "4.1",
    bug: "a primary may propose batches without requests, for ever and at no cost",
    file: PHASES,
    edits: [
      {
        find: "if (batch.requests.length === 0 && !slot.isReproposed &&",
        replace: "if (batch.requests.length < 0 && !slot.isReproposed &&",
      },
    ],
    caughtBy: [VOTES, "packages/pbft-core/test/agreed-time.test.ts"],
  },
];

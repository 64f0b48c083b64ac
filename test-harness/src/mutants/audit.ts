import type { Mutant } from "./mutant.ts";

const AUDIT = "packages/checkpoint/src/audit.ts";
const REPLICA = "packages/replica/src/replica.ts";
const EXECUTOR = "packages/state-machine/src/executor.ts";
const UNIT = "packages/checkpoint/test/audit.test.ts";
const IN_A_CLUSTER = "packages/replica/test/audit.test.ts";
const SIMULATED = "test-harness/test/audit.simulation.test.ts";

/** Members that compare what they execute (protocol rule 9.5). */
export const AUDIT_MUTANTS: readonly Mutant[] = [
  {
    name: "f-liars-quarantine-a-correct-replica",
    rule: "9.5",
    bug: "a replica believes f others that it is wrong",
    file: AUDIT,
    edits: [
      {
        find: "this.#open.size >= weakQuorumSize(this.#options.membership)",
        replace: "this.#open.size >= faultThreshold(this.#options.membership)",
      },
    ],
    caughtBy: [UNIT, IN_A_CLUSTER],
  },
  {
    name: "quarantined-and-speaking",
    rule: "9.5",
    bug: "a replica that is contradicted goes on as if nothing had happened",
    file: "packages/replica/src/self-quarantine.ts",
    edits: [
      { find: "    this.#isSilent = true;\n", replace: "" },
      { find: "return [...out.filter(saysNothing),", replace: "return [...out," },
    ],
    caughtBy: [IN_A_CLUSTER],
  },
  {
    name: "statements-signed-again-after-a-repair",
    rule: "9.5",
    bug: "after a quarantine statements are signed again for numbers of which other ones are out",
    file: EXECUTOR,
    edits: [{ find: " && statement.seq > silentUpTo", replace: " && silentUpTo >= 0" }],
    caughtBy: ["packages/state-machine/test/silence.test.ts", SIMULATED],
  },
  {
    name: "checkpoints-signed-again-after-a-repair",
    rule: "9.5",
    bug: "after a quarantine CHECKPOINTs are signed again for numbers of which other ones are out",
    file: "packages/checkpoint/src/checkpointing.ts",
    edits: [{ find: "if (seq <= (this.#options.silentUpTo ?? 0)) return;", replace: "" }],
    caughtBy: ["packages/checkpoint/test/checkpointing.test.ts"],
  },
  {
    name: "quarantine-forgotten",
    rule: "9.5",
    bug: "how far a replica had spoken wrongly is not noted: after the repair it does not know where to be silent",
    file: "packages/server/src/note-quarantine.ts",
    edits: [
      {
        find: "upTo: sequenceNumber(Math.max(upTo, before?.upTo ?? 0)),",
        replace: "upTo: sequenceNumber(before?.upTo ?? 0),",
      },
    ],
    caughtBy: [SIMULATED],
  },
  {
    name: "outputs-not-compared",
    rule: "9.5",
    bug: "what statuses say of outputs is not looked at: a wrong answer that leaves no trace in the state is never found",
    file: REPLICA,
    edits: [
      { find: "if (message.executionDigest !== undefined)", replace: "if (message.executionDigest === message.type)" },
    ],
    caughtBy: [IN_A_CLUSTER],
  },
  {
    name: "slow-is-wrong",
    rule: "9.5",
    bug: "what a member says of a number is compared with what this replica says of its last one",
    file: "packages/checkpoint/src/comparison.ts",
    edits: [
      {
        find: "const own = this.#own.get(seq);\n    if (own",
        replace: "const own = this.#own.get(seq) ?? [...this.#own.values()].at(-1);\n    if (own",
      },
    ],
    caughtBy: [UNIT],
  },
  {
    name: "answered-before-it-is-durable",
    rule: "9.5",
    bug: "what a replica fetched beyond its window is answered, and lost in a crash",
    file: "packages/server/src/held-replies.ts",
    edits: [{ find: "return seq <= this.#windowEnd || seq <= this.#durable;", replace: "return seq > 0;" }],
    caughtBy: ["packages/server/test/held-replies.test.ts", "packages/server/test/replica-host.test.ts"],
  },
];

import type { Mutant } from "./mutant.ts";

const FILTERS = "packages/client-proxy/src/epoch-filters.ts";
const QUESTION = "packages/client-proxy/src/epoch-question.ts";
const CORE_TEST = "packages/client-proxy/test/following.test.ts";
const RUNNER_TEST = "packages/quorate/test/following.test.ts";

/** Clients that follow the epochs (protocol rules 5.2 and 11.4). */
export const FOLLOWING_MUTANTS: readonly Mutant[] = [
  {
    name: "epochs-add-up-to-an-output",
    rule: "5.2",
    bug: "a client believes f+1 replicas of which some are members of one epoch and some of another",
    file: FILTERS,
    edits: [
      { find: "let filter = this.#filters.get(epoch);", replace: "let filter = this.#filters.get(this.#since);" },
      { find: "this.#filters.set(epoch, filter);", replace: "this.#filters.set(this.#since, filter);" },
    ],
    caughtBy: [CORE_TEST],
  },
  {
    name: "old-epochs-are-believed",
    rule: "11.4",
    bug: "members that left make an output of a request that was first sent after they had",
    file: FILTERS,
    edits: [
      {
        find: "if (epoch < this.#since) return false;",
        replace: "if (epoch < 0 && epoch < this.#since) return false;",
      },
    ],
    caughtBy: [CORE_TEST],
  },
  {
    name: "links-that-nobody-asked-for",
    rule: "13.1",
    bug: "one replica has a client verify as many forged certificates as it sends",
    file: QUESTION,
    edits: [{ find: "const above = this.#above;", replace: "const above = this.#above ?? this.#chain.epoch;" }],
    caughtBy: [CORE_TEST],
  },
  {
    name: "one-answer-is-all",
    rule: "11.4",
    bug: "a client that is many epochs behind stays behind after the first answer",
    file: QUESTION,
    edits: [{ find: 'return this.#chain.epoch > above ? "more" : "nothing-new";', replace: 'return "nothing-new";' }],
    caughtBy: [CORE_TEST],
  },
  {
    name: "open-requests-stay-with-leavers",
    rule: "11.4",
    bug: "what is on the way when an epoch begins waits for a time-out, or for members that are gone",
    file: "packages/client-proxy/src/client-core.ts",
    edits: [{ find: "request.onEpoch();\n      this.#sendToAll(request);", replace: "request.onEpoch();" }],
    caughtBy: [CORE_TEST],
  },
  {
    name: "strangers-get-requests",
    rule: "11.4",
    bug: "a client takes whoever answers at a member's address for the member",
    file: "packages/quorate/src/core-runner.ts",
    edits: [
      {
        find: 'this.#dial(address, { role: "replica", id, publicKey }, calls)',
        replace: 'this.#dial(address, id < 0 ? { role: "replica", id, publicKey } : "any-replica", calls)',
      },
    ],
    caughtBy: [RUNNER_TEST],
  },
  {
    name: "no-introduction",
    rule: "11.4",
    bug: "a client with the genesis document alone never finds a cluster whose keys were rotated",
    file: "packages/quorate/src/core-runner.ts",
    edits: [
      {
        find: "if (SOMEONE_ELSE.has(reason.code) && this.#isAlone)",
        replace: "if (SOMEONE_ELSE.has(replica.toString()))",
      },
    ],
    caughtBy: [RUNNER_TEST],
  },
];

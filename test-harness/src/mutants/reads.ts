import type { Mutant } from "./mutant.ts";

const JUDGE = "packages/client-proxy/src/judge-read.ts";
const READING = "packages/client-proxy/src/state-reading.ts";
const APPLICATION = "packages/state-machine/src/application-reads.ts";
const READING_TEST = "packages/client-proxy/test/state-reading.test.ts";
const SERVER_TEST = "packages/server/test/state-reads.test.ts";
const SIMULATION = "test-harness/test/stale-reads.simulation.test.ts";

/** Stale reads (protocol rule 6.2). */
export const READ_MUTANTS: readonly Mutant[] = [
  {
    name: "read-without-proof",
    rule: "6.2",
    bug: "a client believes whatever value stands beside a proof",
    file: JUDGE,
    edits: [
      { find: "return areProven(query, read, judge) ?", replace: "return areProven(query, read, judge) || true ?" },
    ],
    caughtBy: [READING_TEST, SIMULATION],
  },
  {
    name: "read-without-certificate",
    rule: "6.2",
    bug: "a client believes a root that no quorum has signed",
    file: JUDGE,
    edits: [{ find: "!judge.isCertified(certificate, membership)", replace: "false" }],
    caughtBy: [READING_TEST],
  },
  {
    name: "read-of-another-question",
    rule: "6.2",
    bug: "a client takes what is true of other keys for an answer to its own",
    file: JUDGE,
    edits: [{ find: 'if (!isAnswer(query, read)) return "other-question";', replace: "" }],
    caughtBy: [READING_TEST],
  },
  {
    name: "read-goes-back",
    rule: "6.2",
    bug: "a client takes an older checkpoint than one that it has seen",
    file: READING,
    edits: [{ find: "Math.max(atLeast, this.#newest, ", replace: "Math.max(atLeast, " }],
    caughtBy: [READING_TEST],
  },
  {
    name: "read-below-the-latest-epoch",
    rule: "11.4",
    bug: "a client that knows the next epoch takes what the members of the one before may have made up since",
    file: READING,
    edits: [{ find: "this.#o.chain.membership.start?.seq ?? 0", replace: "0" }],
    caughtBy: [READING_TEST],
  },
  {
    name: "read-shows-one-readable-key-of-many",
    rule: "6.2",
    bug: "a replica shows what its service does not, beside a key that may be seen",
    file: APPLICATION,
    edits: [{ find: "!keys.every(isReadable)", replace: "!keys.some(isReadable)" }],
    caughtBy: [SERVER_TEST],
  },
  {
    name: "read-of-a-service-that-says-nothing",
    rule: "6.2",
    bug: "a service that does not say what may be read shows all",
    file: "packages/server/src/state-reads.ts",
    edits: [{ find: "(copyBytes(key), client) === true", replace: "(copyBytes(key), client) !== false" }],
    caughtBy: [SERVER_TEST],
  },
  {
    name: "range-of-what-is-there-now",
    rule: "9.1",
    bug: "a checkpoint read in order has what was written after it",
    file: "packages/state-tree/src/snapshot.ts",
    edits: [{ find: "if (checkpoint >= seq) streams.push", replace: "if (checkpoint > seq) streams.push" }],
    caughtBy: ["packages/state-tree/test/state-tree.test.ts", SERVER_TEST],
  },
];

import type { Mutant } from "./mutant.ts";

const RECOVERY = "packages/server/src/recover-replica.ts";
const REPLICA_TEST = "packages/replica/test/observing.test.ts";
const TURNS_TEST = "packages/server/test/member-turns.test.ts";

/** Replicas that are no members, and turns of epochs in which a replica becomes another member or none (decision 0044). */
export const OBSERVER_MUTANTS: readonly Mutant[] = [
  {
    name: "observer-is-not-mute",
    rule: "11.6",
    bug: "a replica that is no member votes all the same",
    file: "packages/replica/src/muteness.ts",
    edits: [{ find: "return this.isObserver || !this.#isReleased;", replace: "return !this.#isReleased;" }],
    caughtBy: [REPLICA_TEST, TURNS_TEST],
  },
  {
    name: "observers-are-not-told-what-is-executed",
    rule: "11.6",
    bug: "who follows hears of what was executed ten status intervals later",
    file: "packages/replica/src/status-exchange.ts",
    edits: [{ find: "else if (executed > this.#told)", replace: "else if (executed < 0)" }],
    caughtBy: [REPLICA_TEST],
  },
  {
    name: "observer-is-heard-as-a-member",
    rule: "11.6",
    bug: "what only members say is taken over the link of one that is none",
    file: "packages/server/src/replica-runner.ts",
    edits: [
      {
        find: "memberOf(this.#membership, peer) === undefined && !provesItself(frame)",
        replace: "memberOf(this.#membership, peer) === undefined && epoch < 0",
      },
    ],
    caughtBy: [TURNS_TEST],
  },
  {
    name: "rejoined-and-still-mute",
    rule: "11.6",
    bug: "a member that has rejoined after the loss of its disk stays mute in the epoch that begins with that",
    file: RECOVERY,
    edits: [{ find: "epochs.hasRejoined(self, disk.lossNonce)", replace: "epochs.epoch < 0" }],
    caughtBy: [TURNS_TEST],
  },
  {
    name: "rejoined-after-any-loss",
    rule: "11.6",
    bug: "a member that rejoined once votes after each later loss of its disk, too",
    file: "packages/reconfiguration/src/epoch-chain.ts",
    edits: [{ find: "rejoin.id === id && rejoin.loss === loss", replace: "rejoin.id === id && loss.length > 0" }],
    caughtBy: [TURNS_TEST],
  },
  {
    name: "votes-forgotten-with-their-key",
    rule: "8.2",
    bug: "a member whose key is gone goes on as an observer, and forgets what it has promised in this epoch",
    file: RECOVERY,
    edits: [
      {
        find: "if (self === NO_MEMBER) checkPromisedNothing",
        replace: "if (self === NO_MEMBER && self !== NO_MEMBER) checkPromisedNothing",
      },
    ],
    caughtBy: [TURNS_TEST],
  },
  {
    name: "statement-signed-with-the-key-of-another-epoch",
    rule: "11.6",
    bug: "who comes to an epoch by the history of the one before signs what was executed there with a key that nobody knows it by",
    file: "packages/state-machine/src/executor.ts",
    edits: [{ find: "&& statement.epoch === signsIn", replace: "&& signsIn >= 0" }],
    caughtBy: ["packages/state-machine/test/silence.test.ts"],
  },
];

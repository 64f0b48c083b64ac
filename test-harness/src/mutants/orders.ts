import type { Mutant } from "./mutant.ts";

const CHANGE_ORDER = "packages/client-proxy/src/change-order.ts";
const CHANGE_TEST = "packages/client-proxy/test/change-order.test.ts";
const WATCH_TEST = "packages/client-proxy/test/epoch-watch.test.ts";

/** Orders of changes, which need no session (protocol rules 11.1 and 11.4). */
export const ORDER_MUTANTS: readonly Mutant[] = [
  {
    name: "order-outlives-its-epoch",
    rule: "11.1",
    bug: "an order whose epoch is over without an answer is sent for ever, though the next link tells what became of it",
    file: CHANGE_ORDER,
    edits: [{ find: "this.#chain.epoch > this.#request.epoch ? this.#shown() : undefined;", replace: "undefined;" }],
    caughtBy: [CHANGE_TEST],
  },
  {
    name: "order-before-its-epoch",
    rule: "11.1",
    bug: "an order goes out in an epoch that its replies cannot be judged in yet",
    file: CHANGE_ORDER,
    edits: [{ find: "if (this.#chain.epoch < epoch || !hints.isReady", replace: "if (!hints.isReady" }],
    caughtBy: [CHANGE_TEST],
  },
  {
    name: "refused-is-refused-for-ever",
    rule: "11.1",
    bug: "an order that is refused for its epoch, or its nonce, is said to have had no effect, though it may have been executed before",
    file: CHANGE_ORDER,
    edits: [{ find: 'if (refusal === "epoch-other") return settled(lost(this.#request, "unknown"));', replace: "" }],
    caughtBy: [CHANGE_TEST],
  },
  {
    name: "executed-before-had-no-effect",
    rule: "11.1",
    bug: "whoever submits an order again is told that the first one had no effect",
    file: "packages/client-proxy/src/change-failures.ts",
    edits: [{ find: 'effect: reason === "nonce-used" ? "unknown" : "none",', replace: 'effect: "none",' }],
    caughtBy: [CHANGE_TEST],
  },
  {
    name: "queued-admins-are-lost",
    rule: "11.1",
    bug: "a change of admins that waits behind a rejoining member is taken for one that was lost",
    file: "packages/reconfiguration/src/shown-change.ts",
    edits: [
      { find: 'if (pending !== undefined && change.type === "admins"', replace: "if (pending !== undefined && false" },
    ],
    caughtBy: ["packages/reconfiguration/test/shown-change.test.ts"],
  },
  {
    name: "one-member-tells-the-epoch",
    rule: "11.4",
    bug: "one member that withholds links is enough to show an old membership as the latest",
    file: "packages/client-proxy/src/epoch-watch.ts",
    edits: [{ find: "membersHeard >= weakQuorumSize(membership)", replace: "membersHeard >= 1" }],
    caughtBy: [WATCH_TEST],
  },
  {
    name: "nobody-asks-for-an-epoch",
    rule: "11.4",
    bug: "whoever waits for an epoch of an idle cluster is never told of it",
    file: "packages/client-proxy/src/epoch-follower.ts",
    edits: [
      {
        find: "if (this.#expected !== undefined && this.#expected > this.#chain.epoch) return true;",
        replace: "",
      },
    ],
    caughtBy: [WATCH_TEST],
  },
  {
    name: "order-files-are-trusted",
    rule: "11.1",
    bug: "an order that somebody has changed on its way is approved, and submitted",
    file: "packages/server/src/change-document.ts",
    edits: [{ find: "if (!backend.verify(key, approved, signature))", replace: "if (approved.length === 0)" }],
    caughtBy: ["packages/server/test/change-document.test.ts"],
  },
];

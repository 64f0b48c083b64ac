import type { Mutant } from "./mutant.ts";

const REQUESTS = "packages/state-machine/src/request-execution.ts";
const SESSIONS = "packages/state-machine/test/sessions.test.ts";
const EXECUTION = "packages/state-machine/test/execution.test.ts";

/** Requests, sessions, execution, and what clients believe (protocol rules 3, 4.7 and 5). */
export const EXECUTION_MUTANTS: readonly Mutant[] = [
  {
    name: "repeated-registration-opens-a-second-session",
    rule: "3.2",
    bug: "executed nonces are not looked up",
    file: "packages/state-machine/src/session-table.ts",
    edits: [{ find: "if (known !== undefined) {", replace: "if (known?.length === 0) {" }],
    caughtBy: [SESSIONS],
  },
  {
    name: "request-overtakes-its-session",
    rule: "3.3",
    bug: "a number above the next expected one executes",
    file: REQUESTS,
    edits: [
      { find: "if (number > session.expected) return undefined;", replace: "" },
      { find: "if (number === session.expected) return", replace: "if (number >= session.expected) return" },
    ],
    caughtBy: [SESSIONS],
  },
  {
    name: "session-window-off-by-one",
    rule: "3.3",
    bug: "one number more than the session keeps replies for counts as kept",
    file: "packages/state-machine/src/committed-sessions.ts",
    edits: [
      {
        find: "number >= session.expected - sessionWindow &&",
        replace: "number >= session.expected - sessionWindow - 1 &&",
      },
    ],
    caughtBy: [SESSIONS, "packages/state-machine/test/recovery.test.ts"],
  },
  {
    name: "number-reused-unnoticed",
    rule: "3.3",
    bug: "another request under an executed number gets the reply of the first",
    file: REQUESTS,
    edits: [{ find: "reply.requestDigest === requestDigest\n", replace: "reply.number === number\n" }],
    caughtBy: [SESSIONS],
  },
  {
    name: "request-of-another-client",
    rule: "3.3",
    bug: "whoever knows the id of a session may use it",
    file: REQUESTS,
    edits: [{ find: "if (session?.client !== client)", replace: "if (session === undefined)" }],
    caughtBy: [SESSIONS],
  },
  {
    name: "request-executed-twice",
    rule: "3.3",
    bug: "a number that was executed executes again when it is ordered again",
    file: REQUESTS,
    edits: [{ find: "if (number === session.expected) return", replace: "if (number <= session.expected) return" }],
    caughtBy: [SESSIONS],
  },
  {
    name: "duplicate-in-a-batch-answered-twice",
    rule: "3.3",
    bug: "a request that a batch orders twice has two outputs",
    file: "packages/state-machine/src/executor.ts",
    edits: [{ find: "if (outputs.has(request.digest)) return;", replace: "" }],
    caughtBy: [EXECUTION],
    harmless:
      "outputs is a map by request digest and a repeated number yields its kept reply, so the second place writes over " +
      "the first what was there",
  },
  {
    name: "time-goes-back",
    rule: "4.7",
    bug: "the time that services see is the batch's own, and a null batch puts it to 0",
    file: "packages/state-machine/src/executor.ts",
    edits: [
      { find: "timestampMs(Math.max(this.timestampMs, batch.timestampMs))", replace: "timestampMs(batch.timestampMs)" },
    ],
    caughtBy: [EXECUTION],
  },
  {
    name: "client-believes-f",
    rule: "5.2",
    bug: "f equal replies are believed",
    file: "packages/client-proxy/src/output-filter.ts",
    edits: [
      {
        find: "const needed = weakQuorumSize(this.#membership);\n",
        replace: "const needed = weakQuorumSize(this.#membership) - 1;\n",
      },
    ],
    caughtBy: ["packages/client-proxy/test/output-filter.test.ts"],
  },
  {
    name: "client-counts-replies",
    rule: "5.2",
    bug: "the replies of one member count as often as they come",
    file: "packages/client-proxy/src/output-filter.ts",
    edits: [
      {
        find: "const supporting = replies.find((candidate) => agrees(candidate, reply));\n      if (supporting !== undefined) supporters.push(supporting);",
        replace: "supporters.push(...replies.filter((candidate) => agrees(candidate, reply)));",
      },
    ],
    caughtBy: ["packages/client-proxy/test/output-filter.test.ts"],
  },
  {
    name: "receipt-over-different-statements",
    rule: "5.2",
    bug: "f+1 equal leaves make a receipt, whatever their statements say",
    file: "packages/client-proxy/src/output-filter.ts",
    edits: [
      {
        find: "return isSameStatement(a.statement, b.statement) && isSameLeaf(a, b);",
        replace: "return isSameLeaf(a, b) || isSameStatement(a.statement, b.statement);",
      },
    ],
    caughtBy: ["packages/client-proxy/test/output-filter.test.ts"],
  },
  {
    name: "client-retries-under-another-number",
    rule: "5.3",
    bug: "a retry of a call on the way is submitted as a new operation",
    file: "packages/client-proxy/src/client-core.ts",
    edits: [
      {
        find: "if (request !== undefined) return this.#resume(call, request, timeoutMs);",
        replace:
          'if (request !== undefined) {\n      const operation = request.calls.find(({ id }) => id === call)?.operation ?? new Uint8Array(0);\n      return this.#onSubmit({ type: "submit", call, operation, atMs: this.#nowMs, ...optional(timeoutMs) });\n    }',
      },
    ],
    caughtBy: ["packages/client-proxy/test/retry.test.ts"],
  },
];

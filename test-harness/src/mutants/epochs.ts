import type { Mutant } from "./mutant.ts";

const WINDOW = "packages/pbft-core/src/window.ts";
const CREATION = "packages/replica/src/create-sub-protocols.ts";
const EPOCH_END = "packages/replica/src/epoch-end.ts";
const ORDERING_TEST = "packages/pbft-core/test/activation.test.ts";
const REPLICA_TEST = "packages/replica/test/activation.test.ts";
const VERDICT = "packages/reconfiguration/src/verdict.ts";
const KEYS = "packages/server/src/replica-keys.ts";
const MODEL_TEST = "test-harness/test/epochs.simulation.test.ts";
const MEMBERS_TEST = "test-harness/test/changing-members.simulation.test.ts";
const TURNS = "packages/server/src/epoch-turns.ts";
const STAGES = "packages/server/src/replica-stages.ts";
const EPOCHS_TEST = "packages/server/test/replica-epochs.test.ts";
const ABSENT_TEST = "packages/server/test/absent-state.test.ts";
const NEXT_TEST = "packages/replica/test/later-epoch.test.ts";

/** The end of an epoch, and the start of the next one (protocol rules 11.2 and 11.3). */
export const EPOCH_MUTANTS: readonly Mutant[] = [
  {
    name: "quorum-of-three-of-five",
    rule: "1.1",
    bug: "three of five decide: two such sets share one member, which may be the faulty one",
    file: "packages/protocol/src/membership.ts",
    edits: [
      {
        find: "Math.ceil((membership.members.length + faultThreshold(membership) + 1) / 2)",
        replace:
          "membership.members.length === 5 ? 3 : Math.ceil((membership.members.length + faultThreshold(membership) + 1) / 2)",
      },
    ],
    caughtBy: ["test-harness/test/quorums.simulation.test.ts"],
  },
  {
    name: "quorum-of-three-of-six",
    rule: "1.1",
    bug: "three of six decide, and the other three something else",
    file: "packages/protocol/src/membership.ts",
    edits: [
      {
        find: "Math.ceil((membership.members.length + faultThreshold(membership) + 1) / 2)",
        replace:
          "membership.members.length === 6 ? 3 : Math.ceil((membership.members.length + faultThreshold(membership) + 1) / 2)",
      },
    ],
    caughtBy: ["test-harness/test/quorums.simulation.test.ts"],
  },
  {
    name: "active-at-once",
    rule: "11.2",
    bug: "a change takes effect at the next multiple of K, where numbers above it may be voted for already",
    file: "packages/protocol/src/reconfiguration.ts",
    edits: [{ find: "Math.ceil((ordered + l) / k) * k", replace: "Math.ceil((ordered + l - l) / k) * k" }],
    caughtBy: [MODEL_TEST],
  },
  {
    name: "quorum-of-the-epoch-before",
    rule: "11.4",
    bug: "the first epoch with a fifth member decides with three",
    file: "packages/protocol/src/membership.ts",
    edits: [
      {
        find: "Math.ceil((membership.members.length + faultThreshold(membership) + 1) / 2)",
        replace:
          "Math.ceil((membership.members.length - (membership.epoch > 0 ? 1 : 0) + faultThreshold(membership) + 1) / 2)",
      },
    ],
    caughtBy: [MEMBERS_TEST],
  },
  {
    name: "pending-change-lost-with-the-state",
    rule: "10.2",
    bug: "whoever reads the record of the configuration, after a restart or a transfer, does not know that a change waits",
    file: "packages/reconfiguration/src/configuration-record.ts",
    edits: [
      {
        find: "pending: readFlag(reader) ? readPending(reader) : undefined,",
        replace: "pending: readFlag(reader) && readPending(reader).activation === 0 ? readPending(reader) : undefined,",
      },
    ],
    caughtBy: [MEMBERS_TEST],
  },
  {
    name: "joiner-votes-before-its-activation",
    rule: "11.5",
    bug: "a replica that is no member yet signs by the id that it is to have",
    file: KEYS,
    edits: [
      {
        find: "const member = members.find(({ publicKey }) => publicKey === key);",
        replace:
          "const member = members.find(({ publicKey }) => publicKey === key) ?? { id: members.length as ReplicaId };",
      },
    ],
    caughtBy: [MEMBERS_TEST],
  },
  {
    name: "leaver-votes-after-its-activation",
    rule: "11.2",
    bug: "who a replica is, is what genesis says, and one that left goes on signing",
    file: STAGES,
    edits: [
      {
        find: "return { ...options, signer: signerIn(keys, options.epochs.membership) };",
        replace:
          "return { ...options, signer: signerIn(keys, options.epochs.membershipAt(0 as Epoch) ?? options.epochs.membership) };",
      },
    ],
    caughtBy: [MEMBERS_TEST],
  },
  {
    name: "old-key-accepted-after-a-rotation",
    rule: "11.4",
    bug: "what is signed with the key that a member had in the epoch before is taken for its word in this one",
    file: "packages/server/src/ingress.ts",
    edits: [
      {
        find: 'verifier.verifyEnvelope(envelope, membership);\n    return verified === undefined\n      ? this.#refuse(peer, "ingress.bad-signature")\n      : { type: "message", envelope: verified };',
        replace:
          'verifier.verifyEnvelope(envelope, membership) ??\n      verifier.verifyEnvelope(envelope, {\n        ...membership,\n        members: this.#options.epochs.membershipAt((membership.epoch - 1) as typeof membership.epoch)?.members ?? [],\n      });\n    return verified === undefined\n      ? this.#refuse(peer, "ingress.bad-signature")\n      : { type: "message", envelope: verified };',
      },
    ],
    caughtBy: ["packages/server/test/member-turns.test.ts"],
  },
  {
    name: "number-beyond-its-epoch",
    rule: "11.4",
    bug: "the keys of an epoch that is over certify any number for whoever knows its end",
    file: "packages/protocol/src/epoch-bounds.ts",
    edits: [{ find: "(last !== undefined && seq > last)", replace: "(last !== undefined && seq < 0)" }],
    caughtBy: ["packages/reconfiguration/test/epoch-verifier.test.ts"],
  },
  {
    name: "admission-beyond-the-nonces",
    rule: "11.1",
    bug: "clients are admitted and expelled by orders that nobody remembers, so that anyone can submit them again",
    file: VERDICT,
    edits: [{ find: "if (areNoncesSpent)", replace: "if (areNoncesSpent && seq < 0)" }],
    caughtBy: ["packages/state-machine/test/reconfigurations.test.ts"],
  },
  {
    name: "rotation-changes-nothing",
    rule: "11.1",
    bug: "a rotation is accepted, and the member keeps its key",
    file: VERDICT,
    edits: [
      {
        find: "(other.id === id ? { ...other, publicKey } : other)",
        replace: "(other.id < 0 ? { ...other, publicKey } : other)",
      },
    ],
    caughtBy: [MEMBERS_TEST],
  },
  {
    name: "id-of-one-that-left-given-again",
    rule: "11.1",
    bug: "an id is free as soon as no member has it",
    file: VERDICT,
    edits: [
      {
        find: "if (member.id <= highestId)",
        replace: "if (highestId < 0 || members.some(({ id }) => id === member.id))",
      },
    ],
    caughtBy: [MEMBERS_TEST],
  },
  {
    name: "window-not-cut-at-the-activation",
    rule: "11.2",
    bug: "numbers above the activation are proposed and voted for by the members of the epoch that ends there",
    file: WINDOW,
    edits: [{ find: "Math.min(high, this.#end?.seq ?? high)", replace: "high" }],
    caughtBy: [ORDERING_TEST, REPLICA_TEST],
  },
  {
    name: "activation-not-known-after-a-restart",
    rule: "11.2",
    bug: "a replica that was restarted does not know that a change waits, and votes above its activation",
    file: CREATION,
    edits: [{ find: "base, executed, endOf(recovery));", replace: "base, executed);" }],
    caughtBy: [REPLICA_TEST],
  },
  {
    name: "doubt-is-no-bound",
    rule: "10.2",
    bug: "a replica that awaits its state votes above a number at which its epoch may end",
    file: CREATION,
    edits: [
      {
        find: "seq === undefined ? undefined : { seq",
        replace: "seq === undefined || awaitsState ? undefined : { seq",
      },
    ],
    caughtBy: [REPLICA_TEST],
  },
  {
    name: "votes-above-the-activation-wait",
    rule: "11.2",
    bug: "what is said of numbers above the activation waits for a window that never comes",
    file: "packages/pbft-core/src/vote-standing.ts",
    edits: [{ find: 'if (seq > (this.#window.end ?? seq)) return "epoch.over";', replace: "" }],
    caughtBy: [ORDERING_TEST],
  },
  {
    name: "way-to-the-activation-not-filled",
    rule: "11.2",
    bug: "a change in an idle cluster never takes effect: nobody proposes null batches up to its activation",
    file: EPOCH_END,
    edits: [{ find: "if (end === undefined) return ofMute;", replace: "if (ofMute === undefined) return ofMute;" }],
    caughtBy: [REPLICA_TEST],
  },
  {
    name: "stalled-way-to-the-activation-not-waited-for",
    rule: "7.4",
    bug: "a primary that proposes no null batch after a change keeps its view for as long as nobody asks for anything",
    file: "packages/pbft-core/src/ordering.ts",
    edits: [
      {
        find: "activation !== undefined && lastDelivered < activation ? this.#progressAtMs : undefined",
        replace: "activation === lastDelivered && activation === 0 ? this.#progressAtMs : undefined",
      },
    ],
    caughtBy: [ORDERING_TEST, REPLICA_TEST],
  },
  {
    name: "left-for-a-checkpoint",
    rule: "11.2",
    bug: "primaries are left while the checkpoint at the activation is awaited, for which they can do nothing",
    file: "packages/pbft-core/src/ordering.ts",
    edits: [
      {
        find: "activation !== undefined && lastDelivered < activation ? this.#progressAtMs",
        replace: "activation !== undefined ? this.#progressAtMs",
      },
    ],
    caughtBy: [ORDERING_TEST, REPLICA_TEST],
  },
  {
    name: "speaks-after-its-epoch",
    rule: "11.2",
    bug: "a replica goes on in an epoch after it has said that it is over",
    file: EPOCH_END,
    edits: [{ find: "this.#isOver = true;", replace: "" }],
    caughtBy: [REPLICA_TEST],
  },
  {
    name: "epoch-over-without-its-state",
    rule: "11.2",
    bug: "a replica leaves the epoch at an activation whose state is not there",
    file: CREATION,
    edits: [{ find: "isKnown: awaitsState !== true", replace: "isKnown: awaitsState !== true || seq > 0" }],
    caughtBy: [REPLICA_TEST],
  },
  {
    name: "null-batches-for-the-lost-above-the-activation",
    rule: "8.5",
    bug: "primaries are left for numbers that a mute member waits for and that this epoch does not have",
    file: "packages/replica/src/lost-disks.ts",
    edits: [{ find: "Math.min(until, this.#parts.ordering.activation ?? until)", replace: "until" }],
    caughtBy: [REPLICA_TEST],
  },
  {
    name: "first-turn-counts-from-genesis",
    rule: "7.6",
    bug: "the first view of a later epoch is over before it begins",
    file: "packages/pbft-core/src/current-view.ts",
    edits: [{ find: "membership.start?.seq ?? sequenceNumber(0)", replace: "sequenceNumber(0)" }],
    caughtBy: [ORDERING_TEST, NEXT_TEST],
  },
  {
    name: "epoch-begins-before-its-link-is-durable",
    rule: "11.2",
    bug: "a replica speaks in an epoch that a crash makes it forget, and votes in the one before again",
    file: TURNS,
    edits: [{ find: "stages.flushed(() => this.#beginEpoch());", replace: "this.#beginEpoch();" }],
    caughtBy: [EPOCHS_TEST],
  },
  {
    name: "link-behind-a-flush-under-way",
    rule: "11.2",
    bug: "a host is made in an epoch of which the link was written after the flush began that is waited for",
    file: STAGES,
    edits: [{ find: "if (epochs.epoch !== covered)", replace: "if (epochs.epoch < covered)" }],
    caughtBy: [EPOCHS_TEST],
  },
  {
    name: "frames-of-a-later-epoch-not-kept",
    rule: "11.3",
    bug: "the first proposals of an epoch are lost to whoever comes last",
    file: "packages/server/src/replica-runner.ts",
    edits: [
      {
        find: "this.#backlog.keepFrame(peer, frame);\n    if (epoch >",
        replace: "if (epoch < 0) this.#backlog.keepFrame(peer, frame);\n    if (epoch >",
      },
    ],
    caughtBy: [EPOCHS_TEST],
  },
  {
    name: "votes-rest-above-what-may-be-a-change",
    rule: "10.2",
    bug: "votes come to rest on a checkpoint above a change of which this replica does not know where it takes effect",
    file: "packages/server/src/absent-state.ts",
    edits: [
      { find: "(firstChange === undefined || seq < firstChange)", replace: "(firstChange === undefined || seq > 0)" },
    ],
    caughtBy: [ABSENT_TEST],
  },
  {
    name: "noted-changes-not-looked-at",
    rule: "10.2",
    bug: "a replica without its state votes above the end that a change in its history may have given the epoch",
    file: "packages/server/src/end-of-epoch.ts",
    edits: [
      {
        find: "first && activationOf(first, configuration)",
        replace: "first === 0 ? activationOf(first, configuration) : undefined",
      },
    ],
    caughtBy: ["packages/server/test/end-of-epoch.test.ts"],
  },
  {
    name: "certificates-judged-by-the-latest-members",
    rule: "11.4",
    bug: "what was certified in an epoch that is over counts by the members of the latest one",
    file: "packages/crypto/src/epoch-verifier.ts",
    edits: [
      {
        find: "const members = this.#epochs.membershipAt(epoch);",
        replace: "const members = this.#epochs.membership;",
      },
    ],
    caughtBy: ["packages/reconfiguration/test/epoch-verifier.test.ts", EPOCHS_TEST],
  },
];

import type { Mutant } from "./mutant.ts";

const VIEW_CHANGE_VERIFIER = "packages/crypto/src/view-change-verifier.ts";
const VIEW_CHANGES = "packages/crypto/test/verify-view-changes.test.ts";
const HANDSHAKE = "packages/transport/src/handshake.ts";
const PRE_SCAN = "packages/codec/src/pre-scan.ts";

/** What is remembered as verified, links, bytes and shares (protocol rules 2, 4.5 and 13). */
export const DOOR_MUTANTS: readonly Mutant[] = [
  {
    name: "proven-for-another-digest",
    rule: "13.1",
    bug: "a claim counts as proven when any digest was proven at its number and view, a checkpoint when any root was",
    file: VIEW_CHANGE_VERIFIER,
    edits: [
      { find: "known.get(fact)", replace: "known.get(fact.slice(0, -64))" },
      { find: "known.set(fact, verified)", replace: "known.set(fact.slice(0, -64), verified)" },
    ],
    caughtBy: [VIEW_CHANGES],
  },
  {
    name: "any-genesis-will-do",
    rule: "7.2",
    bug: "a VIEW-CHANGE may claim a state of its own at the start of its epoch",
    file: VIEW_CHANGE_VERIFIER,
    edits: [
      {
        find: "stateRoot === start.stateRoot && signatures.length === 0",
        replace: "signatures.length === 0",
      },
    ],
    caughtBy: [VIEW_CHANGES],
  },
  {
    name: "pre-prepare-of-a-prepared-certificate-not-verified",
    rule: "7.2",
    bug: "backups alone make a prepared certificate, for what the primary never proposed",
    file: "packages/crypto/src/vote-verifier.ts",
    edits: [
      {
        find: "this.isEnvelopeSigned(prePrepare, membership) && this.#isSignedByAll(prepare,",
        replace: "this.#isSignedByAll(prepare,",
      },
    ],
    caughtBy: ["packages/crypto/test/verify-votes.test.ts"],
  },
  {
    name: "evidence-of-one-signature",
    rule: "13.2",
    bug: "evidence is believed though only one of the two messages is signed: anybody can accuse anybody",
    file: "packages/crypto/src/vote-verifier.ts",
    edits: [
      {
        find: "this.isEnvelopeSigned(first, membership) && this.isEnvelopeSigned(second, membership)",
        replace: "this.isEnvelopeSigned(first, membership) && second.from === first.from",
      },
    ],
    caughtBy: ["packages/crypto/test/verify-votes.test.ts"],
  },
  {
    name: "second-signature-taken-on-trust",
    rule: "2.3",
    bug: "a request whose content was verified once passes under any signature",
    file: "packages/crypto/src/request-verifier.ts",
    edits: [
      {
        find: "return known !== undefined && equalBytes(known, signature);",
        replace: "return known !== undefined && signature.length === known.length;",
      },
    ],
    caughtBy: ["packages/crypto/test/verify-requests.test.ts"],
  },
  {
    name: "proof-of-the-link-not-verified",
    rule: "13.1",
    bug: "whoever dials is who it says",
    file: HANDSHAKE,
    edits: [
      {
        find: "frame.length !== PROOF_BYTES || !credentials.verify(peer.own.publicKey, preimage, frame)",
        replace: "frame.length !== PROOF_BYTES || preimage.length === 0",
      },
    ],
    caughtBy: ["packages/transport/test/handshake.test.ts"],
  },
  {
    name: "reflected-hello-accepted",
    rule: "13.1",
    bug: "an end can be made to prove itself to itself",
    file: HANDSHAKE,
    edits: [
      {
        find: "hello.own.publicKey === own.publicKey || hello.nonce === this.#ownNonce",
        replace: "hello.own.publicKey.length === 0",
      },
    ],
    caughtBy: ["packages/transport/test/handshake.test.ts"],
  },
  {
    name: "bytes-behind-the-value",
    rule: "2.4",
    bug: "what follows a frame is ignored, so that one value has many encodings",
    file: PRE_SCAN,
    edits: [{ find: "return rest === 0 ? undefined", replace: "return rest >= 0 ? undefined" }],
    caughtBy: ["packages/codec/test/pre-scan.test.ts"],
  },
  {
    name: "integers-in-longer-forms",
    rule: "2.4",
    bug: "an integer may be written in more bytes than it needs",
    file: PRE_SCAN,
    edits: [
      { find: "this.#error === undefined && value < least", replace: "this.#error === undefined && value < 0 * least" },
    ],
    caughtBy: ["packages/codec/test/pre-scan.test.ts"],
  },
  {
    name: "memory-on-a-claim-of-length",
    rule: "2.4",
    bug: "a string may claim more bytes than the frame has",
    file: PRE_SCAN,
    edits: [
      {
        find: "if (argument > this.#bytes.length - this.#at)\n      return",
        replace: "if (argument > this.#bytes.length * 2 ** 20)\n      return",
      },
    ],
    caughtBy: ["packages/codec/test/pre-scan.test.ts"],
  },
  {
    name: "questions-without-end",
    rule: "13.1",
    bug: "a peer may ask as often as it likes",
    file: "packages/state-transfer/src/serving-budget.ts",
    edits: [{ find: "if (bucket.tokens < cost) return false;", replace: "" }],
    caughtBy: ["packages/state-transfer/test/serving-budget.test.ts"],
  },
  {
    name: "one-donor-for-ever",
    rule: "4.8",
    bug: "a donor that is silent is asked again and again",
    file: "packages/state-transfer/src/gap-filler.ts",
    edits: [
      {
        find: "donors.find((id) => id > (this.#lastDonor ?? -1)) ?? donors[0]",
        replace: "donors[0]",
      },
    ],
    caughtBy: ["packages/state-transfer/test/gap-filler.test.ts"],
  },
  {
    name: "fetches-faster-than-a-disk-writes",
    rule: "9.3",
    bug: "while a disk hangs, what is fetched of a history waits in memory without any bound",
    file: "packages/state-transfer/src/gap-filler.ts",
    edits: [
      {
        find: "return delivered - this.#executed < this.#options.unexecutedMax;",
        replace: "return delivered >= this.#executed;",
      },
    ],
    caughtBy: ["packages/state-transfer/test/gap-filler.test.ts"],
  },
  {
    name: "body-is-asked-for-once",
    rule: "4.4",
    bug: "a body of which the question or the answer was lost is not asked for again in its view",
    file: "packages/pbft-core/src/three-phases.ts",
    edits: [{ find: "lost.slice(0, BODIES_ASKED_AGAIN_MAX)", replace: "lost.slice(0, 0)" }],
    caughtBy: ["packages/pbft-core/test/votes.test.ts"],
  },
  {
    name: "liar-fills-the-shelf-of-evidence",
    rule: "13.2",
    bug: "one replica's many contradictions use up what is kept against others",
    file: "packages/server/src/evidence-shelf.ts",
    edits: [{ find: "if (count >= EVIDENCE_PER_REPLICA_MAX) {", replace: "if (count < 0) {" }],
    caughtBy: ["packages/server/test/disk.test.ts"],
  },
  {
    name: "cluster-of-three",
    rule: "1.3",
    bug: "a genesis with three members is accepted, where f is 0",
    file: "packages/protocol/src/genesis.ts",
    edits: [
      { find: "if (n < MEMBERS_MIN || n > MEMBERS_MAX)", replace: "if (n < MEMBERS_MIN - 1 || n > MEMBERS_MAX)" },
    ],
    caughtBy: ["packages/protocol/test/genesis.test.ts"],
  },
  {
    name: "flush-reported-to-those-who-came-late",
    rule: "8.1",
    bug: "who writes while a flush runs is told that it is durable when that flush ends",
    file: "packages/storage/src/grouped-flush.ts",
    edits: [
      {
        find: "for (const done of served) done(this.#failure);",
        replace: "for (const done of [...served, ...this.#waiting.splice(0)]) done(this.#failure);",
      },
      { find: "if (this.#failure === undefined && this.#waiting.length > 0) this.#run();\n", replace: "" },
    ],
    caughtBy: ["packages/storage/test/compliance.test.ts", "packages/storage/test/memory.test.ts"],
  },
];

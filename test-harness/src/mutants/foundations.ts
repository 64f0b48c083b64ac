import type { Mutant } from "./mutant.ts";

const MEMBERSHIP = "packages/protocol/src/membership.ts";
const CERTIFICATES = "packages/protocol/src/certificates.ts";

/** Sizes of quorums, signatures, digests and certificates (protocol rules 1, 2 and 4.5). */
export const FOUNDATION_MUTANTS: readonly Mutant[] = [
  {
    name: "quorum-one-too-small",
    rule: "1.1",
    bug: "a quorum has one member less, so that two of them may share nobody correct",
    file: MEMBERSHIP,
    edits: [{ find: "faultThreshold(membership) + 1) / 2)", replace: "faultThreshold(membership) + 1) / 2) - 1" }],
    caughtBy: ["packages/protocol/test/membership.test.ts"],
  },
  {
    name: "quorum-of-2f-plus-1",
    rule: "1.1",
    bug: "a quorum is 2f+1, which is unsafe where n is not 3f+1",
    file: MEMBERSHIP,
    edits: [
      {
        find: "Math.ceil((membership.members.length + faultThreshold(membership) + 1) / 2)",
        replace: "2 * faultThreshold(membership) + 1",
      },
    ],
    caughtBy: ["packages/pbft-core/test/paper.test.ts"],
  },
  {
    name: "weak-quorum-without-a-correct-member",
    rule: "1.1",
    bug: "f members count as one of whom is correct",
    file: MEMBERSHIP,
    edits: [{ find: "return faultThreshold(membership) + 1;", replace: "return faultThreshold(membership);" }],
    caughtBy: ["packages/client-proxy/test/output-filter.test.ts"],
  },
  {
    name: "small-order-r-accepted",
    rule: "2.2",
    bug: "a signature whose R is of small order passes, on which verifiers differ",
    file: "packages/crypto/src/validity-rule.ts",
    edits: [
      {
        find: "signature.length === SIGNATURE_SIZE && isScalarAllowed(signature) && isPointAllowed(signature)",
        replace: "signature.length === SIGNATURE_SIZE && isScalarAllowed(signature) && isYCanonical(signature)",
      },
    ],
    caughtBy: ["packages/crypto/test/validity-rule.test.ts"],
  },
  {
    name: "scalar-not-below-the-order",
    rule: "2.2",
    bug: "S at or above L passes: anyone can make a second signature out of a first",
    file: "packages/crypto/src/validity-rule.ts",
    edits: [
      {
        find: "signature.length === SIGNATURE_SIZE && isScalarAllowed(signature) && isPointAllowed(signature)",
        replace: "signature.length === SIGNATURE_SIZE && isPointAllowed(signature)",
      },
    ],
    caughtBy: ["packages/crypto/test/signature-backend.test.ts"],
  },
  {
    name: "merkle-leaves-hashed-as-nodes",
    rule: "2.5",
    bug: "an inner node can be passed off as a leaf",
    file: "packages/crypto/src/merkle.ts",
    edits: [{ find: "const LEAF_PREFIX = 0x00;", replace: "const LEAF_PREFIX = 0x01;" }],
    caughtBy: ["packages/crypto/test/merkle.test.ts"],
  },
  {
    name: "batch-digest-without-time",
    rule: "4.1",
    bug: "the time of a batch lies outside its digest: a primary tells everyone another one",
    file: "packages/protocol/src/preimages/execution.ts",
    edits: [
      {
        find: ".u64(time)\n    .u32(requestDigests.length)",
        replace: ".u64(0 as typeof time)\n    .u32(requestDigests.length)",
      },
    ],
    caughtBy: ["packages/protocol/test/preimage.test.ts", "packages/crypto/test/verify-requests.test.ts"],
  },
  {
    name: "history-not-a-chain",
    rule: "5.1",
    bug: "the history digest covers the last batch only",
    file: "packages/protocol/src/preimages/execution.ts",
    edits: [
      {
        find: ".hex32(previous)\n    .u64(seq)\n    .hex32(batch)",
        replace: ".hex32(batch)\n    .u64(seq)\n    .hex32(batch)",
      },
    ],
    caughtBy: ["packages/protocol/test/preimage.test.ts"],
  },
  {
    name: "certificate-counts-a-member-twice",
    rule: "4.5",
    bug: "signatures of a certificate are counted, not their signers",
    file: CERTIFICATES,
    edits: [{ find: "if (from <= previous)", replace: "if (from < previous)" }],
    caughtBy: ["packages/protocol/test/certificates.test.ts"],
  },
  {
    name: "primary-among-the-backups",
    rule: "4.2",
    bug: "a prepared certificate may hold a PREPARE of the primary, whose PRE-PREPARE is its vote",
    file: CERTIFICATES,
    edits: [{ find: "prepare.from === primary", replace: "false" }],
    caughtBy: ["packages/protocol/test/certificates.test.ts"],
  },
  {
    name: "commit-certificate-not-verified",
    rule: "4.5",
    bug: "a committed entry is believed without a look at the signatures of its certificate",
    file: "packages/crypto/src/vote-verifier.ts",
    edits: [
      {
        find: "this.#isSignedByAll(commit, signatures, membership) ? sealVerified(certificate) : undefined",
        replace: "signatures.length > 0 && commit.seq === seq ? sealVerified(certificate) : undefined",
      },
    ],
    caughtBy: ["packages/crypto/test/verify-votes.test.ts"],
  },
  {
    name: "committed-entry-with-another-batch",
    rule: "4.5",
    bug: "the batch of a committed entry need not be the one that the certificate names",
    file: "packages/crypto/src/vote-verifier.ts",
    edits: [{ find: "batch.digest !== entry.certificate.digest", replace: "batch.digest.length === 0" }],
    caughtBy: ["packages/crypto/test/verify-votes.test.ts"],
  },
  {
    name: "claim-without-its-proof",
    rule: "7.2",
    bug: "the certificates beside a VIEW-CHANGE need not be of what it claims",
    file: "packages/crypto/src/view-change-verifier.ts",
    edits: [
      {
        find: "if (!prepared.every((claim, i) => isProof(claim, given.certificates[i]))) return undefined;",
        replace: "",
      },
    ],
    caughtBy: ["packages/crypto/test/verify-view-changes.test.ts"],
  },
  {
    name: "view-changes-of-others-not-verified",
    rule: "7.2",
    bug: "a primary may invent the VIEW-CHANGEs that its NEW-VIEW refers to",
    file: "packages/crypto/src/view-change-verifier.ts",
    edits: [{ find: "return this.#votes.isEnvelopeSigned(viewChange, membership);", replace: "return true;" }],
    caughtBy: ["packages/crypto/test/verify-view-changes.test.ts"],
  },
  {
    name: "receipt-counts-a-signer-twice",
    rule: "5.2",
    bug: "f+1 signatures of one member make a receipt",
    file: "packages/crypto/src/output-verifier.ts",
    edits: [
      { find: 'if (signers.size !== signatures.length) return "signed-twice";', replace: "" },
      {
        find: "signers.size < weakQuorumSize(membership)",
        replace: "signatures.length < weakQuorumSize(membership) || signers.size === 0",
      },
    ],
    caughtBy: ["packages/crypto/test/verify-outputs.test.ts"],
  },
];

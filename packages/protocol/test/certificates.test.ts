import {
  type CertificateFault,
  type CheckpointCertificate,
  type CommitCertificate,
  checkpointCertificateFault,
  commitCertificateFault,
  epochNumber,
  type MemberSignature,
  type Membership,
  membershipOf,
  type PreparedCertificate,
  preparedCertificateFault,
  replicaId,
  sequenceNumber,
  viewNumber,
} from "@quorate/protocol";
import { expect } from "chai";
import { digestOf, ids, membershipWith, memberWith, signatureOf } from "./builders.ts";

/** Members 0 … 3 of epoch 2: the primary of view 0 is member 2. */
const FOUR = membershipWith(4, 2);
/** q = 4 at n = 5 and n = 6, where 2f+1 would be 3 and unsafe. */
const FIVE = membershipWith(5, 2);
const SIX = membershipWith(6, 2);

interface Case {
  readonly what: string;
  readonly membership: Membership;
  readonly epoch: number;
  readonly signers: readonly number[];
  readonly fault: CertificateFault | undefined;
}

/** Commit and checkpoint certificates are judged alike. */
const CASES: readonly Case[] = [
  { what: "three of four", membership: FOUR, epoch: 2, signers: [0, 1, 3], fault: undefined },
  { what: "all of four", membership: FOUR, epoch: 2, signers: [0, 1, 2, 3], fault: undefined },
  { what: "four of five", membership: FIVE, epoch: 2, signers: [0, 1, 3, 4], fault: undefined },
  { what: "four of six", membership: SIX, epoch: 2, signers: [0, 1, 3, 5], fault: undefined },
  { what: "nobody", membership: FOUR, epoch: 2, signers: [], fault: "not-a-quorum" },
  { what: "two of four", membership: FOUR, epoch: 2, signers: [0, 1], fault: "not-a-quorum" },
  { what: "three of five", membership: FIVE, epoch: 2, signers: [0, 1, 2], fault: "not-a-quorum" },
  { what: "three of six", membership: SIX, epoch: 2, signers: [0, 1, 2], fault: "not-a-quorum" },
  { what: "one member twice", membership: FOUR, epoch: 2, signers: [0, 1, 1], fault: "not-ascending" },
  { what: "a quorum and a copy", membership: FOUR, epoch: 2, signers: [0, 1, 2, 2], fault: "not-ascending" },
  { what: "members out of order", membership: FOUR, epoch: 2, signers: [1, 0, 2], fault: "not-ascending" },
  { what: "a stranger among them", membership: FOUR, epoch: 2, signers: [0, 1, 4], fault: "stranger" },
  { what: "a quorum and a stranger", membership: FOUR, epoch: 2, signers: [0, 1, 2, 9], fault: "stranger" },
  { what: "another epoch", membership: FOUR, epoch: 1, signers: [0, 1, 2], fault: "wrong-epoch" },
  { what: "a later epoch", membership: FOUR, epoch: 3, signers: [0, 1, 2], fault: "wrong-epoch" },
];

describe("A commit certificate", () => {
  for (const { what, membership, epoch, signers, fault } of CASES)
    it(`of ${what} has ${fault === undefined ? "no fault" : `the fault ${fault}`}`, () => {
      expect(commitCertificateFault(commitCertificate(epoch, signers), membership)).to.equal(fault);
    });
});

describe("A checkpoint certificate", () => {
  for (const { what, membership, epoch, signers, fault } of CASES)
    it(`of ${what} has ${fault === undefined ? "no fault" : `the fault ${fault}`}`, () => {
      expect(checkpointCertificateFault(checkpointCertificate(epoch, signers), membership)).to.equal(fault);
    });
});

describe("A prepared certificate", () => {
  const cases: readonly (Case & { readonly primary: number; readonly view?: number })[] = [
    { what: "the primary and two backups", membership: FOUR, epoch: 2, primary: 2, signers: [0, 1], fault: undefined },
    { what: "all backups", membership: FOUR, epoch: 2, primary: 2, signers: [0, 1, 3], fault: undefined },
    { what: "the next view", membership: FOUR, epoch: 2, view: 1, primary: 3, signers: [0, 2], fault: undefined },
    { what: "three backups of five", membership: FIVE, epoch: 2, primary: 2, signers: [0, 1, 4], fault: undefined },
    { what: "one backup", membership: FOUR, epoch: 2, primary: 2, signers: [1], fault: "not-a-quorum" },
    { what: "two backups of five", membership: FIVE, epoch: 2, primary: 2, signers: [0, 1], fault: "not-a-quorum" },
    { what: "one backup twice", membership: FOUR, epoch: 2, primary: 2, signers: [1, 1], fault: "not-ascending" },
    { what: "backups out of order", membership: FOUR, epoch: 2, primary: 2, signers: [3, 0], fault: "not-ascending" },
    { what: "a stranger for a backup", membership: FOUR, epoch: 2, primary: 2, signers: [0, 7], fault: "stranger" },
    { what: "a backup's proposal", membership: FOUR, epoch: 2, primary: 0, signers: [1, 3], fault: "stranger" },
    {
      what: "the last view's primary",
      membership: FOUR,
      epoch: 2,
      view: 1,
      primary: 2,
      signers: [0, 1],
      fault: "stranger",
    },
    {
      what: "a prepare of the primary",
      membership: FOUR,
      epoch: 2,
      primary: 2,
      signers: [1, 2],
      fault: "primary-among-backups",
    },
    { what: "another epoch", membership: FOUR, epoch: 1, primary: 2, signers: [0, 1], fault: "wrong-epoch" },
  ];
  for (const { what, membership, epoch, view = 0, primary, signers, fault } of cases)
    it(`of ${what} has ${fault === undefined ? "no fault" : `the fault ${fault}`}`, () => {
      expect(preparedCertificateFault(preparedCertificate(epoch, view, primary, signers), membership)).to.equal(fault);
    });

  it("is judged by the places of members, not by their ids", () => {
    const membership = membershipOf(epochNumber(0), [3, 10, 20, 30].map(memberWith));

    expect(preparedCertificateFault(preparedCertificate(0, 1, 10, [3, 30]), membership)).to.equal(undefined);
    expect(preparedCertificateFault(preparedCertificate(0, 1, 3, [20, 30]), membership)).to.equal("stranger");
  });
});

function signatures(signers: readonly number[]): MemberSignature[] {
  return ids(...signers).map((from) => ({ from, signature: signatureOf(from) }));
}
function commitCertificate(epoch: number, signers: readonly number[]): CommitCertificate {
  return {
    epoch: epochNumber(epoch),
    view: viewNumber(0),
    seq: sequenceNumber(5),
    digest: digestOf(1),
    signatures: signatures(signers),
  };
}
function checkpointCertificate(epoch: number, signers: readonly number[]): CheckpointCertificate {
  return {
    epoch: epochNumber(epoch),
    seq: sequenceNumber(64),
    stateRoot: digestOf(2),
    signatures: signatures(signers),
  };
}
function preparedCertificate(
  epoch: number,
  view: number,
  primary: number,
  signers: readonly number[],
): PreparedCertificate {
  return {
    prePrepare: {
      from: replicaId(primary),
      message: {
        type: "pre-prepare",
        epoch: epochNumber(epoch),
        view: viewNumber(view),
        seq: sequenceNumber(5),
        digest: digestOf(1),
      },
      signature: signatureOf(primary),
    },
    prepares: signatures(signers),
  };
}

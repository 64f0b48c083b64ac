import { outputLeafOf, outputsRootOf } from "@quorate/crypto";
import { InvariantViolation, type Reply, type sequenceNumber, viewNumber } from "@quorate/protocol";
import { expect } from "chai";
import { alterationsOf } from "./alterations.ts";
import {
  hasher,
  membership,
  membership1,
  newVerifier,
  otherCluster,
  outputsOf,
  receiptOf,
  replyOf,
  signerOf,
  verificationsOf,
} from "./builders.ts";

describe("a verified reply", () => {
  it("is made of results that lead to a member's signed statement", () => {
    const reply = replyOf(2);

    expect(newVerifier().verifyReply(reply, membership)).to.equal(reply);
  });

  it("is not made of one with any field altered that is signed for: not the view nor the size of the tree, which are hints", () => {
    const all = alterationsOf<Reply>(replyOf(2)).filter(({ path }) => path !== ".view" && path !== ".path.size");

    expect(all).to.have.lengthOf.at.least(20);
    for (const { path, altered } of all)
      expect(newVerifier().verifyReply(altered, membership), path).to.equal(undefined);
    expect(newVerifier().verifyReply({ ...replyOf(2), view: viewNumber(9) }, membership)).to.not.equal(undefined);
  });

  it("is not made of another result, status or order of results", () => {
    const reply = replyOf(2);
    const { results } = reply;
    const failed = results.with(0, { ...results[0]!, status: "failed" });

    for (const other of [failed, results.toReversed(), [...results, results[0]!], []])
      expect(newVerifier().verifyReply({ ...reply, results: other }, membership)).to.equal(undefined);
  });

  it("is not made of a stranger's statement, or of one of another cluster or epoch", () => {
    const { statement } = outputsOf();
    const foreign = { ...replyOf(2), signature: signerOf(2, otherCluster).signStatement(statement) };

    expect(newVerifier().verifyReply(replyOf(7), membership)).to.equal(undefined);
    expect(newVerifier().verifyReply(foreign, membership)).to.equal(undefined);
    expect(newVerifier().verifyReply(replyOf(2), membership1)).to.equal(undefined);
  });

  it("is not made of a path that no tree has", () => {
    const reply = replyOf(2);
    for (const size of [0, 1, 2 ** 53, Number.NaN])
      expect(newVerifier().verifyReply({ ...reply, path: { ...reply.path, size } }, membership), `${size}`).to.equal(
        undefined,
      );
  });

  it("costs one verification per statement and replica, however many replies lead to it", () => {
    const verifier = newVerifier();
    const reply = replyOf(2);

    expect(verificationsOf(() => verifier.verifyReply(reply, membership))).to.equal(1);
    expect(verificationsOf(() => verifier.verifyReply(structuredClone(reply), membership))).to.equal(0);
    expect(verificationsOf(() => verifier.verifyReply(replyOf(3), membership))).to.equal(1);
  });

  it("is never vouched for by another replica's or another signature", () => {
    const verifier = newVerifier();
    const reply = replyOf(2);
    verifier.verifyReply(reply, membership);

    expect(verifier.verifyReply({ ...reply, from: replyOf(3).from }, membership)).to.equal(undefined);
    for (const { path, altered } of alterationsOf(reply.signature))
      expect(verifier.verifyReply({ ...reply, signature: altered }, membership), path).to.equal(undefined);
  });

  it("does not follow a signature that is changed after it was verified", () => {
    const verifier = newVerifier();
    const reply = replyOf(2);
    const signature = Uint8Array.from(reply.signature);
    verifier.verifyReply({ ...reply, signature }, membership);

    signature[0]! ^= 1;

    expect(verifier.verifyReply({ ...reply, signature }, membership)).to.equal(undefined);
  });

  it("has a result, even where a member signed for none", () => {
    const none = outputsOf();
    const leaf = outputLeafOf(hasher, { ...none.output, results: [] });
    const statement = { ...none.statement, outputsRoot: outputsRootOf(hasher, [leaf]) };
    const path = { index: 0, size: 1, siblings: [] };
    const outputs = { statement, output: { ...none.output, results: [], path } };

    expect(newVerifier().verifyReply(replyOf(2, outputs), membership)).to.equal(undefined);
  });

  it("is forgotten beyond the bound", () => {
    const verifier = newVerifier({ statementsMax: 4 });
    verifier.verifyReply(replyOf(2), membership);
    for (let i = 0; i < 6; i++) verifier.verifyReply(replyOf(2, outputsOf(`value ${i}`)), membership);

    expect(verificationsOf(() => verifier.verifyReply(replyOf(2), membership))).to.equal(1);
  });

  it("hides no bug of our own: what is not about a preimage is thrown", () => {
    const broken = {
      get results(): never {
        throw new InvariantViolation("test.bug", {});
      },
    };

    expect(() => newVerifier().verifyReply(broken as unknown as Reply, membership)).to.throw(InvariantViolation);
  });
});

describe("a verified receipt", () => {
  const verifier = newVerifier();

  it("takes f+1 distinct members or more", () => {
    for (const ids of [
      [0, 1],
      [3, 1],
      [0, 1, 2, 3],
    ])
      expect(verifier.verifyReceipt(receiptOf(ids), membership), `${ids}`).to.equal(true);
  });

  it("does not take too few, one member twice, or a stranger among them", () => {
    for (const ids of [[], [1], [1, 1], [1, 7], [0, 1, 1], [0, 1, 7]])
      expect(verifier.verifyReceipt(receiptOf(ids), membership), `${ids}`).to.equal(false);
  });

  it("does not take one with any field or signature altered, but for the size of the tree", () => {
    const all = alterationsOf(receiptOf([0, 1])).filter(({ path }) => path !== ".path.size");

    expect(all).to.have.lengthOf.at.least(20);
    for (const { path, altered } of all) expect(verifier.verifyReceipt(altered, membership), path).to.equal(false);
  });

  it("does not take signatures over different statements", () => {
    const [receipt, other] = [receiptOf([0, 1]), receiptOf([0, 1], outputsOf("another value"))];
    const mixed = { ...receipt, signatures: [receipt.signatures[0]!, other.signatures[1]!] };

    expect(verifier.verifyReceipt(mixed, membership)).to.equal(false);
  });

  it("does not take another epoch, nor throw for what has no preimage", () => {
    const receipt = receiptOf([0, 1]);
    const nowhere = { ...receipt, statement: { ...receipt.statement, seq: -1 as ReturnType<typeof sequenceNumber> } };

    expect(verifier.verifyReceipt(receipt, membership1)).to.equal(false);
    expect(verifier.verifyReceipt(nowhere, membership)).to.equal(false);
  });
});

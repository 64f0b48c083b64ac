import { createReceiptCodec, wireLimitsOf } from "@quorate/codec";
import { createNobleBackend } from "@quorate/crypto";
import { encodeReceiptProof, type ReceiptProof, receiptProofOf } from "@quorate/reconfiguration";
import { ScriptedEpochs } from "@quorate/reconfiguration/testing";
import { expect } from "chai";
import { type ReceiptVerdict, verifyReceipt } from "quorate/receipt";
import { operationReceipt } from "../dist/operation-receipt.js";
import { scene } from "./receipt-scene.ts";

describe("a receipt as bytes (protocol rule 5.2)", () => {
  const { script, receipts } = scene(createNobleBackend());
  const { cluster, genesis } = script;
  const chain = script.chainAt(script.epoch);
  const limits = wireLimitsOf(genesis);
  const codec = createReceiptCodec(limits);
  const bytesOf = (epoch: number): Uint8Array =>
    operationReceipt(receipts[epoch]!, { cluster, chain, limits }).toBytes();
  const refusal = (verdict: ReceiptVerdict): string =>
    verdict.valid ? "valid" : `${verdict.reason.part} ${verdict.reason.fault}`;

  it("proves its results to whoever has the genesis document, whichever epoch it is of", () => {
    for (const [epoch, receipt] of receipts.entries()) {
      const { statement, results, session, number, requestDigest, signatures } = receipt;
      expect(verifyReceipt(bytesOf(epoch), genesis)).to.deep.equal({
        ...{ valid: true, epoch, seq: statement.seq, session, number, requestDigest, results },
        signers: signatures.map(({ from }) => from),
      });
    }
  });

  it("is the receipt to whoever compares or copies it", () => {
    const receipt = operationReceipt(receipts[1]!, { cluster, chain, limits });
    expect({ ...receipt }).to.deep.equal(receipts[1]);
    expect(JSON.stringify(receipt)).to.equal(JSON.stringify(receipts[1]));
  });

  it("of an earlier epoch is refused with the reason whichever byte is another", () => {
    const bytes = bytesOf(1);
    const reasons = new Map<string, number>();
    for (let at = 0; at < bytes.length; at++) {
      const altered = new Uint8Array(bytes);
      altered[at]! ^= 1 << (at % 8);
      const verdict = verifyReceipt(altered, genesis);
      expect(verdict.valid, `byte ${at} of ${bytes.length}`).to.equal(false);
      if (!verdict.valid) expect(verdict.message).to.not.equal("");
      reasons.set(refusal(verdict), (reasons.get(refusal(verdict)) ?? 0) + 1);
    }
    expect([...reasons.keys()]).to.include.members([
      "file not-a-receipt",
      "file other-cluster",
      "file bad-length",
      "file malformed-receipt",
      "file malformed-link",
      "links bad-certificate",
      "links bad-proof",
      "receipt other-results",
      "receipt bad-signature",
    ]);
  }).timeout(120_000);

  it("is refused when it is cut off anywhere, or goes on", () => {
    const bytes = bytesOf(1);
    for (let length = 0; length < bytes.length; length++)
      expect(verifyReceipt(bytes.subarray(0, length), genesis).valid, `${length}`).to.equal(false);
    expect(refusal(verifyReceipt(Uint8Array.of(...bytes, 0), genesis))).to.equal("file bad-length");
  }).timeout(60_000);

  it("is refused without its links, with too few signatures, and by another genesis document, in words", () => {
    const proof = receiptProofOf(receipts[2]!, chain);
    const judged = (altered: ReceiptProof): ReceiptVerdict =>
      verifyReceipt(encodeReceiptProof(altered, cluster, codec), genesis);
    const other = new ScriptedEpochs({ n: 7 });

    expect(judged({ ...proof, links: proof.links.slice(1) })).to.deep.include({
      reason: { part: "links", fault: "gap", epoch: 1 },
      message: "the link that begins epoch 1 is missing, another stands in its place",
    });
    const signatures = proof.receipt.signatures.slice(1);
    expect(judged({ ...proof, receipt: { ...proof.receipt, signatures } })).to.deep.equal({
      valid: false,
      reason: { part: "receipt", fault: "too-few-signatures" },
      message: "fewer than f+1 members have signed it",
    });
    expect(refusal(verifyReceipt(bytesOf(0), other.genesis))).to.equal("file other-cluster");
  });
});

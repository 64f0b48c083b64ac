import { createCodec, wireLimitsOf } from "@quorate/codec";
import {
  type EpochLink,
  epochNumber,
  type Receipt,
  replicaId,
  requestNumber,
  type SessionId,
  utf8,
} from "@quorate/protocol";
import { type ReceiptProof, receiptProofFault, receiptProofOf } from "@quorate/reconfiguration";
import { ScriptedEpochs } from "@quorate/reconfiguration/testing";
import { expect } from "chai";
import { receiptIn, scene } from "./receipt-scene.ts";

describe("the proof of a receipt (protocol rules 5.2 and 11.4)", () => {
  const { script, receipts } = scene();
  const chain = script.chainAt(script.epoch);
  const proofs = receipts.map((receipt) => receiptProofOf(receipt, chain));
  const judge = { ...script.judge, verifier: script.verifier };
  const faultOf = (proof: ReceiptProof): ReturnType<typeof receiptProofFault> =>
    receiptProofFault(proof, script.genesis, judge);
  const last = proofs.at(-1)!;

  it("needs nothing but the genesis document, whichever epoch it is of and whatever came after it", () => {
    for (const [epoch, proof] of proofs.entries()) {
      expect(proof.links, `${epoch}`).to.have.length(epoch);
      expect(faultOf(proof), `${epoch}`).to.equal(undefined);
    }
  });

  it("is none with a link that is missing, in another place, or beyond what it proves", () => {
    const [first, second, ...rest] = last.links as [EpochLink, EpochLink, ...EpochLink[]];
    const links = (fault: string, epoch: number): unknown => ({ part: "links", fault, epoch });
    expect(faultOf({ ...last, links: [second, ...rest] })).to.deep.equal(links("gap", 1));
    expect(faultOf({ ...last, links: [second, first, ...rest] })).to.deep.equal(links("gap", 1));
    expect(faultOf({ ...last, links: [first, first, second, ...rest] })).to.deep.equal(links("surplus", 7));
    expect(faultOf({ ...last, links: [first, first, ...rest] })).to.deep.equal(links("known", 2));
    expect(faultOf({ ...last, links: last.links.slice(0, -1) })).to.deep.equal(links("missing", 6));
    expect(faultOf({ ...last, links: [] })).to.deep.equal(links("missing", 1));
    expect(faultOf({ ...proofs[0]!, links: [first] })).to.deep.equal(links("surplus", 1));
  });

  it("is none by the members of another epoch, or of another cluster", () => {
    const renamed = (epoch: number): Receipt => ({
      ...last.receipt,
      statement: { ...last.receipt.statement, epoch: epochNumber(epoch) },
    });
    for (const epoch of [0, 3, 5]) {
      const fault = faultOf(receiptProofOf(renamed(epoch), chain));
      expect(fault, `${epoch}`).to.deep.equal({ part: "receipt", fault: "bad-signature" });
    }
    const other = new ScriptedEpochs({ n: 5 });
    const others = { ...other.judge, verifier: other.verifier };
    expect(receiptProofFault(proofs[0]!, other.genesis, others)).to.deep.equal({
      part: "receipt",
      fault: "bad-signature",
    });
    expect(receiptProofFault(last, other.genesis, others)).to.deep.include({ part: "links", epoch: 1 });
  });

  it("is none of a number at or below the start of its epoch, though its members sign it", () => {
    const faultAt = (aboveStart: number): unknown => faultOf(receiptProofOf(receiptIn(script, aboveStart), chain));
    expect([1, 0, -1].map(faultAt)).to.deep.equal([
      undefined,
      { part: "receipt", fault: "out-of-epoch" },
      { part: "receipt", fault: "out-of-epoch" },
    ]);
  });

  it("says of a receipt what is wrong with it", () => {
    const { receipt } = last;
    const fault = (change: Partial<Receipt>): unknown => faultOf({ ...last, receipt: { ...receipt, ...change } });
    const [one, two] = receipt.signatures;
    expect(fault({ signatures: [one!] })).to.deep.equal({ part: "receipt", fault: "too-few-signatures" });
    expect(fault({ signatures: [one!, one!] })).to.deep.equal({ part: "receipt", fault: "signed-twice" });
    // Replica 0 has left by then.
    expect(fault({ signatures: [{ ...one!, from: replicaId(0) }, two!] })).to.deep.equal({
      part: "receipt",
      fault: "stranger",
    });
    expect(fault({ number: requestNumber(6) })).to.deep.equal({ part: "receipt", fault: "other-results" });
    expect(fault({ results: [{ status: "failed", value: utf8("paid") }] })).to.deep.equal({
      part: "receipt",
      fault: "other-results",
    });
    expect(fault({ session: "x" as SessionId })).to.deep.equal({ part: "receipt", fault: "malformed" });
  });

  it("is refused with any bit flipped: it does not decode, or what is wrong has a name", () => {
    const codec = createCodec(wireLimitsOf(script.genesis));
    const flipped = (bytes: Uint8Array, at: number): Uint8Array => {
      const copy = bytes.slice();
      copy[at]! ^= 1 << (at % 8);
      return copy;
    };
    const receiptBytes = codec.encodeReceipt(last.receipt);
    for (let at = 0; at < receiptBytes.length; at++) {
      const decoded = codec.decodeReceipt(flipped(receiptBytes, at));
      if (decoded.ok)
        expect(faultOf({ ...last, receipt: decoded.value }), `receipt, byte ${at}`).to.have.property("fault");
    }
    for (const [i, link] of last.links.entries()) {
      const bytes = codec.encodeEpochLink(link);
      for (let at = i % 7; at < bytes.length; at += 7) {
        const decoded = codec.decodeEpochLink(flipped(bytes, at));
        if (!decoded.ok) continue;
        const links = last.links.map((other) => (other === link ? decoded.value : other));
        const fault = faultOf({ ...last, links });
        expect(fault, `link ${i}, byte ${at}`).to.deep.include({ part: "links", epoch: i + 1 });
      }
    }
  });
});

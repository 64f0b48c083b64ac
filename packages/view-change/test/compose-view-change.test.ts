import { epochNumber, InvariantViolation, viewNumber } from "@quorate/protocol";
import { expect } from "chai";
import { composeViewChange } from "../dist/compose-view-change.js";
import { Company, claim, L, verifier } from "./builders.ts";

const company = new Company();
const place = { epoch: epochNumber(0), view: viewNumber(5), windowSize: L };

describe("The own VIEW-CHANGE (OSDI'99 §4.4)", () => {
  it("claims the stable checkpoint and each prepared batch, with the proofs beside it, and verifies at others", () => {
    const claims = [claim(9, 2), claim(10, 4)];

    const { viewChange } = composeViewChange(place, company.promises(8, claims), company.composerOf(2));

    const { from, message } = viewChange.envelope;
    const { seq, stateRoot } = company.checkpoint(8);
    expect(from).to.equal(2);
    expect(message).to.deep.equal({
      type: "view-change",
      epoch: 0,
      view: 5,
      stable: { seq, stateRoot },
      prepared: claims,
    });
    expect(verifier.verifyViewChange(viewChange, company.membership)).to.not.equal(undefined);
  });

  it("is never sent with a claim that others would throw away: the replica stops instead", () => {
    for (const wrong of [claim(8, 0), claim(8 + L + 1, 0), claim(9, 5)])
      expect(() => composeViewChange(place, company.promises(8, [wrong]), company.composerOf(2))).to.throw(
        InvariantViolation,
        "view-change.own-malformed",
      );
  });
});

import { epochNumber } from "@quorate/protocol";
import type { AuditDocument } from "@quorate/server";
import { expect } from "chai";
import { type Audited, auditVerdicts } from "../dist/cli/audit-verdicts.js";

/** Who stands at `executed`, and says nothing wrong but what `wrong` says, from number `since` on. */
function standing(executed: number, { wrong = "", since = 1 } = {}): AuditDocument {
  const digestAt = (seq: number): string => `outputs ${seq}${seq >= since ? wrong : ""}`;
  const stable = executed - (executed % 8);
  return {
    cluster: "c",
    owner: "o",
    replica: 0,
    membership: { epoch: epochNumber(0), activation: 0, members: [] },
    own: {
      executed,
      historyDigest: `history ${executed}`,
      executionDigest: digestAt(executed),
      stateRoot: `root ${executed}${wrong}`,
      stable: { seq: stable, stateRoot: stable === 0 ? "genesis" : `root ${stable}` },
      lastCheckpoint: { seq: stable, stateRoot: `root ${stable}` },
      outputs: Array.from({ length: 4 }, (_, i) => executed - 3 + i)
        .filter((seq) => seq > 0)
        .map((seq) => ({ seq, digest: digestAt(seq) })),
      silentUpTo: 0,
    },
    quarantine: undefined,
    isInstalling: false,
    divergent: [],
  };
}
const without = (audit: AuditDocument, change: Partial<AuditDocument>): AuditDocument => ({ ...audit, ...change });
const rowsOf = (audits: readonly (AuditDocument | undefined)[]): Audited[] =>
  audits.map((audit, replica) => ({ replica, audit: audit && { ...audit, replica } }));
const verdictsOf = (...audits: (AuditDocument | undefined)[]): string[] =>
  auditVerdicts(rowsOf(audits), 2).map((found) =>
    found.verdict === "differs" ? `since ${found.since}` : found.verdict,
  );

describe("The verdicts of `quorate audit`", () => {
  it("are that all agree who say the same of the numbers that they have in common", () => {
    expect(verdictsOf(standing(20), standing(21), standing(18), standing(20))).to.deep.equal(Array(4).fill("agrees"));
  });

  it("name one that says something else than f+1 others, and since when", () => {
    const verdicts = verdictsOf(standing(20), standing(20), standing(20, { wrong: "!", since: 19 }), standing(20));
    expect(verdicts).to.deep.equal(["agrees", "agrees", "since 19", "agrees"]);
  });

  it("name one that holds another state, though it has put out the same", () => {
    const own = standing(20).own;
    const other = without(standing(20), { own: own && { ...own, stateRoot: "another root" } });
    expect(verdictsOf(standing(20), other, standing(20), standing(20))).to.deep.equal([
      "agrees",
      "since 20",
      "agrees",
      "agrees",
    ]);
  });

  it("accuse nobody who is slow, or has nothing to compare", () => {
    expect(verdictsOf(standing(20), standing(20), standing(3), standing(20))[2]).to.equal("behind");
    expect(verdictsOf(standing(20), undefined, undefined, undefined)).to.deep.equal([
      "not-compared",
      "unreachable",
      "unreachable",
      "unreachable",
    ]);
    const installing = without(standing(0), { own: undefined, isInstalling: true });
    expect(verdictsOf(standing(20), standing(20), installing, standing(20))[2]).to.equal("behind");
  });

  it("do not believe f liars, neither by what they say nor by whom they accuse", () => {
    const liar = without(standing(20, { wrong: "!" }), { divergent: [{ replica: 0, part: "outputs", seq: 4 }] });
    expect(verdictsOf(standing(20), standing(20), liar, standing(20))).to.deep.equal([
      "agrees",
      "agrees",
      "since 17",
      "agrees",
    ]);
  });

  it("believe f+1 who found one out whose wrong numbers are forgotten", () => {
    const witness = without(standing(20), { divergent: [{ replica: 3, part: "outputs", seq: 5 }] });
    expect(verdictsOf(witness, witness, standing(20), standing(20))[3]).to.equal("since 5");
    expect(auditVerdicts(rowsOf([witness]), 2), "of the one that is asked").to.deep.equal([
      { verdict: "not-compared" },
    ]);
  });

  it("show who stands still", () => {
    const quarantine = { upTo: 20, attempt: 2, isGivenUp: false };
    const still = without(standing(20), { own: undefined, quarantine, isInstalling: true });
    expect(auditVerdicts(rowsOf([standing(20), standing(20), still]), 2)[2]).to.deep.equal({
      verdict: "quarantined",
      attempt: 2,
      isGivenUp: false,
    });
  });
});

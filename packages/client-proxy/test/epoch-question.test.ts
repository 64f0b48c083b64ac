import { EpochQuestion } from "@quorate/client-proxy";
import { EPOCH_LINKS_MAX, type Epoch, type EpochLink, epochNumber } from "@quorate/protocol";
import { expect } from "chai";

const linksOf = (count: number): EpochLink[] => Array.from({ length: count }, () => ({}) as EpochLink);

/** A chain that grows by as many epochs as are said, with each answer. */
function askedOf(grows: number): { question: EpochQuestion; chain: { epoch: Epoch }; add: () => void } {
  const chain = { epoch: epochNumber(3) };
  const add = (): void => {
    chain.epoch = epochNumber(chain.epoch + grows);
  };
  return { question: new EpochQuestion(chain), chain, add };
}

describe("the question for links of the epoch chain", () => {
  it("is for those above the latest that is known, and open until it is answered or its link is down", () => {
    const { question, add } = askedOf(1);
    expect(question.isOpen).to.equal(false);
    expect(question.ask(0)).to.deep.equal({ type: "fetch-epochs", fetch: { above: 3 } });
    expect(question.isOpen).to.equal(true);
    question.onLinks(linksOf(1), add);
    expect(question.isOpen).to.equal(false);
    expect(question.ask(0)).to.deep.equal({ type: "fetch-epochs", fetch: { above: 4 } });
    question.onDown();
    expect(question.isOpen).to.equal(false);
  });

  it("has one answer: what comes without it is not looked at", () => {
    const { question, chain, add } = askedOf(1);
    expect(question.onLinks(linksOf(1), add)).to.equal("unasked");
    question.ask(0);
    expect(question.onLinks(linksOf(1), add)).to.equal("all");
    expect(question.onLinks(linksOf(1), add)).to.equal("unasked");
    expect(chain.epoch).to.equal(4);
  });

  it("is late when it has been open for two seconds since it was asked last", () => {
    const { question, add } = askedOf(1);
    expect(question.isLate(9_000)).to.equal(false);
    question.ask(1_000);
    expect([2_999, 3_000].map((atMs) => question.isLate(atMs))).to.deep.equal([false, true]);
    question.ask(3_000);
    expect([4_999, 5_000].map((atMs) => question.isLate(atMs))).to.deep.equal([false, true]);
    question.onLinks(linksOf(1), add);
    expect(question.isLate(9_000)).to.equal(false);
  });

  it("is to be asked again where an answer is full, and only if it led on", () => {
    const honest = askedOf(EPOCH_LINKS_MAX);
    honest.question.ask(0);
    expect(honest.question.onLinks(linksOf(EPOCH_LINKS_MAX), honest.add)).to.equal("more");
    const lying = askedOf(0);
    lying.question.ask(0);
    expect(lying.question.onLinks(linksOf(EPOCH_LINKS_MAX), lying.add)).to.equal("nothing-new");
  });
});

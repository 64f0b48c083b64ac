import { type LinkFaults, Marks, Network, Prng, VirtualClock } from "@quorate/test-harness";
import { expect } from "chai";

const PERFECT: LinkFaults = { lossMax: 0, duplicate: 0, straggle: 0, straggleMs: 0, delayMs: [1, 5], jitterMs: 0 };

function networkWith(faults: Partial<LinkFaults>): { network: Network; clock: VirtualClock; marks: Marks } {
  const clock = new VirtualClock();
  const marks = new Marks();
  return { network: new Network(clock, new Prng("network"), { ...PERFECT, ...faults }, marks), clock, marks };
}

/** Sends so many numbered frames and returns them as they arrive. */
function sendAll(network: Network, clock: VirtualClock, count: number): number[] {
  const arrived: number[] = [];
  for (let i = 0; i < count; i++) clock.after(i * 0.1, () => network.send("r0", "r1", () => arrived.push(i)));
  while (clock.runNext(10_000));
  return arrived;
}

describe("The simulated network", () => {
  it("delivers everything in order when nothing is wrong with it", () => {
    const { network, clock } = networkWith({});

    expect(sendAll(network, clock, 50)).to.deep.equal(Array.from({ length: 50 }, (_, i) => i));
  });

  it("loses, duplicates and reorders at about its rates, and marks it", () => {
    const { network, clock, marks } = networkWith({ lossMax: 0.3, duplicate: 0.1, straggle: 0.2, straggleMs: 50 });

    const arrived = sendAll(network, clock, 2000);

    const lost = marks.count("network: frame lost");
    const duplicated = marks.count("network: frame duplicated");
    expect(lost).to.be.within(2000 * 0.05, 2000 * 0.33);
    expect(duplicated).to.be.within((2000 - lost) * 0.07, (2000 - lost) * 0.13);
    expect(arrived).to.have.length(2000 - lost + duplicated);
    expect(marks.count("network: frame overtaken")).to.be.greaterThan(100);
    expect(arrived).to.not.deep.equal([...arrived].sort((a, b) => a - b));
  });

  it("loses more of what is sent to one end, until it is healed", () => {
    const { network, clock } = networkWith({});
    network.lose("r1", 0.3);

    expect(sendAll(network, clock, 1000).length).to.be.within(650, 750);
    const back: number[] = [];
    for (let i = 0; i < 100; i++) network.send("r1", "r0", () => back.push(i));
    while (clock.runNext(20_000));
    expect(back).to.have.length(100);

    const { network: healed, clock: itsClock } = networkWith({});
    healed.lose("r1", 0.3);
    healed.heal();
    expect(sendAll(healed, itsClock, 100)).to.have.length(100);
  });

  it("delivers nothing over a cut, in that direction only, until every cut is lifted", () => {
    const { network, clock, marks } = networkWith({});
    const arrived: string[] = [];
    const sendBoth = (name: string): void => {
      network.send("r0", "r1", () => arrived.push(`${name} there`));
      network.send("r1", "r0", () => arrived.push(`${name} back`));
      while (clock.runNext(clock.nowMs + 100));
    };
    network.block("r0", "r1");
    network.block("r0", "r1");

    sendBoth("cut");
    network.unblock("r0", "r1");
    sendBoth("still cut");
    network.unblock("r0", "r1");
    sendBoth("whole");

    expect(arrived).to.have.members(["cut back", "still cut back", "whole there", "whole back"]);
    expect(marks.count("network: frame cut off")).to.equal(2);
  });

  it("loses what is in flight when either end crashes, also what is sent reliably", () => {
    for (const end of ["r0", "r1"]) {
      const { network, clock, marks } = networkWith({});
      const arrived: string[] = [];
      network.send("r0", "r1", () => arrived.push("sent"));
      network.sendReliably("r0", "r1", () => arrived.push("sent reliably"));

      network.crash(end);
      network.send("r0", "r1", () => arrived.push("after"));
      while (clock.runNext(100));

      expect(arrived, end).to.deep.equal(["after"]);
      expect(marks.count("network: frame lost in a crash"), end).to.equal(2);
    }
  });

  it("loses, duplicates and cuts no more once it is healed", () => {
    const { network, clock } = networkWith({ lossMax: 0.3, duplicate: 0.1, straggle: 0.2, straggleMs: 50 });
    network.block("r0", "r1");

    network.heal();

    expect(sendAll(network, clock, 500)).to.deep.equal(Array.from({ length: 500 }, (_, i) => i));
  });
});

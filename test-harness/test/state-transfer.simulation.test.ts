import type { ReplicaFrame } from "@quorate/protocol";
import type { Compressor } from "@quorate/server/host";
import { isSeldomMutated, Marks, mutationCoverage, Simulation, type SimulationOptions } from "@quorate/test-harness";
import { expect } from "chai";
import { calmOptions } from "./calm-options.ts";

/** No history: whoever misses a batch and does not get it at once needs the state of the others. */
function optionsFor(seed: number, change: Partial<SimulationOptions>): SimulationOptions {
  const options = calmOptions(seed, { replicas: 4, clients: 3, operations: 40, safetyMs: 4_000, ...change });
  return { ...options, disk: { ...options.disk, historyBytesMax: 0 } };
}

/** Members that lie to whoever fetches, each in its own way. */
const DONORS = [
  "mutates",
  "garbage-answers",
  "drips-answers",
  "silent",
  "silent-to-one-replica",
  "rolls-back",
] as const;

describe("a replica that is left behind (protocol rule 10.1)", () => {
  for (const seed of [1, 2, 3]) {
    it(`has the state brought to it when it was cut off for long, seed ${seed}`, () => {
      const cut = { type: "cut", atMs: 100, replica: 3, direction: "both", forMs: 1_500 } as const;

      const { marks } = new Simulation(optionsFor(seed, { faults: [cut] })).run();

      expect(marks.count("state transfer: done")).to.be.greaterThan(0);
      expect(marks.count("state transfer: only what differs")).to.be.greaterThan(0);
    });

    it(`comes back with an empty disk, seed ${seed}`, () => {
      const loss = { type: "lose-disk", atMs: 900, replica: 2, downMs: 300 } as const;

      const { marks } = new Simulation(optionsFor(seed, { faults: [loss] })).run();

      expect(marks.count("state transfer: done")).to.be.greaterThan(0);
    });

    it(`has it brought to it deflated, and passes over one whose chunk is a bomb, seed ${seed}`, () => {
      const loss = { type: "lose-disk", atMs: 900, replica: 2, downMs: 300 } as const;
      // The first chunk that anyone deflates: whose it is depends on who is asked first.
      let isFirst = true;
      const compressor = (of: Compressor): Compressor => ({
        ...of,
        deflate: (bytes, done) => {
          of.deflate(isFirst ? new Uint8Array(64 * 1024) : bytes, done);
          isFirst = false;
        },
      });

      const { marks } = new Simulation(optionsFor(seed, { faults: [loss] }), { compressor }).run();

      expect(marks.count("rejected: state-chunk.bad-deflate")).to.be.greaterThan(0);
      expect(marks.count("state transfer: deflated")).to.be.greaterThan(0);
      expect(marks.count("state transfer: done")).to.be.greaterThan(0);
    });

    for (const behaviour of DONORS)
      it(`has it brought to it although a donor ${behaviour}, seed ${seed}`, () => {
        const cut = { type: "cut", atMs: 100, replica: 3, direction: "both", forMs: 1_500 } as const;
        const byzantine = [{ replica: 1, behaviour }] as const;

        // Of seven, so that the others go on while one lies and one is cut off.
        const { marks } = new Simulation(optionsFor(seed, { replicas: 7, faults: [cut], byzantine })).run();

        expect(marks.count("state transfer: done")).to.be.greaterThan(0);
      });

    it(`goes on installing when it is killed again and again, seed ${seed}`, () => {
      const loss = { type: "lose-disk", atMs: 900, replica: 2, downMs: 300 } as const;
      const kills = Array.from({ length: 14 }, (_, i) => {
        return { type: "crash", atMs: 1_400 + 173 * i + 7 * i * i, replicas: [2], by: "kill", downMs: 3 } as const;
      });
      const options = optionsFor(seed, { faults: [loss, ...kills] });

      // Between the two flushes with which an installation ends there is much time for a kill.
      const { marks } = new Simulation({ ...options, disk: { ...options.disk, flushMs: [15, 25] } }).run();

      expect(marks.count("state transfer: went on after a crash")).to.be.greaterThan(0);
      expect(marks.count("state transfer: done")).to.be.greaterThan(0);
    });

    it(`votes while the state is brought to it, seed ${seed}`, () => {
      const away = { type: "crash", atMs: 100, replicas: [3], by: "kill", downMs: 4_000 } as const;
      const other = { type: "crash", atMs: 4_500, replicas: [2], by: "kill", downMs: 8_000 } as const;
      const lines: string[] = [];
      const indexOf = (text: string): number => lines.findIndex((line) => line.includes(text));
      // Not the line of a client whose link to it is down.
      const beganAt = (): number => lines.findIndex((line) => /^\S+ r2 down$/.test(line));
      const settledWithout = (): number =>
        beganAt() < 0 ? 0 : lines.slice(beganAt()).filter((line) => / settled \d+ ok/.test(line)).length;
      let withheld = 0;
      // Its state comes only after two calls were answered with one replica down and one without its state.
      const withholds = (frame: ReplicaFrame): boolean => {
        const isChunk = frame.type === "state-chunk" || frame.type === "deflated-chunk";
        const isWithheld = isChunk && indexOf("r3 votes above") >= 0 && settledWithout() < 2;
        if (isWithheld) withheld++;
        return isWithheld;
      };
      const options = optionsFor(seed, { operations: 200, safetyMs: 16_000, faults: [away, other] });
      const network = { ...options.network, delayMs: [20, 30] as const };

      const { marks } = new Simulation({ ...options, network }, { withholds }, undefined, lines).run();

      expect(marks.count("state transfer: level with the votes")).to.be.greaterThan(0);
      expect(withheld).to.be.greaterThan(0);
      const [began, ended] = [beganAt(), indexOf("r3 has the state")];
      expect(began).to.be.greaterThan(0);
      expect(lines.slice(began, ended).filter((line) => / settled \d+ ok/.test(line)).length).to.be.at.least(2);
      expect(
        lines.findLastIndex((line) => line.includes("r2 up")),
        "it came back before the state was here",
      ).to.be.greaterThan(ended);
    });

    it(`finds bits that flip in its state when it reads them, and has what differs brought to it, seed ${seed}`, () => {
      const faults = Array.from({ length: 60 }, (_, i) => {
        return { type: "damage-state", atMs: 1_000 + 20 * i, replica: 1 } as const;
      });

      const { marks } = new Simulation(optionsFor(seed, { faults })).run();

      expect(marks.count("state: damaged")).to.be.greaterThan(0);
      expect(marks.count("state transfer: damage found")).to.be.greaterThan(0);
      expect(marks.count("state transfer: repaired")).to.be.greaterThan(0);
    });
  }

  it("takes part in a view change while it is brought to it, and that goes on", () => {
    const away = { type: "crash", atMs: 100, replicas: [3], by: "kill", downMs: 4_000 } as const;
    let across = 0;
    for (let atMs = 4_400; atMs <= 4_600; atMs += 50) {
      // Then three are left, and it is one of them: no view without it.
      const primary = { type: "crash", atMs, replicas: [0], by: "kill", downMs: 8_000 } as const;
      const lines: string[] = [];
      const indexOf = (pattern: RegExp): number => lines.findIndex((line) => pattern.test(line));
      const backAt = (): number => {
        const downAt = indexOf(/^\S+ r0 down$/);
        return lines.findIndex((line, at) => downAt >= 0 && at > downAt && line.endsWith(" r0 up"));
      };
      // What is left of its state comes only in the next view, or when the primary is back.
      const withholds = (frame: ReplicaFrame): boolean => {
        const isChunk = frame.type === "state-chunk" || frame.type === "deflated-chunk";
        return isChunk && indexOf(/ r3 votes above/) >= 0 && indexOf(/ r3 enters v1/) < 0 && backAt() < 0;
      };
      const options = optionsFor(2, { operations: 200, safetyMs: 16_000, faults: [away, primary] });
      const network = { ...options.network, delayMs: [20, 30] as const };

      new Simulation({ ...options, network }, { withholds }, undefined, lines).run();

      const [began = -1, entered = -1, ended = -1] = [/ r3 fetches/, / r3 enters v1/, / r3 has the state/].map(indexOf);
      expect([began > 0, ended > began], `killed at ${atMs}`).to.deep.equal([true, true]);
      if (began < entered && entered < ended && entered < backAt()) across++;
    }
    expect(across).to.be.greaterThan(0);
  });

  it("finds bits that flip in its table of sessions when it reads them, and has what differs brought to it", () => {
    const faults = Array.from({ length: 60 }, (_, i) => {
      return { type: "damage-state", part: "sessions", atMs: 1_000 + 20 * i, replica: 1 } as const;
    });

    // What is damaged it finds by itself: it need not hear where the others stand.
    const isDeafTo = (frame: ReplicaFrame, replica: number): boolean =>
      replica === 1 && frame.type === "signed" && frame.envelope.message.type === "status";
    for (const plant of [{}, { isDeafTo }]) {
      const { marks } = new Simulation(optionsFor(1, { faults }), plant).run();

      expect(marks.count("state: damaged in sessions")).to.be.greaterThan(0);
      expect(marks.count("state transfer: damage found")).to.be.greaterThan(0);
      expect(marks.count("state transfer: repaired")).to.be.greaterThan(0);
    }
  });

  for (const { victim, who } of [
    { victim: 1, who: "a donor" },
    { victim: 2, who: "it" },
  ])
    it(`has it brought to it though ${who} is killed, whenever that is`, () => {
      const loss = { type: "lose-disk", atMs: 900, replica: 2, downMs: 300 } as const;
      const seen = new Marks();
      // From its start to the end of the installation.
      for (let atMs = 1_210; atMs < 1_530; atMs += 20) {
        const kill = { type: "crash", atMs, replicas: [victim], by: "kill", downMs: 150 } as const;
        const { marks } = new Simulation(optionsFor(2, { faults: [loss, kill] })).run();
        expect(marks.count("state transfer: done"), `killed at ${atMs}`).to.be.greaterThan(0);
        for (const [mark, count] of marks.entries()) seen.add(mark, count);
      }
      if (victim === 2) expect(seen.missing(["state transfer: went on after a crash"])).to.deep.equal([]);
    });

  it("goes on with what was on its way when it was killed, wherever that was", () => {
    const loss = { type: "lose-disk", atMs: 900, replica: 2, downMs: 300 } as const;
    const seen = new Marks();
    // From the last answer of a donor on: entries are being appended, then they are merged.
    for (let atMs = 1_410; atMs < 1_530; atMs += 12) {
      const kill = { type: "crash", atMs, replicas: [2], by: "kill", downMs: 3 } as const;
      const options = optionsFor(1, { faults: [loss, kill] });
      const { marks } = new Simulation({ ...options, disk: { ...options.disk, flushMs: [15, 25] } }).run();
      expect(marks.count("state transfer: done"), `killed at ${atMs}`).to.be.greaterThan(0);
      for (const [mark, count] of marks.entries()) seen.add(mark, count);
    }
    expect(seen.missing(["disk: entries on their way lost", "disk: entries on their way found"])).to.deep.equal([]);
  });
});

if (process.env.QUORATE_FULL === "1")
  describe("a state transfer to a replica that has nothing (protocol rule 10.1)", () => {
    it("comes to its end whatever is wrong in a page with its values", () => {
      const marks = new Marks();
      const seldom = mutationCoverage(marks).never.filter(isSeldomMutated);
      expect(seldom).to.have.length(4);
      // Those who are asked first, among seven.
      const byzantine = [1, 2].map((replica) => ({ replica, behaviour: "mutates" }) as const);
      const away = { type: "crash", atMs: 2, replicas: [0], by: "kill", downMs: 1_500 } as const;

      for (let seed = 1; seed <= 400 && marks.missing(seldom).length > 0; seed++)
        for (const [mark, count] of new Simulation(optionsFor(seed, { replicas: 7, faults: [away], byzantine }))
          .run()
          .marks.entries())
          marks.add(mark, count);

      expect(marks.missing(seldom)).to.deep.equal([]);
    });
  });

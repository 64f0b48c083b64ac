import type { ScrubBudget, ScrubSlice } from "@quorate/state-tree";
import { StateDamage } from "@quorate/state-tree";
import { expect } from "chai";
import { Scrubber } from "../dist/scrubber.js";

/** A scrubber over a state that says what a slice is, with a clock of its own. */
class Scene {
  nowMs = 0;
  timer: { readonly afterMs: number; readonly fire: () => void } | undefined;
  readonly scrubbed: ScrubSlice[] = [];
  readonly budgets: ScrubBudget[] = [];
  readonly thrown: unknown[] = [];
  found = 0;
  next: () => ScrubSlice = () => ({ entries: 1, bytes: 10, isRoundOver: false });

  constructor(bytesPerSecond: number) {
    new Scrubber({
      executor: {
        scrub: (budget) => {
          this.budgets.push(budget);
          return this.next();
        },
      },
      ports: {
        monotonicMs: () => this.nowMs,
        startTimer: (timer, afterMs, fire) => {
          expect(timer).to.equal("scrub");
          this.timer = { afterMs, fire };
        },
      },
      observer: { onScrubbed: (slice) => this.scrubbed.push(slice), onScrubFound: () => this.found++ },
      bytesPerSecond,
      onThrown: (error) => this.thrown.push(error),
    }).start();
  }

  /** @returns how long it waited. */
  tick(): number {
    const { afterMs, fire } = this.timer!;
    this.timer = undefined;
    this.nowMs += afterMs;
    fire();
    return afterMs;
  }
}

describe("the scrubber", () => {
  it("takes a slice so often, and so many bytes, that it keeps to its rate, and no more than two milliseconds", () => {
    const scene = new Scene(1_000_000);
    let waitedMs = 0;
    for (let i = 0; i < 20; i++) waitedMs += scene.tick();

    const bytes = scene.budgets.reduce((sum, { bytesMax }) => sum + bytesMax, 0);
    expect(bytes / waitedMs).to.equal(1_000);
    scene.next = () => {
      const { isOver } = scene.budgets.at(-1)!;
      expect(isOver()).to.equal(false);
      scene.nowMs += 2;
      expect(isOver()).to.equal(true);
      return { entries: 1, bytes: 1, isRoundOver: false };
    };
    scene.tick();
    expect(scene.scrubbed).to.have.length(21);
  });

  it("begins a round no sooner than ten seconds after the one before", () => {
    const scene = new Scene(1_000_000);
    scene.next = () => ({ entries: 1, bytes: 1, isRoundOver: true });
    scene.tick();
    const begun = [scene.nowMs];
    for (let i = 0; i < 3; i++) {
      scene.tick();
      begun.push(scene.nowMs);
    }

    expect(begun[1]).to.be.at.least(10_000);
    expect([begun[2]! - begun[1]!, begun[3]! - begun[2]!]).to.deep.equal([10_000, 10_000]);
  });

  it("tells what it found, and ends", () => {
    const scene = new Scene(1_000_000);
    const damage = new StateDamage("entry", new Uint8Array(1));
    scene.next = () => {
      throw damage;
    };
    scene.tick();

    expect([scene.found, scene.thrown, scene.timer]).to.deep.equal([1, [damage], undefined]);
  });

  it("does not run at a rate of nothing", () => {
    expect(new Scene(0).timer).to.equal(undefined);
  });
});

import type { CheckpointCertificate, Effect } from "@quorate/protocol";
import { logAfterInstallation } from "@quorate/replica";
import { expect } from "chai";
import { LeftBehind } from "../dist/left-behind.js";
import { digestOf, epoch, seqOf } from "./builders.ts";

const certificateAt = (seq: number): CheckpointCertificate => ({
  epoch,
  seq: seqOf(seq),
  stateRoot: digestOf(`${seq}`),
  signatures: [],
});

/** What it sees, to be changed by a test. */
class Sight {
  lastDelivered = seqOf(5);
  certified = certificateAt(0);
  stranded = true;
  readonly #leftBehind = new LeftBehind({
    ordering: this,
    checkpointing: this,
    gapFiller: { isStranded: () => this.stranded },
  });

  asks(executed: number): number[] {
    const out: Effect[] = [];
    this.#leftBehind.onStep(seqOf(executed), out);
    return out.map((effect) => (effect.type === "fetch-state" ? effect.target.seq : -1));
  }
}

describe("a replica that is left behind (protocol rule 9.4)", () => {
  it("asks for the state at a certified checkpoint above what it has executed, once for each", () => {
    const sight = new Sight();
    expect(sight.asks(5), "nobody has proven anything").to.deep.equal([]);
    sight.certified = certificateAt(5);
    expect(sight.asks(5), "it has that").to.deep.equal([]);
    sight.certified = certificateAt(8);
    expect([sight.asks(5), sight.asks(5)]).to.deep.equal([[8], []]);
    sight.certified = certificateAt(16);
    expect(sight.asks(5)).to.deep.equal([16]);
  });

  it("does not as long as a history may help, nor before it has executed what is delivered", () => {
    const sight = new Sight();
    sight.certified = certificateAt(8);
    sight.stranded = false;
    expect(sight.asks(5)).to.deep.equal([]);
    sight.stranded = true;
    expect(sight.asks(4)).to.deep.equal([]);
    expect(sight.asks(5)).to.deep.equal([8]);
  });
});

describe("the log after an installation", () => {
  it("says that the target is stable, and keeps the newest of what no checkpoint ends, at its number", () => {
    const [first, second] = [{ of: 1 }, { of: 2 }] as never[];
    const at = seqOf(4);
    const records = logAfterInstallation(
      [
        { type: "stable", checkpoint: certificateAt(4) },
        { type: "view-change", at, viewChange: first as never },
        { type: "new-view", at, newView: first as never },
        { type: "view-change", at, viewChange: second as never },
        { type: "mute", at, replies: [] },
        { type: "pre-prepared", envelope: first as never, batch: first as never },
        { type: "released", epoch, at, nonce: digestOf("nonce") },
      ],
      certificateAt(8),
    );

    expect(records).to.deep.equal([
      { type: "stable", checkpoint: certificateAt(8) },
      { type: "view-change", at: 8, viewChange: second },
      { type: "new-view", at: 8, newView: first },
      { type: "mute", at: 8, replies: [] },
      { type: "released", epoch, at: 8, nonce: digestOf("nonce") },
    ]);
  });
});

import { viewNumber } from "@quorate/protocol";
import type { MuteStatus } from "@quorate/replica";
import { expect } from "chai";
import { StandingWatch } from "../dist/standing-watch.js";

const standing = (view: number, target: number) =>
  ({
    view: viewNumber(view),
    target: viewNumber(target),
    mute: undefined,
    observer: undefined,
    leaveCause: "failed",
  }) as const;

/** What an observer hears of a replica that stands so, one after the other. */
function heard(...stands: readonly (readonly [view: number, target: number])[]): string[] {
  const told: string[] = [];
  const watch = new StandingWatch(
    {
      onViewChange: (change) =>
        told.push(change.type === "started" ? `leaves for ${change.target}, ${change.cause}` : `enters ${change.view}`),
      onMute: () => told.push("mute"),
    },
    standing(0, 0),
  );
  for (const stand of stands) watch.look(standing(...stand));
  return told;
}

describe("StandingWatch", () => {
  it("tells when a view is left and when the next is entered, each once", () => {
    expect(heard([0, 0], [0, 1], [0, 1], [1, 1], [1, 1])).to.deep.equal(["leaves for 1, failed", "enters 1"]);
  });

  it("a view that is entered without having been left for is both", () => {
    expect(heard([3, 3])).to.deep.equal(["leaves for 3, failed", "enters 3"]);
  });

  it("tells of a mute replica each time it comes nearer to voting, and when it votes", () => {
    const told: unknown[] = [];
    const answers = (replies: number): MuteStatus => ({
      loss: undefined,
      replies,
      repliesNeeded: 3,
      checkpoint: undefined,
      view: undefined,
    });
    const [none, two] = [answers(0), answers(2)];
    const mute = (now: MuteStatus | undefined): Parameters<StandingWatch["look"]>[0] => ({
      ...standing(0, 0),
      mute: now,
    });
    const watch = new StandingWatch({ onMute: (now) => told.push(now) }, mute(none));

    for (const now of [none, two, two, undefined, undefined]) watch.look(mute(now));

    expect(told).to.deep.equal([two, undefined]);
  });

  it("tells of an observer once that its members do without it", () => {
    const told: string[] = [];
    const observer = (members: number): Parameters<StandingWatch["look"]>[0] => ({
      ...standing(0, 0),
      observer: { members, membersNeeded: 2, checkpointsBehind: 0 },
    });
    const watch = new StandingWatch({ onDispensable: () => told.push("dispensable") }, observer(0));
    const heardOf = [0, 1, 2, 3].map((members) => {
      watch.look(observer(members));
      return told.length;
    });
    watch.look(standing(0, 0));

    expect([heardOf, told]).to.deep.equal([[0, 0, 1, 1], ["dispensable"]]);
  });

  it("tells of no mute replica where none is", () => {
    expect(heard([0, 0], [0, 2])).to.deep.equal(["leaves for 2, failed"]);
  });
});

import { epochNumber, replicaId, viewNumber } from "@quorate/protocol";
import { expect } from "chai";
import { FIRST_MS, Scene } from "./builders.ts";

describe("a hand-over (protocol rule 7.6)", () => {
  it("of the primary is followed to the next view, and nothing failed", () => {
    const scene = new Scene().handOver(0, 0);
    expect(scene.steps).to.deep.equal(["leave for 1"]);
    expect(scene.order).to.deep.equal(["write view-change", "say view-change"]);
    expect(scene.views.timeOutMs).to.equal(FIRST_MS);
  });

  it("of anyone else is refused", () => {
    const scene = new Scene().handOver(1, 0).handOver(3, 0);
    expect(scene.steps).to.deep.equal([]);
    expect(scene.rejections).to.deep.equal(["hand-over.not-from-primary", "hand-over.not-from-primary"]);
  });

  it("spares the wait for a primary that is moved to", () => {
    const scene = new Scene().fail().handOver(1, 1);
    expect(scene.steps).to.deep.equal(["leave for 1", "leave for 2"]);
    expect(scene.views.timeOutMs, "the first view failed, the second did not").to.equal(2 * FIRST_MS);
  });

  it("is of its view only: one that is left, or not reached, moves nobody", () => {
    const scene = new Scene().handOver(1, 1).handOver(0, 4);
    scene.fail().forget().handOver(0, 0);
    expect(scene.steps).to.deep.equal([]);
    scene.hearNewView(scene.company.plainNewView(1)).forget().handOver(0, 0);
    expect(scene.steps).to.deep.equal([]);
    const { rejections } = new Scene().handOver(1, 1).handOver(0, 0).handOver(0, 0);
    expect(rejections, "too early; repeated").to.deep.equal(["hand-over.other-view", "hand-over.other-view"]);
  });

  it("is worth verifying only where it would be followed", () => {
    const { views } = new Scene();
    const isRedundant = (from: number, view: number): boolean =>
      views.isHandOverRedundant(replicaId(from), { type: "hand-over", epoch: epochNumber(0), view: viewNumber(view) });
    expect([isRedundant(0, 0), isRedundant(1, 0), isRedundant(1, 1), isRedundant(0, 4)]).to.deep.equal([
      false,
      true,
      true,
      true,
    ]);
  });
});

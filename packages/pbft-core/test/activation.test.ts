import { epochNumber, membershipOf, type ThreePhaseMessage, viewNumber } from "@quorate/protocol";
import { expect } from "chai";
import { CurrentView } from "../dist/current-view.js";
import {
  batchOf,
  commitOf,
  entryOf,
  membersOf,
  nullBatch,
  prePrepareOf,
  prepareOf,
  proposalsIn,
  requestOf,
  Scene,
  type SceneOptions,
  seqOf,
} from "./builders.ts";
import { ViewScene } from "./view-scene.ts";

const a = batchOf("a");
/** L is 16: of a change at 8, with a K of 4. */
const ACTIVATION = 24;

/** It has executed a change that takes effect at 24; h is 4 unless given. */
function ending<S extends Scene>(make: (options: SceneOptions) => S, options: SceneOptions = {}): S {
  const scene = make({ stable: 4, executed: 8, ...options });
  scene.ordering.endAt(seqOf(ACTIVATION));
  return scene;
}
const scene = (options?: SceneOptions): Scene => ending((all) => new Scene(all), options);
const viewScene = (options?: SceneOptions): ViewScene => ending((all) => new ViewScene(all), options);

function inView({ message }: { readonly message: ThreePhaseMessage }, view: number): ThreePhaseMessage {
  return { ...message, view: viewNumber(view) };
}
/** The number commits, is delivered and executed. */
function execute(at: Scene, seq: number): void {
  at.take(at.ordering.onCommitted(entryOf(seq, a), at.out));
  const progress = { answered: [], sessions: [], evicted: [], lastCheckpoint: seqOf(4) };
  at.ordering.onExecuted(seqOf(seq), a.requests, progress, at.nowMs, at.out);
}

describe("the window of Ordering at the end of an epoch (protocol rule 11.2)", () => {
  it("ends there as soon as h + L is above", () => {
    const { ordering, nowMs, out } = scene({ executed: 24 });
    expect([ordering.activation, ordering.highWatermark]).to.deep.equal([ACTIVATION, 20]);
    ordering.collectGarbage(seqOf(8), nowMs, out);
    expect(ordering.highWatermark).to.equal(24);
    ordering.collectGarbage(seqOf(12), nowMs, out);
    expect(ordering.highWatermark).to.equal(24);
    ordering.collectGarbage(seqOf(24), nowMs, out);
    expect([ordering.lowWatermark, ordering.highWatermark]).to.deep.equal([24, 24]);
    ordering.checkInvariants();
  });

  it("has no place above, in no view, and nothing that is above waits for one", () => {
    for (const of of [prePrepareOf(a.digest, 25), prepareOf(2, a.digest, 25), commitOf(2, a.digest, 25)]) {
      const { ordering } = scene();
      expect(ordering.classify(of.message)).to.equal("epoch.over");
      expect(ordering.classify(inView(of, 3))).to.equal("epoch.over");
      expect(ordering.isRedundant(of.from, of.message)).to.equal(true);
    }
    const { ordering } = scene();
    expect(ordering.classify(prePrepareOf(a.digest, 24).message)).to.equal("future");
    expect(ordering.classify(prePrepareOf(a.digest, 20).message)).to.equal("current");
    expect(new Scene({ stable: 4 }).ordering.classify(prePrepareOf(a.digest, 25).message)).to.equal("future");
  });

  it("is known again after a restart, with what was accepted below its end", () => {
    const { ordering } = new Scene({ stable: 12, executed: 12, activation: ACTIVATION });
    expect([ordering.activation, ordering.highWatermark]).to.deep.equal([ACTIVATION, ACTIVATION]);
  });

  it("is not found to have ended below what is there already, nor at two places", () => {
    const voted = new Scene({ stable: 4 }).prepares([2], a.digest, 20);
    expect(() => voted.ordering.endAt(seqOf(16))).to.throw("window.above-activation");
    const decided = new Scene({ stable: 4 });
    decided.take(decided.ordering.onCommitted(entryOf(30, a), decided.out));
    expect(() => decided.ordering.endAt(seqOf(24))).to.throw("window.above-activation");
    expect(() => new Scene({ executed: 25 }).ordering.endAt(seqOf(24))).to.throw("window.above-activation");
    expect(() => scene().ordering.endAt(seqOf(28))).to.throw("window.two-activations");
    expect(() => scene().ordering.endAt(seqOf(ACTIVATION))).not.to.throw();
  });

  it("takes no decision above: no quorum of this epoch made one", () => {
    const { ordering, out } = scene();
    expect(() => ordering.onCommitted(entryOf(25, a), out)).to.throw("window.decided-above-activation");
  });

  it("opens for nothing more to a primary that is flooded", () => {
    const primary = scene({ self: 0, stable: 20, executed: 22, options: { pipelineDepthMax: 8 } });
    for (let i = 0; i < 20; i++) primary.request(requestOf(1, { session: `${i}` }));
    expect(proposalsIn(primary.effects).map(({ seq }) => seq)).to.deep.equal([23, 24]);
    primary.ordering.checkInvariants();
  });

  it("is left by the next view where it is", () => {
    const at = viewScene({ self: 1, stable: 20, executed: 22, options: { pipelineDepthMax: 8 } });
    for (let i = 0; i < 20; i++) at.request(requestOf(1, { session: `${i}` }));
    at.leave().enter(1, [nullBatch.digest, nullBatch.digest, nullBatch.digest], 20);
    expect(proposalsIn(at.effects).map(({ seq }) => seq)).to.deep.equal([24]);
    expect(at.ordering.highWatermark).to.equal(ACTIVATION);
  });
});

describe("the window of one that awaits its state, where the epoch may end (protocol rule 10.2)", () => {
  const END = 12;
  const uncertain = (): ViewScene => new ViewScene({ self: 2, stable: 4, possibleEnd: END }).resume();

  it("has votes up to there, and none above", () => {
    const { ordering } = uncertain();
    expect([ordering.activation, ordering.highWatermark]).to.deep.equal([undefined, END]);
    expect(ordering.classify(prePrepareOf(a.digest, END).message)).to.equal("current");
    expect(ordering.classify(prePrepareOf(a.digest, END + 1).message)).to.equal("epoch.over");
  });

  it("takes what was decided above: that the epoch goes on there is proven", () => {
    const scene = uncertain();
    for (let seq = 5; seq <= END + 2; seq++) scene.take(scene.ordering.onCommitted(entryOf(seq, a), scene.out));
    expect(scene.ordering.lastDelivered).to.equal(END + 2);
  });

  it("remembers what was voted for above when more was known", () => {
    const prePrepare = prePrepareOf(a.digest, END + 2);
    const scene = uncertain();
    const slot = { prePrepare, batch: a, prepares: [prepareOf(1, a.digest, END + 2), prepareOf(3, a.digest, END + 2)] };
    scene.ordering.restore({ slots: [slot], prepared: [], voted: [] });
    scene.ordering.checkInvariants();
    const frames = scene.ordering.framesFor({ seq: seqOf(END + 2), prePrepare: false, prepares: true, commits: true });
    expect(frames.map((frame) => frame.type === "signed" && frame.envelope.message.type)).to.deep.equal([
      "prepare",
      "commit",
    ]);
  });

  it("adds no vote above in a new view, and no proposal as its primary", () => {
    const scene = uncertain().leave();
    scene.enter(2, Array(END).fill(nullBatch.digest), 4);
    expect(scene.ordering.isPrimary).to.equal(true);
    scene.request(requestOf(1));
    expect(proposalsIn(scene.effects)).to.deep.equal([]);
    scene.leave().forget().enter(3, Array(END).fill(nullBatch.digest), 4);
    expect(scene.votes).to.deep.equal(Array.from({ length: END - 4 }, (_, i) => `prepare 3/${i + 5}`));
  });

  it("is no work that waits: nobody is held to what may not be", () => {
    expect(uncertain().ordering.oldestWaitAtMs).to.equal(undefined);
  });
});

describe("an activation that is waited for (protocol rules 7.4 and 11.2)", () => {
  it("is work that waits since something was done for it", () => {
    const at = new ViewScene({ stable: 4, executed: 7 });
    at.nowMs = 2_000;
    execute(at, 8);
    expect(at.ordering.oldestWaitAtMs, "nothing waits").to.equal(undefined);
    at.ordering.endAt(seqOf(ACTIVATION));
    expect(at.ordering.oldestWaitAtMs).to.equal(2_000);
    at.nowMs = 2_500;
    expect(at.ordering.oldestWaitAtMs).to.equal(2_000);
    execute(at, 9);
    expect(at.ordering.oldestWaitAtMs, "each number has its own clock").to.equal(2_500);
    at.nowMs = 3_000;
    at.leave().enter(1, [], 4);
    expect(at.ordering.oldestWaitAtMs, "and each primary all of the time").to.equal(3_000);
  });

  it("does not make what waits for longer younger", () => {
    const at = new ViewScene({ stable: 4, executed: 7 });
    at.request(requestOf(1));
    at.nowMs = 2_000;
    execute(at, 8);
    at.ordering.endAt(seqOf(ACTIVATION));
    expect(at.ordering.oldestWaitAtMs).to.equal(1_000);
  });

  it("waits from the start on after a restart", () => {
    const at = new ViewScene({ stable: 4, executed: 8, activation: ACTIVATION });
    at.nowMs = 5_000;
    expect(at.resume().ordering.oldestWaitAtMs).to.equal(5_000);
  });

  it("waits for no primary once all is decided", () => {
    const at = new ViewScene({ stable: 20, executed: 22, activation: ACTIVATION }).resume();
    execute(at, 23);
    expect(at.ordering.oldestWaitAtMs).to.equal(1_000);
    at.take(at.ordering.onCommitted(entryOf(24, a), at.out));
    expect(at.ordering.oldestWaitAtMs).to.equal(undefined);
  });
});

describe("the first view of an epoch", () => {
  it("begins with what the epoch begins with: so does the turn of its primary", () => {
    const { members } = membersOf();
    const start = { seq: seqOf(24), stateRoot: a.digest };
    const later = membershipOf(epochNumber(1), members, start);
    expect(new CurrentView(later, members[1]!.id, viewNumber(0), 8, false).last).to.equal(32);
    expect(new CurrentView(membersOf(), members[0]!.id, viewNumber(0), 8, false).last).to.equal(8);
  });
});

import type { ReplicaFrame } from "@quorate/protocol";
import { expect } from "chai";
import { writeEpochLink } from "../dist/epoch-records.js";
import { writeInstallation } from "../dist/installation-record.js";
import { codec } from "./builders.ts";
import {
  certificateAt,
  correct,
  EpochScene,
  FIRST_END,
  fetchOf,
  LINKS,
  proposal,
  SECOND_END,
  statusOf,
  stolenAt,
  storeBehind,
  waiting,
} from "./epoch-scene.ts";

const links = (...which: number[]): ReplicaFrame => ({
  type: "epoch-links",
  links: LINKS.filter((_link, at) => which.includes(at)),
});
const numbersIn = (frames: readonly ReplicaFrame[]): number[] =>
  frames.flatMap((frame) => (frame.type === "committed" ? [frame.entry.certificate.seq] : []));
const [BEGUN_1, BEGUN_2] = [`epoch 1 above ${FIRST_END}`, `epoch 2 above ${SECOND_END}`];

describe("a replica at the end of its epoch (protocol rules 11.2 and 11.3)", () => {
  it("begins the next one when the checkpoint there is certified and its own state durable", () => {
    const scene = new EpochScene().reaches(FIRST_END);
    expect([scene.runner.epochs.epoch, scene.transition]).to.deep.equal([0, []]);
    expect(scene.votes.at(-1)).to.equal(`checkpoint ${FIRST_END}`);
    scene.certifies(FIRST_END);
    expect(scene.transition).to.deep.equal([BEGUN_1]);
    expect(scene.runner.status).to.deep.include({ epoch: 1, executed: FIRST_END, lowWatermark: FIRST_END });
  });

  it("goes from epoch to epoch, and says to clients and in its status in which it is", () => {
    const scene = new EpochScene();
    const told = (): unknown[] => [scene.runner.welcome(), scene.runner.status.epoch];
    const welcome = (epoch: number, executed: number) => ({ type: "welcome", epoch, view: 0, executed });
    expect(scene.reaches(1) && told()).to.deep.equal([welcome(0, 1), 0]);
    expect(scene.enters() && told()).to.deep.equal([welcome(1, FIRST_END), 1]);
    expect(scene.reaches(SECOND_END).certifies(SECOND_END).reaches(37) && told()).to.deep.equal([welcome(2, 37), 2]);
    expect(scene.transition).to.deep.equal([BEGUN_1, BEGUN_2]);
  });

  it("says nothing of the next one before its link is durable, and keeps what comes meanwhile", () => {
    const scene = new EpochScene().reaches(FIRST_END).turns();
    expect([scene.runner.epochs.epoch, scene.transition], "known, and not begun").to.deep.equal([1, []]);
    const said = scene.sent.length;
    expect(scene.hears(1, proposal(25)), "no junk").to.equal(true);
    scene.hears(0, statusOf(0, 0));
    expect([scene.timers.has("status"), scene.sent.length - said]).to.deep.equal([false, 0]);

    expect(scene.store.disk.unflushedGroups).to.be.above(0);
    for (; scene.saidIn(1).length === 0; scene.store.disk.completeFlush());
    expect([scene.transition, scene.store.disk.unflushedGroups]).to.deep.equal([[BEGUN_1], 0]);
    scene.flush();
    expect(scene.votes.at(-1), "of what came meanwhile").to.equal("prepare 25");
    expect(scene.sent.slice(said), "and the links").to.deep.include(links(0));
  });

  it("comes back in the epoch in which it has spoken, wherever the power fails", () => {
    const cameBackIn: number[] = [];
    for (let flushes = 0; cameBackIn.at(-1) !== 1 && flushes < 20; flushes++) {
      const scene = new EpochScene().reaches(FIRST_END);
      scene.hears(2, { type: "stable-checkpoint", checkpoint: certificateAt(FIRST_END) });
      scene.hears(1, proposal(25));
      for (let i = 0; i < flushes; i++) scene.store.disk.completeFlush();
      const again = scene.crashed();
      const { epoch } = again.runner.status;
      if (scene.saidIn(1).length > 0) expect(epoch, `after ${flushes} flushes`).to.equal(1);
      else expect(again.saidIn(1), `after ${flushes} flushes, at once`).to.deep.equal([]);
      cameBackIn.push(epoch);

      again.certifies(FIRST_END);
      expect(again.runner.status).to.deep.include({ epoch: 1, executed: FIRST_END, lowWatermark: FIRST_END });
      expect(again.transition, "once").to.deep.equal(epoch === 1 ? [] : [BEGUN_1]);
      again.hears(1, proposal(25));
      expect(again.flush().votes.at(-1)).to.equal("prepare 25");
    }
    expect(cameBackIn[0], "before any flush").to.equal(0);
  });

  for (const when of ["before", "between"] as const)
    it(`orders requests in the next one that came ${when === "before" ? "in the one before" : "between the two"}`, () => {
      // The primary of epoch 1, and none in epoch 0.
      const scene = new EpochScene(undefined, 1).reaches(23);
      const asks = (): boolean =>
        scene.runner.onClientFrame(waiting.request.client, { type: "request", request: waiting.request });
      if (when === "before") asks();
      scene.reaches(FIRST_END).turns();
      if (when === "between") asks();
      expect(scene.saidIn(1)).to.deep.equal([]);

      scene.flush();
      const proposed = scene.sent.filter((frame) => frame.type === "pre-prepare");
      expect(proposed.map(({ batch }) => batch.requests)).to.deep.equal([[waiting.request]]);
      expect(proposed[0]?.envelope.message).to.deep.include({ epoch: 1, seq: 25 });
    });
});

describe("what a replica hears of an epoch that is over (protocol rule 11.3)", () => {
  it("is answered with the links above it, whatever it is", () => {
    const scene = new EpochScene().enters();
    expect(scene.hears(0, statusOf(0, 0))).to.equal(true);
    expect(scene.saidTo(0).at(-1)).to.deep.equal(links(0));
    expect(scene.rejected).to.deep.equal(["epoch.other"]);
    scene.reaches(SECOND_END).certifies(SECOND_END);
    scene.hears(0, statusOf(0, 0));
    expect(scene.saidTo(0).at(-1)).to.deep.equal(links(0, 1));
    scene.hears(0, statusOf(0, 1));
    expect(scene.saidTo(0).at(-1)).to.deep.equal(links(1));
  });

  it("is given the batches that it lacks of it, up to its end and not beyond", () => {
    const scene = new EpochScene().enters().reaches(27);
    scene.hears(0, fetchOf(0, 20, 27));
    expect(scene.saidTo(0)[0], "with the links").to.deep.equal(links(0));
    expect(numbersIn(scene.saidTo(0))).to.deep.equal([20, 21, 22, 23, 24]);
    scene.hears(2, fetchOf(2, 25, 27));
    expect(numbersIn(scene.saidTo(2))).to.deep.equal([]);
  });

  it("is given to nobody in whose name another asks", () => {
    const scene = new EpochScene().enters();
    expect(scene.hears(0, fetchOf(0, 20, 24, 2)), "no correct replica sends that").to.equal(false);
    expect(numbersIn(scene.saidTo(0))).to.deep.equal([]);
    expect(scene.rejected).to.include("ingress.bad-signature");
  });

  it("is asked for by links as well, which are answered", () => {
    const scene = new EpochScene().enters();
    scene.hears(0, { type: "fetch-epochs", fetch: { above: 0 as never } });
    expect(scene.saidTo(0)).to.deep.equal([links(0)]);
  });
});

describe("what a replica hears of a later epoch (protocol rule 11.3)", () => {
  it("makes it ask for links, and is handled once the epoch has begun", () => {
    const scene = new EpochScene().reaches(FIRST_END);
    expect(scene.hears(1, proposal(25))).to.equal(true);
    expect(scene.saidTo(1).at(-1)).to.deep.equal({ type: "fetch-epochs", fetch: { above: 0 } });
    expect([scene.flush().votes.at(-1), scene.transition]).to.deep.equal([`checkpoint ${FIRST_END}`, []]);

    expect(scene.hears(1, links(0))).to.equal(true);
    scene.flush();
    expect([scene.transition, scene.votes.at(-1)]).to.deep.equal([[BEGUN_1], "prepare 25"]);
  });

  it("is kept while it comes to the end of its own, and asks for nothing where the link is known", () => {
    const scene = new EpochScene().reaches(20);
    scene.hears(1, links(0));
    scene.flush();
    const said = scene.saidTo(1).length;
    scene.hears(1, proposal(25));
    expect([scene.runner.epochs.epoch, scene.runner.status.epoch]).to.deep.equal([1, 0]);
    expect(scene.saidTo(1).slice(said)).to.deep.equal([]);
    scene.reaches(FIRST_END).flush();
    expect([scene.transition, scene.votes.at(-1)]).to.deep.equal([[BEGUN_1], "prepare 25"]);
  });

  it("is junk where it is a forged link", () => {
    const [link] = LINKS;
    const scene = new EpochScene().reaches(8);
    const { certificate } = link!;
    const forged = { ...link!, certificate: { ...certificate, signatures: certificate.signatures.slice(1) } };
    expect(scene.hears(0, { type: "epoch-links", links: [forged] })).to.equal(false);
    expect([scene.runner.epochs.epoch, scene.rejected]).to.deep.equal([0, ["epochs.bad-link"]]);
  });

  it("has it install the state of the last one where two have passed", () => {
    const scene = new EpochScene().reaches(8);
    scene.hears(0, links(0, 1));
    expect(scene.transition, "before the links are durable").to.deep.equal([]);
    scene.flush();
    expect(scene.transition).to.deep.equal([BEGUN_2, `transfer ${SECOND_END}`]);
    expect(scene.runner.welcome()).to.deep.include({ epoch: 2 });

    scene.installs();
    expect([scene.runner.isInstalling, scene.runner.status.epoch]).to.deep.equal([false, 2]);
    expect(scene.runner.status).to.deep.include({ executed: SECOND_END, lowWatermark: SECOND_END });
    scene.hears(2, proposal(37));
    expect(scene.flush().votes.at(-1)).to.equal("prepare 37");
  });
});

describe("a replica that hears of the next epoch while its state is not here (protocol rules 10.2 and 11.3)", () => {
  it("speaks in it when the link is durable, also where a flush that does not cover it is under way", () => {
    let hasSpoken = false;
    for (let flushes = 0; !hasSpoken && flushes < 20; flushes++) {
      const scene = new EpochScene(storeBehind("complete"));
      scene.turn().turn();
      expect(scene.happened.at(-1)).to.equal(`executed ${FIRST_END}`);
      // Level with its votes but for the disk.
      scene.hears(1, links(0));
      for (let i = 0; i < flushes; i++) {
        scene.store.disk.completeFlush();
        scene.hears(1, proposal(25));
      }
      hasSpoken = scene.saidIn(1).length > 0;
      if (hasSpoken) expect(scene.crashed().runner.epochs.epoch, `after ${flushes} flushes`).to.equal(1);
      scene.flush();
      expect([scene.transition.includes(BEGUN_1), scene.runner.status.epoch]).to.deep.equal([true, 1]);
    }
    expect(hasSpoken).to.equal(true);
  });

  it("executes what its history has of the epochs before, each batch proven by the members of its own", () => {
    const store = storeBehind("complete");
    writeEpochLink(store.local, codec, LINKS[0]!);
    const scene = new EpochScene(store);
    expect([scene.transition, scene.runner.status.epoch]).to.deep.equal([[`voting ${FIRST_END}`], 1]);
    scene.turn().turn().flush();
    expect(scene.transition).to.deep.equal([`voting ${FIRST_END}`, `level ${FIRST_END}`]);
    expect(scene.runner.status).to.deep.include({ epoch: 1, executed: FIRST_END });
  });

  it("goes on to the state that the next epoch begins with, and tells that it has begun", () => {
    const scene = new EpochScene(storeBehind("empty"));
    expect(scene.transition).to.deep.equal(["transfer 16"]);
    scene.hears(1, proposal(25));
    scene.hears(1, links(0));
    scene.flush();
    expect(scene.transition).to.deep.equal(["transfer 16", BEGUN_1, "transfer 24"]);
  });

  it("gives up a target above the end of its epoch, which no correct member has signed", () => {
    const scene = new EpochScene(storeBehind("empty"));
    expect(scene.transition).to.deep.equal(["transfer 16"]);
    scene.runner.stop();
    writeInstallation(scene.store.local, codec, { target: stolenAt(FIRST_END + 8), distrustsEntries: false });
    const again = new EpochScene(scene.store);
    expect(again.transition, "while that is not known").to.deep.equal([`transfer ${FIRST_END + 8}`]);
    again.hears(1, links(0));
    again.flush();
    expect(again.transition.slice(1)).to.deep.equal([BEGUN_1, `transfer ${FIRST_END}`]);
  });

  it("learns of it in the pause before a repair, and then repairs towards what that begins with", () => {
    const scene = new EpochScene().reaches(20);
    scene.certifies(16);
    const spoil = (): void => {
      const [[key, value] = []] = scene.store.state.range(new Uint8Array(1), new Uint8Array(1).fill(255));
      const spoilt = new Uint8Array(value!);
      spoilt[spoilt.length - 1]! ^= 1;
      scene.store.state.write([{ key: new Uint8Array(key!), value: spoilt }]);
      scene.timers.get("scrub")?.();
    };
    spoil();
    scene.turn();
    for (let i = 0; i < 100 && scene.runner.isInstalling; i++) scene.receivesState(correct, 16).flush().turn();
    spoil();
    expect(scene.transition.at(-1)).to.equal("repair 2 after 1000");
    scene.hears(1, links(0));
    scene.flush();
    expect(scene.transition.at(-1), "it is about to install").to.equal(BEGUN_1);

    scene.turn();
    expect(scene.transition.at(-1)).to.equal(`transfer ${FIRST_END}, distrusting`);
    for (let i = 0; i < 100 && scene.runner.isInstalling; i++) scene.receivesState(correct, FIRST_END).flush().turn();
    expect(scene.runner.status).to.deep.include({ epoch: 1, executed: FIRST_END, lowWatermark: FIRST_END });
  });
});

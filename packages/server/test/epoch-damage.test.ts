import type { ReplicaFrame } from "@quorate/protocol";
import { verifyData } from "@quorate/server";
import type { MemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import { writeEpochLink } from "../dist/epoch-records.js";
import { codec } from "./builders.ts";
import { cryptography, dataFolders, openStoreOf } from "./data-folder.ts";
import { EpochScene, FIRST_END, fetchOf, LINKS, proposal, SECOND_END, statusOf, storeBehind } from "./epoch-scene.ts";

const links: ReplicaFrame = { type: "epoch-links", links: LINKS };
/** Where the links of the epoch chain stand beside the state. */
const RANGE = [new TextEncoder().encode("host/epoch/"), new TextEncoder().encode("host/epoch0")] as const;

const isOfEpoch = (what: string): boolean => what.startsWith("epoch ");

interface Local {
  range: MemoryStore["local"]["range"];
  write: MemoryStore["local"]["write"];
}

/** Spoils the link that begins an epoch. */
function spoil(local: Local, epoch: number): void {
  const [key, value] = [...local.range(...RANGE)][epoch - 1]!;
  const spoilt = new Uint8Array(value);
  spoilt[spoilt.length >> 1]! ^= 1;
  local.write([{ key: new Uint8Array(key), value: spoilt }]);
}

/** A replica that has spoken in epoch 2, and comes back on a disk on which a link is damaged. */
function damaged(epoch: number): EpochScene {
  const scene = new EpochScene();
  scene.enters().reaches(SECOND_END).certifies(SECOND_END).reaches(37);
  expect(scene.runner.status.epoch).to.equal(2);
  spoil(scene.store.local, epoch);
  scene.store.flush(() => undefined);
  while (scene.store.disk.completeFlush());
  return scene.crashed();
}

describe("a link of the epoch chain that is damaged on the disk (protocol rules 11.2 and 11.3)", () => {
  for (const epoch of [1, 2])
    it(`is asked for from others, and nothing is said before it is there (that of epoch ${epoch})`, () => {
      const scene = damaged(epoch);
      expect(scene.runner.epochs.epoch).to.equal(epoch - 1);
      expect(scene.runner.isInstalling).to.equal(true);
      // What it has spoken in is over the horizon: what it hears of the last epoch that it knows it does not answer with votes.
      const known = epoch - 1;
      scene.hears(known, proposal(FIRST_END + known));
      scene.hears(1, statusOf(1, known));
      scene.flush();
      for (const of of [0, 1, 2]) expect(scene.saidIn(of), `in epoch ${of}`).to.deep.equal([]);

      scene.hears(2, statusOf(2, 2));
      expect(scene.saidTo(2).at(-1)).to.deep.equal({ type: "fetch-epochs", fetch: { above: epoch - 1 } });
      expect(scene.happened.filter(isOfEpoch)).to.deep.equal([]);
      scene.hears(2, links);
      scene.flush();
      expect(scene.happened.filter(isOfEpoch), "what is told").to.deep.equal([`epoch 2 above ${SECOND_END}`]);

      expect(scene.runner.epochs.epoch).to.equal(2);
      expect(scene.runner.status).to.deep.include({ epoch: 2, executed: 37, lowWatermark: SECOND_END });
      expect(scene.runner.isInstalling).to.equal(false);
      const again = scene.crashed();
      expect(again.runner.status, "what came is on the disk").to.deep.include({ epoch: 2, executed: 37 });
    });

  it("keeps silent one whose state, log and history are still of the epoch before it", () => {
    const store = storeBehind("complete");
    const saidBy = (behind: MemoryStore): string[] => {
      const scene = new EpochScene(behind);
      scene.turn().turn().flush();
      scene.hears(2, fetchOf(2, 20, FIRST_END));
      scene.hears(1, statusOf(1, 0));
      scene.flush();
      return scene.saidIn(0);
    };
    for (const link of LINKS) writeEpochLink(store.local, codec, link);
    spoil(store.local, 1);
    expect(saidBy(storeBehind("complete")), "without any link").to.include("committed");
    expect(saidBy(store)).to.deep.equal([]);
  });

  it("is not made up for by fewer links than it has spoken in epochs", () => {
    const scene = damaged(1);
    scene.hears(2, { type: "epoch-links", links: LINKS.slice(0, 1) });
    scene.flush();
    expect(scene.runner.epochs.epoch).to.equal(1);
    expect([scene.runner.isInstalling, scene.saidIn(1)]).to.deep.equal([true, []]);
    scene.hears(2, links);
    scene.flush();
    expect(scene.runner.status).to.deep.include({ epoch: 2, executed: 37 });
  });
});

describe("verifyData, of a damaged link", () => {
  const made = dataFolders();

  it("names it, and says that nothing else can be judged", async () => {
    const { folder } = await made({ isLater: true });
    const store = openStoreOf(folder);
    spoil(store.local, 1);
    await store.close();

    const { isSound, checks } = await verifyData(folder.path, cryptography);

    expect(isSound).to.equal(false);
    const damage = checks.find(({ part }) => part === "epochs");
    expect(damage?.problems[0]).to.match(/^the link that begins epoch 1 is damaged on this disk: /);
    expect(damage?.advice).to.match(/start the replica/);
    const rest = checks.filter(({ result }) => result === "not-checked");
    expect(rest.map(({ found }) => found)).to.deep.equal(Array(8).fill("it is not known whose signatures count"));
  });
});

import { REPAIR_PAUSES_MS } from "@quorate/server/host";
import { ROOT_OF_PAGES, snapshotKey } from "@quorate/state-tree";
import { createMemoryStore, type MemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import { DamageCount, RecurringDamage } from "../dist/damage-count.js";
import { readInstallation } from "../dist/installation-record.js";
import { codec } from "./builders.ts";
import { certificateOf, digestsOf, newExecutor, Scene, STABLE, storeOf } from "./runner-scene.ts";

const HOUR_MS = 3_600_000;

/** A replica with its state, at 10. */
function levelScene(): Scene {
  return new Scene(storeOf()).start().turn().flush();
}

/** A bit of an entry flips. */
function damage(store: MemoryStore): void {
  const [entry] = store.state.range(new Uint8Array(1), new Uint8Array(1).fill(255));
  if (entry === undefined) throw new Error("no entry");
  const value = new Uint8Array(entry[1]);
  value[value.length - 1] = (value.at(-1) ?? 0) ^ 1;
  store.state.write([{ key: new Uint8Array(entry[0]), value }]);
}

/** The scrubber finds it. */
function found(scene: Scene): string[] {
  const before = scene.happened.length;
  damage(scene.store);
  scene.timers.get("scrub")?.();
  return scene.happened.slice(before);
}

function repaired(scene: Scene): Scene {
  scene.turn();
  for (let i = 0; i < 100 && scene.runner.isInstalling; i++) scene.receivesState().flush().turn();
  return scene;
}

describe("a replica whose records of checkpoints are damaged (protocol rule 9.5)", () => {
  const last = snapshotKey(STABLE);
  const damages: readonly (readonly [name: string, key: Uint8Array, value: Uint8Array])[] = [
    ["a root that is too short", last, new Uint8Array(31)],
    ["one that is too long", last, new Uint8Array(33)],
    ["nothing of a root", last, new Uint8Array(0)],
    ["the last one marked as dropped", last, new Uint8Array(1)],
    ["another mark than that of a dropped one", snapshotKey(0), Uint8Array.of(7)],
    ["a root of pages that is too short", ROOT_OF_PAGES, new Uint8Array(5)],
    ["one of no length", ROOT_OF_PAGES, new Uint8Array(0)],
  ];
  for (const [name, key, value] of damages)
    it(`is repaired at its start: ${name}`, () => {
      const { store } = levelScene();
      store.local.write([{ key, value }]);

      const scene = new Scene(store).start();
      expect(scene.happened).to.deep.equal(["repair 1 after 0", "transfer 8, distrusting"]);
      repaired(scene);
      expect(scene.transition.at(-1)).to.equal("transferred 8");
      expect(scene.runner.stateDigests).to.deep.equal(digestsOf(newExecutor(createMemoryStore(), 2, 10)));
    });
});

describe("a replica whose state is damaged again and again (protocol rule 9.5)", () => {
  it("repairs at once, then after longer and longer pauses, and then ends with an error that names the disk", () => {
    const scene = levelScene();
    for (const [i, pauseMs] of REPAIR_PAUSES_MS.entries()) {
      const begun = [`repair ${i + 1} after ${pauseMs}`, ...(i === 0 ? ["transfer 8, distrusting"] : [])];
      expect(found(scene)).to.deep.equal(begun);
      expect(scene.runner.repair).to.deep.equal(i === 0 ? undefined : { attempt: i + 1, pauseMs });
      if (i > 0) expect(scene.afterMs.get("install")).to.equal(pauseMs);
      expect([scene.runner.isInstalling, scene.runner.repairs]).to.deep.equal([true, i + 1]);
      repaired(scene);
      expect(scene.transition.at(-1)).to.equal("transferred 8");
      expect(scene.runner.stateDigests).to.deep.equal(digestsOf(newExecutor(createMemoryStore(), 2, 10)));
    }

    expect(found(scene)).to.deep.equal(["repair 6 after undefined"]);
    scene.flush();
    expect(scene.happened.at(-1)).to.match(
      /^fatal the disk of this replica changes what is written to it: .* 5 repairs, last: the entry/,
    );
    const said = scene.sent.length;
    scene.turn().timers.get("status")?.();
    expect(scene.sent.length, "nothing is said afterwards").to.equal(said);
  });

  it("is the first damage again after an hour without any, however long the repair took", () => {
    const scene = levelScene();
    found(scene);
    scene.nowMs += HOUR_MS;
    repaired(scene);
    scene.nowMs += HOUR_MS - 1;
    expect(found(scene)).to.deep.equal(["repair 2 after 1000"]);
    repaired(scene).nowMs += HOUR_MS;
    expect(scene.runner.repairs).to.equal(0);
    expect(found(scene)[0]).to.equal("repair 1 after 0");
  });

  it("a repair that a restart goes on with is no long time without damage either", () => {
    const scene = levelScene();
    found(scene);
    scene.store.flush(() => undefined);
    scene.flush();

    const again = new Scene(scene.store.disk.crash());
    again.nowMs += 2 * HOUR_MS;
    repaired(again.start());
    again.nowMs += HOUR_MS - 1;
    expect(found(again)).to.deep.equal(["repair 2 after 1000"]);
  });

  it("a crash in the pause goes on with the repair, and the count is durable", () => {
    const scene = levelScene();
    found(scene);
    repaired(scene);
    found(scene);
    scene.store.flush(() => undefined);
    scene.flush();

    const again = new Scene(scene.store.disk.crash()).start();
    expect(readInstallation(again.store.local, codec)).to.deep.equal({
      target: certificateOf(STABLE),
      distrustsEntries: true,
    });
    expect([again.happened, again.runner.repairs]).to.deep.equal([["transfer 8, distrusting"], 2]);
    repaired(again);
    expect(found(again)).to.deep.equal(["repair 3 after 10000"]);
  });

  it("a start after its end has one more repair, after the longest pause, and no second", () => {
    const { store } = levelScene();
    const damages = new DamageCount({
      store: store.local,
      nowMs: () => 1_000,
      forgottenAfterMs: HOUR_MS,
      isUnderRepair: false,
    });
    for (let i = 0; i < REPAIR_PAUSES_MS.length; i++) damages.found();
    const ended = new Scene(store).start();
    found(ended);
    ended.flush();
    expect(ended.happened.at(-1)).to.match(/^fatal the disk/);

    const again = new Scene(store.disk.crash()).start();
    expect([again.happened, again.runner.repair]).to.deep.equal([[], { attempt: 6, pauseMs: 600_000 }]);
    repaired(again);
    expect(again.transition).to.deep.equal(["transfer 8, distrusting", "transferred 8"]);
    expect(found(again)).to.deep.equal(["repair 7 after undefined"]);
  });

  it("a stop in the pause is the end of it", () => {
    const scene = levelScene();
    found(scene);
    repaired(scene);
    found(scene);
    const wake = scene.timers.get("install");
    scene.runner.stop();
    expect([wake === undefined, scene.timers.has("install")]).to.deep.equal([false, false]);
    wake?.();
    expect(scene.happened.at(-1)).to.equal("repair 2 after 1000");
  });

  it("a running backup is told why it cannot go on", () => {
    const scene = levelScene();
    const backup = scene.runner.openBackup();
    expect([backup?.checkpoint, scene.runner.openBackup()]).to.deep.equal([STABLE, undefined]);
    expect(backup?.next()).to.not.equal(undefined);
    found(scene);
    expect(() => backup?.next()).to.throw(/^the replica has its state brought to it$/);
    repaired(scene);
    const again = scene.runner.openBackup();
    scene.runner.stop();
    expect(() => again?.next()).to.throw(/^the replica stops$/);
  });

  it("the error names the folder once that is known", () => {
    const error = new RecurringDamage(5, new Error("the entry at 01")).at("/data/store");
    expect(error.message).to.equal(
      "the disk of /data/store changes what is written to it: damaged again after each of 5 repairs, last: the entry at 01; test the disk and the memory, replace it, then run `quorate init --lost-disk` on the folder",
    );
  });

  it("a clock that was set back far forgets as well: it says nothing of how long ago something was", () => {
    const { local } = createMemoryStore();
    let nowMs = 10 * HOUR_MS;
    const damages = new DamageCount({
      store: local,
      nowMs: () => nowMs,
      forgottenAfterMs: HOUR_MS,
      isUnderRepair: false,
    });
    damages.found();
    nowMs -= HOUR_MS - 1;
    expect(damages.found()).to.deep.equal({ attempt: 2, pauseMs: 1_000 });
    nowMs -= HOUR_MS;
    expect(damages.found()).to.deep.equal({ attempt: 1, pauseMs: 0 });
    local.write([{ key: new TextEncoder().encode("host/damage"), value: new Uint8Array(3) }]);
    expect(() => new DamageCount({ store: local, nowMs: () => 0, forgottenAfterMs: 1, isUnderRepair: false })).to.throw(
      "host.damage-record",
    );
  });
});

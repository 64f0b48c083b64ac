import { createMemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import { readInstallation } from "../dist/installation-record.js";
import { readQuarantine } from "../dist/quarantine-record.js";
import { clientOf, codec, digestOf, genesis, seqOf, withDamageAt } from "./builders.ts";
import {
  certificateOf,
  digestsOf,
  EXECUTED,
  entryOf,
  executed,
  forgedEntryOf,
  newExecutor,
  Scene,
  STABLE,
  storeOf,
} from "./runner-scene.ts";

describe("a replica runner whose state is below what its log calls stable (protocol rule 10.2)", () => {
  it("votes at once, executes what the history has, and is a host with its state afterwards", () => {
    const scene = new Scene(storeOf()).start();
    expect([scene.runner.isInstalling, scene.happened]).to.deep.equal([true, ["voting 8"]]);
    scene.hearsClient();
    expect(scene.toClients, "without the state nobody is answered").to.deep.equal([]);

    scene.turn();
    expect(scene.happened, "before the flush").to.deep.equal(["voting 8", ...executed(4, 10)]);
    scene.flush();
    expect(scene.happened.slice(-1)).to.deep.equal(["level 10"]);
    const expected = newExecutor(createMemoryStore(), 2, 10);
    expect(scene.historyDigests.at(-1)).to.equal(expected.historyDigest);
    expect(scene.runner.stateDigests).to.deep.equal(digestsOf(expected));
    expect([scene.runner.isInstalling, scene.runner.transfer, scene.timers.has("install")]).to.deep.equal([
      false,
      undefined,
      false,
    ]);
    scene.hearsClient();
    expect(scene.toClients.map(({ type }) => type)).to.deep.equal(["reply"]);
    expect(scene.happened.slice(-1), "nothing twice").to.deep.equal(["level 10"]);
  });

  it("tells who reads the state that it is not here, and afterwards answers of the stable checkpoint", () => {
    const scene = new Scene(storeOf()).start();
    const query = { type: "range", from: new Uint8Array(0), to: undefined, limit: 1 } as const;
    const read = (id: number): void => {
      scene.runner.onClientFrame(clientOf().publicKey, { type: "read-state", read: { id, query } });
      scene.timers.get("read")?.();
    };
    read(1);
    scene.turn().flush();
    expect(scene.happened.slice(-1)).to.deep.equal(["level 10"]);
    read(2);

    expect(scene.toClients.map((frame) => frame.type === "state-read" && frame.read)).to.deep.equal([
      { id: 1, type: "unavailable", reason: "no-state" },
      { id: 2, type: "entries", certificate: certificateOf(STABLE), entries: [], next: undefined },
    ]);
  });

  it("executes what is decided meanwhile as well, and in turns: votes come in between", () => {
    const scene = new Scene(storeOf({ last: 20 })).start();
    scene.turn();
    expect(scene.happened, "a turn has an end").to.deep.equal(["voting 8", ...executed(4, 19)]);
    scene.hearsProposal(21);
    for (const id of [2, 3]) scene.hearsVote(id, "prepare", 21);
    for (const id of [0, 2, 3]) scene.hearsVote(id, "commit", 21);
    scene.flush();
    expect([scene.runner.status.executed, scene.votes]).to.deep.equal([21, ["prepare 21", "commit 21"]]);
    scene.turn().flush();
    expect(scene.happened.slice(-3)).to.deep.equal(["executed 20", "executed 21", "level 21"]);
  });

  it("no turn is long, however slow execution is", () => {
    const scene = new Scene(storeOf()).start();
    scene.msPerLook = 6;
    scene.turn();
    expect(scene.happened).to.deep.equal(["voting 8", "executed 4"]);
    for (let i = 0; i < 7; i++) scene.turn();
    expect(scene.happened.slice(-1)).to.deep.equal(["executed 10"]);
    scene.flush();
    expect(scene.happened.slice(-1)).to.deep.equal(["level 10"]);
  });

  it("speaks of nothing that the host before it has left in memory: all is durable first (protocol rule 8.1)", () => {
    const scene = new Scene(storeOf({ last: 17 })).start();
    const { disk } = scene.store;
    scene.hearsProposal(18);
    for (const id of [2, 3]) scene.hearsVote(id, "prepare", 18);
    expect([disk.unflushedLogGroups, disk.completionsWaiting, scene.votes], "a flush is held back").to.deep.equal([
      2,
      1,
      [],
    ]);

    scene.turn();
    scene.hearsWhoLacksVotes(18);
    expect(scene.votes, "level but for the disk").to.deep.equal([]);
    expect(scene.happened.slice(-1)).to.deep.equal(["executed 17"]);
    let completed = 0;
    for (; scene.runner.isInstalling; completed++) {
      expect(scene.hearsWhoLacksVotes(18)).to.equal(true);
      expect(scene.votes, `after ${completed} flushes`).to.deep.equal([]);
      expect(disk.completeFlush(), "it waits for a flush").to.equal(true);
    }
    expect(completed).to.be.above(0);
    expect(scene.happened.slice(-1)).to.deep.equal(["level 17"]);
    expect(scene.votes, "of its own accord").to.deep.equal(["checkpoint 16"]);
    scene.hearsWhoLacksVotes(18);
    expect(scene.votes.slice(1), "when asked").to.deep.equal(["checkpoint 16", "prepare 18", "commit 18"]);
    expect(scene.unflushedAtVotes, "what it spoke of was durable").to.deep.equal([0, 0, 0, 0]);
  });

  it("a failed flush at the end is the end: nothing is said of what it covered", () => {
    const scene = new Scene(storeOf({ last: 17 })).start();
    scene.hearsProposal(18);
    scene.turn();
    scene.store.disk.failNextFlush();
    scene.flush();
    expect(scene.happened.filter((what) => what.startsWith("fatal"))).to.have.lengthOf(1);
    scene.hearsWhoLacksVotes(18);
    expect([scene.votes, scene.runner.isInstalling]).to.deep.equal([[], true]);
  });

  it("a stop before that flush is the end as well", () => {
    const scene = new Scene(storeOf({ last: 17 })).start();
    scene.hearsProposal(18);
    scene.turn();
    scene.runner.stop();
    scene.flush();
    scene.hearsWhoLacksVotes(18);
    expect([scene.votes, scene.transition]).to.deep.equal([[], ["voting 8"]]);
  });

  it("ends in quarantine where it comes to another state than a quorum vouches for", () => {
    const forged = certificateOf(STABLE, digestOf("another state"));
    const scene = new Scene(storeOf({}, forged)).start().turn();
    expect(scene.happened).to.deep.equal([
      "voting 8",
      ...executed(4, 8),
      "quarantined by certificate 8, up to 8",
      "transfer 8, distrusting",
    ]);
    expect(readQuarantine(scene.store.local)).to.deep.equal({
      ...{ upTo: 8, statementsUpTo: STABLE + genesis.windowSize },
      ...{ attempts: 1, isWaiting: false },
    });
    scene.flush();
    expect([scene.votes, scene.runner.isInstalling, scene.runner.stateDigests]).to.deep.equal([[], true, undefined]);
  });

  for (const isContradicted of [false, true])
    it(`compares with what is certified after it was executed${isContradicted ? "" : ", which is no harm"}`, () => {
      const scene = new Scene(storeOf({ last: 21 })).start().turn();
      expect(scene.happened.slice(-1), "16 is executed, 21 is not").to.deep.equal(["executed 19"]);
      const checkpoint = isContradicted ? certificateOf(16, digestOf("another state")) : certificateOf(16);
      expect(scene.hears(2, { type: "stable-checkpoint", checkpoint })).to.equal(true);
      scene.flush();
      expect(scene.transition, "s moves").to.deep.equal(["voting 8", "voting 16"]);
      scene.turn().flush();
      expect(scene.transition.slice(2)).to.deep.equal(
        isContradicted ? ["quarantined by certificate 16, up to 21", "transfer 16, distrusting"] : ["level 21"],
      );
    });

  for (const seq of [EXECUTED + 1, STABLE])
    it(`installs what it votes on where entry ${seq} of the history, not above it, is damaged`, () => {
      const scene = new Scene(storeOf(), (store) => withDamageAt(new Set([seq]), store)).start().turn();
      expect(scene.happened).to.deep.equal([
        "voting 8",
        ...executed(EXECUTED + 1, seq - 1),
        `damaged history entry ${seq}`,
        "repair 1 after 0",
        "transfer 8",
      ]);
      expect(readInstallation(scene.store.local, codec)).to.deep.include({ distrustsEntries: false });
      for (let i = 0; i < 100 && scene.runner.isInstalling; i++) scene.receivesState().flush().turn();
      expect(scene.transition.slice(-2), "and goes on from there").to.deep.equal(["transferred 8", "level 10"]);
    });

  for (const { what, bad, reason } of [
    { what: "does not decode", bad: Uint8Array.of(1, 2, 3), reason: "history entry 5 does not decode" },
    { what: "belongs to another number", bad: entryOf(6), reason: "history entry 5 belongs to number 6" },
    { what: "is not proven", bad: forgedEntryOf(5), reason: "history entry 5 has a certificate that is not valid" },
  ])
    it(`installs what it votes on where an entry of the history ${what}, and counts it as damage`, () => {
      const store = storeOf();
      store.history.put(seqOf(5), bad);
      const scene = new Scene(store).start().turn();
      const [damaged, ...rest] = scene.transition.slice(1);
      expect(damaged).to.match(new RegExp(`^damaged ${reason}`));
      expect(rest).to.deep.equal(["repair 1 after 0", "transfer 8"]);
      for (let i = 0; i < 100 && scene.runner.isInstalling; i++) scene.receivesState().flush().turn();
      expect(scene.transition.slice(-2)).to.deep.equal(["transferred 8", "level 10"]);
    });

  it("a damaged entry above that at a start is a lost disk: promises may be lost as well (protocol rule 8.4)", () => {
    const above = new Set([STABLE + 1]);
    expect(() => new Scene(storeOf(), (store) => withDamageAt(above, store))).to.throw("entry 9");
  });

  it("one that it meets above that it takes for what a crash took: it goes on without it, and the others have it", () => {
    const damaged = new Set<number>();
    const scene = new Scene(storeOf({ last: 17 }), (store) => withDamageAt(damaged, store)).start();
    damaged.add(STABLE + 3);
    scene.turn().flush();
    expect(scene.happened.slice(-2)).to.deep.equal(["damaged history entry 11", "level 10"]);
    expect(scene.runner.stateDigests).to.deep.equal(digestsOf(newExecutor(createMemoryStore(), 2, 10)));
    expect([scene.runner.status.executed, scene.store.history.last]).to.deep.equal([10, undefined]);

    const again = new Scene(scene.store.disk.crash()).start();
    expect([again.runner.isInstalling, again.runner.status.executed, again.happened]).to.deep.equal([false, 10, []]);
  });

  it("where that is what a quorum contradicts, it is quarantined all the same", () => {
    const damaged = new Set<number>();
    const forged = certificateOf(STABLE, digestOf("another state"));
    const scene = new Scene(storeOf({}, forged), (store) => withDamageAt(damaged, store)).start();
    damaged.add(STABLE + 1);
    scene.turn();
    expect(scene.transition.slice(1)).to.deep.equal([
      "quarantined by certificate 8, up to 8",
      "transfer 8, distrusting",
    ]);
  });

  it("one above its votes, which were held back, is no end either when it is level", () => {
    let scene: Scene | undefined;
    const isAbove = (seq: number): boolean => seq > (scene?.runner.status.executed ?? Number.POSITIVE_INFINITY);
    const above = { has: isAbove } as ReadonlySet<number>;
    scene = new Scene(storeOf({ last: 20 }), (store) => withDamageAt(above, store)).start();
    // One batch in each turn, while two are ordered.
    scene.msPerLook = 6;
    for (let turns = 0; scene.runner.isInstalling && turns < 85; turns++) {
      for (let i = 0; i < 2; i++) scene.decides((scene.store.history.last ?? 0) + 1);
      scene.flush().turn().flush();
    }
    const { executed: level } = scene.runner.status;
    expect(scene.happened.slice(-2)).to.deep.equal([`damaged history entry ${level + 1}`, `level ${level}`]);
    expect(scene.store.history.last, "it comes from the others").to.equal(undefined);
  });

  it("gets level under a load that it cannot follow: its votes go on, but no faster than half of what it executes", () => {
    const scene = new Scene(storeOf({ last: 20 })).start();
    // One batch in each turn, while two are ordered.
    scene.msPerLook = 6;
    const distances: number[] = [];
    for (; scene.runner.isInstalling && distances.length < 85; scene.turn()) {
      for (let i = 0; i < 2; i++) scene.decides(scene.runner.status.executed + 1);
      distances.push(scene.runner.status.executed - (scene.runner.stateExecuted ?? 0));
      scene.flush();
    }
    scene.flush();
    expect(scene.runner.isInstalling, `${distances}`).to.equal(false);
    expect(Math.max(...distances), "no further behind than a window more").to.be.at.most(20 - EXECUTED + 16);
    expect(scene.runner.status.executed, "it voted on").to.be.above(40);
    const { executed: end } = scene.runner.status;
    expect(scene.runner.stateDigests).to.deep.equal(digestsOf(newExecutor(createMemoryStore(), 2, end)));
  });

  for (const { what, first, last } of [
    { what: "is empty", first: 1, last: 0 },
    { what: "begins too late", first: EXECUTED + 2, last: STABLE + 2 },
    { what: "ends too early", first: EXECUTED + 1, last: STABLE - 1 },
  ])
    it(`installs what its log calls stable, without distrust, if its history ${what}`, () => {
      const scene = new Scene(storeOf({ first, last })).start();
      expect(readInstallation(scene.store.local, codec)).to.deep.equal({
        target: certificateOf(STABLE),
        distrustsEntries: false,
      });
      for (let i = 0; i < 100 && scene.runner.isInstalling; i++) scene.receivesState().flush().turn();
      const expected = newExecutor(createMemoryStore(), 2, Math.max(STABLE, last));
      expect(scene.runner.stateDigests).to.deep.equal(digestsOf(expected));
      expect(scene.transition).to.deep.equal([
        "transfer 8",
        "voting 8",
        "transferred 8",
        `level ${Math.max(STABLE, last)}`,
      ]);
    });
});

import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ProcessCluster, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";
import { expectOnce, expectSameState, expectWritten, Load } from "./process-load.ts";

const DEADLINE_MS = 60_000;
const WINDOW_SIZE = 32;

describe("a replica of four real processes whose disk is lost", function () {
  this.timeout(180_000);
  let cluster: ProcessCluster;
  beforeEach(async () => {
    cluster = await ProcessCluster.start({ checkpointInterval: 16, windowSize: WINDOW_SIZE });
  });
  afterEach(async () => {
    await ProcessCluster.closeAll();
    await RunningCommand.killAll();
  });

  it("comes back under load: mute first, then voting, so that another may fail", async () => {
    const clients = await Promise.all([cluster.connect(), cluster.connect()]);
    const load = new Load(clients, "lost", DEADLINE_MS);
    await load.goesOn(100);

    await loseDisk(2);
    await cluster.start(2);
    const [said] = await cluster.until(([status]) => status?.mute !== undefined, { ids: [2] });
    expect(said?.role).to.equal("backup");
    await load.goesOn(100);
    await votesAgain(2);

    // The others are one short of a quorum without it.
    await cluster.kill([3]);
    await load.goesOn(100);
    await cluster.start(3);
    await load.end();
    const [client] = clients;
    if (client === undefined) throw new Error("there is no client");
    await expectOnce(client.store, load.ledger);
    await expectWritten(client.store, load.ledger);
    await expectSameState(cluster);
  });

  it("comes back in a cluster that has nothing to do, though it is the primary, and is killed on the way", async () => {
    const { store } = await cluster.connect();
    await store.put("greeting", new TextEncoder().encode("hello"));
    await cluster.settled();

    await loseDisk(0);
    await cluster.start(0);
    await cluster.kill([0]);
    await cluster.start(0);
    const [status] = await votesAgain(0);

    expect(status?.lowWatermark).to.be.at.least(2 * WINDOW_SIZE);
    expect(status?.view).to.be.at.least(2);
    await cluster.kill([1]);
    expect(await store.increment("visits")).to.equal(1n);
    await cluster.start(1);
    await expectSameState(cluster);
  });

  it("finds by itself that a byte of what it flushed has changed, says so, and comes back mute under load", async () => {
    const load = new Load([await cluster.connect()], "flipped", DEADLINE_MS);
    await load.goesOn(100);
    await cluster.kill([2]);
    const { log, flipped } = flipByteOfLog(2);

    await cluster.start(2);

    const { output } = cluster.process(2);
    expect(output).to.include("the disk is lost: this replica goes on mute");
    const aside = join(cluster.folder(2).path, "store.lost-1", "log", log);
    expect(readFileSync(aside).equals(flipped), "what was damaged is kept as it was").to.equal(true);
    await load.goesOn(100);
    await votesAgain(2);
    await cluster.kill([3]);
    await load.goesOn(100);
    await cluster.start(3);
    await load.end();
    const { store } = await cluster.connect();
    await expectOnce(store, load.ledger);
    await expectWritten(store, load.ledger);
    await expectSameState(cluster);
  });

  /** In the middle of its newest segment, with whole groups behind it. */
  function flipByteOfLog(id: number): { readonly log: string; readonly flipped: Buffer } {
    const folder = join(cluster.folder(id).path, "store", "log");
    const log = readdirSync(folder)
      .filter((name) => name.endsWith(".wal"))
      .sort()
      .at(-1);
    if (log === undefined) throw new Error(`no segment of a log in ${folder}`);
    const flipped = readFileSync(join(folder, log));
    // The file has grown in advance: what is behind the last group is zeros.
    const middle = flipped.findLastIndex((byte) => byte !== 0) >> 1;
    flipped[middle] = (flipped[middle] ?? 0) ^ 0x10;
    writeFileSync(join(folder, log), flipped);
    return { log, flipped };
  }

  /** As an operator has it: nothing is left but the key in another place. */
  async function loseDisk(id: number): Promise<void> {
    const { path } = cluster.folder(id);
    const key = join(cluster.path, `key-${id}.json`);
    await cluster.kill([id]);
    copyFileSync(join(path, "key.json"), key);
    for (const name of readdirSync(path)) rmSync(join(path, name), { recursive: true });
    const args = ["init", "--genesis", cluster.genesisPath, "--key", key, "--data", path, "--lost-disk"];
    const { code, stdout, stderr } = await RunningCommand.quorate(args);
    expect([code, stderr]).to.deep.equal([0, ""]);
    expect(stdout).to.match(/it starts mute, for its disk was lost/);
  }

  function votesAgain(id: number): ReturnType<ProcessCluster["until"]> {
    return cluster.until(([status]) => status !== undefined && status.mute === undefined, { ids: [id] });
  }
});

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ProcessCluster, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";
import { loseDisk } from "./lose-disk.ts";
import { expectSameState, expectVotesCount, Load } from "./process-load.ts";

const DEADLINE_MS = 60_000;
const WINDOW_SIZE = 32;

/** What becomes of a segment's bytes; what was written ends at `end`. */
type Damage = (content: Buffer, end: number) => Buffer;

function flip(content: Buffer, at: number): Buffer {
  const flipped = Buffer.from(content);
  flipped[at] = (flipped[at] ?? 0) ^ 0x10;
  return flipped;
}

describe("a replica of four real processes whose disk is lost", function () {
  this.timeout(180_000);
  let cluster: ProcessCluster;
  /** Each test takes another replica's disk: one that loses it again soon is helped less (protocol rule 8.5). */
  before(async () => {
    cluster = await ProcessCluster.start({ checkpointInterval: 16, windowSize: WINDOW_SIZE });
  });
  after(async () => {
    await ProcessCluster.closeAll();
    await RunningCommand.killAll();
  });

  it("comes back in a cluster that has nothing to do, though it is the primary, and is killed on the way", async () => {
    const { store } = await cluster.connect();
    await store.put("greeting", new TextEncoder().encode("hello"));
    await cluster.settled();

    await loseDisk(cluster, 0);
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

  it("comes back under load: mute first, then voting, so that another may fail", async () => {
    const clients = await Promise.all([cluster.connect(), cluster.connect()]);
    const load = new Load(clients, "lost", DEADLINE_MS, "lost");
    await load.goesOn(100);

    await loseDisk(cluster, 2);
    await cluster.start(2);
    const [said] = await cluster.until(([status]) => status?.mute !== undefined, { ids: [2] });
    expect(said?.role).to.equal("backup");
    await load.goesOn(100);
    await votesAgain(2);

    await expectVotesCount(cluster, load, { without: 3, operations: 100 });
  });

  it("finds by itself that a byte of what it flushed has changed, says so, and comes back mute under load", async () => {
    const load = new Load([await cluster.connect()], "flipped", DEADLINE_MS, "flipped");
    await load.goesOn(100);
    await cluster.kill([1]);
    // In the middle, with whole groups behind it.
    await expectFound(1, (content, end) => flip(content, end >> 1));

    await load.goesOn(100);
    await votesAgain(1);
    await expectVotesCount(cluster, load, { without: 3, operations: 100 });
  });

  it("finds by itself that its log ends before what it flushed, says so, and comes back mute", async () => {
    await expectToComeBack(3, (content, end) => content.subarray(0, end - 1));
  });

  it("finds by itself that a byte of the last group that it flushed has changed, says so, and comes back mute", async () => {
    // Each of those above has lost a disk already.
    await cluster.close();
    cluster = await ProcessCluster.start({ checkpointInterval: 16, windowSize: WINDOW_SIZE });
    await expectToComeBack(2, (content, end) => flip(content, end - 1));
  });

  /** With nothing to do, after damage to what it flushed last. */
  async function expectToComeBack(id: number, damage: Damage): Promise<void> {
    const { store } = await cluster.connect();
    const sum = await store.increment("visits", 5n);
    // Nothing is on its way to the disk: the last group is one that was flushed.
    await cluster.settled();
    await cluster.kill([id]);
    await expectFound(id, damage);

    await votesAgain(id);
    const other = (id + 1) % 4;
    await cluster.kill([other]);
    expect(await store.increment("visits")).to.equal(sum + 1n);
    await cluster.start(other);
    await expectSameState(cluster);
  }

  /** Damages the newest segment of a replica that is down, which finds it when it starts, and keeps it aside as it was. */
  async function expectFound(id: number, damage: Damage): Promise<void> {
    const folder = join(cluster.folder(id).path, "store", "log");
    const log = readdirSync(folder)
      .filter((name) => name.endsWith(".wal"))
      .sort()
      .at(-1);
    if (log === undefined) throw new Error(`no segment of a log in ${folder}`);
    const content = readFileSync(join(folder, log));
    // The file has grown in advance: what is behind the last group is zeros.
    const damaged = damage(content, content.findLastIndex((byte) => byte !== 0) + 1);
    writeFileSync(join(folder, log), damaged);

    await cluster.start(id);

    await cluster.process(id).printed(/the disk is lost: this replica goes on mute/);
    const aside = join(cluster.folder(id).path, "store.lost-1", "log", log);
    expect(readFileSync(aside).equals(damaged), "what was damaged is kept as it was").to.equal(true);
  }

  function votesAgain(id: number): ReturnType<ProcessCluster["until"]> {
    return cluster.until(([status]) => status !== undefined && status.mute === undefined, { ids: [id] });
  }
});

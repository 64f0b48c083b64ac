import { fileURLToPath } from "node:url";
import { ProcessCluster, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";
import type { KvClient, ProcessStatus } from "quorate";

const LYING_REPLICA = fileURLToPath(new URL("./lying-replica-child.js", import.meta.url));
/** What the lying replica counts. */
interface Lies {
  readonly results: number;
  readonly votes: number;
  readonly checkpoints: number;
  readonly executed: number;
}

const INTERVAL = 8;
/** More than two checkpoint intervals, more than the window, and far less than the history holds. */
const OPERATIONS = 5 * INTERVAL;

describe("a cluster with one faulty backup", function () {
  this.timeout(120_000);
  let cluster: ProcessCluster;
  let store: KvClient;
  before(async () => {
    cluster = await ProcessCluster.start({ checkpointInterval: INTERVAL, windowSize: 2 * INTERVAL });
    store = (await cluster.connect()).store;
  });
  after(async () => {
    await ProcessCluster.closeAll();
    await RunningCommand.killAll();
  });

  it("answers while the backup is paused, which catches up by itself when it goes on", async () => {
    const sum = await increments(store, 1);
    const executed = await settledAt();
    cluster.process(3).signal("SIGSTOP");
    expect(await increments(store, OPERATIONS)).to.equal(sum + BigInt(OPERATIONS));
    await expectAhead([0, 1, 2], executed);

    cluster.process(3).signal("SIGCONT");

    await expectSameState();
  });

  it("answers while the backup is dead, which catches up by itself when it is started again", async () => {
    const sum = await increments(store, 1);
    const executed = await settledAt();
    await cluster.kill([2]);
    expect(await increments(store, OPERATIONS)).to.equal(sum + BigInt(OPERATIONS));
    await expectAhead([0, 1, 3], executed);

    await cluster.start(2);

    await expectSameState();
    expect(await increments(store, 1)).to.equal(sum + BigInt(1 + OPERATIONS));
  });

  it("takes a new client while the backup is dead", async () => {
    await cluster.kill([1]);

    const late = await cluster.connect();

    expect(await increments(late.store, 1)).to.equal((await increments(store, 1)) - 1n);
    await cluster.start(1);
    await expectSameState();
  });

  it("answers truly while the backup signs wrong results, wrong votes and wrong checkpoints", async () => {
    await cluster.kill([1]);
    await cluster.startWith(1, process.execPath, [LYING_REPLICA, cluster.folder(1).path]);
    // Else all is over before the others have dialed it again, and it has nothing to vote on.
    const isHeard = ({ peers }: ProcessStatus): boolean =>
      peers.some(({ replica, isConnected }) => replica === 1 && isConnected);
    await cluster.until((statuses) => statuses.every(isHeard), { ids: [0, 2, 3] });
    const { store: fresh } = await cluster.connect();
    // Its links to clients are up when it has lied to one.
    while ((await liesAt(1, 0)).results === 0) await increments(fresh, 1);
    const { results: already } = await liesAt(1, 0);
    const sum = await fresh.increment("counter", 0n);
    const before = await settledAt([0, 2, 3]);

    expect(await fresh.put("greeting", "hello")).to.equal(false);
    expect(await fresh.getText("greeting")).to.equal("hello");
    expect(await increments(fresh, OPERATIONS)).to.equal(sum + BigInt(OPERATIONS));
    expect(await fresh.getText("greeting")).to.equal("hello");

    const [first] = await cluster.settled([0, 2, 3]);
    // All of them, wrong results validly signed; those of what it executes beyond its window wait for its disk.
    const lies = await liesAt(1, Number(first?.executed), already + OPERATIONS);
    expect(lies.votes, "votes for what was never proposed").to.be.at.least(INTERVAL);
    expect(lies.checkpoints, "votes for states that nobody has").to.be.at.least(2);
    await expectSameState([0, 2, 3]);
    expect(first?.lowWatermark, "checkpoints are stable without the liar").to.be.at.least(
      before + OPERATIONS - INTERVAL,
    );
  });

  /** Asks the liar until it has executed as much as the others, and said as much: it is told of everything, a little later. */
  async function liesAt(id: number, executed: number, results = 0): Promise<Lies> {
    for (;;) {
      cluster.process(id).send({ type: "tell" });
      const lies = (await cluster.process(id).message("lies")) as unknown as Lies;
      if (lies.executed >= executed && lies.results >= results) return lies;
    }
  }

  /** The number at which all of these stand. */
  async function settledAt(ids?: readonly number[]): Promise<number> {
    const [status] = await cluster.settled(ids);
    return Number(status?.executed);
  }

  /** The others have gone on by more than two checkpoint intervals and forgotten the log below. */
  async function expectAhead(ids: readonly number[], executed: number): Promise<void> {
    await cluster.until((statuses) => statuses.every(({ lowWatermark }) => lowWatermark > executed + 2 * INTERVAL), {
      ids,
    });
  }

  async function expectSameState(ids?: readonly number[]): Promise<void> {
    const statuses = await cluster.settled(ids);
    expect(new Set(await cluster.stateRoots(ids)).size, "state roots").to.equal(1);
    expect(new Set(statuses.map(({ historyDigest }) => historyDigest)).size, "history digests").to.equal(1);
  }
});

/** One by one, so that each has a sequence number of its own; answers with the last sum. */
async function increments(store: KvClient, count: number): Promise<bigint> {
  let sum = 0n;
  for (let i = 0; i < count; i++) sum = await store.increment("counter");
  return sum;
}

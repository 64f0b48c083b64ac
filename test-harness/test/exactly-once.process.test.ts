import { ProcessCluster, RunningCommand, type TestClient } from "@quorate/test-harness";
import { expect } from "chai";
import { expectOnce, expectSameState, expectWritten, Ledger, seededRandom } from "./process-load.ts";

const FULL = process.env.QUORATE_FULL === "1";
const DEADLINE_MS = 60_000;

describe("a cluster of four real processes", function () {
  this.timeout(FULL ? 1_200_000 : 120_000);
  let cluster: ProcessCluster;
  before(async () => {
    cluster = await ProcessCluster.start({ checkpointInterval: 16, windowSize: 64 });
  });
  after(async () => {
    await ProcessCluster.closeAll();
    await RunningCommand.killAll();
  });

  const clientCount = 50;
  const perClient = FULL ? 2_000 : 60;
  const operations = (clientCount * perClient).toLocaleString("en");

  it(`executes each of ${operations} operations of ${clientCount} clients once, and all replicas reach the same state`, async () => {
    const [laneCount, counters] = [4, 10];
    const ledger = new Ledger();
    // Clients of an odd index send again long before an answer can come: the cluster sees most requests several times.
    const clients = await Promise.all(
      Array.from({ length: clientCount }, (_, i) =>
        cluster.connect(i % 2 === 1 ? { settings: { resendAfterMs: 5 } } : {}),
      ),
    );

    const lane = async ({ store }: TestClient, client: number, first: number): Promise<void> => {
      for (let i = first; i < perClient; i += laneCount)
        if (i % 4 === 3) await ledger.put(store, `put/${client}/${i}`, `${i}`, DEADLINE_MS);
        else await ledger.increment(store, `counter/${(client + i) % counters}`, DEADLINE_MS);
    };
    await Promise.all(
      clients.flatMap((client, i) => Array.from({ length: laneCount }, (_, first) => lane(client, i, first))),
    );

    expect(ledger.acknowledged).to.equal(clientCount * perClient);
    expect(ledger.unknown).to.be.empty;
    const [{ store }] = clients as [TestClient];
    await expectOnce(store, ledger);
    await expectWritten(store, ledger);
    await expectSameState(cluster);
  });

  it("keeps every acknowledged write, and none twice, through kill -9 of all replicas under load", async () => {
    const random = seededRandom(0x5eed);
    const rounds = FULL ? 30 : 2;
    const ledger = new Ledger();

    for (let round = 0; round < rounds; round++) {
      const clients = await Promise.all(Array.from({ length: 8 }, () => cluster.connect()));
      const leavers = clients.slice(0, 4);
      let isOver = false;
      const lanes = clients.map(async ({ store }, client) => {
        for (let i = 0; !isOver; i++)
          if (i % 2 === 1) await ledger.put(store, `put/${round}/${client}/${i}`, `${i}`, DEADLINE_MS);
          else await ledger.increment(store, `killed/${i % 3}`, DEADLINE_MS);
      });
      await ledger.reached(ledger.acknowledged + 20 + Math.floor(random() * 400));
      await cluster.kill();
      isOver = true;
      // Half of the clients die with the cluster: what they had sent has an outcome that nobody will be told.
      for (const { client } of leavers) client.close();
      await cluster.startAll();
      await Promise.all(lanes);
    }

    const { store } = await cluster.connect();
    await expectOnce(store, ledger);
    await expectWritten(store, ledger);
    await expectSameState(cluster);
  });

  it("goes on when a backup is killed under load, and takes it back", async () => {
    const ledger = new Ledger();
    const { store } = await cluster.connect();
    const backup = ((await primary()) + 2) % cluster.ids.length;

    const load = incrementAll(ledger, store, "backup", 200);
    await ledger.reached(50);
    await cluster.kill([backup]);
    await ledger.reached(150);
    await cluster.start(backup);
    await load;

    expect(await store.increment("backup", 0n)).to.equal(200n);
    await expectSameState(cluster);
  });

  it("waits for a killed primary, and every call completes once when it is back", async () => {
    const ledger = new Ledger();
    const { store } = await cluster.connect();
    const victim = await primary();

    const load = incrementAll(ledger, store, "primary", 200);
    await ledger.reached(80);
    await cluster.kill([victim]);
    await cluster.start(victim);
    await load;

    expect(ledger.sums.get("primary")).to.deep.equal(Array.from({ length: 200 }, (_, i) => BigInt(i + 1)));
    await expectSameState(cluster);
  });

  async function primary(): Promise<number> {
    const [status] = await cluster.until((statuses) => new Set(statuses.map(({ view }) => view)).size === 1);
    if (status === undefined) throw new Error("nobody answers");
    return status.primary;
  }
});

/** One after the other, so that the sums are 1, 2, 3, … if each is executed once. */
async function incrementAll(ledger: Ledger, store: TestClient["store"], key: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++)
    expect(await ledger.increment(store, key, DEADLINE_MS), `increment ${i} has a result`).to.equal(true);
}

import { ProcessCluster, ProxiedLinks, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";
import type { KvClient } from "quorate";

const INTERVAL = 8;
const OPERATIONS = 5 * INTERVAL;
/** Enough for a handshake in a second, far too little for what a laggard lacks. */
const CRAWL_BYTES_PER_SECOND = 1_000;
/** Twenty times what a cluster on one machine needs, and far below what a client is to bear. */
const SLOW_MS = 60;
/** Each operation then waits for longer than the first time-out. */
const TOO_SLOW_MS = 1_500;

describe("A cluster over bad links", function () {
  this.timeout(120_000);
  let cluster: ProcessCluster;
  let links: ProxiedLinks;
  let store: KvClient;
  const addressOf = (id: number): string => cluster.genesis.members[id]?.address ?? expect.fail();

  before(async () => {
    cluster = await ProcessCluster.make({ checkpointInterval: INTERVAL, windowSize: 2 * INTERVAL });
    const dials = cluster.ids.map((id) => [`${id}`, cluster.ids.filter((other) => other > id).map(addressOf)]);
    links = await ProxiedLinks.make(Object.fromEntries(dials));
    await Promise.all(cluster.ids.map((id) => start(id)));
    ({ store } = await cluster.connect());
    await cluster.until((statuses) => statuses.every(({ peers }) => peers.every((peer) => peer.isConnected)));
    expect(links.proxy("0", addressOf(3)).accepted, "connections that pass the proxy").to.be.greaterThan(0);
  });
  after(async () => {
    await ProcessCluster.closeAll();
    await RunningCommand.killAll();
    await links.close();
  });

  const start = (id: number): Promise<void> => cluster.start(id, { env: links.environmentOf(`${id}`) });

  it("catches a laggard up although one donor answers it byte by byte", async () => {
    await increments(1);
    await cluster.kill([3]);
    await increments(OPERATIONS);
    links.proxy("0", addressOf(3)).throttle("forth", CRAWL_BYTES_PER_SECOND);

    await start(3);

    await expectSameState();
    links.proxy("0", addressOf(3)).throttle("forth", Number.POSITIVE_INFINITY);
  });

  it("goes on without a backup that is heard and hears nothing, which is back when it hears again", async () => {
    await increments(1);
    const before = Number((await cluster.settled())[0]?.executed);
    for (const dialer of ["0", "1", "2"]) links.proxy(dialer, addressOf(3)).block(["forth"]);

    await increments(OPERATIONS);
    await cluster.until((statuses) => statuses.every(({ executed }) => executed >= before + OPERATIONS), {
      ids: [0, 1, 2],
    });
    expect((await cluster.status(3))?.executed).to.be.lessThan(before + OPERATIONS);

    for (const dialer of ["0", "1", "2"]) links.proxy(dialer, addressOf(3)).unblock();
    await expectSameState();
  });

  it("loses a link in which a bit flips, and nothing else", async () => {
    await increments(1);
    const proxy = links.proxy("0", addressOf(1));
    const before = proxy.accepted;
    proxy.corrupt("forth", 1);

    await increments(OPERATIONS);

    await cluster.until(() => proxy.accepted > before);
    await expectSameState();
    const statuses = await cluster.settled();
    expect(statuses.map(({ evidence }) => evidence)).to.deep.equal([0, 0, 0, 0]);
  });

  it("leaves a primary its place that is slow and correct, and accuses nobody when it becomes too slow", async () => {
    await increments(1);
    slowDown(SLOW_MS);
    await increments(OPERATIONS);
    const slow = await cluster.settled();
    expect(slow.map(({ view }) => view)).to.deep.equal([0, 0, 0, 0]);
    expect(slow.map(({ viewsLeft }) => Object.values(viewsLeft).reduce((sum, left) => sum + left, 0))).to.deep.equal([
      0, 0, 0, 0,
    ]);

    slowDown(TOO_SLOW_MS);
    await increments(OPERATIONS);
    await cluster.until((statuses) => statuses.every(({ view }) => view > 0));
    slowDown(0);
    await expectSameState();
    expect((await cluster.settled()).map(({ evidence }) => evidence)).to.deep.equal([0, 0, 0, 0]);
  });

  /** All that the first primary hears and says among replicas comes so much later; clients reach it as before. */
  function slowDown(ms: number): void {
    for (const id of [1, 2, 3]) {
      const proxy = links.proxy("0", addressOf(id));
      proxy.delay("forth", ms);
      proxy.delay("back", ms);
    }
  }

  async function increments(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await store.increment("counter");
  }

  async function expectSameState(): Promise<void> {
    const statuses = await cluster.settled();
    expect(new Set(await cluster.stateRoots()).size, "state roots").to.equal(1);
    expect(new Set(statuses.map(({ historyDigest }) => historyDigest)).size, "history digests").to.equal(1);
  }
});

import { type Loss, ProcessCluster, ProxiedLinks, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";
import { expectVotesCount, Load, seededRandom } from "./process-load.ts";

/** So many messages are lost before the network loses none any more. */
const LOST = process.env.QUORATE_FULL === "1" ? 10_000 : 500;
const LOSS_RATE = 0.3;
const LOSSY = 3;
const DEADLINE_MS = 60_000;

describe("one replica of four real processes to which three messages of ten are lost", function () {
  this.timeout(process.env.QUORATE_FULL === "1" ? 600_000 : 240_000);
  let links: ProxiedLinks;
  afterEach(async () => {
    await ProcessCluster.closeAll();
    await RunningCommand.killAll();
    await links.close();
  });

  it("has caught up afterwards by committed batches from the others' history, without a state transfer, and votes", async () => {
    const cluster = await ProcessCluster.make();
    const address = String(cluster.genesis.members[LOSSY]?.address);
    const loss: Loss = { rate: LOSS_RATE, random: seededRandom(4), lost: 0 };
    // Those with a lower id dial it.
    const dialers = cluster.ids.filter((id) => id !== LOSSY);
    links = await ProxiedLinks.make(Object.fromEntries(dialers.map((id) => [`${id}`, [address]])));
    for (const id of dialers)
      for (const way of ["forth", "back"] as const) links.proxy(`${id}`, address).lose(way, loss);
    const start = (id: number) => cluster.start(id, id === LOSSY ? {} : { env: links.environmentOf(`${id}`) });
    await Promise.all(cluster.ids.map(start));
    const load = new Load([await cluster.connect(), await cluster.connect()], "lossy", DEADLINE_MS);

    while (loss.lost < LOST) await load.goesOn(10);
    loss.rate = 0;
    await load.goesOn(50);

    await cluster.until((statuses) => {
      const most = Math.max(...statuses.map(({ executed }) => executed));
      return (statuses[LOSSY]?.executed ?? 0) >= most - 16;
    });
    const metrics = await (await fetch(`http://${cluster.folder(LOSSY).config.admin}/metrics`)).text();
    expect(metrics).to.match(/^quorate_state_transfers_total 0$/m);
    expect(metrics).to.match(/^quorate_state_transfer_bytes_total 0$/m);
    await expectVotesCount(cluster, load, { without: 0, operations: 20 });
  });
});

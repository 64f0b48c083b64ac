import { setTimeout as delay } from "node:timers/promises";
import { ProcessCluster, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";
import type { ProcessStatus } from "quorate";
import { expectOnce, expectSameState, expectWritten, Load, seededRandom } from "./process-load.ts";

const FULL = process.env.QUORATE_FULL === "1";
const DEADLINE_MS = 60_000;
const VIEW_CHANGE_MS = 1_000;
/** Few, so that the load leaves the machine room: what is measured is time. */
const CLIENTS = 4;
const QUORUM = 3;
/** To one peer: five statuses a second of one that gave its view up alone, and as many answers to those of each other. */
const QUIET_FRAMES_PER_SECOND_MAX = 25;
/** Apart by so many numbers, replicas are together: they are asked one after the other while the load goes on. */
const NUMBERS_UNDER_WAY_MAX = 8;

describe("a cluster of four real processes whose primary fails", function () {
  this.timeout(FULL ? 1_200_000 : 120_000);
  let cluster: ProcessCluster;
  /** One after the other: each test leaves all four together in some later view. */
  before(async () => {
    cluster = await ProcessCluster.start({
      checkpointInterval: 64,
      windowSize: 256,
      timeouts: { viewChangeMs: VIEW_CHANGE_MS, viewChangeMaxMs: 16 * VIEW_CHANGE_MS },
    });
  });
  after(async () => {
    await ProcessCluster.closeAll();
    await RunningCommand.killAll();
  });

  it("takes it back after a stop, in the new view and without a storm of messages", async () => {
    const load = await startLoad("stop");
    await load.goesOn(100);
    const { view, primary } = await together();
    const framesBefore = framesPerNumber(await cluster.until(() => true));

    cluster.process(primary).signal("SIGSTOP");
    if (FULL) await delay(30_000);
    const changed = await cluster.until((statuses) => statuses.every((status) => status.view > view), {
      ids: allBut(primary),
    });
    // What it misses is more than what was on the way when it was stopped.
    await load.goesOn(200);
    cluster.process(primary).signal("SIGCONT");
    const entered = Math.max(...changed.map((status) => status.view));
    const back = await cluster.until((statuses) => statuses.every((status) => status.view >= entered));
    await load.goesOn(100);
    await load.end();

    // On a machine that is busy with other things, one more may be slow.
    expect(Math.max(...back.map((status) => status.view)), "views changed for its return").to.be.at.most(entered + 1);
    await expectNothingLost(load);
    const settled = await cluster.settled();
    expect(framesPerNumber(settled), "frames for each number").to.be.below(2 * framesBefore);
    await expectQuiet();
  });

  it("replaces it each time it is killed, and clients notice no more than a pause that does not grow", async () => {
    const kills = FULL ? 20 : 2;
    const gaps: number[] = [];
    const load = await startLoad("kills");

    for (let kill = 0; kill < kills; kill++) {
      const { view, primary } = await together();
      await load.goesOn(50);
      const killedAtMs = performance.now();
      await cluster.kill([primary]);
      await load.goesOn(100);
      gaps.push(Math.round(load.longestGapSince(killedAtMs)));
      await cluster.until((statuses) => statuses.every((status) => status.view > view), { ids: allBut(primary) });
      await cluster.start(primary);
    }
    await load.end();

    expect(load.ledger.unknown, "increments of which clients were told nothing").to.be.empty;
    await expectNothingLost(load);
    expect(lowerMedian(gaps), `the median of ${gaps}`).to.be.below(2 * VIEW_CHANGE_MS);
    const later = gaps.slice(Math.floor(kills / 2));
    expect(lowerMedian(later), `the later ones of ${gaps}`).to.be.below(2 * VIEW_CHANGE_MS);
  });

  it("goes on when it is killed and started again at once, as a supervisor does", async () => {
    const load = await startLoad("restarts");

    for (let kill = 0; kill < (FULL ? 20 : 2); kill++) {
      const { primary } = await together();
      await load.goesOn(50);
      await cluster.kill([primary]);
      await cluster.start(primary);
      await load.goesOn(50);
    }
    await load.end();

    expect(load.ledger.unknown, "increments of which clients were told nothing").to.be.empty;
    await expectNothingLost(load);
  });

  it("keeps what it acknowledged when all are killed at random moments, view changes among them", async () => {
    const random = seededRandom(0xfa11);
    const load = await startLoad("all");

    for (let kill = 0; kill < (FULL ? 50 : 2); kill++) {
      const { primary } = await together();
      await load.goesOn(20);
      // Every second time the primary goes first, and the others at any moment of the view change.
      if (kill % 2 === 0) await cluster.kill([primary]);
      await delay(random() * 2 * VIEW_CHANGE_MS);
      await cluster.kill();
      await cluster.startAll();
      await load.goesOn(20);
    }
    await load.end();

    expect(load.ledger.unknown, "increments of which clients were told nothing").to.be.empty;
    await expectNothingLost(load);
  });

  async function startLoad(name: string): Promise<Load> {
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => cluster.connect()));
    return new Load(clients, name, DEADLINE_MS, name);
  }

  function allBut(replica: number): number[] {
    return cluster.ids.filter((id) => id !== replica);
  }

  /**
   * Waits until a quorum orders in one view and nobody is behind: with one replica killed all others are needed, and one
   * that is still catching up would be a second fault. One that has given the view up alone is needed in the next one.
   */
  async function together(): Promise<{ readonly view: number; readonly primary: number }> {
    const orderingInOne = (statuses: readonly ProcessStatus[]): ProcessStatus[] => {
      const view = Math.max(...statuses.map((status) => status.view));
      return statuses.filter((status) => status.view === view && status.target === view);
    };
    const statuses = await cluster.until((all) => {
      const executed = all.map((status) => status.executed);
      const apart = Math.max(...executed) - Math.min(...executed);
      return apart <= NUMBERS_UNDER_WAY_MAX && orderingInOne(all).length >= QUORUM;
    });
    const [{ view, primary }] = orderingInOne(statuses) as [ProcessStatus];
    return { view, primary };
  }

  async function expectNothingLost({ clients, ledger }: Load): Promise<void> {
    expect(ledger.failed, "operations that clients would have to repeat themselves").to.equal(0);
    const [client] = clients;
    if (client === undefined) throw new Error("there is no client");
    await expectOnce(client.store, ledger);
    await expectWritten(client.store, ledger);
    await expectSameState(cluster);
  }

  /** With nothing to order, replicas exchange statuses and answers to them, and nothing else. */
  async function expectQuiet(): Promise<void> {
    const before = await cluster.settled();
    await delay(1_000);
    const after = await cluster.settled();
    const seconds = ((after[0]?.uptimeMs ?? 0) - (before[0]?.uptimeMs ?? 0)) / 1_000;
    for (const [id, status] of after.entries())
      for (const [peer, { traffic }] of status.peers.entries())
        expect(
          traffic.framesOut - (before[id]?.peers[peer]?.traffic.framesOut ?? 0),
          `frames from ${id} to its peer ${peer} in ${seconds} s`,
        ).to.be.below(QUIET_FRAMES_PER_SECOND_MAX * seconds);
  }
});

/** What all replicas have sent each other for each number that was executed. */
function framesPerNumber(statuses: readonly ProcessStatus[]): number {
  const frames = statuses.flatMap(({ peers }) => peers).reduce((sum, { traffic }) => sum + traffic.framesOut, 0);
  return frames / Math.max(1, ...statuses.map(({ executed }) => executed));
}

function lowerMedian(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? 0;
}

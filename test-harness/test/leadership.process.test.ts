import { ADMIN_COMMAND, ADMIN_HEADER, type ProcessStatus } from "@quorate/server";
import { ProcessCluster, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";
import { expectOnce, expectSameState, expectWritten, Load } from "./process-load.ts";

const FULL = process.env.QUORATE_FULL === "1";
const DEADLINE_MS = 60_000;
const CLIENTS = 4;
const ROTATE_EVERY = 20;
/** Round to the first replica again. */
const TURNS = FULL ? 20 : 4;
/** A machine that is busy must not look like a primary that failed. */
const VIEW_CHANGE_MS = 10_000;

interface Rotated {
  readonly from: { readonly view: number; readonly primary: number };
  readonly to: { readonly view: number; readonly primary: number };
}

describe("the turn as primary in a cluster of four real processes", function () {
  this.timeout(FULL ? 600_000 : 120_000);
  /** Whose primary changes on request only, test by test. */
  let cluster: ProcessCluster;
  before(async () => {
    cluster = await start();
  });
  after(async () => {
    await ProcessCluster.closeAll();
    await RunningCommand.killAll();
  });

  it("goes on to the next replica as often as the operator asks, and clients notice nothing", async () => {
    const load = await startLoad(cluster, "rotate");

    for (let turn = 0; turn < TURNS; turn++) {
      await load.goesOn(50);
      const { stdout, stderr, code } = await rotate(cluster.path, "--json");
      expect([code, stderr]).to.deep.equal([0, ""]);
      const { from, to } = JSON.parse(stdout) as Rotated;
      expect([from.view, from.primary, to.view, to.primary]).to.deep.equal([turn, turn % 4, turn + 1, (turn + 1) % 4]);
    }
    await load.goesOn(50);
    await load.end();

    await expectUnnoticed(cluster, load);
    for (const { viewsLeft } of await cluster.settled()) expect(viewsLeft.failed + viewsLeft.rotated).to.equal(0);
  });

  it("says for people who was and who is primary", async () => {
    const { stdout, code } = await rotate(cluster.path);
    const said = `view ${TURNS}, primary 0 -> view ${TURNS + 1}, primary 1: it has handed over\n`;
    expect([stdout, code]).to.deep.equal([said, 0]);
    const onItsHost = await rotate(cluster.folder(1).path);
    expect(onItsHost.stdout.startsWith(`view ${TURNS + 1}, primary 1 -> view ${TURNS + 2}, primary 2`)).to.equal(true);
  });

  it("is not given away for a page in a browser, nor by a link", async () => {
    const [before] = await cluster.settled();
    const { primary, target } = before as ProcessStatus;
    const url = `http://${cluster.folder(primary).config.admin}/hand-over`;
    const command = { [ADMIN_HEADER]: ADMIN_COMMAND };
    const attempts: RequestInit[] = [
      { method: "POST" },
      { method: "POST", headers: { ...command, origin: "http://evil.example" } },
      { method: "GET", headers: command },
      { method: "OPTIONS", headers: { "access-control-request-headers": ADMIN_HEADER } },
    ];
    const codes = await Promise.all(attempts.map(async (attempt) => (await fetch(url, attempt)).status));
    expect(codes).to.deep.equal([403, 403, 404, 404]);
    expect((await cluster.status(primary))?.target).to.equal(target);
  });

  it("is not given away by whoever does not have it, or when there is nobody to take it", async () => {
    const [first] = await cluster.settled();
    const { view, primary } = first as ProcessStatus;
    const [next, ...others] = [1, 2, 3].map((step) => (primary + step) % 4) as [number, number, number];
    await refused(
      rotate(cluster.folder(next).path),
      1,
      new RegExp(`replica ${next} is not the primary: that of view ${view} is replica ${primary}; ask on`),
    );
    await cluster.kill(others);
    await refused(
      rotate(cluster.path, "--wait-ms", "500"),
      3,
      new RegExp(`has asked to be relieved, but no view after ${view} was entered`),
    );
    await cluster.kill([primary]);
    await refused(
      rotate(cluster.path),
      1,
      new RegExp(`replica ${primary}, the primary of view ${view}, does not answer; the others replace it`),
    );
    await cluster.kill();
    await refused(rotate(cluster.path), 1, /no replica of .* answers; `quorate status/);
  });

  it(`changes every ${ROTATE_EVERY} batches where genesis says so, and clients notice nothing`, async () => {
    const batches = FULL ? 2_000 : 200;
    const turning = await start({ rotateEveryBatches: ROTATE_EVERY });
    const load = await startLoad(turning, "turns");
    while (((await turning.status(0))?.executed ?? 0) < batches) await load.goesOn(20);
    await load.end();

    await expectUnnoticed(turning, load);
    const statuses = await turning.settled();
    const executed = statuses[0]?.executed ?? 0;
    const { view } = highest(statuses);
    expect(view, `turns in ${executed} batches`).to.be.within(executed / ROTATE_EVERY - 2, executed / ROTATE_EVERY);
    for (const { viewsLeft } of statuses) expect(viewsLeft.failed, "views that failed").to.equal(0);
  });

  function start(options: { readonly rotateEveryBatches?: number } = {}): Promise<ProcessCluster> {
    const timeouts = { viewChangeMs: VIEW_CHANGE_MS, viewChangeMaxMs: 4 * VIEW_CHANGE_MS };
    return ProcessCluster.start({ checkpointInterval: 64, windowSize: 256, timeouts, ...options });
  }

  async function startLoad(cluster: ProcessCluster, name: string): Promise<Load> {
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => cluster.connect()));
    return new Load(clients, name, DEADLINE_MS);
  }
});

function rotate(data: string, ...flags: readonly string[]): ReturnType<typeof RunningCommand.quorate> {
  return RunningCommand.quorate(["primary", "rotate", "--data", data, ...flags]);
}

async function refused(run: ReturnType<typeof rotate>, exitCode: number, says: RegExp): Promise<void> {
  const { code, stderr, stdout } = await run;
  expect(stderr).to.match(says);
  expect(stderr.trimEnd().split("\n"), "one line").to.have.length(1);
  expect([code, stdout]).to.deep.equal([exitCode, ""]);
}

/** No operation failed, each took effect once, and all replicas agree. */
async function expectUnnoticed(cluster: ProcessCluster, { clients, ledger }: Load): Promise<void> {
  const [client] = clients;
  if (client === undefined) throw new Error("there is no client");
  expect(ledger.failed, "operations that failed").to.equal(0);
  await expectOnce(client.store, ledger);
  await expectWritten(client.store, ledger);
  await expectSameState(cluster);
}

function highest(statuses: readonly ProcessStatus[]): ProcessStatus {
  const [first] = statuses.toSorted((a, b) => b.view - a.view);
  if (first === undefined) throw new Error("nobody answers");
  return first;
}

import { spawnSync } from "node:child_process";
import { ProcessCluster } from "@quorate/test-harness";
import { expect } from "chai";

describe("the admin endpoint of a replica", function () {
  this.timeout(120_000);
  let cluster: ProcessCluster;
  const get = (path: string, method = "GET"): Promise<Response> =>
    fetch(`http://${cluster.folder(0).config.admin}${path}`, { method });

  before(async () => {
    cluster = await ProcessCluster.start();
    await cluster.until((statuses) => statuses.every(({ peers }) => peers.every(({ isConnected }) => isConnected)));
  });
  after(() => ProcessCluster.closeAll());

  async function metric(series: string): Promise<number> {
    const response = await get("/metrics");
    expect(response.headers.get("content-type")).to.equal("text/plain; version=0.0.4; charset=utf-8");
    const line = (await response.text()).split("\n").find((text) => text.startsWith(`${series} `));
    return Number(line?.slice(series.length));
  }

  it("counts what clients do", async () => {
    const { store } = await cluster.connect();
    await store.put("greeting", "hello");
    await cluster.settled();

    expect(await metric("quorate_executed_requests_total")).to.be.at.least(1);
    expect(await metric("quorate_log_flushes_total")).to.be.at.least(1);
    expect(await metric("quorate_log_flush_seconds_total")).to.be.greaterThan(0);
    expect(await metric('quorate_peer_connected{peer="3"}')).to.equal(1);
    expect(await metric('quorate_peer_sent_frames_total{peer="3"}')).to.be.at.least(1);
    expect(await metric('quorate_queue_entries{queue="slots"}')).to.be.at.least(0);
    expect(await metric('quorate_queue_limit{queue="slots"}')).to.be.greaterThan(0);
    expect(await metric("quorate_sessions_evicted_total")).to.equal(0);
    expect(await metric("process_resident_memory_bytes")).to.be.greaterThan(1e6);
  });

  it("has metrics that promtool has no complaint about, where there is one", async function () {
    if (spawnSync("promtool", ["--version"]).error !== undefined) this.skip();
    const input = await (await get("/metrics")).text();

    const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], { input, encoding: "utf8" });

    expect([status, stdout, stderr]).to.deep.equal([0, "", ""]);
  });

  it("answers only reads of the paths it has", async () => {
    expect((await get("/metrics", "POST")).status).to.equal(404);
    expect((await get("/")).status).to.equal(404);
    expect((await get(`/evidence/${"0".repeat(64)}`)).status).to.equal(404);
  });

  it("is ready while it has a quorum, and healthy, but not ready, without", async () => {
    const ready = await get("/readyz");
    expect([ready.status, await ready.json()]).to.deep.equal([200, { isReady: true, reasons: [] }]);
    const framesBefore = await metric('quorate_peer_sent_frames_total{peer="2"}');
    await cluster.kill([2, 3]);
    await cluster.until(([status]) => status?.peers.filter(({ isConnected }) => isConnected).length === 1, {
      ids: [0],
    });

    const unready = await get("/readyz");
    expect(unready.status).to.equal(503);
    expect(await unready.json()).to.deep.include({ isReady: false, reasons: ["links to 1 peers, a quorum needs 2"] });
    expect((await get("/healthz")).status).to.equal(200);
    expect(await metric("quorate_ready")).to.equal(0);
    expect(await metric('quorate_peer_sent_frames_total{peer="2"}'), "counts outlive their link").to.be.at.least(
      framesBefore,
    );
  });
});

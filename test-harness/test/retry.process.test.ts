import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ProcessCluster, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";
import { CancelledError, ClosedError, NoQuorumError, type QuorateClient } from "quorate";

describe("calls of a real cluster that is too small for a while (protocol rule 5.3)", function () {
  this.timeout(240_000);
  let cluster: ProcessCluster;
  before(async () => {
    cluster = await ProcessCluster.make();
    await cluster.startAll();
  });
  after(async () => {
    await ProcessCluster.closeAll();
    await RunningCommand.killAll();
  });

  const next = (client: QuorateClient, type: "up" | "down"): Promise<unknown> =>
    new Promise((resolve) => {
      client.events.addEventListener(type, resolve, { once: true });
    });

  it("fail at their time-out or by their signal, and run once when they are retried", async () => {
    const { client, store } = await cluster.connect();
    expect(await store.increment("counter")).to.equal(1n);
    const down = next(client, "down");
    await cluster.kill([0, 2, 3]);
    await down;
    expect(client.standing).to.deep.include({ linked: [1], isUp: false });

    const controller = new AbortController();
    const [late, cancelled] = [
      store.increment("counter", 10n, { timeoutMs: 1_000 }),
      store.increment("counter", 100n, { signal: controller.signal }),
    ].map((call) => call.then(() => undefined).catch((error: unknown) => error));
    const first = await late;
    controller.abort("enough");
    const second = await cancelled;

    expect(first).to.be.instanceOf(NoQuorumError).and.to.include({ effect: "unknown" });
    expect(second).to.be.instanceOf(CancelledError).and.to.include({ effect: "unknown", cause: "enough" });
    const up = next(client, "up");
    await cluster.startAll([0, 2, 3]);
    await up;
    expect(await (first as NoQuorumError).retry({ timeoutMs: 60_000 })).to.equal(11n);
    expect(await (second as CancelledError).retry({ timeoutMs: 60_000 })).to.equal(111n);
    expect(await (first as NoQuorumError).retry(), "again").to.equal(11n);
    expect(await store.increment("counter", 0n)).to.equal(111n);
  });

  it("are proven to whoever has the genesis document, by a file", async () => {
    const file = join(dirname(cluster.genesisPath), "counter.receipt");
    const where = ["--genesis", cluster.genesisPath];
    const put = await RunningCommand.quorate(["kv", "put", "greeting", "hello", "--receipt", file, ...where]);
    expect(put).to.include({ code: 0, stdout: "created\n" });
    const again = await RunningCommand.quorate(["kv", "put", "greeting", "goodbye", "--receipt", file, ...where]);
    expect(again.code).to.equal(1);
    expect(again.stderr).to.match(/exists already/);
    const proven = await RunningCommand.quorate(["verify", file, ...where, "--json"]);
    expect(JSON.parse(proven.stdout)).to.deep.include({ valid: true, epoch: 0, number: 1 });
    expect(proven.code).to.equal(0);
    const people = await RunningCommand.quorate(["verify", file, ...where]);
    expect(people.stdout).to.match(/is proven: replicas \d, \d of epoch 0 have signed what number \d+ gave\n/);

    const bytes = readFileSync(file);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(file, bytes);
    const forged = await RunningCommand.quorate(["verify", file, ...where]);
    expect(forged).to.include({ code: 1, stdout: "" });
    expect(forged.stderr).to.match(/proves nothing: \w+/);
  });

  it("end with a client that is disposed of", async () => {
    const { client } = await cluster.connect();
    let call: Promise<unknown>;
    {
      await using user = client;
      call = user.execute(new Uint8Array(1)).catch((error: unknown) => error);
    }
    expect(await call).to.be.instanceOf(ClosedError);
  });
});

import { ProcessCluster } from "@quorate/test-harness";
import { expect } from "chai";
import { CancelledError, ClosedError, NoQuorumError, type QuorateClient } from "quorate";

describe("calls of a real cluster that is too small for a while (protocol rule 5.3)", function () {
  this.timeout(240_000);
  let cluster: ProcessCluster;
  before(async () => {
    cluster = await ProcessCluster.make();
    await cluster.startAll();
  });
  after(() => ProcessCluster.closeAll());

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

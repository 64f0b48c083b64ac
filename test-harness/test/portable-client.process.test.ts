import { fileURLToPath } from "node:url";
import { ProcessCluster, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";

const PORTABLE_CLIENT = fileURLToPath(new URL("./portable-client-child.js", import.meta.url));

describe("the client for browsers", function () {
  this.timeout(120_000);
  afterEach(async () => {
    await ProcessCluster.closeAll();
    await RunningCommand.killAll();
  });

  it("reads and writes a live cluster over the platform's WebSocket, through a restart of all replicas", async () => {
    const cluster = await ProcessCluster.start();
    const args = ["--experimental-websocket", "--no-warnings", PORTABLE_CLIENT, JSON.stringify(cluster.genesis)];
    const client = new RunningCommand(process.execPath, args);

    expect(await client.message("counted")).to.deep.equal({
      type: "counted",
      sums: Array.from({ length: 20 }, (_, i) => i + 1),
      greeting: "hello from a browser",
    });
    const { store } = await cluster.connect();
    expect(await store.getText("greeting")).to.equal("hello from a browser");
    await cluster.kill();
    await cluster.startAll();
    client.send({ type: "go on" });

    expect(await client.message("after")).to.deep.equal({ type: "after", sum: 21 });
    const { code, stderr } = await client.exited;
    expect([code, stderr]).to.deep.equal([0, ""]);
  });
});

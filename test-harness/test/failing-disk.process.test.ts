import { ProcessCluster, QUORATE_COMMAND, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";

/** Of 1024 bytes: room for the store as it is made and for some minutes of work, not for what is written below. */
const FILE_BLOCKS_MAX = 512;

describe("a replica whose disk takes no more", function () {
  this.timeout(120_000);
  afterEach(async () => {
    await ProcessCluster.closeAll();
    await RunningCommand.killAll();
  });

  it("ends with an error and says why, and the others go on", async function () {
    // No Windows, no limit: the shell's `ulimit -f` makes writes beyond it fail, as a full disk does.
    if (process.platform === "win32") return this.skip();
    const cluster = await ProcessCluster.make();
    await cluster.startAll([0, 1, 3]);
    const args = ["start", "--data", cluster.folder(2).path, "--log-level", "silent"];
    const limited = `ulimit -f ${FILE_BLOCKS_MAX}; exec "$@"`;
    await cluster.startWith(2, "/bin/sh", ["-c", limited, "sh", process.execPath, QUORATE_COMMAND, ...args]);
    const { store } = await cluster.connect();

    const value = new Uint8Array(32 * 1024);
    for (let i = 0; i < 64; i++) await store.put(`key/${i}`, value);

    const { code, signal, stdout, stderr } = await cluster.process(2).exited;
    // The store's library has its say, too, before or after; one line is ours.
    expect(stderr).to.match(
      /^quorate: replica 2 stops: a write did not become durable: .*; end the process, repair the disk, start again$/m,
    );
    expect([code, signal, stdout]).to.deep.equal([1, null, ""]);
    expect(await store.increment("counter")).to.equal(1n);
    await cluster.settled([0, 1, 3]);
    expect(new Set(await cluster.stateRoots([0, 1, 3])).size).to.equal(1);

    // With room again it goes on from what it had promised, and catches up.
    await cluster.start(2);
    await cluster.settled();
    expect(new Set(await cluster.stateRoots()).size).to.equal(1);
  });
});

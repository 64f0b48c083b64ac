import { existsSync, type FSWatcher, mkdirSync, mkdtempSync, readdirSync, rmSync, watch, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Exit, freePortBase, QUORATE_COMMAND, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";

const ADMIN_PORT_OFFSET = 1000;
/** Long enough to make that a signal finds it half way. */
const MANY_REPLICAS = 40;
const ENTRIES = ["admin.key.json", "genesis.json", "replica-0", "replica-1", "replica-2", "replica-3"];

describe("the first start of a local cluster", function () {
  this.timeout(120_000);
  let parent: string;
  let path: string;
  let base: number;
  const servers: Server[] = [];
  const watchers: FSWatcher[] = [];
  beforeEach(async () => {
    parent = mkdtempSync(join(tmpdir(), "quorate-local-"));
    path = join(parent, "cluster");
    base = await freePortBase(MANY_REPLICAS);
  });
  afterEach(async () => {
    await RunningCommand.killAll();
    for (const watcher of watchers.splice(0)) watcher.close();
    await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
    rmSync(parent, { recursive: true, force: true });
  });

  const start = (...args: string[]): RunningCommand =>
    new RunningCommand(process.execPath, [
      QUORATE_COMMAND,
      "cluster",
      "--data",
      path,
      "--port-base",
      `${base}`,
      ...args,
    ]);

  async function occupy(port: number): Promise<void> {
    const server = createServer((socket) => socket.destroy());
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  }

  /** Resolves when the folder of the third replica is there: the cluster is half made. */
  function halfMade(): Promise<void> {
    mkdirSync(path);
    return new Promise((resolve) => {
      watchers.push(
        watch(path, (_event, name) => {
          if (name === "replica-2") resolve();
        }),
      );
    });
  }

  async function runs(command: RunningCommand): Promise<void> {
    await command.printed(/4 replicas with the key-value service are ready/);
    expect(readdirSync(path).sort()).to.deep.equal(ENTRIES);
    command.signal("SIGTERM");
    expect((await command.exited).code).to.equal(0);
  }

  for (const [what, offset] of [
    ["of a replica", 2],
    ["that answers status", ADMIN_PORT_OFFSET + 3],
  ] as const)
    it(`names a port ${what} that is taken and one that is free, makes nothing, and starts from the free one`, async () => {
      await occupy(base + offset);

      const { code, stdout, stderr } = await start().exited;

      expect([code, stdout]).to.deep.equal([1, ""]);
      const [, port, free] =
        /^quorate: port (\d+) is used by another process, nothing was made; choose other ports with --port-base N \(--port-base (\d+) is free\)\n$/.exec(
          stderr,
        ) ?? [];
      expect(Number(port), stderr).to.equal(base + offset);
      expect(readdirSync(parent)).to.deep.equal([]);
      base = Number(free);
      await runs(start());
    });

  it("keeps the empty folder that it was given when a port is taken", async () => {
    mkdirSync(path);
    await occupy(base);

    const { code } = await start().exited;

    expect(code).to.equal(1);
    expect(readdirSync(parent)).to.deep.equal(["cluster"]);
    expect(readdirSync(path)).to.deep.equal([]);
  });

  it("leaves nothing when it is interrupted half way, and the next start works", async () => {
    const half = halfMade();
    const command = start("--replicas", `${MANY_REPLICAS}`);
    await half;

    command.signal("SIGINT");
    const { code, stdout, stderr } = await command.exited;

    expect([code, stdout, stderr]).to.deep.equal([0, "", "quorate: stopped before the cluster ran\n"]);
    expect(readdirSync(path)).to.deep.equal([]);
    await runs(start());
  });

  it("makes anew what a killed start left half made", async () => {
    const half = halfMade();
    const command = start("--replicas", `${MANY_REPLICAS}`);
    await half;

    await command.kill();

    expect(readdirSync(path)).to.include("unfinished");
    expect(existsSync(join(path, "genesis.json"))).to.equal(false);
    await runs(start());
  });

  it("leaves alone what another start is making, and what is not of its making", async () => {
    mkdirSync(join(path, "replica-0"), { recursive: true });
    writeFileSync(join(path, "unfinished"), `${process.pid}\n`);
    const taken: Exit = await start().exited;
    writeFileSync(join(path, "unfinished"), "");
    writeFileSync(join(path, "thesis.txt"), "precious");
    const foreign: Exit = await start().exited;

    expect(taken.stderr).to.equal(
      `quorate: ${path} is being made by process ${process.pid}; wait for it, or choose another --data folder\n`,
    );
    expect(foreign.stderr).to.match(/is not empty and holds no cluster/);
    expect([taken.code, foreign.code]).to.deep.equal([1, 1]);
    expect(readdirSync(path).sort()).to.deep.equal(["replica-0", "thesis.txt", "unfinished"]);
  });

  it("tells a program in one line of JSON when it is ready", async () => {
    const command = start("--json");
    await command.printed(/\n/);

    command.signal("SIGTERM");
    const { stdout } = await command.exited;

    expect(JSON.parse(stdout)).to.deep.equal({
      data: path,
      genesis: join(path, "genesis.json"),
      service: null,
      replicas: [0, 1, 2, 3].map((replica) => ({
        replica,
        address: `127.0.0.1:${base + replica}`,
        data: join(path, `replica-${replica}`),
      })),
    });
  });
});

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { ProcessStatus } from "@quorate/server";
import { type Exit, freePortBase, ProcessCluster, QUORATE_COMMAND, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";

const quorate = (...args: string[]): Promise<Exit> => RunningCommand.quorate(args);
const DEADLINE_MS = 60_000;

describe("an observer beside four real processes", function () {
  this.timeout(240_000);
  let cluster: ProcessCluster;
  let folder: string;
  let data: string;
  let listen: string;
  let admin: string;
  let observer: RunningCommand;
  const run = (...args: string[]): RunningCommand => new RunningCommand(process.execPath, [QUORATE_COMMAND, ...args]);

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "quorate-observer-"));
    data = join(folder, "spare");
    const port = await freePortBase(1);
    [listen, admin] = [`127.0.0.1:${port}`, `127.0.0.1:${port + 1_000}`];
    cluster = await ProcessCluster.start({ checkpointInterval: 8, windowSize: 16 });
  });
  after(async () => {
    await ProcessCluster.closeAll();
    await RunningCommand.killAll();
    rmSync(folder, { recursive: true, force: true });
  });

  const join_ = (): RunningCommand =>
    run(
      ...["join", "--genesis", cluster.genesisPath, "--peer", cluster.member(1).address],
      ...["--listen", listen, "--data", data, "--json"],
    );

  async function status(): Promise<ProcessStatus | undefined> {
    try {
      return (await (await fetch(`http://${admin}/status`)).json()) as ProcessStatus;
    } catch {
      return undefined;
    }
  }

  async function until(condition: (status: ProcessStatus) => boolean): Promise<ProcessStatus> {
    const deadline = performance.now() + DEADLINE_MS;
    for (;;) {
      const said = await status();
      if (said !== undefined && condition(said)) return said;
      if (performance.now() > deadline) throw new Error(`the observer says ${JSON.stringify(said)}`);
      await delay(25);
    }
  }

  /** Orders so many operations, and waits until the observer has executed them as the others have. */
  async function follows(operations: number): Promise<void> {
    const { store } = await cluster.connect();
    for (let i = 0; i < operations; i++) await store.increment("counter");
    const [first] = await cluster.settled();
    const said = await until(({ executed }) => executed >= (first?.executed ?? 0));
    expect([said.executed, said.historyDigest]).to.deep.equal([first?.executed, first?.historyDigest]);
  }

  it("is made and run by `quorate join`, follows, and says what comes next once it is level", async () => {
    const { store } = await cluster.connect();
    for (let i = 0; i < 40; i++) await store.increment("counter");

    observer = join_();

    await observer.printed(/"step":"level"/);
    expect(observer.output).to.include(`quorate members add --from ${listen}`);
    await follows(10);
    const said = await until(({ peers }) => peers.every(({ isConnected }) => isConnected));
    expect(said).to.include({ replica: null, role: "observer" });
    expect(said.owner).to.equal(JSON.parse(readFileSync(join(data, "key.json"), "utf8")).publicKey);
    const statuses = await cluster.until((all) => all.every(({ observers }) => observers === 1));
    expect(statuses.map(({ peers }) => peers.length)).to.deep.equal([3, 3, 3, 3]);
  });

  it("is in no quorum: with two of four replicas nothing is ordered, and the cluster goes on without it", async () => {
    await cluster.kill([2, 3]);
    const before = await until(() => true);
    const { client } = await cluster.connect();
    const outcome = await client.execute(new Uint8Array(1), { timeoutMs: 2_000 }).then(
      () => "ordered",
      () => "not ordered",
    );
    expect(outcome).to.equal("not ordered");
    expect((await until(() => true)).executed).to.equal(before.executed);
    await cluster.startAll([2, 3]);
    await follows(3);
  });

  it("shows itself to `status`, `audit` and `log` by no id", async () => {
    const text = await quorate("status", "--data", data);
    expect(text.stdout).to.match(/^observer +\d+ +observer /m);
    const [row] = JSON.parse((await quorate("status", "--data", data, "--json")).stdout);
    expect(row).to.include({ replica: null, role: "observer" });
    const log = await quorate("log", data, "--json");
    expect([log.code, log.stderr]).to.deep.equal([0, ""]);
    expect(JSON.parse(log.stdout.split("\n")[0] ?? "")).to.deep.include({ heldBy: ["observer"] });
    const evidence = await quorate("evidence", "list", "--data", data);
    expect([evidence.code, evidence.stdout]).to.deep.equal([0, "no evidence is kept\n"]);
    const audit = await quorate("audit", "--data", data, "--at", ...cluster.folders.map(({ config }) => config.admin));
    expect(audit.code, audit.stdout + audit.stderr).to.equal(0);
    expect(audit.stdout).to.match(/^observer .* agrees$/m);
  });

  it("gives a backup that proves itself", async () => {
    const out = join(folder, "spare.backup");
    const made = await quorate("backup", "create", "--out", out, "--data", data);
    expect([made.code, made.stderr]).to.deep.equal([0, ""]);
    const verified = await quorate("backup", "verify", out, "--genesis", cluster.genesisPath);
    expect([verified.code, verified.stderr]).to.deep.equal([0, ""]);
  });

  it("goes on where it was after a kill, and `quorate join` takes the folder that is there", async () => {
    await observer.kill();
    const key = readFileSync(join(data, "key.json"), "utf8");
    observer = join_();
    await follows(12);
    expect(readFileSync(join(data, "key.json"), "utf8")).to.equal(key);
  });

  it("leaves a data folder that is what it wrote, and that shows its log", async () => {
    observer.signal("SIGTERM");
    expect((await observer.exited).code).to.equal(0);
    const { code, stdout, stderr } = await quorate("verify-data", data, "--json");
    expect([code, stderr]).to.deep.equal([0, ""]);
    expect(JSON.parse(stdout)[0]).to.include({ replica: "observer", isSound: true });
    const log = await quorate("log", data);
    expect(log.code, log.stderr).to.equal(0);
    const out = join(folder, "stopped.backup");
    expect((await quorate("backup", "create", "--out", out, "--data", data)).code).to.equal(0);
    expect(existsSync(out)).to.equal(true);
  });

  it("is started again with --observe only", async () => {
    const refused = await quorate("start", "--data", data);
    expect(refused.code).to.equal(1);
    expect(refused.stderr).to.match(/is no member as far as it knows: start it with --observe/);
    observer = run("start", "--data", data, "--observe", "--log-level", "error");
    await follows(5);
  });

  it("loses its disk, and follows again", async () => {
    observer.signal("SIGTERM");
    await observer.exited;
    const { code, stderr } = await quorate(
      ...["init", "--genesis", cluster.genesisPath, "--key", join(data, "key.json"), "--data", data, "--lost-disk"],
    );
    expect([code, stderr]).to.deep.equal([0, ""]);
    observer = run("start", "--data", data, "--observe", "--log-level", "error");
    await follows(20);
  });

  it("is not let in where clients are listed and it is not", async () => {
    const listed = await ProcessCluster.start({ clients: [] });
    const port = await freePortBase(1);
    const key = join(folder, "other.key.json");
    await quorate("keygen", "--out", key);
    const other = join(folder, "other");
    const made = await quorate(
      ...["init", "--genesis", listed.genesisPath, "--key", key, "--data", other, "--observe"],
      ...["--listen", `127.0.0.1:${port}`],
    );
    expect([made.code, made.stderr]).to.deep.equal([0, ""]);
    const outsider = run("start", "--data", other, "--observe");
    await outsider.printed(/is not admitted to this cluster/);
    await outsider.kill();
  });
});

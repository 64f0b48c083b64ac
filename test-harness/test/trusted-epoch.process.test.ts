import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePortBase, ProcessCluster, QUORATE_COMMAND, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";

const K = 8;

describe("a replica on a fresh disk that is told which epoch to trust, as real processes", function () {
  this.timeout(600_000);
  let cluster: ProcessCluster;
  let folder: string;
  let data: string;
  let document: string;
  let joining: readonly string[];
  before(async () => {
    cluster = await ProcessCluster.start({ checkpointInterval: K, windowSize: 4 * K });
    folder = mkdtempSync(join(tmpdir(), "quorate-trust-"));
    [data, document] = [join(folder, "joiner"), join(folder, "epoch.json")];
    const reach = ["--peer", cluster.member(1).address, "--listen", `127.0.0.1:${await freePortBase(1)}`];
    joining = ["join", "--genesis", cluster.genesisPath, ...reach, "--data", data, "--epoch", document];
  });
  after(async () => {
    await ProcessCluster.closeAll();
    await RunningCommand.killAll();
    rmSync(folder, { recursive: true, force: true });
  });
  const quorate = (...args: string[]): ReturnType<typeof RunningCommand.quorate> => RunningCommand.quorate(args);

  it("gets the document from `quorate epochs`, of any epoch but that of genesis", async () => {
    const early = await quorate("epochs", "--data", cluster.path, "--document", document);
    expect([early.code, existsSync(document)]).to.deep.equal([1, false]);
    expect(early.stderr).to.contain("the cluster is in epoch 0, and the document of that is the genesis document");

    const changed = await quorate("members", "parameters", "--window-size", `${5 * K}`, "--data", cluster.path);
    expect(changed.code, changed.stderr).to.equal(0);
    const written = await quorate("epochs", "--data", cluster.path, "--document", document);
    expect(written.code, written.stderr).to.equal(0);
    expect(JSON.parse(readFileSync(document, "utf8"))).to.include({ type: "epoch" });
  });

  it("is refused one that is none of its cluster, and makes nothing", async () => {
    const other = join(folder, "other.json");
    writeFileSync(other, readFileSync(document, "utf8").replace(/"cluster": "\w+"/, `"cluster": "${"ab".repeat(32)}"`));
    const refused = await quorate(...joining.slice(0, -1), other);
    expect([refused.code, existsSync(join(data, "replica.json"))]).to.deep.equal([1, false]);
    expect(refused.stderr).to.contain(`${other}: `).and.to.contain("it is of cluster abab");
  });

  it("begins with it, follows, and is no member that serves", async () => {
    const { store } = await cluster.connect();
    for (let i = 0; i < 2 * K; i++) await store.put(`key ${i}`, "before");
    const joiner = new RunningCommand(process.execPath, [QUORATE_COMMAND, ...joining]);
    await joiner.printed(/quorate members add --from/);

    expect(readFileSync(join(data, "epoch.json"), "utf8")).to.equal(readFileSync(document, "utf8"));
    const { admin } = JSON.parse(readFileSync(join(data, "replica.json"), "utf8")) as { admin: string };
    const ready = await fetch(`http://${admin}/readyz`);
    expect(ready.status).to.equal(503);
    expect(await ready.json()).to.deep.include({
      isReady: false,
      reasons: ["it is no member: it observes, and serves stale reads only"],
    });
    joiner.signal("SIGTERM");
    expect((await joiner.exited).code).to.equal(0);
  });

  it("its folder is sound, shows its epochs and its log, and goes on without being told again", async () => {
    const sound = await quorate("verify-data", data);
    const epochs = await quorate("epochs", "--data", data, "--json");
    const log = await quorate("log", "--data", data, "--json");
    const backup = await quorate("backup", "--data", data, "--out", join(folder, "backup"));

    expect(sound.code, sound.stdout + sound.stderr).to.equal(0);
    expect((JSON.parse(epochs.stdout) as { epochs: readonly unknown[] }).epochs).to.have.length(2);
    expect([log.code, backup.code], log.stderr + backup.stderr).to.deep.equal([0, 0]);
    const again = new RunningCommand(process.execPath, [QUORATE_COMMAND, ...joining.slice(0, -2)]);
    await again.printed(/quorate members add --from/);
    again.signal("SIGTERM");
    expect((await again.exited).code).to.equal(0);
  });

  it("a member is not started as an observer, nor does one join that nobody finds, or that finds nobody", async () => {
    await cluster.kill([3]);
    const member = await quorate("start", "--data", cluster.folder(3).path, "--observe");
    const hidden = await quorate(
      "join",
      "--genesis",
      cluster.genesisPath,
      "--peer",
      cluster.member(1).address,
      "--listen",
      "[::]:7999",
      "--data",
      join(folder, "hidden"),
    );
    const alone = await quorate(
      "join",
      "--genesis",
      cluster.genesisPath,
      "--listen",
      "127.0.0.1:7999",
      "--data",
      join(folder, "alone"),
    );

    expect([member.code, hidden.code, alone.code]).to.deep.equal([1, 1, 1]);
    expect(member.stderr).to.contain("is replica 3 of epoch 1, and votes: start it without --observe");
    expect(hidden.stderr).to.contain("say with --advertise");
    expect(alone.stderr).to.contain("say with --peer");
    expect(["hidden", "alone"].map((name) => existsSync(join(folder, name)))).to.deep.equal([false, false]);
  });
});

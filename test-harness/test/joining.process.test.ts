import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseKeyFile } from "@quorate/server";
import { freePortBase, ProcessCluster, QUORATE_COMMAND, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";
import { loseDisk } from "./lose-disk.ts";

const K = 8;
const L = 32;

interface ListedMembers {
  readonly epoch: number;
  readonly f: number;
  readonly q: number;
  readonly members: readonly { readonly id: number; readonly publicKey: string; readonly address: string }[];
}

/** A replica that `quorate join` runs. */
interface Joiner {
  readonly process: RunningCommand;
  readonly path: string;
  readonly address: string;
}

describe("members that come and go, as real processes", function () {
  this.timeout(600_000);
  let cluster: ProcessCluster;
  let folder: string;
  let first: Joiner;
  let second: Joiner;
  before(async () => {
    cluster = await ProcessCluster.start({ checkpointInterval: K, windowSize: L });
    folder = mkdtempSync(join(tmpdir(), "quorate-joiners-"));
  });
  after(async () => {
    await ProcessCluster.closeAll();
    await RunningCommand.killAll();
    rmSync(folder, { recursive: true, force: true });
  });

  it("a replica follows, is added under the next id, and votes", async () => {
    const { store } = await cluster.connect();
    for (let i = 0; i < K; i++) await store.put(`key ${i}`, "before");
    first = await startJoiner("first");
    await first.process.printed(/quorate members add --from/);

    const { stdout, stderr, code } = await members("add", "--from", first.address, "--data", cluster.path, "--json");

    expect(code, stderr).to.equal(0);
    const added = JSON.parse(stdout) as ListedMembers;
    expect(added).to.include({ epoch: 1, f: 1, q: 4 });
    expect(added.members.at(-1)).to.deep.equal({ id: 4, address: first.address, publicKey: keyIn(first.path) });
    await first.process.printed(/it is a member: replica 4 of epoch 1/);
    // Four of five are a quorum only with it.
    await cluster.kill([0]);
    await store.put("key", "with the joiner");
    expect(await store.getText("key 3")).to.equal("before");
  });

  it("a member gets another key, which its running replica takes into use; the old one is gone", async () => {
    const { path } = cluster.folder(1);
    const before = keyIn(path);

    const { stdout, stderr, code } = await members("rotate-key", "1", "--data", cluster.path);

    expect(code, stderr).to.equal(0);
    const next = (await list()).members.find(({ id }) => id === 1)?.publicKey;
    expect(next).to.not.equal(before);
    expect(stdout).to.match(new RegExp(`^epoch 2 has begun above \\d+: replica 1 signs with the key ${next};`));
    await cluster.until(() => keyIn(path) === next && !existsSync(join(path, "key.next.json")), { ids: [1] });
    // The joiner executes it like every member.
    await first.process.printed(
      /"change":\{"type":"rotate-key","id":1,"publicKey":"[0-9a-f]{64}"\},"admins":\["[0-9a-f]{16}"\].*"epoch":2,"activation":\d+,"msg":"change accepted"/,
    );
    await first.process.printed(
      /"epoch":2,"activation":\d+,"members":\[0,1,2,3,4\],"pauseMs":[\d.]+,"msg":"a new epoch begins"/,
    );
    const { store } = await cluster.connect();
    await store.put("key", "with another key");
    const again = await members("rotate-key", "1", "--data", cluster.path, "--out", join(folder, "rotate.json"));
    expect(again.code, again.stderr).to.equal(0);
    expect(keyIn(path, "key.next.json")).to.not.equal(next);
  });

  it("a lost replica is replaced by one that follows; run again there is nothing left to do", async () => {
    second = await startJoiner("second");
    await second.process.printed(/quorate members add --from/);
    const args = ["replace", "0", "--from", second.address, "--data", cluster.path] as const;
    rmSync(cluster.folder(0).path, { recursive: true });
    const lost = await RunningCommand.quorate(["status", "--data", cluster.path]);
    expect(lost.code, lost.stderr).to.equal(6);
    expect(lost.stdout).to.contain(`down (no folder; at ${cluster.genesis.members[0]?.address})`);
    const mistyped = await members("replace", "9", "--from", second.address, "--data", cluster.path);
    expect([mistyped.code, mistyped.stdout]).to.deep.equal([1, ""]);
    expect(mistyped.stderr).to.contain("replica 9 is no member in epoch 2; its members are 0, 1, 2, 3, 4");
    expect((await list()).epoch, "nothing was ordered").to.equal(2);

    const done = await members(...args);
    // By another name of the same address, too.
    const named = second.address.replace("127.0.0.1", "localhost");
    const again = await members("replace", "0", "--from", named, "--data", cluster.path, "--json");

    expect(done.code, done.stderr).to.equal(0);
    expect(done.stdout).to.match(/^epoch 4: replica 5 has taken the place of replica 0; 5 members \(1, 2, 3, 4, 5\)/);
    expect(again.code, again.stderr).to.equal(0);
    expect(JSON.parse(again.stdout)).to.include({ epoch: 4, left: 0, joined: 5, f: 1, q: 4 });
    expect(again.stderr).to.contain("is a member already").and.to.contain("replica 0 is no member any more");
    const { store } = await cluster.connect();
    await store.put("key", "without the lost one");
    expect((await list()).members.map(({ id }) => id)).to.deep.equal([1, 2, 3, 4, 5]);
    const left = await RunningCommand.quorate(["status", "--data", cluster.path, "--json"]);
    expect(left.code, left.stderr).to.equal(0);
    const shown = JSON.parse(left.stdout) as readonly { readonly replica: number }[];
    expect(shown.map(({ replica }) => replica).sort()).to.deep.equal([1, 2, 3, 4, 5]);
  });

  it("a member leaves by its own key, and whoever would be one too few stays", async () => {
    const reach = ["--genesis", cluster.genesisPath, "--at", first.address];

    const left = await members("remove", "5", ...reach, "--key", join(second.path, "key.json"));
    const tooFew = await members("remove", "4", "--data", cluster.path);
    const foreign = await members("remove", "3", ...reach, "--key", join(second.path, "key.json"));

    expect(left.code, left.stderr).to.equal(0);
    expect(left.stdout).to.match(/^epoch 5 has begun above \d+: replica 5 leaves; 4 members \(1, 2, 3, 4\)/);
    await second.process.printed(/left: replica 5 is no member any more in epoch 5/);
    expect([tooFew.code, tooFew.stdout]).to.deep.equal([5, ""]);
    expect(tooFew.stderr).to.contain("(members-too-few)");
    await first.process.printed(
      /"code":"members-too-few","reason":"a cluster has at least 4 members; let another one join before","msg":"change refused"/,
    );
    expect([foreign.code, foreign.stdout]).to.deep.equal([1, ""]);
    expect(foreign.stderr).to.contain("which is no admin's in epoch 5 and not that of replica 3");
  });

  it("an order of a join that has waited takes a newer claim of the joiner, and keeps its approvals", async () => {
    const orders = ["one.json", "other.json"].map((name) => join(folder, name)) as [string, string];
    for (const order of orders) {
      const written = await members("add", "--from", second.address, "--data", cluster.path, "--out", order);
      expect(written.code, written.stderr).to.equal(0);
    }
    const { store } = await cluster.connect();
    // More checkpoints than are remembered of them.
    for (let i = 0; i < 18 * K; i++) await store.put("key", `${i}`);

    const stale = await members("submit", orders[0], "--data", cluster.path);
    const refreshed = await members("submit", orders[1], "--data", cluster.path, "--from", second.address);

    expect([stale.code, stale.stdout]).to.deep.equal([5, ""]);
    expect(stale.stderr).to.contain("(joiner-behind)").and.to.contain("take a newer claim of it");
    expect(refreshed.code, refreshed.stderr).to.equal(0);
    expect(refreshed.stdout).to.match(/^epoch 6 has begun above \d+: replica 6 joins at /);
  });

  it("a member that lost its disk takes part again by its own word, in an epoch in which it has promised nothing", async () => {
    const { path } = cluster.folder(2);
    await loseDisk(cluster, 2);
    await cluster.start(2);
    await cluster.until(([status]) => status?.mute !== undefined, { ids: [2] });

    const { code, stdout, stderr } = await members("rejoin", "2", "--data", path);

    expect(code, stderr).to.equal(0);
    expect(stdout).to.match(/^epoch 7 has begun above \d+: replica 2 takes part again after it lost its disk/);
    const [status] = await cluster.until(([now]) => now?.epoch === 7 && now.mute === undefined, { ids: [2] });
    expect(status?.replica).to.equal(2);
  });

  it("all of it is in the chain of epochs", async () => {
    const { stdout } = await RunningCommand.quorate(["epochs", "--data", cluster.path, "--json"]);

    const { epochs } = JSON.parse(stdout) as { epochs: readonly { readonly changed: readonly string[] }[] };
    expect(epochs.map(({ changed }) => changed)).to.deep.equal([
      [],
      [`replica 4 has joined at ${first.address}`],
      ["replica 1 has another key"],
      [`replica 5 has joined at ${second.address}`],
      ["replica 0 has left"],
      ["replica 5 has left"],
      [`replica 6 has joined at ${second.address}`],
      ["replica 2 has rejoined after a lost disk"],
    ]);
  });

  it("the folders that are there start again together, and none is missing of one that has left", async () => {
    await cluster.kill([1, 2, 3]);
    const again = new RunningCommand(process.execPath, [QUORATE_COMMAND, "cluster", "--data", cluster.path]);

    await again.printed(/replica 3 {2}/);

    expect(again.output).to.contain("3 replicas with").and.to.not.contain("no data folder");
  });

  async function startJoiner(name: string): Promise<Joiner> {
    const address = `127.0.0.1:${await freePortBase(1)}`;
    const path = join(folder, name);
    const peers = cluster.genesis.members.slice(1).flatMap((member) => ["--peer", member.address]);
    const args = [
      "join",
      "--genesis",
      cluster.genesisPath,
      ...peers,
      "--listen",
      address,
      "--data",
      path,
      "--log-level",
      "info",
    ];
    return { process: new RunningCommand(process.execPath, [QUORATE_COMMAND, ...args]), path, address };
  }
  async function list(): Promise<ListedMembers> {
    const { stdout, stderr } = await members("list", "--data", cluster.path, "--json");
    if (stdout === "") throw new Error(stderr);
    return JSON.parse(stdout);
  }
  function keyIn(path: string, name = "key.json"): string {
    const file = join(path, name);
    return parseKeyFile(readFileSync(file, "utf8"), file).publicKey;
  }
});

function members(...args: readonly string[]): ReturnType<typeof RunningCommand.quorate> {
  return RunningCommand.quorate(["members", ...args]);
}

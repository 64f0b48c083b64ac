import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generateSeed } from "@quorate/crypto";
import { chooseBackend } from "@quorate/crypto/node";
import { type ClusterId, epochNumber, hexToBytes, publicKey } from "@quorate/protocol";
import { type KeyFile, keyFileOf, parseKeyFile } from "@quorate/server";
import { ProcessCluster, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";
import {
  type ChangeDocument,
  type ChangeProgress,
  ConfigurationError,
  clusterIdOf,
  createNodeHasher,
  orderChange,
  type PreparedChange,
  prepareChange,
  QuorateError,
  submitChange,
} from "quorate";
import { expectSameState } from "./process-load.ts";

const K = 8;
const L = 32;
const FOREIGN = "ab".repeat(32) as ClusterId;

interface ListedMembers {
  readonly epoch: number;
  readonly activation: number;
  readonly pending?: { readonly epoch: number; readonly activation: number; readonly windowSize: number } | null;
  readonly members: readonly { readonly id: number; readonly publicKey: string }[];
  readonly admins: { readonly threshold: number; readonly keys: readonly string[] };
  readonly checkpointInterval: number;
  readonly f: number;
  readonly q: number;
}

interface ListedEpochs {
  readonly source: string;
  readonly epochs: readonly {
    readonly epoch: number;
    readonly activation: number;
    readonly signedBy?: readonly number[];
    readonly changed: readonly string[];
  }[];
}

describe("members of four real processes", function () {
  this.timeout(240_000);
  let cluster: ProcessCluster;
  let client: KeyFile;
  let admins: readonly string[];
  before(async () => {
    const backend = await chooseBackend();
    client = keyFileOf(backend, generateSeed(randomBytes(32)));
    cluster = await ProcessCluster.start({
      checkpointInterval: K,
      windowSize: L,
      clients: [publicKey(client.publicKey)],
    });
    write("client.key.json", client);
    for (const name of ["b.key.json", "c.key.json"]) write(name, keyFileOf(backend, generateSeed(randomBytes(32))));
    admins = ["admin.key.json", "b.key.json", "c.key.json"].map((name) => join(cluster.path, name));
  });
  after(async () => {
    await ProcessCluster.closeAll();
    await RunningCommand.killAll();
  });

  it("are those of genesis at first, which its document alone proves", async () => {
    const listed = await list();
    const { stdout } = await members("list", "--genesis", cluster.genesisPath, ...keyOf("client.key.json"));

    expect(listed).to.include({ epoch: 0, activation: 0, pending: null, f: 1, q: 3, checkpointInterval: K });
    expect(listed.members).to.deep.equal(cluster.genesis.members);
    for (const { id, address, publicKey: key } of cluster.genesis.members)
      expect(stdout).to.match(new RegExp(`^${id} +${address} +${key}$`, "m"));
    expect(stdout).to.contain("epoch 0, from 1 on: f = 1 of 4 may be faulty, q = 3 decide; K = 8, L = 32");
  });

  it("have another checkpoint interval when the command ends, in a new epoch that a quorum has certified", async () => {
    const { stdout, stderr, code } = await members("parameters", "--checkpoint-interval", "4", "--data", cluster.path);

    expect([code, stdout]).to.satisfy(([ended, text]: [number, string]) =>
      ended === 0
        ? /^epoch 1 has begun above \d+: a checkpoint every 4 sequence numbers, in a window of 32; 4 members/.test(text)
        : false,
    );
    expect(stderr).to.match(/^accepted: epoch 1 begins above \d+, to which the cluster goes by itself\n$/);
    expect(await list()).to.include({ epoch: 1, checkpointInterval: 4 });
    const { source, epochs } = await epochsOf();
    const [genesis, first] = epochs;
    expect([source, genesis?.signedBy, genesis?.changed]).to.deep.equal(["members", undefined, []]);
    expect(first).to.include({ epoch: 1 });
    expect(first?.changed).to.deep.equal(["K was 8, is 4"]);
    expect(first?.signedBy).to.have.length.of.at.least(3);
    expect((first?.activation ?? 1) % K).to.equal(0);
    await cluster.until((statuses) => statuses.every(({ epoch }) => epoch === 1));
    const metrics = await (await fetch(`http://${cluster.folder(0).config.admin}/metrics`)).text();
    expect(metrics).to.match(/^quorate_epochs_begun_total 1$/m);
    expect(Number(/^quorate_epoch_pause_seconds_total (.+)$/m.exec(metrics)?.[1])).to.be.greaterThan(0);
  });

  it("take a change from two admins of three, each with the order as a file, and not from one", async () => {
    const keys = admins.map((file) => parseKeyFile(readFileSync(file, "utf8"), file).publicKey);
    const made = await members(
      "admins",
      ...keys.flatMap((key) => ["--admin", key]),
      "--threshold",
      "2",
      "--data",
      cluster.path,
    );
    expect([made.code, made.stdout]).to.satisfy(([code]: [number]) => code === 0);
    const order = join(cluster.path, "order.json");
    const reach = ["--genesis", cluster.genesisPath];

    const alone = await members("expel", client.publicKey, "--data", cluster.path);
    const written = await members("expel", client.publicKey, "--data", cluster.path, "--out", order);
    const tooFew = await members("submit", order, "--data", cluster.path);
    const text = readFileSync(order, "utf8");
    const spoiled = await members("approve", order, "--data", cluster.folder(0).path);
    expect([spoiled.code, spoiled.stdout, readFileSync(order, "utf8")]).to.deep.equal([1, "", text]);
    expect(spoiled.stderr).to.match(
      /key\.json holds the key [0-9a-f]{64}, which is no admin's in epoch 2; name an admin's/,
    );
    const approved = await members("approve", order, ...reach, ...keyOf("b.key.json"));
    const done = await members("submit", order, ...reach, ...keyOf("c.key.json"), "--json");

    expect([alone.code, alone.stdout]).to.deep.equal([1, ""]);
    expect(alone.stderr).to.contain("a change needs the signatures of 2 of 3 admins, 1 of their keys is here");
    expect(written.stdout).to.match(/is a client no more; for epoch 2, approved by 1 of the 2 admins that it needs\n$/);
    expect([tooFew.code, tooFew.stdout]).to.deep.equal([5, ""]);
    expect(tooFew.stderr).to.contain("(approvals-too-few)").and.to.contain("1 admins, expected 2 of 3");
    expect([approved.code, approved.stderr]).to.deep.equal([0, ""]);
    expect([done.code, done.stderr]).to.deep.equal([0, ""]);
    expect(JSON.parse(done.stdout)).to.deep.include({ epoch: 2, change: { type: "expel", client: client.publicKey } });
    const put = await RunningCommand.quorate([
      "kv",
      "put",
      "a",
      "b",
      "--data",
      cluster.path,
      ...keyOf("client.key.json"),
    ]);
    expect([put.code, put.stdout]).to.deep.equal([1, ""]);
    expect(put.stderr).to.equal(
      "quorate: this client's key is not among those that the cluster serves; ask its administrators to admit it\n",
    );
  });

  it("admit the client again, who serves itself across epochs that it has not seen", async () => {
    const admitted = await members("admit", client.publicKey, "--data", cluster.path, ...allKeys());

    expect([admitted.code, admitted.stderr]).to.deep.equal([0, ""]);
    expect(admitted.stdout).to.match(/^executed at \d+: [0-9a-f]{64} is admitted as a client\n$/);
    const { store } = await cluster.connect({ seed: hexToBytes(client.seed) });
    await store.put("key", "two epochs behind");
    expect(await store.getText("key")).to.equal("two epochs behind");
  });

  for (const [what, args, code, line] of [
    [
      "as it is already",
      ["parameters", "--checkpoint-interval", "4"],
      5,
      "the cluster refused the change (changes-nothing): it is as the change wants it already",
    ],
    [
      "with a window that no genesis allows",
      ["parameters", "--window-size", "2048"],
      5,
      "the cluster refused the change (parameters-invalid): expected a window that is a multiple of the checkpoint interval, at least twice as long, and no longer than the limits of the genesis document allow",
    ],
    [
      "to fewer than four members",
      ["remove", "0"],
      5,
      "the cluster refused the change (members-too-few): a cluster has at least 4 members; let another one join before",
    ],
    ["about a stranger", ["remove", "9"], 1, "replica 9 is no member in epoch 2; its members are 0, 1, 2, 3"],
    [
      "about a client that is there",
      ["admit", "CLIENT"],
      5,
      "the cluster refused the change (changes-nothing): it is as the change wants it already",
    ],
    [
      "about a loss that was none",
      ["rejoin", "1"],
      1,
      "replica 1 is not mute: it has lost nothing that it has to get over",
    ],
  ] as const)
    it(`refuse a change ${what}, in one line and with its exit code`, async () => {
      const words = args.map((word) => (word === "CLIENT" ? client.publicKey : word));

      const { code: ended, stderr, stdout } = await members(...words, "--data", cluster.path, ...allKeys());

      expect([ended, stdout, stderr]).to.deep.equal([code, "", `quorate: ${line}\n`]);
    });

  it("take no order that somebody has changed, that is another cluster's, or of an epoch that is over", async () => {
    const file = join(cluster.path, "later.json");
    const made = await members(
      "parameters",
      "--checkpoint-interval",
      "16",
      "--data",
      cluster.path,
      ...allKeys(),
      "--out",
      file,
    );
    expect(made.code, made.stderr).to.equal(0);
    const order = JSON.parse(readFileSync(file, "utf8")) as { change: object; epoch: number };
    const [changed, foreign] = ["changed.json", "foreign.json"].map((name) => join(cluster.path, name)) as [
      string,
      string,
    ];
    writeFileSync(changed, JSON.stringify({ ...order, change: { ...order.change, checkpointInterval: 8 } }));
    writeFileSync(foreign, JSON.stringify({ ...order, cluster: "ab".repeat(32) }));
    const applied = join(cluster.path, "applied.json");
    const to = ["--data", cluster.path, ...allKeys(), "--out", applied];
    const written = await members("parameters", "--checkpoint-interval", "8", ...to);
    expect(written.code, written.stderr).to.equal(0);
    const next = await submit(applied);
    expect(next.code, next.stderr).to.equal(0);
    const again = await submit(applied);
    expect([again.code, again.stdout]).to.deep.equal([0, next.stdout]);
    expect(again.stderr).to.match(/^already in force since epoch 3, which began above \d+\n$/);

    const [one, two, three] = [await submit(changed), await submit(foreign), await submit(file)];
    const late = await members("approve", file, "--data", cluster.path);
    expect([late.code, late.stdout]).to.deep.equal([1, ""]);
    expect(late.stderr).to.contain("is an order for epoch 2, it is epoch 3 now: make it anew");

    expect([one.code, one.stdout]).to.deep.equal([1, ""]);
    expect(one.stderr).to.match(/the approval of the key [0-9a-f]{64} is no signature of it over this change/);
    expect([two.code, two.stdout]).to.deep.equal([1, ""]);
    expect(two.stderr).to.contain("is an order for cluster abab");
    expect([three.code, three.stdout]).to.deep.equal([5, ""]);
    expect(three.stderr)
      .to.contain("epoch 2, which the change was ordered for, is over")
      .and.to.contain("sign it anew");
  });

  it("get orders of another key from their own folders, where it waits until it is theirs", async () => {
    const { path } = cluster.folder(1);
    const [first, second] = ["first.json", "second.json"].map((name) => join(cluster.path, name)) as [string, string];

    const unsigned = await members("rotate-key", "1", "--data", path);
    expect([unsigned.code, unsigned.stdout]).to.deep.equal([1, ""]);
    expect(unsigned.stderr).to.contain("which is no admin's");
    expect(existsSync(join(path, "key.next.json")), "nothing is made for an order that cannot be signed").to.equal(
      false,
    );

    const made = await members("rotate-key", "1", "--data", path, "--out", first);
    const again = await members("rotate-key", "1", "--data", cluster.path, "--out", second);
    const other = await members("rotate-key", "2", "--data", path, "--out", join(cluster.path, "third.json"));

    expect([made.code, made.stderr, again.code]).to.deep.equal([0, "", 0]);
    const next = join(path, "key.next.json");
    const { publicKey: key } = parseKeyFile(readFileSync(next, "utf8"), next);
    expect(statSync(next).mode & 0o777).to.equal(0o600);
    const orders = [first, second].map((file) => JSON.parse(readFileSync(file, "utf8")) as ChangeDocument);
    for (const { change } of orders) expect(change).to.deep.equal({ type: "rotate-key", id: 1, publicKey: key });
    expect(
      orders.map(({ approvals }) => approvals.length),
      "the admin's key is in the cluster's folder",
    ).to.deep.equal([0, 1]);
    expect([other.code, other.stdout]).to.deep.equal([1, ""]);
    expect(other.stderr).to.contain("name its own data folder");
  });

  it("can be changed by a program, which hears how far it is", async () => {
    const seeds = admins.slice(0, 2).map((file) => hexToBytes(parseKeyFile(readFileSync(file, "utf8"), file).seed));
    const told: ChangeProgress[] = [];
    const order = (windowSize: number): ReturnType<typeof orderChange> =>
      orderChange({
        genesis: cluster.genesis,
        change: { type: "parameters", checkpointInterval: K, windowSize },
        approverSeeds: seeds,
        onProgress: (progress) => told.push(progress),
      });

    const { epoch, activation, isInForce, receipt } = await order(2 * K);
    const refused = await order(2 * K).catch((error: unknown) => error);

    expect([epoch, isInForce, receipt?.statement.epoch]).to.deep.equal([4, true, 3]);
    expect(told).to.deep.equal([
      { type: "accepted", epoch, activation },
      { type: "in-force", epoch, activation },
    ]);
    expect(refused).to.be.instanceOf(QuorateError).and.to.include({ code: "client.change-refused" });
    const over = prepareChange({
      cluster: clusterIdOf(createNodeHasher(), cluster.genesis),
      epoch: epochNumber(3),
      change: { type: "parameters", checkpointInterval: K, windowSize: 4 * K },
    });
    const submitted = (order: PreparedChange): Promise<unknown> =>
      submitChange({ genesis: cluster.genesis, seed: seeds[0]! }, order).catch((error: unknown) => error);
    expect(await submitted(over))
      .to.be.instanceOf(QuorateError)
      .and.to.include({ code: "client.change-lost" });
    expect(await submitted({ ...over, cluster: FOREIGN }))
      .to.be.instanceOf(ConfigurationError)
      .and.to.include({ code: "configuration.foreign" });
  });

  it("and their epochs are read of the folders of replicas that are stopped", async () => {
    const [running, listed] = [await epochsOf(), await list()];
    await cluster.settled();
    await expectSameState(cluster);
    await cluster.kill();

    const [stopped, offline] = [await epochsOf(), await list()];
    const single = await RunningCommand.quorate(["epochs", "--data", cluster.folder(3).path]);

    expect(running.epochs.map(({ epoch }) => epoch)).to.deep.equal([0, 1, 2, 3, 4]);
    expect([stopped.source, stopped.epochs.length]).to.deep.equal(["folder", 5]);
    const bare = ({ epochs }: ListedEpochs): unknown => epochs.map(({ signedBy: _, ...row }) => row);
    expect(bare(stopped)).to.deep.equal(bare(running));
    const { pending, ...proven } = listed;
    expect([pending, offline], "what waits is the word of a replica that runs").to.deep.equal([null, proven]);
    expect(single.stdout).to.match(/^1 +\d+ +0,1,2,3 +1 +3 +4 +32 +1 of 1 +[0-3](,[0-3]){2,3} +K was 8, is 4$/m);
  });

  it("that do not answer are not waited for longer than is said", async () => {
    const { code, stderr } = await members("list", "--genesis", cluster.genesisPath, "--timeout", "3000");

    expect(code).to.equal(3);
    expect(stderr).to.match(/no 2 members have shown in time which epoch it is; no link to replica 0/);
  });

  function write(name: string, key: KeyFile): void {
    writeFileSync(join(cluster.path, name), JSON.stringify(key), { mode: 0o600 });
  }
  function keyOf(name: string): readonly string[] {
    return ["--key", join(cluster.path, name)];
  }
  function allKeys(): readonly string[] {
    return admins.flatMap((file) => ["--key", file]);
  }
  function submit(file: string): ReturnType<typeof members> {
    return members("submit", file, "--data", cluster.path);
  }
  async function list(): Promise<ListedMembers> {
    const { stdout, stderr } = await members("list", "--data", cluster.path, "--json");
    if (stdout === "") throw new Error(stderr);
    return JSON.parse(stdout);
  }
  async function epochsOf(): Promise<ListedEpochs> {
    const { stdout, stderr } = await RunningCommand.quorate(["epochs", "--data", cluster.path, "--json"]);
    if (stdout === "") throw new Error(stderr);
    return JSON.parse(stdout);
  }
});

function members(...args: readonly string[]): ReturnType<typeof RunningCommand.quorate> {
  return RunningCommand.quorate(["members", ...args]);
}

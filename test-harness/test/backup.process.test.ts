import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import { verifyBackup } from "@quorate/server";
import { type Exit, ProcessCluster, type ProcessClusterOptions, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";
import { QuorateError } from "quorate";
import { loseDisk } from "./lose-disk.ts";
import { expectOnce, expectSameState, expectWritten, Load } from "./process-load.ts";

const DEADLINE_MS = 60_000;
const VALUES = 200;
const LONG_BYTES = 3000;
const WINDOW_SIZE = 16;
const quorate = (...args: string[]): Promise<Exit> => RunningCommand.quorate(args);

describe("a backup of four real processes", function () {
  this.timeout(240_000);
  let cluster: ProcessCluster;
  let folder: string;
  let file: string;
  const inFolder = (name: string): string => join(folder, name);

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "quorate-backup-"));
    file = inFolder("shop.backup");
    cluster = await ProcessCluster.start({ checkpointInterval: 8, windowSize: WINDOW_SIZE });
    const { store } = await cluster.connect();
    await Promise.all(Array.from({ length: VALUES }, (_, i) => store.put(`key ${i}`, bytesFor(i))));
    await store.put("long", new Uint8Array(LONG_BYTES));
    const load = new Load([await cluster.connect(), await cluster.connect()], "backup", DEADLINE_MS);
    const written = (await cluster.until(() => true)).map(({ executed }) => executed);
    // The state of that replica at its last stable checkpoint, which may be behind what clients have been told.
    const isInCheckpoint = cluster.until(([status]) => (status?.lowWatermark ?? 0) >= Math.max(...written), {
      ids: [2],
    });
    await Promise.all([load.goesOn(20), isInCheckpoint]);
    const { code, stdout, stderr } = await quorate("backup", "create", "--out", file, "--data", cluster.folder(2).path);
    await load.goesOn(20);
    await load.end();
    expect([code, stderr]).to.deep.equal([0, ""]);
    expect(stdout).to.match(/the state of cluster [0-9a-f]{64} at checkpoint \d+, \d+ entries/);
    await expectOnce(store, load.ledger);
    await expectWritten(store, load.ledger);
    await expectSameState(cluster);
  });
  after(async () => {
    await ProcessCluster.closeAll();
    await RunningCommand.killAll();
    rmSync(folder, { recursive: true, force: true });
  });

  it("is a file for its owner alone, and nothing else is left beside it", () => {
    expect(statSync(file).mode & 0o777).to.equal(0o600);
    expect(readdirSync(folder)).to.deep.equal(["shop.backup"]);
  });

  it("is verified with nothing but the genesis document", async () => {
    const { code, stdout, stderr } = await quorate(
      "backup",
      "verify",
      file,
      "--genesis",
      cluster.genesisPath,
      "--json",
    );

    expect([code, stderr]).to.deep.equal([0, ""]);
    const { cluster: id, applicationEntries, signers, checkpoint } = JSON.parse(stdout);
    expect(id).to.equal(cluster.folder(0).cluster);
    expect(applicationEntries).to.be.at.least(VALUES);
    expect(signers).to.have.length.at.least(3);
    expect(checkpoint % 8).to.equal(0);
  });

  it("is refused in one line when a bit flipped, when it was cut short, and under another genesis document", async () => {
    const bytes = readFileSync(file);
    for (const [name, changed, complaint] of [
      ["flipped", withFlip(bytes, bytes.length >> 1), /is damaged: /],
      ["last", withFlip(bytes, bytes.length - 1), /is not what its root covers/],
      ["certificate", withFlip(bytes, 200), /is not proven/],
      ["short", bytes.subarray(0, bytes.length - 1), /before its state is whole/],
      ["head", bytes.subarray(0, 50), /is no backup/],
      ["longer", Buffer.concat([bytes, Buffer.alloc(8)]), /something follows its state/],
      [
        "text",
        Buffer.from("not a backup, but something with enough bytes to have a head, all the same. ".repeat(3)),
        /is no backup/,
      ],
    ] as const) {
      writeFileSync(inFolder(name), changed);
      await refuses(["backup", "verify", inFolder(name), "--genesis", cluster.genesisPath], complaint);
      rmSync(inFolder(name));
    }
    const other = await ProcessCluster.make();
    await refuses(
      ["backup", "verify", file, "--genesis", other.genesisPath],
      /is a backup of cluster [0-9a-f]{64}, the genesis document is that of cluster/,
    );
    await other.close();
    await refuses(["backup", "verify", inFolder("none"), "--genesis", cluster.genesisPath], /no backup at/);
  });

  it("is not overwritten, unless that is asked for", async () => {
    const copy = inFolder("copy");
    copyFileSync(file, copy);
    await refuses(["backup", "create", "--out", copy, "--data", cluster.folder(0).path], /exists already/);
    expect(readFileSync(copy).equals(readFileSync(file))).to.equal(true);

    const { code, stderr } = await quorate("backup", "--out", copy, "--data", cluster.folder(0).path, "--force");

    expect([code, stderr]).to.deep.equal([0, ""]);
    expect(readFileSync(copy).equals(readFileSync(file))).to.equal(false);
    expect((await quorate("backup", "verify", copy, "--genesis", cluster.genesisPath)).code).to.equal(0);
    rmSync(copy);
  });

  it("is given to the command line only, not to a page in a browser", async () => {
    const url = `http://${cluster.folder(0).config.admin}/backup`;
    expect((await fetch(url, { method: "POST" })).status).to.equal(403);
    expect((await fetch(url)).status).to.equal(404);
  });

  describe("that another cluster starts from", () => {
    let next: ProcessCluster;
    before(async () => {
      next = await ProcessCluster.make({ checkpointInterval: 8, windowSize: WINDOW_SIZE, backup: await restorable() });
      await next.startAll();
    });
    after(() => next.close());

    it("is its state, which its replicas give to one that lost its disk and has no file", async () => {
      expect(next.folder(0).cluster).to.not.equal(cluster.folder(0).cluster);
      const { store } = await next.connect();
      for (let i = 0; i < VALUES; i++) expect(await store.getText(`key ${i}`), `key ${i}`).to.equal(textOf(i));

      // Where there is a checkpoint of the new cluster; where there is none but that of genesis, see below.
      await loseDisk(next, 3);
      await next.start(3);
      await votesAgain(next, 3);

      await next.kill([0]);
      for (let i = 0; i < 20; i++) await store.put(`after ${i}`, bytesFor(i));
      expect(await store.getText("key 7")).to.equal(textOf(7));
      await next.start(0);
      await expectSameState(next);
      expect((await next.status(3))?.historyDigest).to.not.equal("");
    });

    it("is put on a lost disk by who has the file, and its replica counts for nothing until it may vote", async () => {
      const { store } = await next.connect();
      await store.put("before the loss", bytesFor(1));
      const others = await next.settled();
      const promised = Math.max(...others.map(({ lowWatermark }) => lowWatermark)) + 2 * WINDOW_SIZE;
      const left = Math.max(...others.map(({ target }) => target));

      await loseDisk(next, 2, file);
      await next.kill([1]);
      await next.start(2);

      // Two vote; not all others can answer what the mute one asks, so it stays mute.
      const [mute] = await next.until(([status]) => status?.mute?.replies === 2, { ids: [2] });
      expect(mute?.mute).to.deep.include({ replies: 2, repliesNeeded: 3 });
      const failure = await store
        .put("one vote short", bytesFor(2), { timeoutMs: 1_500 })
        .catch((error: unknown) => error);
      expect(failure).to.be.instanceOf(QuorateError).with.property("code", "client.no-quorum");
      expect((await next.status(2))?.mute).to.deep.include({ replies: 2, repliesNeeded: 3 });

      await next.start(1);
      await store.put("with three", bytesFor(3));
      const [again] = await votesAgain(next, 2);
      expect(again?.lowWatermark, "the checkpoint from which on it has promised nothing").to.be.at.least(promised);
      expect(again?.view, "the views in which it may have voted").to.be.above(left + 1);
      expect(await metric(next, 2, "quorate_state_transfers_total"), "its state came from the file").to.equal(0);

      await next.kill([0]);
      await store.put("with its vote", bytesFor(4));
      await next.start(0);
      await expectSameState(next);
    });

    it("is not put on a lost disk from another file, which leaves the folder as it was", async () => {
      const other = inFolder("of-next.backup");
      expect((await quorate("backup", "--out", other, "--data", next.folder(0).path)).code).to.equal(0);
      await next.kill([1]);
      const { path } = next.folder(1);
      const init = ["init", "--genesis", next.genesisPath, "--key", join(path, "key.json"), "--data", path];

      await refuses([...init, "--lost-disk", "--backup", other], /is not the backup that this genesis starts from/);

      expect(existsSync(join(path, "store.lost-1"))).to.equal(false);
      await next.start(1);
      await expectSameState(next);
      rmSync(other);
    });
  });

  it("puts its state into a cluster that has not ordered anything yet, also where the disk was lost before that", async () => {
    const next = await ProcessCluster.make({ checkpointInterval: 128, windowSize: 256, backup: await restorable() });
    await next.startAll();
    await loseDisk(next, 1);

    await next.start(1);

    await next.until(([status]) => status?.transfer === undefined && (status?.historyDigest ?? "") !== "", {
      ids: [1],
    });
    await next.settled();
    expect(new Set(await next.stateRoots()).size).to.equal(1);
    const { store } = await next.connect();
    expect(await store.getText("key 3")).to.equal(textOf(3));
    await next.close();
  });

  it("is bound to the genesis document that the command line makes of it", async () => {
    const members = cluster.genesis.members.flatMap(({ id, publicKey, address }) => [
      "--member",
      `${id}=${publicKey}@${address}`,
    ]);
    const admin = ["--admin", String(cluster.genesis.admins.keys[0])];
    const out = inFolder("genesis.json");
    const made = await quorate(
      "genesis",
      "--out",
      out,
      ...members,
      ...admin,
      "--from-backup",
      file,
      "--backup-genesis",
      cluster.genesisPath,
    );
    expect([made.code, made.stderr]).to.deep.equal([0, ""]);
    const init = ["init", "--genesis", out, "--key", join(cluster.folder(0).path, "key.json")];
    const data = inFolder("data");

    await refuses(
      [...init, "--data", data],
      /starts from a backup of cluster [0-9a-f]{64}: name the file with --backup/,
    );
    const other = inFolder("other.backup");
    await quorate("backup", "--out", other, "--data", cluster.folder(0).path);
    await refuses([...init, "--data", data, "--backup", other], /is not the backup that this genesis starts from/);
    await refuses(
      [
        "init",
        "--genesis",
        cluster.genesisPath,
        "--key",
        join(cluster.folder(0).path, "key.json"),
        "--data",
        data,
        "--backup",
        file,
      ],
      /starts with nothing/,
    );
    await refuses(["genesis", "--out", inFolder("x.json"), ...members, ...admin, "--from-backup", file], /go together/);
    const restoring = [...members, ...admin, "--from-backup", file, "--backup-genesis", cluster.genesisPath];
    await refuses(
      ["genesis", "--out", inFolder("x.json"), ...restoring, "--limit", "requestBytesMax=2000"],
      /has a value of 3000 bytes, limits.requestBytesMax .* is 2000/,
    );
    expect(existsSync(data)).to.equal(false);
    const done = await quorate(...init, "--data", data, "--backup", file);
    expect([done.code, done.stderr]).to.deep.equal([0, ""]);
    expect((await quorate("verify-data", data)).stdout).to.match(/is sound/);
  });

  it("is read from the folder of a stopped replica, too", async () => {
    await cluster.kill();
    const out = inFolder("stopped.backup");

    const { code, stdout, stderr } = await quorate("backup", "--out", out, "--data", cluster.folder(1).path, "--json");

    expect([code, stderr]).to.deep.equal([0, ""]);
    expect(JSON.parse(stdout).data).to.equal(cluster.folder(1).path);
    expect((await quorate("backup", "verify", out, "--genesis", cluster.genesisPath)).code).to.equal(0);
  });

  /** The file, and what a genesis document says of it. */
  async function restorable(): Promise<NonNullable<ProcessClusterOptions["backup"]>> {
    const cryptography = { backend: await chooseBackend(), hasher: createNodeHasher() };
    const origin = { genesis: cluster.genesis, cluster: cluster.folder(0).cluster };
    const { restored } = await verifyBackup(file, origin, cryptography);
    return { file, restored };
  }

  async function refuses(args: readonly string[], complaint: RegExp): Promise<void> {
    const { code, stdout, stderr } = await quorate(...args);
    expect([code, stdout], args.join(" ")).to.deep.equal([1, ""]);
    expect(stderr).to.match(complaint);
    expect(stderr.trimEnd().split("\n")).to.have.length(1);
  }
});

function votesAgain(cluster: ProcessCluster, id: number): ReturnType<ProcessCluster["until"]> {
  return cluster.until(([status]) => status?.mute === undefined && status?.transfer === undefined, { ids: [id] });
}

async function metric(cluster: ProcessCluster, id: number, name: string): Promise<number> {
  const text = await (await fetch(`http://${cluster.folder(id).config.admin}/metrics`)).text();
  return Number(new RegExp(`^${name} (.*)$`, "m").exec(text)?.[1]);
}

function textOf(i: number): string {
  return `value ${i} `.repeat(1 + (i % 100));
}

function bytesFor(i: number): Uint8Array {
  return new TextEncoder().encode(textOf(i));
}

function withFlip(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at] = (changed[at] ?? 0) ^ 0x10;
  return changed;
}

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Exit, ProcessCluster, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";

const LYING_REPLICA = fileURLToPath(new URL("./lying-replica-child.js", import.meta.url));
const INTERVAL = 8;
const FAILED = 1;
const USAGE = 2;

const quorate = (...args: string[]): Promise<Exit> => RunningCommand.quorate(["evidence", ...args]);

interface Piece {
  readonly id: string;
  readonly accused: number;
  readonly keptBy: number;
  readonly summary: string;
}

describe("evidence against a replica that contradicts itself", function () {
  this.timeout(120_000);
  let cluster: ProcessCluster;
  let file: string;
  let pieces: readonly Piece[];
  const inPath = (name: string): string => join(cluster.path, name);

  before(async () => {
    cluster = await ProcessCluster.make({ checkpointInterval: INTERVAL, windowSize: 2 * INTERVAL });
    await cluster.startAll([0, 2, 3]);
    await cluster.startWith(1, process.execPath, [LYING_REPLICA, cluster.folder(1).path, "twice"]);
    await cluster.until((statuses) => statuses.every(({ peers }) => peers.every(({ isConnected }) => isConnected)), {
      ids: [0, 2, 3],
    });
    const { store } = await cluster.connect();
    // A contradiction that comes after the quorum is redundant: some will come before.
    for (;;) {
      for (let i = 0; i < INTERVAL; i++) await store.increment("counter");
      const [status] = await cluster.until(() => true, { ids: [0] });
      if ((status?.evidence ?? 0) > 0) break;
    }
    await cluster.kill([1]);
    await cluster.settled([0, 2, 3]);
    file = inPath("evidence.json");
    pieces = await listed();
  });
  after(async () => {
    await ProcessCluster.closeAll();
    await RunningCommand.killAll();
  });

  async function listed(): Promise<Piece[]> {
    const { code, stdout, stderr } = await quorate("list", "--data", cluster.folder(0).path, "--json");
    expect([code, stderr]).to.deep.equal([0, ""]);
    return JSON.parse(stdout);
  }

  async function refuses(args: readonly string[], complaint: RegExp, code: number = FAILED): Promise<void> {
    const exit = await quorate(...args);
    expect([exit.code, exit.stdout], args.join(" ")).to.deep.equal([code, ""]);
    expect(exit.stderr).to.match(complaint);
    if (code === FAILED) expect(exit.stderr.trimEnd().split("\n")).to.have.length(1);
  }

  it("is listed by a replica that runs, in words", async () => {
    expect(pieces).to.have.length.greaterThan(0);
    for (const { accused, keptBy, summary } of pieces) {
      expect([accused, keptBy]).to.deep.equal([1, 0]);
      expect(summary).to.match(/^replica 1 signed two different (PREPARE|COMMIT|CHECKPOINT)s for sequence number \d+/);
    }
    const { code, stdout } = await quorate("list", "--data", cluster.folder(0).path);
    expect(code).to.equal(0);
    for (const { id, summary } of pieces) expect(stdout).to.contain(id.slice(0, 16)).and.to.contain(summary);
  });

  it("is exported to a file that convicts with nothing but the genesis document", async () => {
    const [piece] = pieces;
    const id = String(piece?.id).slice(0, 16);

    const exported = await quorate("export", id, "--data", cluster.folder(0).path, "--out", file);
    expect([exported.code, exported.stderr, exported.stdout]).to.deep.equal([0, "", `${file}: ${piece?.summary}\n`]);

    const verified = await quorate("verify", file, "--genesis", cluster.genesisPath);
    expect([verified.code, verified.stderr, verified.stdout]).to.deep.equal([0, "", `proven: ${piece?.summary}\n`]);
    const { stdout } = await quorate("verify", file, "--genesis", cluster.genesisPath, "--json");
    expect(JSON.parse(stdout)).to.include({ proven: true, accused: 1, summary: piece?.summary });
    await refuses(["export", id, "--data", cluster.folder(0).path, "--out", file], /exists already/);
  });

  it("proves nothing once a byte of it is changed, or against another cluster's genesis", async () => {
    const document = JSON.parse(readFileSync(file, "utf8"));
    const { evidence } = document;
    // The last byte is one of the second signature.
    const altered = `${evidence.slice(0, -2)}${evidence.endsWith("00") ? "01" : "00"}`;
    writeFileSync(inPath("altered.json"), JSON.stringify({ ...document, evidence: altered }));
    await refuses(
      ["verify", inPath("altered.json"), "--genesis", cluster.genesisPath],
      /proves nothing against replica 1/,
    );

    const other = await ProcessCluster.make();
    await refuses(
      ["verify", file, "--genesis", other.genesisPath],
      /is evidence from cluster [0-9a-f]{64}, the genesis/,
    );
    await other.close();
  });

  it("asks for a file that is there, an id that is known and a command line that is right", async () => {
    const { genesisPath } = cluster;
    await refuses(["verify", inPath("nowhere.json"), "--genesis", genesisPath], /no evidence at .*nowhere\.json/);
    await refuses(["verify", genesisPath, "--genesis", genesisPath], /is not a field of this document/);
    const args = ["--data", cluster.folder(0).path, "--out", inPath("none.json")];
    await refuses(["export", "0".repeat(64), ...args], /no piece of evidence in .* begins with 0000/);
    await refuses(["export", "xyz", ...args], /expected 4 to 64 digits/, USAGE);
  });

  it("is read from the folder of a replica that has stopped, and is the same", async () => {
    cluster.process(0).signal("SIGTERM");
    await cluster.process(0).exited;

    expect(await listed()).to.deep.equal(pieces);
    const again = inPath("again.json");
    const id = String(pieces[0]?.id);
    expect((await quorate("export", id, "--data", cluster.folder(0).path, "--out", again)).code).to.equal(0);
    expect(readFileSync(again, "utf8")).to.equal(readFileSync(file, "utf8"));
  });
});

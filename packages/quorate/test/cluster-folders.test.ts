import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { foldersToRun } from "../dist/cli/cluster-folders.js";
import { openLocalCluster, refuseClusterFolder } from "../dist/cli/local-cluster.js";
import { makeLocalCluster } from "../dist/cli/make-local-cluster.js";
import { readReplicaRows } from "../dist/cli/replica-rows.js";

const QUORATE = fileURLToPath(new URL("../bin/quorate.js", import.meta.url));

describe("A local cluster of which folders are gone", function () {
  this.timeout(60_000);
  let folder: string;

  before(async () => {
    folder = join(mkdtempSync(join(tmpdir(), "quorate-folders-")), "cluster");
    await makeLocalCluster({ path: folder, portBase: 41_750 }, new AbortController().signal);
  });
  after(() => rmSync(join(folder, ".."), { recursive: true, force: true }));

  const idsToRun = async (): Promise<{ ids: number[]; missing: readonly string[] }> => {
    const { replicas, missing } = await foldersToRun(await openLocalCluster(folder));
    return { ids: replicas.map(({ id }) => id), missing };
  };

  it("starts what is there, and says of a member what to do", async () => {
    expect(await idsToRun()).to.deep.equal({ ids: [0, 1, 2, 3], missing: [] });

    rmSync(join(folder, "replica-3"), { recursive: true });

    const { ids, missing } = await idsToRun();
    expect(ids).to.deep.equal([0, 1, 2]);
    expect(missing).to.have.length(1);
    expect(missing[0]).to.match(/^no data folder of replica 3 at .*replica-3, .*`quorate members replace 3 --from /);
  });

  it("shows a member without a folder by its address", async () => {
    const { rows, distant, quorum } = await readReplicaRows(folder);

    expect(rows.map(({ replica }) => replica)).to.deep.equal([0, 1, 2]);
    expect(distant).to.deep.equal([{ replica: 3, address: "127.0.0.1:41753", isLinked: false, isFolderGone: true }]);
    expect(quorum).to.equal(3);
  });

  it("is a cluster without its first folder, too: the others are verified, and it is told which is not", () => {
    renameSync(join(folder, "replica-0"), join(folder, "..", "aside"));

    const { stdout, stderr } = spawnSync(process.execPath, [QUORATE, "verify-data", folder, "--json"], {
      encoding: "utf8",
    });

    const verified = (JSON.parse(stdout) as { path: string }[]).map(({ path }) => path);
    expect(verified).to.deep.equal([1, 2].map((id) => join(folder, `replica-${id}`)));
    expect(stderr).to.contain(`no data folder of replica 0 at ${join(folder, "replica-0")}`);
    expect(stderr).to.contain("no data folder of replica 3 at ");
    expect(() => refuseClusterFolder(folder)).to.throw(/is the folder of a whole cluster: .*replica-1` one replica$/);
    renameSync(join(folder, "..", "aside"), join(folder, "replica-0"));
  });

  it("leaves no folder of a joiner whose port is taken", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const data = join(folder, "..", "joiner");
    const peers = ["--peer", "127.0.0.1:41750", "--listen", `127.0.0.1:${port}`];
    const args = ["join", "--genesis", join(folder, "genesis.json"), ...peers, "--data", data];

    const { status, stderr } = spawnSync(process.execPath, [QUORATE, ...args], { encoding: "utf8", timeout: 30_000 });

    server.close();
    expect([status, existsSync(data)]).to.deep.equal([1, false]);
    expect(stderr).to.match(/^quorate: it cannot listen on 127\.0\.0\.1:\d+ \(EADDRINUSE\), .*--listen.*\n$/);
  });

  it("is refused in one line when none is there", async () => {
    for (const id of [0, 1, 2]) rmSync(join(folder, `replica-${id}`), { recursive: true });

    for (const look of [idsToRun, () => readReplicaRows(folder)]) {
      const refused = await look().then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(refused).to.have.property("code", "configuration.missing");
    }
  });
});

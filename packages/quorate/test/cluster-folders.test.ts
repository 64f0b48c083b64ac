import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { foldersToRun } from "../dist/cli/cluster-folders.js";
import { openLocalCluster } from "../dist/cli/local-cluster.js";
import { makeLocalCluster } from "../dist/cli/make-local-cluster.js";
import { readReplicaRows } from "../dist/cli/replica-rows.js";

describe("A local cluster of which folders are gone", () => {
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

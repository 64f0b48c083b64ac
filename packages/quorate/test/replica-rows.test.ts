import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { epochNumber } from "@quorate/protocol";
import { expect } from "chai";
import { makeLocalCluster } from "../dist/cli/make-local-cluster.js";
import { pendingIn } from "../dist/cli/members/list-command.js";
import { membersUp, readReplicaRows } from "../dist/cli/replica-rows.js";

describe("The rows of `quorate status`", () => {
  let folder: string;
  let server: Server;
  /** Of the one that answers. */
  let cluster: string;
  let owner: string;
  let membership: unknown;
  let pendingChange: unknown;

  before(async () => {
    folder = join(mkdtempSync(join(tmpdir(), "quorate-rows-")), "cluster");
    server = createServer((_request, response) =>
      response.end(
        JSON.stringify({
          cluster,
          owner,
          replica: 2,
          view: 7,
          peers: [{ replica: 4, isConnected: true }],
          membership,
          pendingChange,
          epoch: 3,
          executed: 9,
          historyDigest: "h",
        }),
      ),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  after(async () => {
    rmSync(join(folder, ".."), { recursive: true, force: true });
    await new Promise((resolve) => server.close(resolve));
  });

  it("show what each replica says, and not what another one says at its address", async () => {
    await makeLocalCluster({ path: folder, portBase: 41_700 }, new AbortController().signal);
    const admin = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    for (const replica of [0, 1, 2, 3]) {
      const path = join(folder, `replica-${replica}`, "replica.json");
      writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), admin }));
    }

    const read = async (): Promise<unknown[]> =>
      (await readReplicaRows(folder)).rows.map(({ replica, status, answeredBy }) => [
        replica,
        status?.view,
        answeredBy,
      ]);
    const { rows } = await readReplicaRows(folder);
    cluster = rows[0]?.cluster ?? "";
    owner = rows[2]?.owner ?? "";

    expect(await read()).to.deep.equal([
      [0, undefined, "replica 2"],
      [1, undefined, "replica 2"],
      [2, 7, undefined],
      [3, undefined, "replica 2"],
    ]);

    // Those that know the latest epoch say who the members are: 1 has left, 4 is one now, with its folder elsewhere.
    const members = rows.flatMap(({ replica, owner: publicKey }) =>
      replica === 1 ? [] : [{ id: replica, publicKey, address: `127.0.0.1:4170${replica}` }],
    );
    const joined = [4, 5].map((id) => ({ id, publicKey: `${id}`.repeat(64), address: `10.0.0.${id}:7000` }));
    membership = { epoch: 3, activation: 96, members: [...members, ...joined] };
    expect(await read()).to.deep.equal([
      [0, undefined, "replica 2"],
      [2, 7, undefined],
      [3, undefined, "replica 2"],
    ]);
    const found = await readReplicaRows(folder);
    expect(found.distant).to.deep.equal([
      { replica: 4, address: "10.0.0.4:7000", isLinked: true, isFolderGone: false },
      { replica: 5, address: "10.0.0.5:7000", isLinked: false, isFolderGone: false },
    ]);
    expect([found.quorum, membersUp(found)], "4 of the 5 that there are").to.deep.equal([4, 2]);
    membership = undefined;

    // What waits to be in force in the epoch that is asked about, as the one says that answers.
    const pendingAt = (epoch: number): Promise<unknown> =>
      pendingIn({ epochs: { epoch: epochNumber(epoch) } }, { data: folder });
    expect(await pendingAt(3), "nothing").to.equal(null);
    pendingChange = { ordered: 7, activation: 24 };
    expect([await pendingAt(3), await pendingAt(2)]).to.deep.equal([pendingChange, undefined]);

    // Another cluster on the same ports has the same ids.
    cluster = "f".repeat(64);
    const stranger = "replica 2 of cluster ffffffff…";
    expect(await read()).to.deep.equal([0, 1, 2, 3].map((replica) => [replica, undefined, stranger]));
  });
});

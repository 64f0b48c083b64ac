import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { makeLocalCluster } from "../dist/cli/make-local-cluster.js";
import { readReplicaRows } from "../dist/cli/replica-rows.js";

describe("The rows of `quorate status`", () => {
  let folder: string;
  let server: Server;

  before(async () => {
    folder = join(mkdtempSync(join(tmpdir(), "quorate-rows-")), "cluster");
    server = createServer((_request, response) => response.end(JSON.stringify({ replica: 2, view: 7 })));
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

    const { rows } = await readReplicaRows(folder);

    expect(rows.map(({ replica, status, answeredBy }) => [replica, status?.view, answeredBy])).to.deep.equal([
      [0, undefined, 2],
      [1, undefined, 2],
      [2, 7, undefined],
      [3, undefined, 2],
    ]);
  });
});

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type ClusterId, digest, publicKey } from "@quorate/protocol";
import type { ReplicaFolder } from "@quorate/server";
import { expect } from "chai";
import { runningBytes } from "../dist/cli/backup-source.js";

describe("a backup that is read from a running replica", () => {
  let server: Server;
  let answerStatus: (response: ServerResponse) => void;

  /** Gives seven bytes, and then no more. */
  function answer({ url }: IncomingMessage, response: ServerResponse): void {
    if (url === "/status") return answerStatus(response);
    response.write(new Uint8Array(7), () => response.destroy());
  }

  beforeEach(async () => {
    server = createServer(answer);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const cluster = digest("c".repeat(64)) as string as ClusterId;

  const owner = publicKey("22".repeat(32));

  async function complaint(): Promise<string> {
    const admin = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const folder = { path: "data", owner, cluster, config: { admin } } as unknown as ReplicaFolder;
    try {
      for await (const _ of runningBytes(folder));
    } catch (error) {
      return error instanceof Error ? error.message : "";
    }
    return "it came whole";
  }

  it("and cut short says why, by what the replica says of it", async () => {
    answerStatus = (response) => {
      response.end(JSON.stringify({ cluster, owner, replica: 2, backupFault: { reason: "its reader was too slow" } }));
    };
    expect(await complaint()).to.equal(
      "the replica of data has cut the backup short: its reader was too slow; take another replica, or the same command again",
    );
  });

  it("says so, too, when the replica knows of nothing, or is not there any more", async () => {
    answerStatus = (response) => void response.end(JSON.stringify({ cluster, owner, replica: 2 }));
    expect(await complaint()).to.include("cut the backup short: the link broke;");
    answerStatus = (response) => void response.destroy();
    expect(await complaint()).to.include("cut the backup short: it does not answer any more;");
  });
});

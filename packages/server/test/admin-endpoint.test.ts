import { EventEmitter, once } from "node:events";
import { request as ask, get, type IncomingMessage } from "node:http";
import { createServer } from "node:net";
import { expect } from "chai";
import { ADMIN_COMMAND, ADMIN_HEADER } from "../dist/admin-command.js";
import { AdminEndpoint } from "../dist/admin-endpoint.js";
import type { BackupFault } from "../dist/backup/stream-backup.js";
import { seqOf } from "./builders.ts";

const PART = new Uint8Array(64 * 1024).fill(7);

describe("the admin endpoint of a replica that gives backups", () => {
  let endpoint: AdminEndpoint;
  let address: string;
  let parts = 0;
  /** Tells when a backup is closed. */
  const slot = new EventEmitter();
  let told: BackupFault[] = [];

  beforeEach(async () => {
    told = [];
    const unasked = (): never => expect.fail("asked for something else");
    endpoint = new AdminEndpoint({
      ...{ status: () => ({ backupFault: endpoint.backupFault }), audit: unasked, isHealthy: unasked },
      ...{ readiness: unasked, metrics: unasked, evidence: unasked, evidenceDocument: unasked, log: unasked },
      handOver: unasked,
      backup: () => {
        let given = 0;
        return {
          checkpoint: seqOf(8),
          next: () => (given++ < parts ? PART : undefined),
          close: () => slot.emit("closed"),
        };
      },
      onBackupCutShort: (fault) => told.push(fault),
    });
    address = `127.0.0.1:${await freePort()}`;
    await endpoint.open(address);
  });
  afterEach(() => endpoint.close());

  const begun = async (): Promise<IncomingMessage> => {
    const headers = { [ADMIN_HEADER]: ADMIN_COMMAND };
    const request = ask(`http://${address}/backup`, { method: "POST", headers, agent: false }).end();
    request.on("error", () => undefined);
    const [message] = (await once(request, "response")) as [IncomingMessage];
    return message;
  };
  const readWhole = async (): Promise<number> => {
    const closed = once(slot, "closed");
    parts = 3;
    let bytes = 0;
    for await (const chunk of await begun()) bytes += (chunk as Uint8Array).length;
    await closed;
    return bytes;
  };
  /** The reader goes; the replica notices later. */
  const cutShort = async (): Promise<void> => {
    const closed = once(slot, "closed");
    parts = 1_000_000;
    (await begun()).destroy();
    await closed;
  };
  const faultInStatus = async (): Promise<BackupFault | undefined> => {
    const [message] = (await once(get(`http://${address}/status`, { agent: false }), "response")) as [IncomingMessage];
    let text = "";
    for await (const chunk of message) text += String(chunk);
    return (JSON.parse(text) as { backupFault?: BackupFault }).backupFault;
  };

  it("says of a backup that was cut short why and when, until another one has been given whole", async () => {
    expect(await faultInStatus()).to.equal(undefined);
    const beforeMs = Date.now();
    await cutShort();

    const fault = await faultInStatus();
    expect(fault).to.include({ checkpoint: 8, reason: "its reader is gone" });
    expect(fault?.atMs).to.be.within(beforeMs, Date.now());
    expect(told).to.deep.equal([fault]);

    expect(await readWhole()).to.equal(3 * PART.length);
    expect(await faultInStatus(), "the next one was whole").to.equal(undefined);

    await cutShort();
    await cutShort();
    expect([told.length, await faultInStatus()]).to.deep.equal([3, told.at(-1)]);
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const found = server.address();
  server.close();
  await once(server, "close");
  return typeof found === "object" && found !== null ? found.port : expect.fail("no port");
}

import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS, FORMAT_VERSION, type Genesis, replicaId } from "@quorate/protocol";
import { ConfigurationError } from "@quorate/server";
import { expect } from "chai";
import { type LostReplica, refuseRunningReplica } from "../dist/cli/refuse-running.js";
import { FullListener } from "./full-listener.ts";

const KEY = "00".repeat(32);

describe("A replica whose disk is to be replaced, and whose folder is gone", () => {
  const servers: Server[] = [];
  const sockets: Socket[] = [];
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    for (const server of servers.splice(0)) server.close();
  });

  /** A listener that takes connections and says nothing. */
  async function silentListener(): Promise<Server> {
    const server = createServer((socket) => sockets.push(socket)).listen(0, "127.0.0.1");
    servers.push(server);
    await once(server, "listening");
    return server;
  }

  async function freePort(): Promise<number> {
    const server = await silentListener();
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, "close");
    return port;
  }

  function lostAt(listen: number, admin: number): LostReplica {
    const genesis: Genesis = {
      formatVersion: FORMAT_VERSION,
      name: "test",
      faultModel: "byzantine",
      members: [{ id: replicaId(0), publicKey: KEY as Genesis["members"][0]["publicKey"], address: "127.0.0.1:1" }],
      admins: { threshold: 1, keys: [] },
      clients: "open",
      checkpointInterval: 8,
      windowSize: 16,
      rotateEveryBatches: 0,
      limits: DEFAULT_LIMITS,
      timeouts: DEFAULT_TIMEOUTS,
    };
    return {
      data: join(import.meta.dirname, "no-such-folder"),
      genesis,
      key: { formatVersion: FORMAT_VERSION, type: "ed25519", publicKey: KEY, seed: KEY },
      listen: `127.0.0.1:${listen}`,
      admin: `127.0.0.1:${admin}`,
    };
  }

  async function refusalOf(lost: LostReplica): Promise<ConfigurationError | undefined> {
    try {
      await refuseRunningReplica(lost);
      return undefined;
    } catch (error) {
      if (error instanceof ConfigurationError) return error;
      throw error;
    }
  }

  it("runs, when somebody takes connections at either of its addresses, though he says nothing", async () => {
    const { port } = (await silentListener()).address() as AddressInfo;
    const free = await freePort();

    for (const lost of [lostAt(port, free), lostAt(free, port)]) {
      const refusal = await refusalOf(lost);
      expect(refusal?.code).to.equal("configuration.running");
      expect(refusal?.message).to.match(
        new RegExp(`^some process listens on 127\\.0\\.0\\.1:${port}, .*stop it first`),
      );
    }
  });

  it("does not run, when nobody listens at its addresses", async () => {
    const [listen, admin] = [await freePort(), await freePort()];

    expect(await refusalOf(lostAt(listen, admin))).to.equal(undefined);
  });

  it("does not run, when nobody answers at its address, and the next one is still asked", async function () {
    if (process.platform !== "linux") this.skip();
    const full = new FullListener();
    try {
      const dead = await full.fill();
      const { port } = (await silentListener()).address() as AddressInfo;

      expect((await refusalOf(lostAt(dead, port)))?.message).to.include(`127.0.0.1:${port}`);
      servers.at(-1)?.close();
      await once(servers.at(-1) as Server, "close");
      expect(await refusalOf(lostAt(dead, port))).to.equal(undefined);
    } finally {
      await full.close();
    }
  }).timeout(10_000);
});

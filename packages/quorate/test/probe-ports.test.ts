import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { expect } from "chai";
import { isListenedOn } from "../dist/cli/probe-ports.js";
import { FullListener } from "./full-listener.ts";

describe("Whether some process listens at an address", () => {
  let server: Server;
  let connections = 0;
  beforeEach(() => {
    connections = 0;
    server = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
  });
  afterEach(() => server.close());

  async function listenOn(host: string): Promise<number> {
    server.listen(0, host);
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  }

  it("is asked by connecting, which takes the port from nobody", async () => {
    const port = await listenOn("127.0.0.1");
    const connected = once(server, "connection");

    expect(await isListenedOn({ host: "127.0.0.1", port })).to.equal(true);

    await connected;
    expect(connections).to.equal(1);
  });

  it("is no where a connection is refused, and where there is no such host", async () => {
    const port = await listenOn("127.0.0.1");
    server.close();
    await once(server, "close");

    expect(await isListenedOn({ host: "127.0.0.1", port })).to.equal(false);
    expect(await isListenedOn({ host: "nowhere.invalid", port })).to.equal(false);
  });

  it("is yes where connections are taken and not a word is said", async () => {
    const silent: Socket[] = [];
    server.removeAllListeners("connection").on("connection", (socket) => silent.push(socket));
    const port = await listenOn("127.0.0.1");

    expect(await isListenedOn({ host: "127.0.0.1", port })).to.equal(true);

    for (const socket of silent) socket.destroy();
  });

  it("is no, and not asked for long, where nobody answers at all", async function () {
    if (process.platform !== "linux") this.skip();
    const full = new FullListener();
    try {
      const port = await full.fill();

      expect(await isListenedOn({ host: full.host, port })).to.equal(false);
    } finally {
      await full.close();
    }
  });

  it("is found out for all addresses of the machine, too, which nobody can connect to", async () => {
    const port = await listenOn("0.0.0.0");

    expect(await isListenedOn({ host: "0.0.0.0", port })).to.equal(true);
  });

  it("is found out for all addresses of IPv6", async function () {
    const port = await listenOn("::").catch(() => this.skip());

    expect(await isListenedOn({ host: "::", port })).to.equal(true);
  });
});

import { once } from "node:events";
import { createServer, connect as dial, type Server, type Socket } from "node:net";
import { TcpProxy } from "@quorate/test-harness";
import { expect } from "chai";

/** Slow machines are slower, never faster: only lower bounds of time are asserted. */
const DELAY_MS = 60;

/** One end of a connection: what came so far, and waiting for more. */
class End {
  readonly socket: Socket;
  received = "";
  #onChange: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => undefined);
    socket.setEncoding("latin1").on("data", (text: string) => {
      this.received += text;
      for (const wake of this.#onChange.splice(0)) wake();
    });
  }

  async has(text: string): Promise<void> {
    while (!this.received.endsWith(text)) await new Promise<void>((resolve) => this.#onChange.push(resolve));
  }
}

describe("TcpProxy", () => {
  let server: Server;
  let proxy: TcpProxy;
  const accepted: End[] = [];

  beforeEach(async () => {
    accepted.length = 0;
    server = createServer((socket) => accepted.push(new End(socket)));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    proxy = await TcpProxy.to(`127.0.0.1:${typeof address === "object" ? address?.port : ""}`);
  });
  afterEach(async () => {
    await proxy.close();
    for (const { socket } of accepted) socket.destroy();
    server.close();
  });

  /** A connection through the proxy, over which a word has passed both ways. */
  async function connected(): Promise<{ near: End; far: End }> {
    const near = new End(dial(Number(proxy.address.split(":")[1]), "127.0.0.1"));
    const count = accepted.length;
    near.socket.write("hello");
    while (accepted.length === count) await once(server, "connection");
    const far = accepted[count] ?? expect.fail();
    await far.has("hello");
    far.socket.write("welcome");
    await near.has("welcome");
    return { near, far };
  }

  it("carries bytes both ways, and the end of one way alone", async () => {
    const { near, far } = await connected();

    near.socket.end("last words");

    await far.has("last words");
    if (!far.socket.readableEnded) await once(far.socket, "end");
    expect(proxy.accepted).to.equal(1);
  });

  it("stops one way like a black hole; what was sent arrives when it ends", async () => {
    const { near, far } = await connected();
    proxy.block(["back"]);

    far.socket.write("unheard");
    near.socket.write("heard");
    await far.has("heard");
    // A whole round trip of another way later it would have come, if it could.
    near.socket.write(" twice");
    await far.has("twice");
    expect(near.received).to.equal("welcome");
    expect(near.socket.destroyed).to.equal(false);

    proxy.unblock();
    await near.has("unheard");
  });

  it("keeps each byte back for as long as it is told", async () => {
    const { near, far } = await connected();
    proxy.delay("forth", DELAY_MS);
    const sentMs = performance.now();

    near.socket.write("late");

    await far.has("late");
    expect(performance.now() - sentMs).to.be.at.least(DELAY_MS);
  });

  it("lets no more pass in a second than it is told", async () => {
    const { near, far } = await connected();
    proxy.throttle("back", 2);
    const sentMs = performance.now();

    far.socket.write("drip");

    await near.has("drip");
    expect(near.received).to.equal("welcomedrip");
    expect(performance.now() - sentMs).to.be.at.least(990);
  });

  it("flips a bit of as many pieces as it is told", async () => {
    const { near, far } = await connected();
    proxy.corrupt("forth", 1);

    near.socket.write("\x00\x00\x00");
    await far.has("\x00\x01\x00");
    near.socket.write("whole");
    await far.has("whole");
  });

  it("resets its connections, blocked ones too, and takes new ones", async () => {
    const { near, far } = await connected();
    proxy.block();
    const ends = [near, far].map(({ socket }) => new Promise((resolve) => socket.once("close", resolve)));

    proxy.reset();

    await Promise.all(ends);
    proxy.unblock();
    await connected();
    expect(proxy.accepted).to.equal(2);
  });
});

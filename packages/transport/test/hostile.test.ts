import { connect } from "node:net";
import {
  dial,
  type Endpoint,
  FOREIGN_HELLO_BYTES_MAX,
  formatAddress,
  Handshake,
  type Listener,
  type ListenOptions,
  REPLICA_LINK_LIMITS,
} from "@quorate/transport";
import { expect } from "chai";
import { newEndpoint } from "./endpoints.ts";
import { RawPeer, rawFrame, target } from "./raw-peer.ts";

const alice = newEndpoint(1);
const bob = newEndpoint(2);
const client = newEndpoint("client");
const toBob = (from: Endpoint): Handshake =>
  new Handshake(from, { type: "dialer", expected: bob.credentials.identity });
const FAST = { unauthenticatedMs: 60, heartbeatMs: 20, missedHeartbeatsMax: 3 };
const PATIENT = { unauthenticatedMs: 60_000, heartbeatMs: 60_000 };

describe("a listener under attack", () => {
  let open: { listener: Listener } | undefined;
  const serve = async (options: Partial<ListenOptions>): ReturnType<typeof target> => {
    const started = await target(bob, [alice], options);
    open = started;
    return started;
  };
  afterEach(async () => {
    RawPeer.hangUpAll();
    await open?.listener.close("end of test");
  });

  /** The listener still serves an honest replica. */
  const expectStillServing = async (listener: Listener): Promise<void> => {
    const up = new Promise((resolve) => {
      const link = dial({
        address: formatAddress(listener.address),
        endpoint: alice,
        expected: bob.credentials.identity,
        limits: REPLICA_LINK_LIMITS,
        onUp: () => resolve(link.close("seen enough")),
        onFrame: () => undefined,
      });
    });
    await up;
  };

  it("cuts connections that say nothing, that stop in the HTTP header, after the upgrade and after the hello", async () => {
    const { listener, refused } = await serve({ timings: FAST });
    const silent = new RawPeer(listener.address);
    const halfHeader = await new RawPeer(listener.address).connected();
    halfHeader.socket.write("GET / HTTP/1.1\r\nHost: x\r\n");
    const upgraded = new RawPeer(listener.address);
    await upgraded.upgrade();
    const halfShaken = new RawPeer(listener.address);
    await halfShaken.upgrade();
    halfShaken.sendFrame(toBob(alice).opening()!);
    expect((await halfShaken.nextFrame()).body.length).to.be.greaterThan(0);

    const close = await halfShaken.closeFrame();
    await Promise.all([silent.closed, halfHeader.closed, upgraded.closed, halfShaken.closed]);
    await refused.nth(4);

    expect(close).to.deep.equal({ code: 4008, reason: "no proven peer within 60 ms" });
    expect(refused.events.map((error) => error.code)).to.deep.equal(Array(4).fill("hello.timeout"));
    await expectStillServing(listener);
  });

  it("answers plain HTTP with 426, and drops TLS hellos and noise", async () => {
    const { listener } = await serve({ timings: PATIENT });
    const http = await new RawPeer(listener.address).connected();
    http.socket.write("GET /status HTTP/1.1\r\nHost: x\r\n\r\n");
    await http.closed;
    expect(http.received.toString()).to.match(/^HTTP\/1\.1 426 [\s\S]*speaks WebSocket only/);

    const tlsHello = Buffer.from("16030100a5010000a10303", "hex");
    const noise = Buffer.from(Array.from({ length: 4_000 }, (_, i) => (i * 167 + 13) & 255));
    for (const bytes of [tlsHello, noise]) {
      const peer = await new RawPeer(listener.address).connected();
      peer.socket.write(bytes);
      await peer.closed;
    }
    expect(listener.snapshot().refused.http).to.equal(3);
    await expectStillServing(listener);
  });

  it("does not agree to compression or to another path", async () => {
    const { listener } = await serve({ timings: PATIENT });
    const peer = new RawPeer(listener.address);
    const header = await peer.upgrade("Sec-WebSocket-Extensions: permessage-deflate\r\n");
    expect(header).to.match(/^HTTP\/1\.1 101 /);
    expect(header.toLowerCase()).to.not.include("extensions");
    peer.socket.destroy();

    const elsewhere = await new RawPeer(listener.address).connected();
    elsewhere.socket.write(
      "GET /else HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    );
    await elsewhere.closed;
    expect(elsewhere.received.toString()).to.match(/^HTTP\/1\.1 400 /);
  });

  it("cuts a header that claims 90 MB at once, before and after the handshake", async () => {
    const { listener, refused, downs } = await serve({ timings: PATIENT });
    const claim = Buffer.from([0x82, 0x80 | 127, 0, 0, 0, 0, 0x05, 0x5d, 0x4a, 0x80, 0, 0, 0, 0]);
    const stranger = new RawPeer(listener.address);
    await stranger.upgrade();
    stranger.socket.write(claim);
    expect((await stranger.closeFrame()).code).to.equal(1009);
    await refused.nth(1);

    const member = new RawPeer(listener.address);
    expect((await member.authenticate(toBob(alice))).type).to.equal("established");
    member.socket.write(claim);
    expect((await member.closeFrame()).code).to.equal(1009);
    expect((await downs.nth(1)).code).to.equal("link.frame-too-large");
    expect(refused.events[0]?.code).to.equal("link.frame-too-large");
  });

  it("takes in no more than a hello's worth from a stranger, though members may send megabytes", async () => {
    const { listener, refused } = await serve({ timings: PATIENT });
    const whole = new RawPeer(listener.address);
    await whole.upgrade();
    whole.sendFrame(new Uint8Array(FOREIGN_HELLO_BYTES_MAX + 1));
    expect((await whole.closeFrame()).code).to.equal(1009);

    // A frame that would be legal for a member, and never ends.
    const endless = new RawPeer(listener.address);
    await endless.upgrade();
    endless.socket.write(Buffer.from([0x82, 0x80 | 127, 0, 0, 0, 0, 0x01, 0, 0, 0, 0, 0, 0, 0]));
    let sentBytes = 0;
    const chunk = Buffer.alloc(16 * 1024);
    const pour = (): void => {
      while (!endless.socket.destroyed && sentBytes < 16 * 1024 * 1024) {
        sentBytes += chunk.length;
        if (!endless.socket.write(chunk)) return void endless.socket.once("drain", pour);
      }
    };
    pour();
    await endless.closed;
    expect(sentBytes).to.be.lessThan(16 * 1024 * 1024);
    expect((await refused.nth(2)).code).to.equal("link.frame-too-large");
  });

  it("holds a client to a client's frames where replicas may send larger ones", async () => {
    const clientLimits = { frameBytesMax: 5_000, queuedBytesMax: 100_000, whenQueueFull: "close" as const };
    const { listener, downs, frames } = await serve({ timings: PATIENT, clientLimits });
    const peer = new RawPeer(listener.address);
    await peer.authenticate(toBob(client));
    peer.sendFrame(new Uint8Array(5_000));
    expect((await frames.nth(1)).length).to.equal(5_000);
    peer.sendFrame(new Uint8Array(5_001));
    expect((await downs.nth(1)).code).to.equal("link.frame-too-large");
    expect(frames.events.length).to.equal(1);
  });

  it("cuts a message in a million one-byte fragments after a few", async () => {
    const { listener, downs, frames } = await serve({ timings: PATIENT });
    const peer = new RawPeer(listener.address);
    await peer.authenticate(toBob(alice));
    const fragment = rawFrame(Uint8Array.of(1), 0, false);
    peer.sendFrame(Uint8Array.of(1), 2, false);
    peer.socket.write(Buffer.concat(Array(1_000_000).fill(fragment)));
    await downs.nth(1);
    expect(downs.events[0]?.code).to.equal("link.protocol");
    expect(downs.events[0]?.message).to.match(/fragments/i);
    expect(frames.events).to.deep.equal([]);
    await expectStillServing(listener);
  });

  it("refuses text, before and after the handshake", async () => {
    const { listener, downs, refused } = await serve({ timings: PATIENT });
    const stranger = new RawPeer(listener.address);
    await stranger.upgrade();
    stranger.sendFrame(Buffer.from("hello"), 1);
    expect((await stranger.closeFrame()).code).to.equal(1003);
    expect((await refused.nth(1)).code).to.equal("link.text-frame");

    const member = new RawPeer(listener.address);
    await member.authenticate(toBob(alice));
    member.sendFrame(Buffer.from([0xff]), 1);
    expect((await member.closeFrame()).code).to.equal(1003);
    expect((await downs.nth(1)).code).to.equal("link.text-frame");
  });

  it("closes a link whose peer breaks the WebSocket protocol, and goes on", async () => {
    const { listener, downs } = await serve({ timings: PATIENT });
    const wrongs = [
      Buffer.from([0xf2, 0x80, 0, 0, 0, 0]), // reserved bits
      Buffer.from([0x8b, 0x80, 0, 0, 0, 0]), // unknown opcode
      Buffer.from([0x82, 0x01, 7]), // not masked
      Buffer.from([0x80, 0x80, 0, 0, 0, 0]), // continuation of nothing
    ];
    for (const [index, wrong] of wrongs.entries()) {
      const peer = new RawPeer(listener.address);
      await peer.authenticate(toBob(alice));
      peer.socket.write(wrong);
      expect((await downs.nth(index + 1)).code).to.equal("link.protocol");
    }
    await expectStillServing(listener);
  });

  it("cuts floods of pings, of pongs and of empty frames, and pings before the handshake", async () => {
    const { listener, downs, refused } = await serve({ timings: PATIENT });
    for (const [index, opcode] of [9, 10, 2].entries()) {
      const peer = new RawPeer(listener.address);
      await peer.authenticate(toBob(alice));
      peer.socket.write(Buffer.concat(Array(10_000).fill(rawFrame(new Uint8Array(0), opcode))));
      expect((await downs.nth(index + 1)).code).to.equal("link.control-flood");
      peer.socket.destroy();
    }
    const stranger = new RawPeer(listener.address);
    await stranger.upgrade();
    stranger.sendFrame(new Uint8Array(0), 9);
    expect((await refused.nth(1)).code).to.equal("link.control-flood");
  });

  it("closes a client that never reads once the queue is full", async () => {
    const clientLimits = { frameBytesMax: 1_000_000, queuedBytesMax: 4_000_000, whenQueueFull: "close" as const };
    const peerDown = new Promise<string>((resolve, reject) => {
      void serve({
        timings: PATIENT,
        clientLimits,
        onLink: (_peer, link) => {
          // As fast as the loop turns, so that the kernel's buffers fill first and then ours.
          const pour = (): void => {
            if (link.send(new Uint8Array(1_000_000))) setImmediate(pour);
          };
          pour();
          return { onFrame: () => undefined, onDown: (reason) => resolve(reason.code) };
        },
      }).then(async ({ listener }) => {
        const peer = new RawPeer(listener.address);
        const handshake = toBob(client);
        await peer.upgrade();
        peer.sendFrame(handshake.opening()!);
        const step = handshake.receive((await peer.nextFrame()).body);
        peer.socket.pause();
        if (step.type === "send") peer.sendFrame(step.frame);
      }, reject);
    });
    expect(await peerDown).to.equal("link.slow-receiver");
  });

  it("refuses one more connection of an address than the bound, and takes it when another has left", async () => {
    const { listener } = await serve({ timings: PATIENT, bounds: { connectionsPerAddressMax: 2 } });
    const first = await new RawPeer(listener.address).connected();
    const second = new RawPeer(listener.address);
    await second.upgrade();
    const third = await new RawPeer(listener.address).connected();
    await third.closed;
    expect(third.received.toString()).to.match(/^HTTP\/1\.1 429 /);
    expect(listener.snapshot()).to.deep.include({ connections: 3, strangers: 2, refused: { address: 1 } });

    first.socket.destroy();
    second.socket.destroy();
    await Promise.all([first.closed, second.closed]);
    await expectStillServing(listener);
  });

  it("slows a storm of reconnects of one address down, even of a member", async () => {
    const { listener } = await serve({ timings: PATIENT, bounds: { connectionsPerAddressPerSecondMax: 5 } });
    let upCount = 0;
    const allUp = new Promise<void>((resolve) => {
      const link = dial({
        address: formatAddress(listener.address),
        endpoint: alice,
        expected: bob.credentials.identity,
        limits: REPLICA_LINK_LIMITS,
        backOff: { firstMs: 2, longestMs: 2 },
        onUp: (up) => {
          if (++upCount === 8) resolve(link.close("seen enough"));
          else up.close("again");
        },
        onFrame: () => undefined,
      });
    });

    await allUp;

    const { connections, refused } = listener.snapshot();
    expect(refused.address).to.equal(connections - 8);
    expect(refused.address).to.be.greaterThan(0);
  });

  it("lets the oldest stranger go for the newest, so that a thousand silent connects do not lock members out", async () => {
    const { listener, refused } = await serve({
      timings: PATIENT,
      bounds: { unauthenticatedMax: 10, connectionsPerAddressPerSecondMax: 10_000 },
    });
    // In waves that fit into the kernel's backlog.
    for (let wave = 0; wave < 10; wave++)
      await Promise.all(Array.from({ length: 100 }, () => new RawPeer(listener.address).connected()));
    await refused.nth(990);

    await expectStillServing(listener);

    expect(listener.snapshot().strangers).to.be.at.most(10);
    expect(new Set(refused.events.map((error) => error.code))).to.deep.equal(new Set(["hello.timeout"]));
  });

  it("frees port and sockets when it closes, strangers' too", async () => {
    const { listener } = await serve({ timings: PATIENT });
    const silent = await new RawPeer(listener.address).connected();
    const member = new RawPeer(listener.address);
    await member.authenticate(toBob(alice));

    const closing = listener.close("shutting down");
    const goodbye = await member.closeFrame();
    await Promise.all([closing, silent.closed]);
    open = undefined;

    expect(goodbye).to.deep.equal({ code: 1000, reason: "shutting down" });
    const refusedBack = await new Promise<string>((resolve) => {
      connect(listener.address.port, listener.address.host).on("error", (error: NodeJS.ErrnoException) =>
        resolve(error.code ?? ""),
      );
    });
    expect(refusedBack).to.equal("ECONNREFUSED");
  });
});

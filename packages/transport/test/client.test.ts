import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { formatAddress, type TransportError, type TransportErrorCode } from "@quorate/transport";
import { type BrowserWebSocketConstructor, CLIENT_DIAL_LIMITS, dialWebSocket } from "@quorate/transport/client";
import { EventLog } from "@quorate/transport/compliance";
import { expect } from "chai";
import { WebSocket } from "ws";
import { newEndpoint } from "./endpoints.ts";
import { BlackHoleProxy, target } from "./raw-peer.ts";

const bob = newEndpoint(2);
const webSocket = WebSocket as unknown as BrowserWebSocketConstructor;
const TIMINGS = { unauthenticatedMs: 2_000, heartbeatMs: 25, missedHeartbeatsMax: 3 };

function dialAt(address: { host: string; port: number }, client = newEndpoint("client")) {
  const ups = new EventLog<unknown>();
  const frames = new EventLog<Uint8Array>();
  const downs = new EventLog<TransportError>();
  const link = dialWebSocket({
    url: `ws://${formatAddress(address)}/`,
    webSocket,
    endpoint: client,
    expected: bob.credentials.identity,
    limits: CLIENT_DIAL_LIMITS,
    timings: TIMINGS,
    backOff: { firstMs: 5, longestMs: 20 },
    onUp: (up) => ups.add(up),
    onFrame: (frame) => frames.add(frame),
    onDown: (reason) => downs.add(reason),
  });
  return { link, ups, frames, downs };
}

describe("the client entry for browsers", () => {
  it("imports nothing of Node and nothing but the protocol package", () => {
    const start = join(dirname(fileURLToPath(import.meta.url)), "../dist/client.js");
    const seen = new Set<string>();
    const bare = new Set<string>();
    const visit = (file: string): void => {
      if (seen.has(file)) return;
      seen.add(file);
      const source = readFileSync(file, "utf8");
      expect(source, file).to.not.match(/\b(?:Buffer|process|setImmediate|require)\b[.(]/);
      for (const [, specifier = ""] of source.matchAll(/^(?:import |(?:import|export) [^;"]*? from )"([^"]+)"/gm)) {
        if (specifier.startsWith(".")) visit(join(dirname(file), specifier));
        else bare.add(specifier);
      }
    };
    visit(start);
    expect([...bare]).to.deep.equal(["@quorate/protocol"]);
    expect(seen.size).to.be.greaterThan(8);
  });

  it("does the same handshake and exchanges frames with a replica", async () => {
    const { listener, frames, ups } = await target(bob, [], {
      timings: TIMINGS,
      onLink: (_peer, link) => ({ onFrame: (frame) => void link.send(frame), onDown: () => undefined }),
    });
    expect(ups.events).to.deep.equal([]);
    const dialed = dialAt(listener.address);
    await dialed.ups.nth(1);
    expect(dialed.link.send(Uint8Array.of(1, 2, 3))).to.equal(true);
    expect(await dialed.frames.nth(1)).to.deep.equal(Uint8Array.of(1, 2, 3));
    expect(frames.events).to.deep.equal([]);
    dialed.link.close("end of test");
    await listener.close("end of test");
  });

  it("learns why it is refused", async () => {
    const { listener } = await target(bob, [], { timings: TIMINGS, isClientAdmitted: () => false });
    const dialed = dialAt(listener.address);
    const error = await dialed.downs.nth(1);
    const code: TransportErrorCode = "hello.not-admitted";
    expect(error.code).to.equal(code);
    expect(error.message).to.match(/^the other end closed: client [0-9a-f]{8} is not admitted to this cluster$/);
    dialed.link.close("end of test");
    await listener.close("end of test");
  });

  it("finds a black hole without pings, for the replica answers its empty frames", async () => {
    const { listener } = await target(bob, [], { timings: TIMINGS });
    const proxy = await BlackHoleProxy.before(listener.address);
    const dialed = dialAt(proxy.address);
    const link = (await dialed.ups.nth(1)) as { snapshot(): { framesIn: number } };
    // Nobody sends anything but probes for many intervals.
    await heartbeats(10);
    expect(dialed.downs.events).to.deep.equal([]);
    expect(link.snapshot().framesIn).to.equal(0);

    proxy.isForwarding = false;
    expect((await dialed.downs.nth(1)).code).to.equal("link.heartbeat");
    proxy.isForwarding = true;
    await dialed.ups.nth(2);
    dialed.link.close("end of test");
    proxy.close();
    await listener.close("end of test");
  });
});

/** Lets as many heartbeats of an otherwise idle link pass, told by those of another such link. */
async function heartbeats(count: number): Promise<void> {
  const { listener } = await target(bob, [], { timings: TIMINGS });
  const pings = new EventLog<unknown>();
  const counting = class extends WebSocket {
    constructor(url: string) {
      super(url);
      this.on("ping", (body) => pings.add(body));
    }
  };
  const link = dialWebSocket({
    url: `ws://${formatAddress(listener.address)}/`,
    webSocket: counting as unknown as BrowserWebSocketConstructor,
    endpoint: newEndpoint("client"),
    expected: bob.credentials.identity,
    limits: CLIENT_DIAL_LIMITS,
    timings: TIMINGS,
    onFrame: () => undefined,
  });
  await pings.nth(count);
  link.close("counted");
  await listener.close("counted");
}

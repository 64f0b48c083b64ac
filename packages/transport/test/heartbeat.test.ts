import type { TransportError } from "@quorate/transport";
import { dial, formatAddress, Handshake, REPLICA_LINK_LIMITS } from "@quorate/transport";
import { EventLog, type EventLog as Log } from "@quorate/transport/compliance";
import { expect } from "chai";
import { newEndpoint } from "./endpoints.ts";
import { BlackHoleProxy, RawPeer, target } from "./raw-peer.ts";

const alice = newEndpoint(1);
const bob = newEndpoint(2);
const TIMINGS = { unauthenticatedMs: 2_000, heartbeatMs: 25, missedHeartbeatsMax: 3 };

describe("heartbeat", () => {
  it("finds a black hole that keeps the sockets open, at both ends, and comes back when it is gone", async () => {
    const { listener, downs: atListener, ups } = await target(bob, [alice], { timings: TIMINGS });
    const proxy = await BlackHoleProxy.before(listener.address);
    const downs: Log<TransportError> = new EventLog();
    const dialerUps = new EventLog<unknown>();
    const link = dial({
      address: formatAddress(proxy.address),
      endpoint: alice,
      expected: bob.credentials.identity,
      limits: REPLICA_LINK_LIMITS,
      timings: { ...TIMINGS, unauthenticatedMs: 100 },
      backOff: { firstMs: 5, longestMs: 20 },
      onUp: (up) => dialerUps.add(up),
      onFrame: () => undefined,
      onDown: (reason) => downs.add(reason),
    });
    await Promise.all([dialerUps.nth(1), ups.nth(1)]);

    proxy.isForwarding = false;
    const [near, far] = await Promise.all([downs.nth(1), atListener.nth(1)]);
    expect([near.code, far.code]).to.deep.equal(["link.heartbeat", "link.heartbeat"]);
    expect(near.message).to.equal("nothing heard of replica 2 in 3 intervals of 25 ms");
    // The next dial goes into the hole as well, and is given up by the handshake's own time-out.
    expect((await downs.nth(2)).code).to.equal("hello.timeout");

    proxy.isForwarding = true;
    await Promise.all([dialerUps.nth(2), ups.nth(2)]);
    expect(link.isUp).to.equal(true);
    link.close("end of test");
    proxy.close();
    await listener.close("end of test");
  });

  it("keeps an idle link whose peer answers probes", async () => {
    const { listener, downs } = await target(bob, [alice], { timings: TIMINGS });
    const peer = new RawPeer(listener.address);
    await peer.authenticate(new Handshake(alice, { type: "dialer", expected: bob.credentials.identity }));
    for (let i = 0; i < 3 * TIMINGS.missedHeartbeatsMax; i++) {
      const { opcode, body } = await peer.nextFrame();
      expect(opcode).to.equal(9);
      peer.sendFrame(body, 10);
    }
    expect(downs.events).to.deep.equal([]);

    // And drops the same link when it falls silent.
    expect((await downs.nth(1)).code).to.equal("link.heartbeat");
    peer.socket.destroy();
    await listener.close("end of test");
  });
});

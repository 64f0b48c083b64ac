import {
  addressKey,
  BackOff,
  closeReason,
  errorOfClose,
  formatAddress,
  listen,
  parseAddress,
  TransportError,
} from "@quorate/transport";
import { expect } from "chai";
import { newEndpoint } from "./endpoints.ts";

describe("back-off", () => {
  it("doubles up to its longest and starts again after a reset", () => {
    const most = new BackOff({ firstMs: 50, longestMs: 1_000 }, (length) => new Uint8Array(length).fill(255));
    expect(Array.from({ length: 7 }, () => most.next())).to.deep.equal([50, 100, 200, 400, 800, 1_000, 1_000]);
    most.reset();
    expect(most.next()).to.equal(50);
  });

  it("jitters between half and all of the delay", () => {
    const least = new BackOff({ firstMs: 50, longestMs: 1_000 }, (length) => new Uint8Array(length));
    expect([least.next(), least.next()]).to.deep.equal([25, 50]);
  });

  it("stays at its longest for ever", () => {
    const backOff = new BackOff({ firstMs: 50, longestMs: 1_000 }, (length) => new Uint8Array(length).fill(255));
    for (let i = 0; i < 2_000; i++) backOff.next();
    expect(backOff.next()).to.equal(1_000);
  });
});

describe("addresses", () => {
  it("reads hosts with ports, IPv6 in brackets, and writes them back", () => {
    for (const [text, host, port] of [
      ["127.0.0.1:7000", "127.0.0.1", 7_000],
      ["[::1]:0", "::1", 0],
      ["[fe80::1%eth0]:65535", "fe80::1%eth0", 65_535],
      ["replica-0.example:80", "replica-0.example", 80],
    ] as const) {
      expect(parseAddress(text)).to.deep.equal({ host, port });
      expect(formatAddress({ host, port })).to.equal(text);
    }
  });

  it("refuses anything else in one line", () => {
    for (const text of [
      "",
      "localhost",
      "::1:7000",
      "[::1]",
      "host:65536",
      "host:-1",
      "host:1x",
      "a b:1",
      "ws://a:1",
      "a:1/",
    ])
      expect(() => parseAddress(text), text).to.throw(TransportError, /is not an address, expected host:port/);
  });

  it("counts an IPv6 network as one address, and mapped IPv4 as IPv4", () => {
    expect(addressKey("::ffff:10.0.0.1")).to.equal("10.0.0.1");
    expect(addressKey("10.0.0.1")).to.equal("10.0.0.1");
    expect(addressKey("2001:db8:1:2:3:4:5:6")).to.equal(addressKey("2001:DB8:1:2::9"));
    expect(addressKey("2001:db8:1:3::9")).to.not.equal(addressKey("2001:db8:1:2::9"));
    expect(addressKey("::1")).to.equal("0:0:0:0::/64");
    expect(addressKey("fe80::1%eth0")).to.equal("fe80:0:0:0::/64");
  });
});

describe("transport errors", () => {
  it("clean what peers write, so that nothing can forge a log line", () => {
    const error = errorOfClose(4005, "x\nlevel=error \u001b[2Jforged");
    expect(error.code).to.equal("hello.wrong-key");
    expect(error.message).to.equal("the other end closed: x?level=error ?[2Jforged");
  });

  it("keep close reasons within the 123 bytes of a close frame", () => {
    const reason = closeReason("é".repeat(500) + "a".repeat(500));
    expect(Buffer.byteLength(reason)).to.be.at.most(123);
  });

  it("say what is wrong with an address that this machine does not have", async () => {
    const attempt = listen({
      address: { host: "203.0.113.7", port: 0 },
      endpoint: newEndpoint(2),
      memberKeysOf: () => [],
      onLink: () => ({ onFrame: () => undefined, onDown: () => undefined }),
    });
    const error = await attempt.then(
      () => undefined,
      (reason: TransportError) => reason,
    );
    expect(error?.code).to.equal("listen.address-not-available");
    expect(error?.message).to.equal("cannot listen on 203.0.113.7:0: this machine has no such address");
  });
});

import { randomBytes } from "node:crypto";
import { deflateRawSync } from "node:zlib";
import { expect } from "chai";
import { createZlibCompressor } from "../dist/zlib-compressor.js";

const compressor = createZlibCompressor();
const deflated = (bytes: Uint8Array): Promise<Uint8Array | undefined> =>
  new Promise((resolve) => compressor.deflate(bytes, resolve));
const inflated = (bytes: Uint8Array, length: number): Promise<Uint8Array | undefined> =>
  new Promise((resolve) => compressor.inflate(bytes, length, resolve));

describe("the compressor of production", () => {
  it("gives back what it was given, of any length", async () => {
    for (const length of [1, 63, 64, 65, 300_000]) {
      const bytes = new Uint8Array(randomBytes(length)).map((byte) => byte & 7);
      const short = (await deflated(bytes)) ?? expect.fail("not deflated");
      const again = (await inflated(short, length)) ?? expect.fail(`${length} not inflated`);
      expect(Buffer.compare(again, bytes)).to.equal(0);
    }
  });

  it("never calls back before it returns, and begins with what waits in its order, two at a time", async () => {
    const bytes = new Uint8Array(1_000);
    const short = deflateRawSync(bytes);
    const ended: number[] = [];
    const isDone = new Promise<void>((resolve) => {
      for (let n = 0; n < 20; n++) {
        const end = (): void => {
          ended.push(n);
          if (ended.length === 20) resolve();
        };
        if (n % 2 === 0) compressor.deflate(bytes, end);
        else compressor.inflate(short, bytes.length, end);
        expect(ended, `before call ${n} returns`).to.deep.equal([]);
      }
    });
    await isDone;

    // Two threads may end in any order. But when one ends that came later, all before it have begun, and one of them runs at most.
    const early = ended.map((n, at) => n - ended.slice(0, at).filter((other) => other < n).length);
    expect(Math.max(...early), `${ended}`).to.be.at.most(1);
    expect(new Set(ended).size).to.equal(20);
  });

  it("refuses what is not exactly one stream of that length", async () => {
    const bytes = new Uint8Array(50_000).fill(7);
    const short = deflateRawSync(bytes);
    const refused: readonly (readonly [string, Uint8Array, number])[] = [
      ["longer than it says", short, bytes.length - 1],
      ["shorter than it says", short, bytes.length + 1],
      ["with bytes behind it", Buffer.concat([short, Uint8Array.of(1)]), bytes.length],
      ["cut off", short.subarray(0, -1), bytes.length],
      ["garbage", new Uint8Array(40).fill(255), 100],
      ["nothing", new Uint8Array(0), 1],
      ["a bomb", deflateRawSync(new Uint8Array(64 * 1024 * 1024)), 1_000],
    ];
    for (const [name, stream, length] of refused) expect(await inflated(stream, length), name).to.equal(undefined);
    expect(await inflated(short, bytes.length), "and goes on").to.have.lengthOf(bytes.length);
  });
});

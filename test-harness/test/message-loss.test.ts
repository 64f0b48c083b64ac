import { MessageLoss } from "@quorate/test-harness";
import { expect } from "chai";

const HEAD = Buffer.from("GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n");
const PING = 0x89;

/** A frame as WebSocket has it, with each of the three forms of a length. */
function frame(payload: Buffer, { first = 0x82, masked = false } = {}): Buffer {
  const { length } = payload;
  const head = length < 126 ? Buffer.alloc(2) : length < 65_536 ? Buffer.alloc(4) : Buffer.alloc(10);
  head[0] = first;
  head[1] = (length < 126 ? length : length < 65_536 ? 126 : 127) | (masked ? 0x80 : 0);
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, masked ? Buffer.from("mask") : Buffer.alloc(0), payload]);
}

/** Passes bytes in pieces of this size. */
function passed(bytes: Buffer, isLost: (message: number) => boolean, size: number): { out: Buffer; lost: number } {
  let message = 0;
  const loss = { rate: 0.5, random: () => (isLost(message++) ? 0 : 1), lost: 0 };
  const way = new MessageLoss(loss);
  const out: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) out.push(way.pass(bytes.subarray(at, at + size)));
  return { out: Buffer.concat(out), lost: loss.lost };
}

describe("the loss of messages", () => {
  for (const masked of [false, true])
    for (const size of [1, 7, 1_000_000])
      it(`takes out whole messages only, in pieces of ${size}${masked ? ", masked" : ""}`, () => {
        const lengths = [0, 3, 125, 126, 1_000, 65_535, 65_536, 70_000];
        const handshake = [1, 2, 3].map((n) => frame(Buffer.from(`shake ${n}`), { masked }));
        const messages = lengths.map((length, i) => frame(Buffer.alloc(length, i), { masked }));
        const all = Buffer.concat([HEAD, ...handshake, ...messages]);

        const { out, lost } = passed(all, (message) => message % 2 === 1, size);

        const kept = messages.filter((_, i) => i % 2 === 0);
        expect(out.equals(Buffer.concat([HEAD, ...handshake, ...kept]))).to.equal(true);
        expect(lost).to.equal(messages.length / 2);
      });

  it("lets the handshake, pings and closes pass", () => {
    const frames = [0x82, 0x82, 0x82, PING, 0x8a, 0x88].map((first) => frame(Buffer.from("x"), { first }));
    const all = Buffer.concat([HEAD, ...frames]);

    expect(passed(all, () => true, 5)).to.deep.equal({ out: all, lost: 0 });
  });
});

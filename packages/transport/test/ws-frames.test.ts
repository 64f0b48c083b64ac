import { Handshake, type Listener, type ListenOptions } from "@quorate/transport";
import { EventLog } from "@quorate/transport/compliance";
import { expect } from "chai";
import { newEndpoint } from "./endpoints.ts";
import { RawPeer, rawFrame, target } from "./raw-peer.ts";

const alice = newEndpoint(1);
const bob = newEndpoint(2);

describe("frames of a WebSocket link", () => {
  let open: Listener | undefined;
  afterEach(async () => {
    RawPeer.hangUpAll();
    await open?.close("end of test");
  });

  /** A member that speaks bytes, and a listener that does `onFrame` with each of its frames. */
  const meet = async (onLink: ListenOptions["onLink"]): Promise<RawPeer> => {
    const { listener } = await target(bob, [alice], { onLink });
    open = listener;
    const peer = new RawPeer(listener.address);
    await peer.authenticate(new Handshake(alice, { type: "dialer", expected: bob.credentials.identity }));
    return peer;
  };

  it("have the headers of RFC 6455 §5.2 at each boundary of its lengths, alone and in one turn with others", async () => {
    const headers: readonly (readonly [number, string])[] = [
      [1, "8201"],
      [125, "827d"],
      [126, "827e007e"],
      [65_531, "827efffb"],
      [65_535, "827effff"],
      [65_536, "827f0000000000010000"],
    ];
    const sizes = headers.map(([size]) => size);
    const turns = [sizes, sizes.slice(0, 3), ...sizes.map((size) => [size])];
    const peer = await meet((_peer, link) => ({
      // A frame of the peer asks for the turn of this number.
      onFrame: ([turn = 0]) => {
        for (const size of turns[turn] ?? []) link.send(new Uint8Array(size).fill(turn + 1));
      },
      onDown: () => undefined,
    }));
    const headerOf = new Map(headers);

    for (const [turn, sizesOfTurn] of turns.entries()) {
      const expected = Buffer.concat(
        sizesOfTurn.flatMap((size) => [Buffer.from(headerOf.get(size) ?? "", "hex"), Buffer.alloc(size, turn + 1)]),
      );
      peer.sendFrame(Uint8Array.of(turn));
      const bytes = await peer.nextBytes(expected.length);
      expect(bytes.equals(expected), `turn ${turn}`).to.equal(true);
    }
  });

  it("are none after the peer's close frame, though it came behind a frame that is answered", async () => {
    const answered = new EventLog<boolean>();
    const peer = await meet((_peer, link) => ({
      onFrame: () => answered.add(link.send(new Uint8Array(9))),
      onDown: () => undefined,
    }));
    const close = rawFrame(Buffer.from([0x03, 0xe8]), 8);
    peer.socket.write(Buffer.concat([rawFrame(Uint8Array.of(1)), close]));
    const { code } = await peer.closeFrame();
    await peer.closed;

    expect(code).to.equal(1_000);
    expect(answered.events).to.deep.equal([true]);
    expect(peer.received.length).to.equal(0);
  });
});

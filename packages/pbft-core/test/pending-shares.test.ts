import type { PublicKey } from "@quorate/protocol";
import { expect } from "chai";
import { PendingShares } from "../dist/pending-shares.js";
import { requestOf } from "./builders.ts";

const a = requestOf(1, { client: "a" }).request.client;
const b = requestOf(1, { client: "b" }).request.client;
const of = (client: PublicKey, bytes = 10): { client: PublicKey; bytes: number } => ({ client, bytes });
function sharesOf(...held: { client: PublicKey; bytes: number }[]): PendingShares {
  const shares = new PendingShares({ pendingMax: 3, pendingPerClientMax: 2, pendingBytesMax: 100 });
  for (const pending of held) shares.add(pending);
  return shares;
}

describe("PendingShares", () => {
  it("a client's share is full by its own requests only, and has room again when one leaves", () => {
    const shares = sharesOf(of(a), of(b), of(a));
    expect([shares.isShareFull(a), shares.isShareFull(b)]).to.deep.equal([true, false]);
    shares.remove(of(a));
    expect(shares.isShareFull(a)).to.equal(false);
  });

  it("there is room while neither their number nor their bytes are at the bound", () => {
    expect(sharesOf(of(a), of(b)).hasRoomFor(of(b))).to.equal(true);
    expect(sharesOf(of(a), of(b), of(a)).hasRoomFor(of(b)), "three already").to.equal(false);
    expect(sharesOf(of(a, 90)).hasRoomFor(of(b, 10))).to.equal(true);
    expect(sharesOf(of(a, 90)).hasRoomFor(of(b, 11)), "a byte too many").to.equal(false);
  });

  it("what would leave makes room, as much as it takes", () => {
    const shares = sharesOf(of(a, 40), of(b, 40), of(a, 20));
    expect(shares.hasRoomFor(of(b, 20), 1, 20)).to.equal(true);
    expect(shares.hasRoomFor(of(b, 21), 1, 20)).to.equal(false);
  });

  it("says how full it is, and forgets clients of which nothing waits", () => {
    const shares = sharesOf(of(a), of(a), of(b, 5));
    expect(shares.fills.map(({ size, max }) => [size, max])).to.deep.equal([
      [3, 3],
      [2, 2],
      [25, 100],
    ]);
    for (const pending of [of(a), of(a), of(b, 5)]) shares.remove(pending);
    expect(shares.fills.map(({ size }) => size)).to.deep.equal([0, 0, 0]);
  });
});

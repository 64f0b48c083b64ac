import { publicKey } from "@quorate/protocol";
import { expect } from "chai";
import { ClientShare } from "../dist/client-share.js";

const alice = publicKey("a1".repeat(32));
const bob = publicKey("b0".repeat(32));

describe("ClientShare (protocol rule 13.1)", () => {
  it("gives a client the share of one second at once, and then what comes back with time", () => {
    const share = new ClientShare(10);
    for (let i = 0; i < 10; i++) {
      expect(share.isLeft(alice, 1_000), `unit ${i}`).to.equal(true);
      share.spend(alice, 1_000, 1);
    }
    expect(share.isLeft(alice, 1_000)).to.equal(false);
    expect(share.isLeft(alice, 1_100), "a tenth of a second later").to.equal(true);
  });

  it("is each client's own", () => {
    const share = new ClientShare(10);
    share.spend(alice, 0, 100);

    expect(share.isLeft(alice, 0)).to.equal(false);
    expect(share.isLeft(bob, 0)).to.equal(true);
  });

  it("lets one use exceed what is left, and makes the next wait the longer", () => {
    const share = new ClientShare(10);
    share.spend(alice, 0, 50);

    expect(share.isLeft(alice, 3_999)).to.equal(false);
    expect(share.isLeft(alice, 4_001)).to.equal(true);
  });

  it("forgets the client that asked longest ago when there are too many", () => {
    const share = new ClientShare(10);
    share.spend(alice, 0, 1_000);
    for (let i = 0; i < 4_096; i++) share.spend(publicKey(i.toString(16).padStart(64, "0")), 0, 1);

    expect(share.isLeft(alice, 0)).to.equal(true);
  });
});

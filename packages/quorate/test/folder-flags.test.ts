import { ConfigurationError, type ReplicaFolder, type Standing } from "@quorate/server";
import { TransportError } from "@quorate/transport";
import { expect } from "chai";
import { refuseDeadEnd, withFlags } from "../dist/cli/folder-flags.js";
import { refuseOtherStanding } from "../dist/cli/start-command.js";

const folder = {
  path: "/data",
  config: { listen: "10.0.0.5:7000", admin: "127.0.0.1:8000", peers: ["10.0.0.1:7000"] },
} as unknown as ReplicaFolder;
const observing: Standing = { epoch: 3, member: undefined, wasMember: false, isKnown: true } as unknown as Standing;
const member = { ...observing, member: { id: 4, address: "10.0.0.5:7000" }, wasMember: true } as unknown as Standing;

describe("what a folder is told for one run", () => {
  it("takes the place of what it says, and is written in one way", () => {
    const flags = {
      listen: "[::]:07001",
      admin: "127.0.0.1:8001",
      advertise: "spare.example:07001",
      peer: ["10.0.0.1:07000", "[::1]:7002"],
    };
    expect(withFlags(folder, observing, flags).config).to.deep.equal({
      listen: "[::]:7001",
      admin: "127.0.0.1:8001",
      advertise: "spare.example:7001",
      peers: ["10.0.0.1:7000", "[::1]:7002"],
    });
    expect(withFlags(folder, observing, {}).config).to.deep.equal(folder.config);
  });

  for (const [what, flags, kind, says] of [
    ["an address that is none", { listen: "here", peer: [] }, TransportError, /"here" is not an address/],
    ["a peer that is none", { peer: ["10.0.0.1"] }, TransportError, /is not an address/],
    ["a peer on all addresses", { peer: ["[::]:7000"] }, ConfigurationError, /nobody can dial \[::\]:7000/],
    ["what others cannot dial", { advertise: "0.0.0.0:7000", peer: [] }, ConfigurationError, /nobody can dial/],
    ["no port", { advertise: "spare.example:0", peer: [] }, ConfigurationError, /nobody can dial/],
  ] as const)
    it(`is refused where it is ${what}`, () => {
      expect(() => withFlags(folder, observing, flags)).to.throw(kind, says);
    });

  it("is not where others dial a member, unless they know it there", () => {
    expect(() => withFlags(folder, member, { advertise: "10.0.0.6:7000", peer: [] })).to.throw(
      /the members know replica 4 at 10\.0\.0\.5:7000/,
    );
    expect(withFlags(folder, member, { advertise: "10.0.0.5:7000", peer: [] }).config.advertise).to.equal(
      "10.0.0.5:7000",
    );
  });
});

describe("a replica that joins", () => {
  const peers = ["10.0.0.1:7000"];

  it("can be dialed, and has somebody to follow", () => {
    refuseDeadEnd({ listen: "10.0.0.5:7000", peers });
    refuseDeadEnd({ listen: "[::]:7000", advertise: "spare.example:7000", peers });
    for (const listen of ["[::]:7000", "0.0.0.0:7000", "10.0.0.5:0"])
      expect(() => refuseDeadEnd({ listen, peers })).to.throw(ConfigurationError, /say with --advertise/);
    expect(() => refuseDeadEnd({ listen: "10.0.0.5:7000", peers: [] })).to.throw(ConfigurationError, /say with --peer/);
  });
});

describe("who may be started with --observe, and who must", () => {
  const left = { ...observing, wasMember: true };
  const lost = { ...observing, isKnown: false };
  const start = (standing: Standing, observe?: true): (() => void) => {
    return () => refuseOtherStanding(folder, standing, observe === undefined ? {} : { observe });
  };

  it("one that has never been a member must", () => {
    expect(start(observing)).to.throw(ConfigurationError, /is no member as far as it knows: start it with --observe/);
    expect(start(observing, true)).not.to.throw();
  });
  it("one that has left, or of which nobody knows because its store is lost, may", () => {
    for (const standing of [left, lost])
      for (const observe of [undefined, true] as const) expect(start(standing, observe)).not.to.throw();
  });
  it("a member may not: it votes", () => {
    expect(start(member)).not.to.throw();
    expect(start(member, true)).to.throw(
      ConfigurationError,
      /is replica 4 of epoch 3, and votes: start it without --observe/,
    );
  });
});

import { replicaId } from "@quorate/protocol";
import { ScriptedEpochs } from "@quorate/reconfiguration/testing";
import { expect } from "chai";
import { epochRows } from "../dist/cli/epoch-rows.js";

describe("the rows of `quorate epochs`", () => {
  it("say of each epoch where it begins, what it fixes, what changed, and who signed that", () => {
    const script = new ScriptedEpochs();
    const joined = script.join();
    script.rotateKey(replicaId(2));
    script.change({
      admins: { threshold: 2, keys: script.genesis.members.slice(0, 3).map(({ publicKey }) => publicKey) },
    });
    script.leave(replicaId(0));
    script.change({ checkpointInterval: 8, windowSize: 32 });

    const rows = epochRows(script.chainAt(5), script.genesis);

    expect(rows.map(({ epoch }) => epoch)).to.deep.equal([0, 1, 2, 3, 4, 5]);
    expect(rows.map(({ activation }) => activation)).to.deep.equal([
      0,
      ...[1, 2, 3, 4, 5].map((epoch) => script.membershipAt(epoch).start?.seq ?? 0),
    ]);
    expect(rows.map(({ members }) => members.map(({ id }) => id).join(""))).to.deep.equal([
      "0123",
      "01234",
      "01234",
      "01234",
      "1234",
      "1234",
    ]);
    expect(rows.map(({ f, q }) => [f, q])).to.deep.equal([
      [1, 3],
      [1, 4],
      [1, 4],
      [1, 4],
      [1, 3],
      [1, 3],
    ]);
    const admins = rows[3]!.admins.keys.toSorted().map((key) => key.slice(0, 16));
    expect(rows.map(({ changed }) => changed)).to.deep.equal([
      [],
      [`replica 4 has joined at ${joined.address}`],
      ["replica 2 has another key"],
      [`2 of the admins ${admins.join(", ")} sign changes`],
      ["replica 0 has left"],
      ["K was 16, is 8", "L was 64, is 32"],
    ]);
    expect(rows.map(({ signedBy }) => signedBy?.join(""))).to.deep.equal([
      undefined,
      ...script.links.map(({ certificate }) => certificate.signatures.map(({ from }) => from).join("")),
    ]);
  });

  it("are one row for a cluster that nothing has changed", () => {
    const script = new ScriptedEpochs();

    const [only, ...more] = epochRows(script.chainAt(), script.genesis);

    expect(more).to.deep.equal([]);
    expect(only).to.deep.include({ epoch: 0, activation: 0, f: 1, q: 3, changed: [], signedBy: undefined });
  });
});

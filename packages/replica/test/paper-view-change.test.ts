import { type PreparedCertificate, replicaId } from "@quorate/protocol";
import { expect } from "chai";
import { digestOf, K, VIEW_CHANGE_MS } from "./builders.ts";
import { batchOf, checkpointOf, claimOf, preparedOf } from "./paper-messages.ts";
import { Lone } from "./paper-scene.ts";

const a = batchOf("a");
const b = batchOf("b");

describe("The paper (OSDI'99), §4.4, the time-out of a backup:", () => {
  it("§4.4: a backup starts a timer when it waits for a request to execute and the timer does not run", () => {
    const backup = new Lone(1).request("a").request("b");
    expect(backup.timersMs("progress")).to.deep.equal([VIEW_CHANGE_MS]);
  });

  it("§4.4: when it no longer waits the time-out has no effect", () => {
    const backup = new Lone(1).request("a").decide(a).forget().timeOut("progress", VIEW_CHANGE_MS);
    expect([backup.said, backup.timersMs("progress")]).to.deep.equal([[], []]);
  });

  it("§4.4: it restarts the timer when it still waits for another request", () => {
    const backup = new Lone(1).request("a");
    backup.node.nowMs += 400;
    backup
      .request("b")
      .decide(a)
      .forget()
      .timeOut("progress", VIEW_CHANGE_MS - 400);
    expect([backup.said, backup.timersMs("progress")], "b has 400 ms left").to.deep.equal([[], [400]]);
  });

  it("§4.4: when the timer expires it multicasts a view-change for v+1", () => {
    const backup = new Lone(1).request("a").forget().timeOut("progress", VIEW_CHANGE_MS);
    expect(backup.said).to.deep.equal(["view-change 1"]);
    expect(backup.packets.map(({ to }) => to)).to.deep.equal([0, 2, 3]);
  });

  it("§4.4: from then on it accepts no messages but checkpoint, view-change and new-view", () => {
    const backup = new Lone(2)
      .decideUpTo(K)
      .prePrepare(a, { seq: K + 1 })
      .request("b");
    backup.timeOut("progress", VIEW_CHANGE_MS).forget();
    backup.prepares([1, 3], a, { seq: K + 1 }).prePrepare(b, { seq: K + 2 });
    expect([backup.said, backup.rejections], "phases").to.deep.equal([[], ["view.past", "view.past", "view.past"]]);
    backup.checkpoints([0, 1], K);
    expect(backup.node.status.lowWatermark, "checkpoint").to.equal(K);
    backup.viewChanges([0, 1], 1, { stable: checkpointOf(K, backup.rootAt(K)) });
    backup.plainNewView(1, { stable: checkpointOf(K, backup.rootAt(K)) });
    expect(backup.node.status.view, "view-change and new-view").to.equal(1);
  });

  it("§4.4, departure: what others decided is taken meanwhile, with its certificate", () => {
    const donor = new Lone(3).decide(a);
    const entry = donor.node.disk.history.get(1)!;
    const backup = new Lone(2).request("b").timeOut("progress", VIEW_CHANGE_MS).hear(3, { type: "committed", entry });
    expect(backup.executed).to.deep.equal([a.digest]);
  });
});

describe("The paper (OSDI'99), §4.4, the view-change:", () => {
  it("§4.4: n is the number of the last stable checkpoint, and C proves it", () => {
    const backup = new Lone(1).decideUpTo(K).checkpoints([0, 2], K).viewChanges([2, 3], 1);
    expect(backup.viewChangeSaid?.stable).to.deep.equal({ seq: K, stateRoot: backup.rootAt(K) });
    const { checkpoint } = backup.frames("view-change")[0]!.viewChange;
    expect(checkpoint.signatures.map(({ from }) => from)).to.deep.equal([0, 1, 2]);
  });

  it("§4.4: P has a set for each request that prepared with a number above n, and for no other", () => {
    const backup = new Lone(1).decideUpTo(K).checkpoints([0, 2], K);
    backup.prePrepare(a, { seq: K + 1 }).prepares([2], a, { seq: K + 1 });
    backup.prePrepare(b, { seq: K + 2 });
    backup.viewChanges([2, 3], 1);
    expect(backup.viewChangeSaid?.prepared, "K+2 is pre-prepared only").to.deep.equal([claimOf(K + 1, 0, a)]);
  });

  it("§4.4: what committed and was executed above n belongs to it", () => {
    const backup = new Lone(1).decideUpTo(2).viewChanges([2, 3], 1);
    expect(backup.viewChangeSaid?.prepared.map(({ seq }) => seq)).to.deep.equal([1, 2]);
  });

  it("§4.4: each set holds the pre-prepare and 2f matching prepares of different backups", () => {
    const backup = new Lone(1).prePrepare(a).prepares([2, 3], a).viewChanges([2, 3], 1);
    const [certificate] = backup.frames("view-change")[0]!.viewChange.certificates;
    expect(certificate?.prePrepare.message.digest).to.equal(a.digest);
    expect(certificate?.prepares.map(({ from }) => from)).to.deep.equal([1, 2]);
  });

  it("§4.4: what prepared in an earlier view stays in P when a later view ended before it prepared again", () => {
    const backup = new Lone(3)
      .prePrepare(a)
      .prepares([2], a)
      .viewChanges([0, 1], 1, { claims: [claimOf(1, 0, a)] });
    backup
      .plainNewView(1, { claims: [claimOf(1, 0, a)] })
      .forget()
      .viewChanges([0, 1], 2);
    expect(backup.viewChangeSaid?.prepared).to.deep.equal([claimOf(1, 0, a)]);
  });

  it("§4.4: ... and gives way to what prepares in the later view", () => {
    const backup = new Lone(3)
      .prePrepare(a)
      .prepares([2], a)
      .viewChanges([0, 1], 1, { claims: [claimOf(1, 0, a)] });
    backup.plainNewView(1, { claims: [claimOf(1, 0, a)] }).prepares([0, 2], a, { view: 1 });
    backup.forget().viewChanges([0, 1], 2);
    expect(backup.viewChangeSaid?.prepared).to.deep.equal([claimOf(1, 1, a)]);
  });

  it("§4.4: a view-change is not valid if C has a signature too few", () => {
    const { signatures, ...proof } = checkpointOf(K, digestOf("state"));
    const backup = new Lone(3).viewChanges([0, 1], 1, { stable: { ...proof, signatures: signatures.slice(1) } });
    expect(backup.node.status.target).to.equal(0);
    backup.viewChanges([0, 1], 1, { stable: { ...proof, signatures } });
    expect(backup.node.status.target, "with all of them").to.equal(1);
  });

  const invalid: readonly (readonly [name: string, spoil: (valid: PreparedCertificate) => PreparedCertificate])[] = [
    [
      "no pre-prepare of the primary",
      (valid) => ({ ...valid, prePrepare: { ...valid.prePrepare, from: replicaId(1) } }),
    ],
    ["a prepare too few", (valid) => ({ ...valid, prepares: valid.prepares.slice(1) })],
    ["one backup's prepare twice", ({ prePrepare, prepares: [one] }) => ({ prePrepare, prepares: [one!, one!] })],
    ["the prepares of another request", (valid) => ({ ...valid, prepares: preparedOf(claimOf(1, 0, b)).prepares })],
    ["nothing about the request that it claims", () => preparedOf(claimOf(1, 0, b))],
  ];
  for (const [name, spoil] of invalid)
    it(`§4.4: a view-change is not valid if a set of P has ${name}`, () => {
      // What was proven once is not proven again: each case claims something new.
      const claim = claimOf(1, 0, batchOf(name));
      const backup = new Lone(3);
      backup.viewChanges([0, 1], 1, { claims: [claim], certificates: [spoil(preparedOf(claim))] });
      expect(backup.node.status.target).to.equal(0);
      backup.viewChanges([0, 1], 1, { claims: [claim] });
      expect(backup.node.status.target, "with the right one").to.equal(1);
    });
});

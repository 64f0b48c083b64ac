import {
  type AdminKeys,
  bytesToAcceptedChange,
  bytesToRefusal,
  DEFAULT_LIMITS,
  type Digest,
  type DigestedRequest,
  type Member,
  type ReconfigurationChange,
  replicaId,
  sequenceNumber,
  windowSizeMaxOf,
} from "@quorate/protocol";
import { CHANGE_NONCES_MAX, type Execution, type Service, type ServiceMembership } from "@quorate/state-machine";
import { expect } from "chai";
import { ADMIN, bytesOf, Fixture } from "./cluster.ts";

const [SECOND_ADMIN, JOINER, STRANGER] = [98, 50, 77];

const PARAMETERS: ReconfigurationChange = { type: "parameters", checkpointInterval: 8, windowSize: 32 };

/** What each request of a batch ended as: `epoch 1 above 80`, or why it was refused. */
function endsOf({ replies }: Execution): string[] {
  return replies.map(({ reply }) => {
    const [result] = reply.results;
    const accepted = result?.status === "ok" ? bytesToAcceptedChange(result.value) : undefined;
    if (accepted !== undefined) return `epoch ${accepted.epoch} above ${accepted.activation}`;
    return bytesToRefusal(result!.value) ?? result!.status;
  });
}

/** Who joins, with what it has come to. */
function joining(fixture: Fixture, changes: Partial<Member> = {}): ReconfigurationChange & { type: "join" } {
  const member = { id: replicaId(4), publicKey: fixture.keyOf(JOINER), address: "127.0.0.1:7004", ...changes };
  return { type: "join", member, checkpoint: fixture.executor.lastCheckpoint };
}

/** K = 16 and L = 64 until something else is in force. */
describe("a reconfiguration (protocol rules 11.1 and 11.2)", () => {
  it("waits for the smallest multiple of K at or above n + L, and is in force from the batch there on", () => {
    const fixture = new Fixture();
    fixture.idleTo(4);

    expect(endsOf(fixture.run(fixture.change(PARAMETERS)))).to.deep.equal(["epoch 1 above 80"]);
    expect(fixture.executor.activation).to.equal(80);
    fixture.idleTo(79);
    expect(fixture.executor.configuration).to.deep.include({ epoch: 0, checkpointInterval: 16, windowSize: 64 });
    const last = fixture.run();

    expect(last.statement.epoch, "the last batch is of the epoch that it ends").to.equal(0);
    expect([last.checkpoint?.seq, last.activation, fixture.executor.activation]).to.deep.equal([80, 80, undefined]);
    expect(fixture.executor.configuration).to.deep.include({ epoch: 1, checkpointInterval: 8, windowSize: 32 });
    expect(fixture.run().statement.epoch).to.equal(1);
    fixture.idleTo(87);
    expect(fixture.run().checkpoint?.seq, "K is 8 now").to.equal(88);
  });

  it("makes L as great as the limits of genesis allow, whatever that of genesis is, and no greater", () => {
    const fixture = new Fixture();
    const greatest = windowSizeMaxOf(DEFAULT_LIMITS);
    const to = (windowSize: number): DigestedRequest =>
      fixture.change({ type: "parameters", checkpointInterval: 16, windowSize });
    expect(greatest).to.be.greaterThan(fixture.executor.configuration.windowSize);
    expect(endsOf(fixture.run(to(greatest + 16), to(greatest)))).to.deep.equal([
      "parameters-invalid",
      "epoch 1 above 80",
    ]);
  });

  it("is told with what became of it, each that a batch has, and what it was judged by", () => {
    const fixture = new Fixture();
    const [first, second] = [fixture.change(PARAMETERS), fixture.change(PARAMETERS)];

    const { changes } = fixture.run(first, second);

    const { configuration } = fixture.executor;
    expect(changes).to.deep.equal([
      { seq: 1, request: first.request, configuration, outcome: { epoch: 1, activation: 80 } },
      { seq: 1, request: second.request, configuration, outcome: "in-flight" },
    ]);
    expect(fixture.run().changes).to.deep.equal([]);
  });

  it("survives a restart before its activation and in it", () => {
    const [restarted, other] = [new Fixture(), new Fixture()];
    const change = restarted.change(PARAMETERS);
    for (const fixture of [restarted, other]) fixture.run(change);

    restarted.restart();
    expect(restarted.executor.activation).to.equal(80);
    for (const fixture of [restarted, other]) fixture.idleTo(80);
    restarted.restart();

    expect(restarted.executor.configuration).to.deep.equal(other.executor.configuration);
    expect(restarted.executor.configuration.epoch).to.equal(1);
    expect(restarted.executor.stateRoot()).to.equal(other.executor.stateRoot());
  });

  it("is part of the root of the activation's checkpoint, and in nothing before", () => {
    const [changed, idle] = [new Fixture(), new Fixture()];
    const refused = changed.change(PARAMETERS, { approvedBy: [] });
    changed.run(refused);
    idle.run(refused);
    expect(changed.executor.stateRoot()).to.equal(idle.executor.stateRoot());

    changed.run(changed.change(PARAMETERS));
    idle.run(idle.change({ type: "leave", id: replicaId(9), mayLowerFaultThreshold: false }));

    expect(changed.executor.stateRoot()).to.not.equal(idle.executor.stateRoot());
  });

  it("is one at a time, in the activation's batch too, and possible again right behind it", () => {
    const fixture = new Fixture();
    const again = (epoch = 0): DigestedRequest =>
      fixture.change({ type: "parameters", checkpointInterval: 4, windowSize: 16 }, { epoch });

    expect(endsOf(fixture.run(fixture.change(PARAMETERS), again()))).to.deep.equal(["epoch 1 above 80", "in-flight"]);
    fixture.idleTo(79);
    expect(endsOf(fixture.run(again()))).to.deep.equal(["in-flight"]);
    expect(endsOf(fixture.run(again(), again(1)))).to.deep.equal(["epoch-other", "epoch 2 above 120"]);
  });

  for (const { what, by = STRANGER, approvedBy, end } of [
    { what: "nobody", approvedBy: [], end: "approvals-too-few" },
    { what: "a stranger", approvedBy: [STRANGER], end: "approval-foreign" },
    { what: "an admin and a stranger", approvedBy: [ADMIN, STRANGER], end: "approval-foreign" },
    { what: "an admin, submitted by anyone", approvedBy: [ADMIN], end: "epoch 1 above 80" },
    { what: "a member for what is not its own", by: 2, approvedBy: [], end: "approvals-too-few" },
  ])
    it(`signed for by ${what} ends as ${end}`, () => {
      const fixture = new Fixture();

      expect(endsOf(fixture.run(fixture.change(PARAMETERS, { by, approvedBy })))).to.deep.equal([end]);
    });

  it("needs as many admins as the threshold says, and those that are in force", () => {
    const fixture = new Fixture();
    const both: AdminKeys = { threshold: 2, keys: [fixture.keyOf(ADMIN), fixture.keyOf(SECOND_ADMIN)] };
    fixture.run(fixture.change({ type: "admins", admins: both }));
    fixture.idleTo(80);

    const alone = fixture.change(PARAMETERS, { epoch: 1 });
    const together = fixture.change(PARAMETERS, { epoch: 1, approvedBy: [ADMIN, SECOND_ADMIN] });

    expect(endsOf(fixture.run(alone, together))).to.deep.equal(["approvals-too-few", "epoch 2 above 160"]);
  });

  it("spends its nonce, refused or not, until the next epoch", () => {
    const fixture = new Fixture();
    const leave: ReconfigurationChange = { type: "leave", id: replicaId(0), mayLowerFaultThreshold: true };
    const refused = fixture.change(leave, { nonce: 1 });

    expect(endsOf(fixture.run(refused))).to.deep.equal(["members-too-few"]);
    expect(endsOf(fixture.run(fixture.change(PARAMETERS, { nonce: 1 })))).to.deep.equal(["nonce-used"]);
    expect(endsOf(fixture.run(fixture.change(PARAMETERS, { nonce: 2, approvedBy: [] })))).to.deep.equal([
      "approvals-too-few",
    ]);
    expect(endsOf(fixture.run(fixture.change(PARAMETERS, { nonce: 2 })))).to.deep.equal(["epoch 1 above 80"]);
    fixture.idleTo(80);
    expect(endsOf(fixture.run(fixture.change(leave, { nonce: 1, epoch: 1 })))).to.deep.equal(["members-too-few"]);
  });

  it("spends no nonce of an admin by what a member orders alone, unless it is accepted", () => {
    const fixture = new Fixture();
    const leave = (nonce: number): DigestedRequest =>
      fixture.change(
        { type: "leave", id: replicaId(2), mayLowerFaultThreshold: true },
        { by: 2, approvedBy: [], nonce },
      );
    const rejoin = { type: "rejoin", id: replicaId(2), loss: fixture.keyOf(7) as string as Digest } as const;

    expect(fixture.executor.standing(leave(1)).type, "nothing that is ordered again and again").to.equal("refusable");
    expect(endsOf(fixture.run(leave(1)))).to.deep.equal(["members-too-few"]);
    fixture.executor.collect(fixture.executor.executed, fixture.executor.executed);
    expect(fixture.executor.standing(leave(1)).type, "its answer is forgotten").to.equal("refusable");
    expect(endsOf(fixture.run(fixture.change(rejoin, { by: 2, approvedBy: [], nonce: 1 })))).to.deep.equal([
      "epoch 1 above 80",
    ]);
    expect(endsOf(fixture.run(fixture.change(PARAMETERS, { nonce: 1 })))).to.deep.equal(["nonce-used"]);
  });

  it("brings in a member that has come to a recent checkpoint, above all ids that ever were", () => {
    const fixture = new Fixture();
    fixture.idleTo(17);
    const join = joining(fixture);
    const late = { ...join, checkpoint: { ...join.checkpoint, seq: sequenceNumber(3) } };
    const requests = [
      fixture.change(late, { holder: JOINER }),
      fixture.change(joining(fixture, { id: replicaId(3) }), { holder: JOINER }),
      fixture.change(joining(fixture, { publicKey: fixture.keyOf(2) }), { holder: 2 }),
      fixture.change(joining(fixture, { address: "127.0.0.1:7001" }), { holder: JOINER }),
      fixture.change(join, { holder: JOINER }),
    ];

    const ends = endsOf(fixture.run(...requests));

    expect(ends).to.deep.equal(["joiner-behind", "id-used", "key-used", "address-used", "epoch 1 above 96"]);
    fixture.idleTo(96);
    expect(fixture.executor.configuration.members.map(({ id }) => id)).to.deep.equal([0, 1, 2, 3, 4]);
    const leave: ReconfigurationChange = { type: "leave", id: replicaId(4), mayLowerFaultThreshold: false };
    fixture.run(fixture.change(leave, { epoch: 1 }));
    fixture.idleTo(176);
    const back = fixture.change(joining(fixture), { epoch: 2, holder: JOINER });
    expect(endsOf(fixture.run(back)), "nobody has that id again").to.deep.equal(["id-used"]);
  });

  it("remembers as recent checkpoints the same after a restart, and no more than sixteen", () => {
    const fixture = new Fixture();
    fixture.idleTo(17);
    const join = joining(fixture);
    fixture.idleTo(16 * 16 + 1);
    fixture.restart();

    expect(endsOf(fixture.run(fixture.change(join, { holder: JOINER })))).to.deep.equal(["epoch 1 above 336"]);
    const later = new Fixture();
    later.idleTo(17);
    later.idleTo(17 * 16 + 1);
    expect(endsOf(later.run(later.change(join, { holder: JOINER })))).to.deep.equal(["joiner-behind"]);
  });

  it("lets a member go by its own wish, but never below four", () => {
    const fixture = new Fixture();
    fixture.idleTo(17);
    fixture.run(fixture.change(joining(fixture), { holder: JOINER }));
    fixture.idleTo(96);
    const quit = (id: number, by: number, epoch: number): DigestedRequest =>
      fixture.change(
        { type: "leave", id: replicaId(id), mayLowerFaultThreshold: false },
        { by, approvedBy: [], epoch },
      );

    expect(endsOf(fixture.run(quit(1, 2, 1), quit(1, 1, 1)))).to.deep.equal(["approvals-too-few", "epoch 2 above 176"]);
    fixture.idleTo(176);
    expect(fixture.executor.configuration.members.map(({ id }) => id)).to.deep.equal([0, 2, 3, 4]);
    expect(endsOf(fixture.run(quit(2, 2, 2)))).to.deep.equal(["members-too-few"]);
  });

  it("admits and expels clients at once, without an epoch", () => {
    const alice = new Fixture().client(1);
    const fixture = new Fixture({ clients: [alice.key] });
    const [first, second] = [fixture.client(1), fixture.client(2)];
    const admit: ReconfigurationChange = { type: "admit", client: second.key };
    const refused = fixture.run(second.register(0, 20));
    const execution = fixture.run(
      fixture.change(admit),
      second.register(1, 20),
      fixture.change({ type: "expel", client: first.key }),
      first.register(1, 20),
      fixture.change(admit),
    );
    fixture.restart();

    expect(refused.replies[0]?.reply.results[0]?.status).to.equal("client-not-admitted");
    expect(execution.replies.map(({ reply }) => reply.results[0]?.status)).to.deep.equal([
      ...["ok", "ok", "ok", "client-not-admitted", "reconfiguration-refused"],
    ]);
    expect(fixture.executor.activation).to.equal(undefined);
    expect(fixture.executor.standing(first.register(2, 20)).type).to.equal("refusable");
    expect(fixture.executor.standing(second.register(2, 20)).type).to.equal("executable");
    const open = new Fixture();
    expect(endsOf(open.run(open.change(admit)))).to.deep.equal(["clients-open"]);
  });

  it("admits and expels nobody once as many nonces are spent as are remembered, until the next epoch", () => {
    const alice = new Fixture().client(1);
    const fixture = new Fixture({ clients: [alice.key] });
    const bob = fixture.client(2);
    const admit = fixture.change({ type: "admit", client: bob.key });
    const expel = fixture.change({ type: "expel", client: bob.key });
    const idle: ReconfigurationChange = { type: "leave", id: replicaId(9), mayLowerFaultThreshold: false };
    const spent = Array.from({ length: CHANGE_NONCES_MAX - 2 }, () => fixture.change(idle));
    expect(endsOf(fixture.run(...spent, admit, expel)).slice(-3)).to.deep.equal([
      ...["member-unknown", `epoch 0 above 1`, `epoch 0 above 1`],
    ]);
    fixture.restart();

    const again = fixture.change({ type: "admit", client: bob.key });
    expect(endsOf(fixture.run(again, admit, fixture.change({ type: "expel", client: alice.key })))).to.deep.equal([
      ...["nonces-spent", "nonce-used", "nonces-spent"],
    ]);
    expect(endsOf(fixture.run(fixture.change(PARAMETERS)))).to.deep.equal(["epoch 1 above 80"]);
    fixture.idleTo(80);
    expect(endsOf(fixture.run(fixture.change({ type: "admit", client: bob.key }, { epoch: 1 })))).to.deep.equal([
      "epoch 1 above 81",
    ]);
  });

  it("stands as it would be judged next, and as answered or lost once it was executed", () => {
    const fixture = new Fixture();
    const [change, foreign] = [fixture.change(PARAMETERS), fixture.change(PARAMETERS, { approvedBy: [] })];
    const { executor } = fixture;

    expect([executor.standing(change).type, executor.standing(foreign).type]).to.deep.equal([
      "executable",
      "refusable",
    ]);
    fixture.run(change);
    expect(executor.standing(change).type).to.equal("answered");
    expect(executor.replyTo(change)?.results[0]?.status).to.equal("ok");
    executor.collect(executor.executed, executor.executed);
    expect(executor.standing(change).type).to.equal("answer-lost");
    fixture.idleTo(80);
    expect(executor.standing(change).type, "of an epoch that is over").to.equal("refusable");
  });

  it("tells the service once, in the last batch of the old members", () => {
    const told: ServiceMembership[] = [];
    const service: Service = {
      execute: () => new Uint8Array(0),
      onMembership: (membership, state) => {
        told.push(membership);
        state.put(bytesOf("epoch"), Uint8Array.of(membership.epoch));
      },
    };
    const fixture = new Fixture({ service });
    fixture.run(fixture.change(PARAMETERS));
    fixture.idleTo(79);
    expect(told).to.deep.equal([]);
    const { stateRoot } = fixture.executor.lastCheckpoint;
    fixture.idleTo(81);

    expect(told.map(({ epoch, seq, members }) => [epoch, seq, members.length])).to.deep.equal([[1, 80, 4]]);
    expect(fixture.executor.lastCheckpoint.stateRoot).to.not.equal(stateRoot);
  });

  it("goes on without what a service wrote that throws when it is told", () => {
    const service = (throws: boolean): Service => ({
      execute: () => new Uint8Array(0),
      onMembership: (_membership, state) => {
        if (!throws) return;
        state.put(bytesOf("half"), bytesOf("done"));
        throw new Error("not prepared for that");
      },
    });
    const [throwing, silent] = [new Fixture({ service: service(true) }), new Fixture({ service: service(false) })];
    const change = throwing.change(PARAMETERS);
    for (const fixture of [throwing, silent]) {
      fixture.run(change);
      fixture.idleTo(80);
    }

    expect(throwing.executor.configuration.epoch).to.equal(1);
    expect(throwing.executor.stateRoot()).to.equal(silent.executor.stateRoot());
  });
});

import {
  type AdminKeys,
  type Configuration,
  type Digest,
  digest,
  EPOCHS_MAX,
  epochNumber,
  JOIN_ID_STEP_MAX,
  type Member,
  type PublicKey,
  publicKey,
  REPLICA_ID_MAX,
  type ReconfigurationChange,
  type ReconfigurationRequest,
  type ReplicaId,
  replicaId,
  type SequenceNumber,
  sequenceNumber,
} from "@quorate/protocol";
import {
  activate,
  type ChangePlace,
  type ConfigurationRecord,
  isActivation,
  judgeReconfiguration,
  type ReconfigurationVerdict,
} from "@quorate/reconfiguration";
import { expect } from "chai";

const hex = (n: number): string => n.toString(16).padStart(64, "0");
const keyOf = (n: number): PublicKey => publicKey(hex(n));
const lossOf = (n: number): Digest => digest(hex(n));
const memberOf = (id: number): Member => ({ id: replicaId(id), publicKey: keyOf(id), address: `replica-${id}:7000` });
const [ADMIN, OTHER_ADMIN, STRANGER] = [keyOf(90), keyOf(91), keyOf(99)];

function recordOf(n: number, changes: Partial<Configuration> = {}): ConfigurationRecord {
  const current: Configuration = {
    epoch: epochNumber(2),
    members: Array.from({ length: n }, (_, id) => memberOf(id)),
    admins: { threshold: 1, keys: [ADMIN] },
    checkpointInterval: 16,
    windowSize: 64,
    ...changes,
  };
  return { current, highestId: replicaId(n - 1), pending: undefined, rejoins: [] };
}

const CHECKPOINT = { seq: sequenceNumber(96), stateRoot: digest(hex(5)) };
const place: ChangePlace = {
  seq: sequenceNumber(100),
  isNonceUsed: false,
  areNoncesSpent: false,
  recentCheckpoints: [CHECKPOINT],
  windowSizeMax: 2048,
  clients: undefined,
  clientsMax: 3,
};

function requestOf(
  change: ReconfigurationChange,
  {
    approvals = [ADMIN],
    client = STRANGER,
    epoch = 2,
  }: Partial<{ approvals: PublicKey[]; client: PublicKey; epoch: number }> = {},
): ReconfigurationRequest {
  const [possession, signature] = [new Uint8Array(0), new Uint8Array(64)];
  const signed = approvals.map((key) => ({ key, signature }));
  const common = { client, epoch: epochNumber(epoch), nonce: digest(hex(1)), possession, signature };
  return { type: "reconfiguration", change, approvals: signed, ...common };
}

function endOf(verdict: ReconfigurationVerdict): string {
  if (verdict.type === "refused") return verdict.refusal;
  return `epoch ${verdict.accepted.epoch} above ${verdict.accepted.activation}`;
}
const judged = (
  record: ConfigurationRecord,
  change: ReconfigurationChange,
  by: Parameters<typeof requestOf>[1] = {},
  at: Partial<ChangePlace> = {},
): ReconfigurationVerdict => judgeReconfiguration(record, requestOf(change, by), { ...place, ...at });

function ordered(verdict: ReconfigurationVerdict): ConfigurationRecord {
  if (verdict.type !== "ordered") throw new Error(`expected a change that waits, got ${endOf(verdict)}`);
  return verdict.record;
}

const leave = (id: number, mayLowerFaultThreshold = false): ReconfigurationChange => ({
  type: "leave",
  id: replicaId(id),
  mayLowerFaultThreshold,
});
const rejoin = (id: number, loss: number): ReconfigurationChange => ({
  type: "rejoin",
  id: replicaId(id),
  loss: lossOf(loss),
});
const join = (member: Member): ReconfigurationChange => ({ type: "join", member, checkpoint: CHECKPOINT });
const parameters = (k: number, l: number): ReconfigurationChange => ({
  type: "parameters",
  checkpointInterval: k,
  windowSize: l,
});
const admins = (threshold: number, ...keys: PublicKey[]): ReconfigurationChange & { readonly admins: AdminKeys } => ({
  type: "admins",
  admins: { threshold, keys },
});

describe("the verdict on a change", () => {
  const end = "epoch 3 above 176";
  for (const [what, record, change, expected] of [
    ["a fifth member", recordOf(4), join(memberOf(4)), end],
    ["an id that left", { ...recordOf(4), highestId: replicaId(6) }, join(memberOf(6)), "id-used"],
    ["an id below the highest", recordOf(4), join({ ...memberOf(4), id: replicaId(1) }), "id-used"],
    ["a member's key", recordOf(4), join({ ...memberOf(4), publicKey: keyOf(3) }), "key-used"],
    ["a member's address", recordOf(4), join({ ...memberOf(4), address: "replica-3:7000" }), "address-used"],
    ["a 65th member", recordOf(64), join(memberOf(64)), "members-too-many"],
    ["one of five goes", recordOf(5), leave(2), end],
    ["one of seven goes", recordOf(7), leave(2), "fault-threshold-lowered"],
    ["one of seven goes, as is meant", recordOf(7), leave(2, true), end],
    ["one of four goes, as is meant", recordOf(4), leave(2, true), "members-too-few"],
    ["a stranger goes", recordOf(5), leave(9), "member-unknown"],
    ["a member rejoins", recordOf(4), rejoin(2, 7), end],
    ["a stranger rejoins", recordOf(4), rejoin(9, 7), "member-unknown"],
    ["a key is rotated", recordOf(4), { type: "rotate-key", id: replicaId(1), publicKey: keyOf(50) }, end],
    ["a key stays", recordOf(4), { type: "rotate-key", id: replicaId(1), publicKey: keyOf(1) }, "changes-nothing"],
    ["another's key", recordOf(4), { type: "rotate-key", id: replicaId(1), publicKey: keyOf(2) }, "key-used"],
    ["a stranger's key", recordOf(4), { type: "rotate-key", id: replicaId(9), publicKey: keyOf(50) }, "member-unknown"],
    ["two admins", recordOf(4), admins(2, ADMIN, OTHER_ADMIN), end],
    ["the same admins", recordOf(4), admins(1, ADMIN), "changes-nothing"],
    ["an admin twice", recordOf(4), admins(1, ADMIN, ADMIN), "admins-invalid"],
    ["no admin", recordOf(4), admins(0), "admins-invalid"],
    ["fewer admins than are needed", recordOf(4), admins(2, OTHER_ADMIN), "admins-invalid"],
    ["another K", recordOf(4), parameters(32, 64), end],
    ["the same K and L", recordOf(4), parameters(16, 64), "changes-nothing"],
    ["K = 0", recordOf(4), parameters(0, 64), "parameters-invalid"],
    ["L below 2K", recordOf(4), parameters(16, 16), "parameters-invalid"],
    ["L no multiple of K", recordOf(4), parameters(16, 40), "parameters-invalid"],
    ["L above what a NEW-VIEW can prove", recordOf(4), parameters(16, 4096), "parameters-invalid"],
    ["a client of an open cluster", recordOf(4), { type: "admit", client: STRANGER }, "clients-open"],
  ] as const)
    it(`${what}: ${expected}`, () => {
      expect(endOf(judged(record, change))).to.equal(expected);
    });

  it("L is bounded by what the limits of genesis allow, by which frames are bounded, too", () => {
    const at = { windowSizeMax: 128 };
    expect(judged(recordOf(4), parameters(16, 128), {}, at).type).to.equal("ordered");
    expect(endOf(judged(recordOf(4), parameters(16, 144), {}, at))).to.equal("parameters-invalid");
  });

  it("a joiner's address is one as genesis has them", () => {
    const at = (address: string): string => endOf(judged(recordOf(4), join({ ...memberOf(4), address })));
    for (const address of ["127.0.0.1:7000", "[::1]:7000", "[fe80::1%eth0]:7000", "replica-4.example:65535"])
      expect(at(address), address).to.equal(end);
    for (const address of [
      "",
      "nowhere",
      ":7000",
      "host:",
      "host:65536",
      "::1:7000",
      "a b:7000",
      "http://a:7000",
      "[::1]",
    ])
      expect(at(address), address).to.equal("member-invalid");
  });

  it("no order uses up the ids of those who join later", () => {
    const at = (id: number, highest: number): string =>
      endOf(judged({ ...recordOf(4), highestId: replicaId(highest) }, join(memberOf(id))));
    expect(at(3 + JOIN_ID_STEP_MAX, 3)).to.equal(end);
    expect(at(4 + JOIN_ID_STEP_MAX, 3)).to.equal("member-invalid");
    expect(at(REPLICA_ID_MAX, 3)).to.equal("member-invalid");
    expect(at(REPLICA_ID_MAX, REPLICA_ID_MAX - 1), "the last one").to.equal(end);
    const beyond = { ...memberOf(4), id: (REPLICA_ID_MAX + 1) as ReplicaId };
    expect(endOf(judged({ ...recordOf(4), highestId: replicaId(REPLICA_ID_MAX) }, join(beyond)))).to.equal(
      "member-invalid",
    );
  });

  it("epochs have an end, to which members alone do not come", () => {
    const at = (epoch: number, by: object = {}, change: ReconfigurationChange = rejoin(2, 7)): string =>
      endOf(judged(recordOf(5, { epoch: epochNumber(epoch) }), change, { epoch, ...by }));
    const own = { approvals: [], client: keyOf(2) };
    expect(at(EPOCHS_MAX - 1)).to.equal(`epoch ${EPOCHS_MAX} above 176`);
    expect(at(EPOCHS_MAX)).to.equal("epochs-too-many");
    expect(at(EPOCHS_MAX, {}, admins(1, OTHER_ADMIN))).to.equal("epochs-too-many");
    expect(at(EPOCHS_MAX / 2 - 1, own)).to.equal(`epoch ${EPOCHS_MAX / 2} above 176`);
    expect(at(EPOCHS_MAX / 2, own)).to.equal("approvals-too-few");
    expect(at(EPOCHS_MAX / 2)).to.equal(`epoch ${EPOCHS_MAX / 2 + 1} above 176`);
    expect(at(EPOCHS_MAX / 2, own, leave(2)), "leaves by itself").to.equal(`epoch ${EPOCHS_MAX / 2 + 1} above 176`);
    const rejoining = ordered(
      judged(recordOf(5, { epoch: epochNumber(EPOCHS_MAX - 1) }), rejoin(2, 7), { epoch: EPOCHS_MAX - 1 }),
    );
    const queued = judged(rejoining, admins(1, OTHER_ADMIN), { epoch: EPOCHS_MAX - 1 }, { seq: sequenceNumber(101) });
    expect(endOf(queued)).to.equal("epochs-too-many");
  });

  it("f is not lowered at five or six, where it is that of four", () => {
    expect([5, 6, 8, 9].map((n) => judged(recordOf(n), leave(0)).type)).to.deep.equal(Array(4).fill("ordered"));
    expect([7, 10, 13].map((n) => endOf(judged(recordOf(n), leave(0))))).to.deep.equal(
      Array(3).fill("fault-threshold-lowered"),
    );
  });

  it("clients are admitted and expelled as long as nonces are remembered; what begins an epoch always is ordered", () => {
    const clients = { count: 1, isAdmitted: (client: PublicKey) => client === ADMIN };
    const when = (areNoncesSpent: boolean, change: ReconfigurationChange): string =>
      endOf(judged(recordOf(5), change, {}, { clients, areNoncesSpent }));
    const admission: ReconfigurationChange = { type: "admit", client: STRANGER };
    const expulsion: ReconfigurationChange = { type: "expel", client: ADMIN };
    for (const change of [admission, expulsion]) {
      expect(when(false, change)).to.equal("epoch 2 above 100");
      expect(when(true, change)).to.equal("nonces-spent");
    }
    expect(when(true, leave(1))).to.equal(end);
  });

  it("clients are admitted up to a bound, and once", () => {
    const clients = { count: 2, isAdmitted: (client: PublicKey) => client === ADMIN };
    const judgeWith = (change: ReconfigurationChange, count = 2): ReconfigurationVerdict =>
      judged(recordOf(4), change, {}, { clients: { ...clients, count } });

    expect(judgeWith({ type: "admit", client: STRANGER })).to.deep.include({ type: "admission", isAdmitted: true });
    expect(endOf(judgeWith({ type: "admit", client: STRANGER }, 3))).to.equal("clients-too-many");
    expect(endOf(judgeWith({ type: "admit", client: ADMIN }))).to.equal("changes-nothing");
    expect(judgeWith({ type: "expel", client: ADMIN }, 3)).to.deep.include({ type: "admission", isAdmitted: false });
    expect(endOf(judgeWith({ type: "expel", client: STRANGER }))).to.equal("changes-nothing");
  });

  for (const [what, change, by, isSpent] of [
    ["of another epoch", rejoin(1, 1), { epoch: 1 }, false],
    ["without authority", leave(1), { approvals: [] }, false],
    ["with a foreign approval", leave(1), { approvals: [ADMIN, STRANGER] }, false],
    ["of the admins", leave(1), {}, true],
    ["of the member itself", leave(1), { approvals: [], client: keyOf(1) }, false],
  ] as const)
    it(`a refused change ${what} spends ${isSpent ? "its" : "no"} nonce`, () => {
      const verdict = judged(recordOf(4), change, {
        ...by,
        approvals: [...("approvals" in by ? by.approvals : [ADMIN])],
      });

      expect(verdict).to.deep.include({ type: "refused", isNonceSpent: isSpent });
    });

  it("a member alone spends no nonce with what is refused while another change waits, or in the last epoch", () => {
    const own = { approvals: [], client: keyOf(1) };
    const waiting = ordered(judged(recordOf(5), leave(2)));
    const last = recordOf(5, { epoch: epochNumber(EPOCHS_MAX) });

    for (const [record, epoch, refusal] of [
      [waiting, 2, "in-flight"],
      [last, EPOCHS_MAX, "epochs-too-many"],
    ] as const) {
      expect(judged(record, leave(1), { ...own, epoch })).to.deep.include({ refusal, isNonceSpent: false });
      expect(judged(record, leave(1), { epoch })).to.deep.include({ refusal, isNonceSpent: true });
    }
  });

  it("a nonce that was used is used for everyone", () => {
    expect(endOf(judged(recordOf(5), leave(1), {}, { isNonceUsed: true }))).to.equal("nonce-used");
  });

  it("a member rejoins by itself once in 64 windows, and with the admins at any time", () => {
    const own = { approvals: [], client: keyOf(2) };
    const first = ordered(judged(recordOf(4), rejoin(2, 7), own));
    expect([first.pending?.rejoins, first.rejoins]).to.deep.equal([2, [{ id: 2, loss: lossOf(7), ordered: 100 }]]);
    const after = activate(first);
    const epoch = 3;
    const at = (seq: number): Partial<ChangePlace> => ({ seq: sequenceNumber(seq) });

    expect(endOf(judged(after, rejoin(2, 7), { ...own, epoch }, at(9_000)))).to.equal("changes-nothing");
    expect(endOf(judged(after, rejoin(2, 8), { ...own, epoch }, at(100 + 64 * 64 - 1)))).to.equal("rejoin-too-soon");
    expect(judged(after, rejoin(2, 8), { epoch }, at(200)).type).to.equal("ordered");
    expect(judged(after, rejoin(2, 8), { ...own, epoch }, at(100 + 64 * 64)).type).to.equal("ordered");
    expect(judged(after, rejoin(1, 8), { approvals: [], client: keyOf(1), epoch }, at(200)).type).to.equal("ordered");
  });

  it("a joiner that had lost its disk has got over that in its first epoch, and its next loss is judged as that of any member", () => {
    const member = { id: replicaId(4), publicKey: keyOf(4), address: "127.0.0.1:7004" };
    const joined = (loss?: Digest): ConfigurationRecord =>
      ordered(judged(recordOf(4), { type: "join", member, checkpoint: CHECKPOINT, ...(loss && { loss }) }));
    expect([joined().rejoins, joined(lossOf(7)).rejoins]).to.deep.equal([
      [],
      [{ id: 4, loss: lossOf(7), ordered: 100 }],
    ]);

    const after = activate(joined(lossOf(7)));
    const own = { approvals: [], client: keyOf(4), epoch: 3 };
    expect(endOf(judged(after, rejoin(4, 7), own, { seq: sequenceNumber(200) }))).to.equal("changes-nothing");
    expect(endOf(judged(after, rejoin(4, 8), own, { seq: sequenceNumber(200) }))).to.equal("rejoin-too-soon");
  });

  it("nothing is ordered while another change waits, but admins have one place behind a member that rejoins", () => {
    const waiting = ordered(judged(recordOf(5), leave(1)));
    const rejoining = ordered(judged(recordOf(5), rejoin(2, 7)));
    const later: Partial<ChangePlace> = { seq: sequenceNumber(101) };

    expect(endOf(judged(waiting, admins(1, OTHER_ADMIN), {}, later))).to.equal("in-flight");
    expect(endOf(judged(rejoining, leave(1), {}, later))).to.equal("in-flight");
    expect(endOf(judged(rejoining, rejoin(3, 7), {}, later))).to.equal("in-flight");
    expect(endOf(judged(rejoining, admins(2, ADMIN), {}, later))).to.equal("admins-invalid");
    const verdict = judged(rejoining, admins(1, OTHER_ADMIN), {}, later);
    expect(endOf(verdict), "ordered at 177, as it were").to.equal("epoch 4 above 256");
    const queued = ordered(verdict);
    expect(endOf(judged(queued, admins(1, STRANGER), {}, later))).to.equal("in-flight");

    const after = activate(queued);
    expect([after.current.epoch, after.current.admins.keys]).to.deep.equal([3, [ADMIN]]);
    expect([after.pending?.ordered, after.pending?.activation]).to.deep.equal([177, 256]);
    expect([isActivation(after, sequenceNumber(256)), isActivation(after, sequenceNumber(255))]).to.deep.equal([
      ...[true, false],
    ]);
    const last = activate(after);
    expect([last.current.epoch, last.current.admins.keys, last.pending]).to.deep.equal([4, [OTHER_ADMIN], undefined]);
  });

  it("activation leaves of those who have left nothing but their ids", () => {
    const rejoined = activate(ordered(judged(recordOf(5), rejoin(4, 7))));
    const gone = activate(ordered(judged(rejoined, leave(4), { epoch: 3 }, { seq: sequenceNumber(200) })));

    expect([gone.current.members.length, gone.highestId, gone.rejoins]).to.deep.equal([4, 4, []]);
    expect(activate(gone), "nothing waits").to.equal(gone);
  });

  it("members stay in the order of their ids, whoever comes and goes", () => {
    const seven = { ...recordOf(4), highestId: replicaId(6) };
    const joined = activate(ordered(judged(seven, join(memberOf(7)))));

    expect(joined.current.members.map(({ id }) => id)).to.deep.equal([0, 1, 2, 3, 7]);
    expect(joined.highestId).to.equal(7);
  });

  it("the activation is the smallest multiple of K at or above n + L", () => {
    const activations = [95, 96, 97, 112].map((seq) => {
      const verdict = judged(recordOf(5), leave(1), {}, { seq: sequenceNumber(seq) });
      return verdict.type === "ordered" ? verdict.accepted.activation : undefined;
    });

    expect(activations).to.deep.equal([160, 160, 176, 176] as (SequenceNumber | number)[]);
  });
});

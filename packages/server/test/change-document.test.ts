import { createClientSigner, signPossession } from "@quorate/crypto";
import { digest, epochNumber, type ReconfigurationChange, replicaId, sequenceNumber, utf8 } from "@quorate/protocol";
import { ScriptedEpochs } from "@quorate/reconfiguration/testing";
import {
  type ChangeDocument,
  changeDocumentOf,
  type PreparedChange,
  parseChangeDocument,
  withApproval,
} from "@quorate/server";
import { expect } from "chai";

const { backend, hasher, cluster } = new ScriptedEpochs();
const seedOf = (label: string): Uint8Array => Uint8Array.from(Buffer.from(hasher.digest(utf8(label)), "hex"));
const NEW_SEED = seedOf("new");
const NEW_KEY = backend.publicKeyOf(NEW_SEED);
const EPOCH = epochNumber(3);

const CHANGES: readonly ReconfigurationChange[] = [
  {
    type: "join",
    member: { id: replicaId(4), publicKey: NEW_KEY, address: "[2001:db8::4]:7000" },
    checkpoint: { seq: sequenceNumber(64), stateRoot: digest("22".repeat(32)) },
  },
  { type: "leave", id: replicaId(2), mayLowerFaultThreshold: true },
  { type: "rejoin", id: replicaId(2), loss: digest("33".repeat(32)) },
  { type: "rotate-key", id: replicaId(1), publicKey: NEW_KEY },
  { type: "admins", admins: { threshold: 1, keys: [NEW_KEY] } },
  { type: "parameters", checkpointInterval: 8, windowSize: 32 },
  { type: "admit", client: NEW_KEY },
  { type: "expel", client: NEW_KEY },
];
const [JOIN, LEAVE] = CHANGES as [ReconfigurationChange, ReconfigurationChange];

function prepared(change: ReconfigurationChange, approvers: readonly string[] = ["a", "b"]): PreparedChange {
  const isPossessed = change.type === "join" || change.type === "rotate-key";
  const possession = isPossessed
    ? signPossession({ backend, cluster, seed: NEW_SEED }, { epoch: EPOCH, change })
    : new Uint8Array(0);
  let order: PreparedChange = {
    cluster,
    epoch: EPOCH,
    nonce: digest("11".repeat(32)),
    change,
    possession,
    approvals: [],
  };
  for (const name of approvers) {
    const signer = createClientSigner({ backend, hasher, cluster, seed: seedOf(name) });
    order = withApproval(order, signer.approve(order));
  }
  return order;
}

const documentOf = (change: ReconfigurationChange): ChangeDocument => changeDocumentOf(prepared(change));
const parse = (value: unknown): PreparedChange =>
  parseChangeDocument(typeof value === "string" ? value : JSON.stringify(value), "order.json", cluster, backend);

describe("An order of a change as a file", () => {
  for (const change of CHANGES)
    it(`holds a change of type ${change.type} with all signatures, and reads back`, () => {
      expect(parse(documentOf(change))).to.deep.equal(prepared(change));
    });

  it("has one approval of each key, ascending, whoever approves twice or in whatever order they stand", () => {
    const once = prepared(LEAVE, ["a", "b", "c"]);
    const [first] = once.approvals;
    const document = changeDocumentOf(once);

    expect(once.approvals.map(({ key }) => key)).to.deep.equal(once.approvals.map(({ key }) => key).toSorted());
    expect(withApproval(once, first!)).to.deep.equal(once);
    expect(parse({ ...document, approvals: document.approvals.toReversed() })).to.deep.equal(once);
  });

  const join = documentOf(JOIN);
  const leave = documentOf(LEAVE);
  const [approval] = leave.approvals as [ChangeDocument["approvals"][number]];
  const member = JOIN.type === "join" ? JOIN.member : undefined;
  for (const [what, value, message] of [
    ["no JSON", "{", /order\.json is not JSON/],
    ["another document", { formatVersion: 2, type: "evidence" }, /order\.json/],
    ["another version", { ...leave, formatVersion: 9 }, /format version 9/],
    ["another cluster's", { ...leave, cluster: "ab".repeat(32) }, /order\.json is an order for cluster abab/],
    ["one with a field too many", { ...leave, note: "x" }, /note is not a field/],
    ["one without approvals", { ...leave, approvals: undefined }, /approvals/],
    [
      "one of an unknown type",
      { ...leave, change: { type: "promote" } },
      /change\.type is no change that there is, expected one of join, leave/,
    ],
    [
      "one with a field too many in its change",
      { ...leave, change: { ...LEAVE, id2: 1 } },
      /change\.id2 is not a field/,
    ],
    ["one that lacks a field", { ...leave, change: { type: "leave", id: 2 } }, /change/],
    ["one with a negative id", { ...leave, change: { ...LEAVE, id: -1 } }, /change\.id/],
    ["one with a bad nonce", { ...leave, nonce: "AB".repeat(32) }, /nonce/],
    [
      "one with half a byte",
      { ...leave, approvals: [{ ...approval, signature: approval.signature.slice(1) }] },
      /approvals\.0\.signature/,
    ],
    ["one with an approval twice", { ...leave, approvals: [approval, approval] }, /two approvals are of the key/],
    [
      "one that was changed",
      { ...leave, change: { ...LEAVE, id: 1 } },
      /the approval of the key [0-9a-f]{64} is no signature of it/,
    ],
    ["one for another epoch", { ...leave, epoch: 4 }, /is no signature of it/],
    ["one with another nonce", { ...leave, nonce: "44".repeat(32) }, /is no signature of it/],
    [
      "a possession too many",
      { ...leave, possession: join.possession },
      /possession is signed, but a change of type leave brings in no key/,
    ],
    ["a possession too few", { ...join, possession: "" }, /possession is no signature of the key/],
    ["a possession of another epoch", { ...join, epoch: 4, approvals: [] }, /possession is no signature/],
    ["no address", { ...join, change: { ...JOIN, member: { ...member, address: "nowhere" } } }, /nowhere/],
    [
      "an address that is too long",
      { ...join, change: { ...JOIN, member: { ...member, address: `${"ü".repeat(200)}:1` } } },
      /longer than 260 bytes/,
    ],
  ] as const)
    it(`is not ${what}, and the line says where`, () => {
      expect(() => parse(value))
        .to.throw(message)
        .with.property("message")
        .that.does.not.contain("\n");
    });

  it("may name a later checkpoint of the joiner, which signs it, without another word of the admins", () => {
    const order = prepared(JOIN);
    const change = { ...JOIN, checkpoint: { seq: sequenceNumber(128), stateRoot: digest("55".repeat(32)) } } as const;
    const possession = signPossession(
      { backend, cluster, seed: NEW_SEED },
      { epoch: EPOCH, change: change as ReconfigurationChange },
    );

    const newer = { ...order, change: change as ReconfigurationChange, possession };

    expect(parse(changeDocumentOf(newer))).to.deep.equal(newer);
  });
});
